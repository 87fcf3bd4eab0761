//! The OTA service at work: each report is one transaction, and what follows from it goes out after the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::PoisonError;

use rumqttc::mqttbytes::v4::Publish;

use crate::devices::Device;
use crate::events::Event;
use crate::hub::{now_ms, Hub, Verdict};
use crate::model::{Change, Job, Problem, State};
use crate::ota::answers::{self, Offer};
use crate::ota::message::{read, Progress, Said};
use crate::ota::{rules, Address, Outgoing};
use crate::ports::Uplink;
use crate::store::firmware::Stored;
use crate::store::{self, upgrades, Durability};

/// What is kept of a text that a device may have made as long as it likes.
const MAX_TEXT: usize = 256;
/// How long a job must have waited before the sweep takes it: longer than its own hub needs.
const SWEEP_AFTER_MS: u64 = 1000;
/// On somebody else's broker, a device that says nothing is told again after so long, and so often in all.
const REPEAT_AFTER_MS: u64 = 60_000;
const REPEATS: u32 = 3;

/// What watchers are to be told of.
#[derive(Default)]
pub struct Touched {
    pub devices: BTreeSet<String>,
    pub jobs: BTreeSet<i64>,
    pub upgrades: BTreeSet<i64>,
}

impl Touched {
    fn job(&mut self, job: &Job) {
        self.jobs.insert(job.id);
        self.upgrades.insert(job.upgrade_id);
    }
}

/// What is to be told of a report once the device has its acknowledgement, for it may be what the hub ends with.
#[must_use]
#[derive(Default)]
pub struct Aftermath {
    event: Option<Event>,
    verdict: Option<Verdict>,
}

impl Uplink for Hub {
    fn device_message(&self, client_id: &str, message: &Publish) {
        self.tell_of(self.take_in(client_id, message));
    }

    fn warn(&self, text: &str) {
        Hub::warn(self, text);
    }
}

impl Hub {
    /// Takes what a device published: passes it on to other devices and to the service. A report is in the database when
    /// this returns, so it may be acknowledged; then comes [`Hub::tell_of`].
    pub fn take_in(&self, client_id: &str, message: &Publish) -> Aftermath {
        self.events.emit(&Event::Message {
            client_id: client_id.to_owned(),
            topic: message.topic.clone(),
            qos: message.qos as u8,
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
        });
        self.downlink.pass_on(message);
        let Some(address) = Address::of(&message.topic) else {
            return Aftermath::default();
        };
        let client_id = address.client_id();
        let warn = |text: String| {
            self.events.emit(&Event::Warning { client_id: Some(client_id.clone()), text });
            Aftermath::default()
        };
        let Some(device) = self.device(&client_id).filter(|device| device.product_id == address.product_id) else {
            return warn("a report of a device that is not in the list".to_owned());
        };
        let outcome = match read(address.service, &message.payload) {
            Err(text) => return warn(text),
            Ok(Said::WhatTime) => {
                self.send(answers::time(address.product_id, address.device_name, now_ms()));
                Ok(Aftermath::default())
            }
            Ok(Said::Version(version)) => self.version(&client_id, &device, &version),
            Ok(Said::Progress(progress)) => self.progress(&client_id, progress),
        };
        outcome.unwrap_or_else(|problem| warn(problem.detail))
    }

    /// Tells of a report that has been taken in.
    pub fn tell_of(&self, aftermath: Aftermath) {
        if let Some(event) = aftermath.event {
            self.events.emit(&event);
        }
        if let Some(verdict) = aftermath.verdict {
            // Nobody listens any more when the hub is already on its way out.
            let _ = self.verdicts.send(verdict);
        }
    }

