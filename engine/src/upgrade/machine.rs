//! What comes after what in an upgrade (docs/upgrade.md section 3).
//!
//! The machine says what is to be done, one step at a time; whoever does it tells how it went. A step either happens or
//! does not, and the power may go before and after each: [`Machine::at_start`] goes on from what was saved.

use super::record::{Cause, Order, Phase, Record};

/// A slot: 0 or 1.
pub type Slot = u8;

/// So many starts of the former slot are taken for starts of the program alone, before the device counts as one whose new
/// slot does not come up.
const STARTS_BEFORE_TARGET: u8 = 3;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Write the record and sync it, then [`Machine::saved`].
    Save,
    /// Report the version and wait for an order, then [`Machine::offered`].
    Wait,
    /// The program is to say what it thinks of the order: [`Machine::accept`] or [`Machine::cancel`].
    Ask,
    /// Make the running slot the next to start, for good, then [`Machine::secured`]: the other one is going to be written.
    Secure(Slot),
    /// Write the firmware into this slot, verify it, then [`Machine::verified`]; meanwhile [`Machine::synced`].
    Fetch(Slot),
    /// Make this slot the next to start, on trial, then [`Machine::installed`].
    Install(Slot),
    /// The program is to start the device again.
    Restart,
    /// The program is to say that it works: [`Machine::confirm`].
    Confirm,
    /// Make this slot the one that starts, for good, then [`Machine::kept`].
    Keep(Slot),
    /// Make this slot the one that starts, for good, then [`Machine::returned`].
    Return(Slot),
    /// Tell the cloud how it ended and wait until it has heard, then [`Machine::told`].
    Tell,
}

/// The call does not fit the present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow;

/// One device's upgrades.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    record: Record,
    running: Slot,
    is_saved: bool,
    offer: Option<Order>,
    /// The order that is followed has come since the start: its firmware can be fetched.
    has_source: bool,
    is_secured: bool,
    is_confirmed: bool,
    is_returned: bool,
}

fn other(slot: Slot) -> Slot {
    slot ^ 1
}

impl Machine {
    /// The program starts from `running`, with what was saved. A slot that was not confirmed in `trial_starts` starts, at
    /// least one, is left.
    #[must_use]
    pub fn at_start(record: Option<Record>, running: Slot, trial_starts: u8) -> Self {
        let mut machine = Machine {
            record: record.unwrap_or_default(),
            running: running & 1,
            is_saved: true,
            offer: None,
            has_source: false,
            is_secured: false,
            is_confirmed: false,
            is_returned: false,
        };
        machine.start(trial_starts.max(1));
        machine
    }

    fn start(&mut self, trial_starts: u8) {
        let is_target = self.record.target == self.running;
        let starts = self.record.starts.saturating_add(1);
        match self.record.phase {
            // Somebody has changed slots by hand: what runs is not to be written over.
            Phase::Fetching if is_target => self.begin(self.record.order.clone()),
            // The power went between the slots' change and the record's.
            Phase::Installing | Phase::Installed if is_target => {
                self.record.starts = 1;
                self.enter(Phase::Trial);
            }
            Phase::Installed if starts > STARTS_BEFORE_TARGET => self.fail(Cause::NotStarted),
            Phase::Trial if !is_target => self.fail(Cause::FellBack),
            Phase::Trial if starts > trial_starts => self.fail(Cause::NotConfirmed),
            Phase::Installed | Phase::Trial => {
                self.record.starts = starts;
                self.is_saved = false;
            }
            Phase::Idle | Phase::Fetching | Phase::Installing | Phase::Returning | Phase::Result => {}
        }
    }

    /// What is to be kept over a restart.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The order that the program has not decided on.
    #[must_use]
    pub fn offer(&self) -> Option<&Order> {
        self.offer.as_ref()
    }

    /// The slot that runs.
    #[must_use]
    pub fn running(&self) -> Slot {
        self.running
    }

