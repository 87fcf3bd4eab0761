//! Upgrades into the other slot: does, step by step, what the engine's machine asks for, over the messages and downloads of
//! [`Ota`] (docs/upgrade.md).
//!
//! Locks, from the outside in: `work` (held while a thread yields; another one is refused), then the machine's (short,
//! never over I/O). The program is told with the machine's lock free, so that it may decide at once.

pub mod pair;
pub mod store;
mod writing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use iot_engine::helpers::hex;
use iot_engine::time::Millis;
use iot_engine::upgrade::{Cause, Machine, NotNow, Order, Phase, PublicKey, Record, Step, RECORD_LEN};

use super::ota::Ota;
use crate::drive::error::Error;
use crate::drive::mqtt::Client;
use crate::hal::sync::Mutex;
use store::{Store, RECORD_AREA};
use writing::{Trust, Writing};

pub use writing::{Judge, Writes};

const FUNCTION: &str = "IOT_Upgrade_Yield";
/// Longest that the client is driven before decisions and deadlines are looked at.
const SLICE_MS: u32 = 200;
/// How long a store that has failed is left alone.
const AGAIN_MS: u64 = 1000;
/// What is asked of a download at once.
const FETCH: usize = 4096;

/// What the program is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The cloud has an order: its version, and the bytes of the file.
    Found(String, u32),
    /// So many percent are there.
    Progress(u8),
    /// The image is stored and is the right one.
    Verified,
    /// The device is to be started again, to the new slot or, with a cause, to the former one.
    Restart(Cause),
    /// The running slot is on trial, and is to be confirmed.
    Trial,
    /// The upgrade has failed.
    Failed(Cause),
    /// The new firmware stays.
    Confirmed,
}

/// How a program wants its upgrades.
pub struct Settings {
    /// The version that runs.
    pub version: String,
    /// Who judges a file by its first bytes.
    pub judge: Judge,
    /// Whose signatures are taken.
    pub keys: Vec<PublicKey>,
    /// Nothing older than this.
    pub minimum: Option<String>,
    /// Nor, unless this is set, than what runs.
    pub may_downgrade: bool,
    /// What is done when.
    pub plan: Plan,
}

/// What a program wants to be done when.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Orders are accepted without asking.
    pub is_automatic: bool,
    /// The record is written for at least so many bytes.
    pub record_every: u32,
    /// A slot on trial is to be confirmed in this time; 0 for no limit.
    pub confirm_ms: u64,
    /// And in so many starts.
    pub trial_starts: u8,
}

/// How an upgrade stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Why it failed.
    pub cause: Cause,
    /// The slot that runs.
    pub running: u8,
    /// Bytes of the image that are stored, synced or not.
    pub stored: u32,
    /// How often flash was touched since the start.
    pub writes: Writes,
}

/// The thread that yields has it.
#[derive(Default)]
struct Work {
    writing: Option<Box<Writing>>,
    /// What has been said of the present step.
    announced: Option<Step>,
    percent: u8,
    /// The version was reported, and an order may come.
    is_asked: bool,
    /// The packet that tells the result.
    told: Option<u16>,
    trial_since: Option<Millis>,
    sequence: u32,
    place: u8,
    /// The store has failed, and is asked again then.
    again_at: Option<Millis>,
}

/// One device's upgrades into the other slot.
pub struct Upgrade {
    client: Arc<Client>,
    ota: Ota,
    store: Box<dyn Store>,
    trust: Trust,
    version: String,
    plan: Plan,
    tell: Box<dyn Fn(&Event) + Send + Sync>,
    is_busy: AtomicBool,
    work: Mutex<Work>,
    machine: Mutex<Machine>,
    shown: Mutex<(u32, Writes)>,
    deferred: Mutex<Option<Millis>>,
    is_ended: AtomicBool,
}