    fn version(&self, client_id: &str, device: &Device, version: &str) -> Result<Aftermath, Problem> {
        let now = now_ms();
        let mut touched = Touched::default();
        touched.devices.insert(client_id.to_owned());
        let tell = self.store.write(Durability::Relaxed, |db| -> rusqlite::Result<_> {
            store::devices::set_version(db, client_id, clip(version), now)?;
            let latest = upgrades::latest_job(db, client_id)?;
            let standing = upgrades::standing(db, &device.product_id, client_id)?;
            let outcome = rules::on_version(version, latest.as_ref(), &standing);
            if let Some(job) = latest.filter(|_| outcome.done || outcome.tell) {
                let (state, percent) = if outcome.done { (State::Done, Some(100)) } else { (State::Waiting, None) };
                let job = Job { state, percent, result_code: None, result_msg: None, updated_at: now, ..job };
                upgrades::save_job(db, &job)?;
                touched.job(&job);
                if outcome.tell {
                    return Ok(Some(job));
                }
            }
            let Some(upgrade_id) = outcome.begin else {
                return Ok(None);
            };
            let (id, _) = upgrades::add_job(db, upgrade_id, client_id, Some(clip(version)), now)?;
            let job = upgrades::job(db, id)?;
            job.iter().for_each(|job| touched.job(job));
            Ok(job)
        })?;
        let mut event = Some(Event::Version { client_id: client_id.to_owned(), version: version.to_owned() });
        if tell.is_some() {
            // What follows is told of after it, and is not the end.
            event.take().iter().for_each(|event| self.events.emit(event));
        }
        self.send(answers::version(&device.product_id, &device.device_name, version));
        self.tell(tell.as_slice())?;
        self.announce(&touched);
        Ok(Aftermath { event, verdict: None })
    }

    fn progress(&self, client_id: &str, report: Progress) -> Result<Aftermath, Problem> {
        let now = now_ms();
        let mut touched = Touched::default();
        self.store.write(Durability::Relaxed, |db| -> rusqlite::Result<_> {
            store::devices::set_state(db, client_id, clip(&report.state), report.percent, now)?;
            let Some(latest) = upgrades::latest_job(db, client_id)? else {
                return Ok(());
            };
            if let Some(mut job) = rules::on_progress(&report, &latest, now) {
                job.result_msg = job.result_msg.as_deref().map(|text| clip(text).to_owned());
                upgrades::save_job(db, &job)?;
                touched.jobs.insert(job.id);
                if job.state != latest.state {
                    touched.upgrades.insert(job.upgrade_id);
                }
            }
            Ok(())
        })?;
        let verdict = self.verdict(client_id, &report);
        self.announce(&touched);
        let event = Event::Upgrade {
            client_id: client_id.to_owned(),
            version: report.version,
            state: report.state,
            percent: report.percent,
            result_code: report.result_code,
            result_msg: report.result_msg,
        };
        Ok(Aftermath { event: Some(event), verdict })
    }