    /// What is to be done now.
    #[must_use]
    pub fn step(&self) -> Step {
        let target = self.record.target;
        if !self.is_saved {
            return Step::Save;
        }
        match self.record.phase {
            Phase::Idle if self.offer.is_some() => Step::Ask,
            Phase::Idle => Step::Wait,
            Phase::Fetching if !self.has_source => Step::Wait,
            Phase::Fetching if !self.is_secured => Step::Secure(self.running),
            Phase::Fetching => Step::Fetch(target),
            Phase::Installing => Step::Install(target),
            Phase::Installed => Step::Restart,
            Phase::Trial if self.is_confirmed => Step::Keep(target),
            Phase::Trial => Step::Confirm,
            Phase::Returning if !self.is_returned => Step::Return(other(target)),
            Phase::Returning => Step::Restart,
            Phase::Result => Step::Tell,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.record.phase = phase;
        self.is_saved = false;
    }

    fn begin(&mut self, order: Order) {
        self.record = Record { target: other(self.running), order, ..Record::default() };
        self.is_secured = false;
        self.enter(Phase::Fetching);
    }

    /// The slot is not to stay. Before it was made the next to start there is nothing to take back.
    fn fail(&mut self, cause: Cause) {
        self.record.cause = cause;
        self.is_returned = false;
        let is_taken_back = self.record.phase == Phase::Fetching;
        self.enter(if is_taken_back { Phase::Result } else { Phase::Returning });
    }

    /// The record is written and synced.
    pub fn saved(&mut self) {
        self.is_saved = true;
    }

    /// An order came.
    pub fn offered(&mut self, order: Order) {
        match self.record.phase {
            Phase::Idle => self.offer = Some(order),
            Phase::Fetching if self.record.order == order => self.has_source = true,
            // Another one in its place: the cloud has given the former one up.
            Phase::Fetching => {
                self.record = Record::default();
                self.has_source = false;
                self.offer = Some(order);
                self.is_saved = false;
            }
            // It comes again when the present one has ended.
            _ => {}
        }
    }

    /// The program wants the order.
    ///
    /// # Errors
    /// There is none to decide on.
    pub fn accept(&mut self) -> Result<(), NotNow> {
        if self.record.phase != Phase::Idle {
            return Err(NotNow);
        }
        let order = self.offer.take().ok_or(NotNow)?;
        self.begin(order);
        self.has_source = true;
        Ok(())
    }

    /// The program does not want the order, or no longer: until the new slot has been started.
    ///
    /// # Errors
    /// There is nothing that can be cancelled.
    pub fn cancel(&mut self) -> Result<(), NotNow> {
        match self.record.phase {
            Phase::Idle => {
                let order = self.offer.take().ok_or(NotNow)?;
                self.begin(order);
            }
            Phase::Fetching | Phase::Installing | Phase::Installed => {}
            Phase::Trial | Phase::Returning | Phase::Result => return Err(NotNow),
        }
        self.fail(Cause::Cancelled);
        Ok(())
    }

    /// The running slot is the next to start.
    pub fn secured(&mut self) {
        self.is_secured = true;
    }

    /// The file's header was looked at: none, or one that is fine.
    pub fn opened(&mut self, header: Option<Box<[u8; super::HEADER_LEN]>>) {
        self.record.header = header;
    }

    /// So many bytes of the image are synced. With `is_to_save` the record is written before anything else.
    pub fn synced(&mut self, bytes: u32, is_to_save: bool) {
        self.record.synced = bytes;
        if is_to_save {
            self.is_saved = false;
        }
    }

    /// What is stored can't be used: the download starts over.
    pub fn forget_stored(&mut self) {
        self.record.synced = 0;
        self.record.header = None;
        self.is_saved = false;
    }

    /// The whole image is in the target slot, synced, and is the right one.
    pub fn verified(&mut self) {
        if self.record.phase == Phase::Fetching {
            self.enter(Phase::Installing);
        }
    }

    /// What the present step was to do can't be done. A step that takes back is tried again.
    pub fn failed(&mut self, cause: Cause) {
        self.failed_by(cause, "");
    }

    /// As [`failed`](Self::failed), and more is known of it than the cause says.
    pub fn failed_by(&mut self, cause: Cause, reason: &str) {
        match self.record.phase {
            Phase::Fetching | Phase::Installing | Phase::Installed | Phase::Trial => {
                self.record.reason = reason.to_owned();
                self.fail(cause);
            }
            Phase::Idle | Phase::Returning | Phase::Result => {}
        }
    }

    /// The target slot is the next to start.
    pub fn installed(&mut self) {
        if self.record.phase == Phase::Installing {
            self.record.starts = 0;
            self.enter(Phase::Installed);
        }
    }

    /// The program says that it works.
    ///
    /// # Errors
    /// No slot is on trial.
    pub fn confirm(&mut self) -> Result<(), NotNow> {
        if self.record.phase != Phase::Trial {
            return Err(NotNow);
        }
        self.is_confirmed = true;
        Ok(())
    }

    /// The time to confirm in is over.
    pub fn trial_over(&mut self) {
        if self.record.phase == Phase::Trial && !self.is_confirmed {
            self.fail(Cause::NotConfirmed);
        }
    }

    /// The target slot is the one that starts, for good.
    pub fn kept(&mut self) {
        if self.record.phase == Phase::Trial {
            self.record.cause = Cause::None;
            self.enter(Phase::Result);
        }
    }

    /// The former slot is the one that starts, for good.
    pub fn returned(&mut self) {
        if self.record.phase != Phase::Returning {
            return;
        }
        self.is_returned = true;
        // Only what runs can be said to have come back.
        if self.running != self.record.target {
            self.enter(Phase::Result);
        }
    }

    /// The cloud knows the result.
    pub fn told(&mut self) {
        if self.record.phase == Phase::Result {
            self.record = Record::default();
            self.has_source = false;
            self.is_saved = false;
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