impl Upgrade {
    /// Reads the record and subscribes to the device's orders.
    ///
    /// # Errors
    /// Why it can't be.
    pub fn new(
        client: Arc<Client>,
        store: Box<dyn Store>,
        settings: Settings,
        tell: Box<dyn Fn(&Event) + Send + Sync>,
    ) -> Result<Self, String> {
        let running = store.running().map_err(|why| format!("nobody knows which slot runs: {why}"))?;
        if running > 1 {
            return Err(format!("there is no slot {running}"));
        }
        let mut places = [[0; RECORD_LEN]; 2];
        for (area, place) in (RECORD_AREA..).zip(&mut places) {
            // One that can't be read is as good as none: at the first start there is no file.
            if store.read(area, 0, place).is_err() {
                place.fill(0);
            }
        }
        let newest = Record::newest(places.each_ref().map(<[u8; RECORD_LEN]>::as_slice));
        let (sequence, place) = newest.as_ref().map_or((0, 1), |(_, number, place)| (*number, u8::from(*place == 1)));
        let machine = Machine::at_start(newest.map(|(record, ..)| record), running, settings.plan.trial_starts);
        if settings.keys.is_empty() {
            log::warn!(target: "IOT_Upgrade_Init", "no public key: firmware is taken whoever has made it");
        }
        let identity = client.identity();
        let ota = Ota::telling_once(identity.product_id(), identity.device_name(), client.clone())?;
        let product_id = identity.product_id().to_owned();
        let Settings { version, judge, keys, minimum, may_downgrade, plan } = settings;
        let not_older_than = [minimum, (!may_downgrade).then(|| version.clone())];
        Ok(Upgrade {
            client,
            ota,
            store,
            trust: Trust { judge, keys, product_id, not_older_than },
            version,
            plan,
            tell,
            is_busy: AtomicBool::new(false),
            work: Mutex::new(Work { sequence, place, ..Work::default() }),
            machine: Mutex::new(machine),
            shown: Mutex::new((0, Writes::default())),
            deferred: Mutex::new(None),
            is_ended: AtomicBool::new(false),
        })
    }

    /// Ends it: a thread that yields returns soon. What is stored stays.
    pub fn destroy(&self) {
        self.is_ended.store(true, Ordering::Relaxed);
        self.ota.destroy();
    }

    /// The program wants the order.
    ///
    /// # Errors
    /// There is none to decide on.
    pub fn accept(&self) -> Result<(), NotNow> {
        self.machine.lock().accept()
    }

    /// The program wants to be asked again in `ms`.
    ///
    /// # Errors
    /// There is nothing to decide on.
    pub fn defer(&self, ms: u64) -> Result<(), NotNow> {
        self.machine.lock().offer().ok_or(NotNow)?;
        *self.deferred.lock() = Some(self.client.platform().now() + ms);
        Ok(())
    }

    /// The program does not want it, or no longer.
    ///
    /// # Errors
    /// It can't be taken back any more, or there is nothing.
    pub fn cancel(&self) -> Result<(), NotNow> {
        self.machine.lock().cancel()
    }

    /// The running firmware works.
    ///
    /// # Errors
    /// It is not on trial.
    pub fn confirm(&self) -> Result<(), NotNow> {
        self.machine.lock().confirm()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let (stored, writes) = *self.shown.lock();
        let machine = self.machine.lock();
        let record = machine.record();
        Status { phase: record.phase, cause: record.cause, running: machine.running(), stored, writes }
    }

    /// Does what there is to do for about `ms`, and drives the client meanwhile. False: another thread does, or it has
    /// ended.
    pub fn yield_for(&self, ms: u32) -> bool {
        if self.is_busy.swap(true, Ordering::Acquire) {
            return false;
        }
        let deadline = self.client.platform().now() + u64::from(ms);
        {
            let mut work = self.work.lock();
            loop {
                if self.is_ended.load(Ordering::Relaxed) {
                    break;
                }
                let left = self.client.platform().now().until(deadline);
                let waits = self.step(&mut work, left);
                if waits {
                    let slice = u32::try_from(left).unwrap_or(u32::MAX).min(SLICE_MS);
                    self.drive(slice);
                }
                if self.client.platform().now().until(deadline) == 0 {
                    break;
                }
            }
        }
        self.is_busy.store(false, Ordering::Release);
        !self.is_ended.load(Ordering::Relaxed)
    }

    /// Drives the client. Down, or with a download beside it, it may return at once.
    fn drive(&self, ms: u32) {
        let began = self.client.platform().now();
        let _ = self.client.yield_for(ms.max(1));
        if self.client.platform().now() == began {
            self.client.platform().sleep(ms.clamp(1, 50));
        }
    }

    /// Tells the program of a step, once.
    fn announce(&self, work: &mut Work, step: Step) {
        if work.announced.replace(step) == Some(step) {
            return;
        }
        let event = {
            let machine = self.machine.lock();
            let cause = machine.record().cause;
            match step {
                Step::Ask => machine.offer().map(|order| Event::Found(order.version.clone(), order.size)),
                Step::Restart => Some(Event::Restart(cause)),
                Step::Confirm => Some(Event::Trial),
                Step::Tell if cause == Cause::None => Some(Event::Confirmed),
                Step::Tell => Some(Event::Failed(cause)),
                _ => None,
            }
        };
        if let Some(event) = event {
            (self.tell)(&event);
        }
    }