    fn verdict(&self, client_id: &str, report: &Progress) -> Option<Verdict> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // A command that a device cannot use is reported with whatever version the device made of it.
        if report.state == "fail" {
            done.remove(client_id);
            return Some(Verdict::Failed);
        }
        if report.state == "done" && self.offer.as_ref() == Some(&report.version) {
            done.insert(client_id.to_owned());
        }
        (!self.awaited.is_empty() && self.awaited.is_subset(&done)).then_some(Verdict::Done)
    }

    /// The command for a device to take a firmware; `None` where there is no server to send it to.
    pub(crate) fn update_command(&self, device: &Device, stored: &Stored) -> Option<Outgoing> {
        let url = self.site.url(stored, now_ms() / 1000)?;
        let firmware = &stored.firmware;
        let offer = Offer { version: &firmware.version, md5: &firmware.md5, size: firmware.size, url: &url };
        Some(answers::command(&device.product_id, &device.device_name, &offer))
    }

    /// Tells devices of their jobs, those that can hear it. The others' go on waiting.
    pub(crate) fn tell(&self, jobs: &[Job]) -> Result<(), Problem> {
        let mut firmware: BTreeMap<i64, Option<Stored>> = BTreeMap::new();
        let mut told = Vec::new();
        for job in jobs {
            let stored = match firmware.get(&job.upgrade_id) {
                Some(stored) => stored,
                None => {
                    let stored = self.store.read(|db| store::firmware::of_upgrade(db, job.upgrade_id))?;
                    firmware.entry(job.upgrade_id).or_insert(stored)
                }
            };
            if stored.as_ref().is_some_and(|stored| self.tell_one(job, stored)) {
                told.push(job.id);
            }
        }
        if !told.is_empty() {
            let now = now_ms();
            self.store
                .write(Durability::Relaxed, |db| told.iter().try_for_each(|id| upgrades::set_sent(db, *id, now)))?;
        }
        Ok(())
    }

    fn tell_one(&self, job: &Job, stored: &Stored) -> bool {
        let Some(device) = self.device(&job.client_id) else {
            return false;
        };
        let Some(command) = self.update_command(&device, stored) else {
            return false;
        };
        let _in_sequence = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer order may have taken its place, or somebody called it off.
        let now = self.store.read(|db| upgrades::job(db, job.id));
        if !now.is_ok_and(|now| now.is_some_and(|now| now.state.is_open())) {
            return false;
        }
        if !self.downlink.listens(&job.client_id, &command.topic) {
            return false;
        }
        // Before the device can say anything about it.
        self.events.emit(&Event::Ordered { client_id: job.client_id.clone(), version: job.version.clone() });
        self.send(command)
    }

    /// Looks for jobs that nobody has told of: their device came without a report, or another hub left them behind.
    pub fn sweep(&self) {
        self.sweep_at(now_ms());
    }

    pub(crate) fn sweep_at(&self, now: u64) {
        if let Err(problem) = self.try_sweep(now) {
            self.warn(&problem.detail);
        }
    }

    fn try_sweep(&self, now: u64) -> Result<(), Problem> {
        let since = now.saturating_sub(SWEEP_AFTER_MS);
        let jobs = if self.downlink.is_shared() {
            // Every hub could tell these devices; one of them takes each job.
            self.store.write(Durability::Relaxed, |db| {
                let mut jobs = upgrades::waiting(db, since)?;
                jobs.extend(upgrades::unanswered(db, now.saturating_sub(REPEAT_AFTER_MS), REPEATS)?);
                jobs.iter().try_for_each(|job| upgrades::touch(db, job.id, now))?;
                Ok::<_, rusqlite::Error>(jobs)
            })?
        } else {
            let mut jobs = self.store.read(|db| upgrades::waiting(db, since))?;
            jobs.retain(|job| self.is_online(&job.client_id) != Some(false));
            jobs
        };
        if jobs.is_empty() {
            return Ok(());
        }
        self.tell(&jobs)?;
        self.announce_jobs(&jobs);
        Ok(())
    }

    /// Tells watchers where another process has changed something.
    pub fn look_around(&self) {
        let Ok(seen) = self.store.foreign_changes() else {
            return;
        };
        if self.seen.swap(seen, Ordering::Relaxed) != seen {
            self.change(Change::Reset);
        }
    }

    /// A device came or went.
    pub fn presence(&self, client_id: &str) {
        let mut touched = Touched::default();
        touched.devices.insert(client_id.to_owned());
        self.announce(&touched);
    }

    pub(crate) fn announce_jobs(&self, jobs: &[Job]) {
        let mut touched = Touched::default();
        jobs.iter().for_each(|job| touched.job(job));
        self.announce(&touched);
    }

    /// Tells watchers how things are now.
    pub(crate) fn announce(&self, touched: &Touched) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        let _latest_last = self.announcing.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.store.read(|db| {
            let mut changes = Vec::new();
            for id in &touched.upgrades {
                changes.extend(upgrades::get(db, *id)?.map(|upgrade| Change::Upgrade { upgrade }));
            }
            for client_id in &touched.devices {
                changes.extend(store::devices::get(db, client_id)?.map(|device| Change::Device { device }));
            }
            for id in &touched.jobs {
                changes.extend(upgrades::job(db, *id)?.map(|job| Change::Job { job }));
            }
            Ok::<_, rusqlite::Error>(changes)
        });
        // Who was not told everything must look for himself.
        for change in changes.unwrap_or_else(|_| vec![Change::Reset]) {
            self.send_change(change);
        }
    }

    /// Tells watchers of a change.
    pub(crate) fn change(&self, change: Change) {
        let _latest_last = self.announcing.lock().unwrap_or_else(PoisonError::into_inner);
        self.send_change(change);
    }

    fn send_change(&self, mut change: Change) {
        if let Change::Device { device } = &mut change {
            device.online = self.is_online(&device.client_id);
        }
        // Nobody need be watching.
        let _ = self.changes.send(change);
    }
}

/// The beginning of a text.
fn clip(text: &str) -> &str {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}