    /// Does one step. True: there is nothing to do but wait.
    fn step(&self, work: &mut Work, left_ms: u64) -> bool {
        let step = self.machine.lock().step();
        // The record is written in the middle of a download, too.
        if !matches!(step, Step::Fetch(_) | Step::Save) {
            work.writing = None;
        }
        match step {
            Step::Save | Step::Return(_) if work.again_at.is_some_and(|at| self.client.platform().now() < at) => true,
            Step::Save => {
                let is_saved = self.save(work);
                self.try_again(work, is_saved)
            }
            Step::Wait => self.wait(work),
            Step::Ask => self.ask(work),
            Step::Secure(slot) => {
                self.commit(slot, false, Machine::secured);
                false
            }
            Step::Fetch(slot) => self.fetch(work, slot, left_ms),
            Step::Install(slot) => {
                let _ = self.ota.report_upgrade_begin();
                self.commit(slot, true, Machine::installed);
                false
            }
            Step::Restart => {
                self.announce(work, step);
                true
            }
            Step::Confirm => {
                let now = self.client.platform().now();
                let since = *work.trial_since.get_or_insert(now);
                if self.plan.confirm_ms > 0 && now.since(since) >= self.plan.confirm_ms {
                    self.machine.lock().trial_over();
                    return false;
                }
                self.announce(work, step);
                true
            }
            Step::Keep(slot) => {
                self.commit(slot, false, Machine::kept);
                false
            }
            Step::Return(slot) => {
                let is_done = self.commit(slot, false, Machine::returned);
                self.try_again(work, is_done)
            }
            Step::Tell => self.tell_cloud(work),
        }
    }

    /// What was not done is tried again later. True: so there is nothing to do but wait.
    fn try_again(&self, work: &mut Work, is_done: bool) -> bool {
        work.again_at = (!is_done).then(|| self.client.platform().now() + AGAIN_MS);
        !is_done
    }

    /// Makes `slot` the next to start, and tells the machine. False: the store can't.
    fn commit(&self, slot: u8, is_trial: bool, done: fn(&mut Machine)) -> bool {
        let result = self.store.commit(slot, is_trial);
        let mut machine = self.machine.lock();
        match result {
            Ok(()) => done(&mut machine),
            Err(why) => {
                log::error!(target: FUNCTION, "the slot that starts next could not be set: {why}");
                machine.failed(Cause::Store);
            }
        }
        result.is_ok()
    }

    /// Writes the record into the place that does not hold the one before.
    fn save(&self, work: &mut Work) -> bool {
        let (sequence, place) = (work.sequence.wrapping_add(1), work.place ^ 1);
        let area = RECORD_AREA + place;
        let bytes = self.machine.lock().record().encode(sequence);
        let erased = if self.store.erase_size() > 0 { self.store.erase(area, 0) } else { Ok(()) };
        let written = erased.and_then(|()| self.store.write(area, 0, &bytes)).and_then(|()| self.store.sync(area));
        self.shown.lock().1.records += 1;
        match written {
            Ok(()) => {
                (work.sequence, work.place) = (sequence, place);
                let mut machine = self.machine.lock();
                // A decision that came meanwhile is saved next.
                if machine.record().encode(sequence) == bytes {
                    machine.saved();
                }
                true
            }
            Err(why) => {
                log::error!(target: FUNCTION, "the record of the upgrade could not be written: {why}");
                false
            }
        }
    }

    fn wait(&self, work: &mut Work) -> bool {
        work.told = None;
        work.announced = None;
        if !work.is_asked {
            work.is_asked = self.ota.report_version(&self.version).is_ok();
        }
        if let Some(order) = self.order() {
            let mut machine = self.machine.lock();
            if machine.record().phase == Phase::Idle {
                *self.shown.lock() = Default::default();
            }
            machine.offered(order);
            return false;
        }
        true
    }

    /// The order that the cloud has sent.
    fn order(&self) -> Option<Order> {
        if !self.ota.is_fetching() {
            return None;
        }
        let (version, digits, size) = (self.ota.version().ok()?, self.ota.md5sum().ok()?, self.ota.file_size().ok()?);
        Some(Order { version, md5: hex::bytes(digits.as_bytes())?, size })
    }

    fn ask(&self, work: &mut Work) -> bool {
        if self.plan.is_automatic {
            let _ = self.machine.lock().accept();
            return false;
        }
        let now = self.client.platform().now();
        {
            let mut deferred = self.deferred.lock();
            if deferred.is_some_and(|moment| now.until(moment) == 0) {
                *deferred = None;
                work.announced = None;
            }
        }
        self.announce(work, Step::Ask);
        true
    }

    fn fetch(&self, work: &mut Work, slot: u8, left_ms: u64) -> bool {
        if work.writing.is_none() {
            match self.begin(slot) {
                Ok(writing) => work.writing = writing,
                Err(cause) => self.failed(cause),
            }
            work.percent = 0;
            return false;
        }
        // A client that has a download beside it waits for nothing.
        let _ = self.client.yield_for(1);
        if work.writing.as_ref().is_some_and(|writing| writing.is_whole()) {
            if let Err(cause) = self.check(work) {
                self.failed(cause);
            }
            return false;
        }
        let mut buf = [0; FETCH];
        match self.ota.fetch(&mut buf, left_ms.min(u64::from(SLICE_MS))) {
            Ok(count) => {
                if let Err(cause) = self.take(work, buf.get(..count).unwrap_or_default()) {
                    self.failed(cause);
                }
            }
            // Nobody has found the download wanting: the next run of the program goes on with it.
            Err(_) if self.is_ended.load(Ordering::Relaxed) || self.client.platform().is_leaving() => return true,
            Err(Error::Ota(error)) => self.failed(error.into()),
            Err(_) => self.failed(Cause::Download),
        }
        false
    }

    /// The order can't be followed, for a reason that was seen beside the machine.
    fn failed(&self, cause: Cause) {
        let reason = self.ota.failure_reason();
        self.machine.lock().failed_by(cause, &reason);
    }

    /// Goes on with what is there, or begins. `None`: what was there is no use.
    fn begin(&self, slot: u8) -> Result<Option<Box<Writing>>, Cause> {
        let Record { order, header, synced, .. } = self.machine.lock().record().clone();
        let size = order.size;
        let mut writing = Box::new(Writing::new(slot, order));
        self.ota.reset_md5();
        if synced > 0 {
            let feed = |bytes: &[u8]| self.ota.update_md5(bytes);
            let header = header.as_ref().map_or(&[][..], |header| header.as_slice());
            match writing.resume(header, synced, (&self.trust, &*self.store), &feed) {
                Ok(()) => {}
                Err(Some(cause)) => return Err(cause),
                Err(None) => {
                    log::warn!(target: FUNCTION, "what was stored can't be read: the download starts over");
                    self.machine.lock().forget_stored();
                    return Ok(None);
                }
            }
        }
        self.ota.start_download(writing.offset(), size).map_err(|_| Cause::Download)?;
        Ok(Some(writing))
    }

    fn take(&self, work: &mut Work, bytes: &[u8]) -> Result<(), Cause> {
        let Some(writing) = work.writing.as_mut() else { return Ok(()) };
        let mut writes = self.shown.lock().1;
        let outcome = self.take_into(writing, bytes, &mut writes);
        *self.shown.lock() = (writing.written(), writes);
        outcome?;
        let size = u64::from(writing.image_size().max(1));
        let percent = u8::try_from(u64::from(writing.written()) * 100 / size).unwrap_or(100);
        if percent > work.percent {
            work.percent = percent;
            (self.tell)(&Event::Progress(percent));
        }
        if !self.ota.is_fetch_finished() {
            return Ok(());
        }
        let outcome = writing.finish(&*self.store, &mut writes);
        *self.shown.lock() = (writing.written(), writes);
        outcome?;
        if self.ota.check_firmware() != Ok(true) {
            return Err(Cause::Md5);
        }
        Ok(())
    }

    /// Reads a part of the image back; after the last one it is verified.
    fn check(&self, work: &mut Work) -> Result<(), Cause> {
        let Some(writing) = work.writing.as_mut() else { return Ok(()) };
        if !writing.check(&*self.store)? {
            return Ok(());
        }
        {
            let mut machine = self.machine.lock();
            machine.synced(writing.written(), false);
            machine.verified();
        }
        let (_, writes) = *self.shown.lock();
        log::info!(
            target: FUNCTION,
            "stored and verified: {} bytes written, {} blocks erased, {} syncs, {} records",
            writes.bytes, writes.erases, writes.syncs, writes.records
        );
        (self.tell)(&Event::Verified);
        Ok(())
    }

    fn take_into(&self, writing: &mut Writing, bytes: &[u8], writes: &mut Writes) -> Result<(), Cause> {
        if let Some(header) = writing.feed(bytes, (&self.trust, &*self.store), writes)? {
            self.machine.lock().opened(header);
        }
        let synced = self.machine.lock().record().synced;
        if let Some(safe) = writing.sync(synced, self.plan.record_every.max(1), &*self.store, writes)? {
            self.machine.lock().synced(safe, true);
        }
        Ok(())
    }

    fn tell_cloud(&self, work: &mut Work) -> bool {
        self.announce(work, Step::Tell);
        let Some(id) = work.told else {
            let (cause, version, failure) = {
                let machine = self.machine.lock();
                let record = machine.record();
                (record.cause, record.order.version.clone(), record.failure().to_owned())
            };
            let told = if cause == Cause::None {
                self.ota.report_upgrade_success(Some(&version))
            } else {
                self.ota.report_end(&version, cause.code(), &failure)
            };
            work.told = told.ok();
            return true;
        };
        // Without a link nobody can have acknowledged it.
        if self.client.is_kept(id) || !self.client.is_connected() {
            return true;
        }
        work.is_asked = false;
        self.machine.lock().told();
        false
    }
}

#[cfg(test)]
mod tests;
