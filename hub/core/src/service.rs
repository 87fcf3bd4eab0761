//! The OTA service at work: each report is one transaction, and what follows from it goes out after the commit.

mod access;
mod exchange;
mod gateway;
mod resource;
mod roll_out;
mod shadow;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::PoisonError;

use rumqttc::mqttbytes::v4::Publish;

use crate::devices::Device;
use crate::events::Event;
use crate::handed_out::{due, SWEEP_AFTER_MS};
use crate::hub::{now_ms, Hub};
use crate::messaging;
use crate::metrics::Count;
use crate::model::{Change, Job, Problem};
use crate::ota::answers::{self, Offer};
use crate::ota::message::{read_report, read_system, Progress, Said};
use crate::ota::{Address, Outgoing, Service};
use crate::ports::store::{Stored, Touched};
use crate::ports::{Admission, Events, Exchanged, Received, Uplink, Verdict};
use crate::rights;

/// What is kept of a text that a device may have made as long as it likes.
const MAX_TEXT: usize = 256;
/// Devices that are told in one go.
const BATCH: usize = 100;
/// Jobs that are looked at in one sweep of an own broker's.
const SWEEP: u64 = 5000;
/// Devices of which one transaction notes when they were seen.
const SEEN: usize = 1000;
/// Jobs that are claimed in one go.
const CLAIM: u64 = 1000;

impl Uplink for Hub {
    fn device_message(&self, client_id: &str, message: &Publish) -> bool {
        let received = self.receive(client_id, message);
        if let Some(received) = received {
            self.report(received);
            return true;
        }
        false
    }

    fn broker_has(&self, jobs: &[i64]) {
        self.told_by_broker(jobs);
    }

    fn still_wanted(&self, jobs: &[i64]) -> BTreeSet<i64> {
        // One who does not know sends it.
        let open = self.open_jobs(jobs).unwrap_or_else(|_| jobs.iter().copied().collect());
        jobs.iter().filter(|job| !open.contains(job)).for_each(|job| self.handed_out.remove(*job));
        open
    }

    fn warn(&self, text: &str) {
        Hub::warn(self, text);
    }
}

impl Events for Hub {
    fn emit(&self, event: &Event) {
        self.events.emit(event);
    }
}

impl Admission for Hub {
    fn device(&self, client_id: &str) -> Option<Device> {
        Hub::device(self, client_id)
    }

    fn may_subscribe(&self, client_id: &str, filter: &str) -> bool {
        Hub::may_subscribe(self, client_id, filter)
    }

    fn presence(&self, client_id: &str) {
        Hub::presence(self, client_id);
    }

    fn seen(&self, client_id: &str) {
        self.last_seen.note(client_id, now_ms());
    }

    fn receive(&self, client_id: &str, message: &Publish) -> Option<Received> {
        Hub::receive(self, client_id, message)
    }

    fn exchange(&self, client_id: &str, message: &Publish) -> Option<Exchanged> {
        Hub::exchange(self, client_id, message)
    }

    fn report(&self, received: Received) {
        Hub::report(self, received);
    }

    fn update_topic(&self, client_id: &str) -> Option<String> {
        Hub::update_topic(self, client_id)
    }

    fn send_spoilt(&self, client_id: &str, spoil: &dyn Fn(&str) -> String) {
        Hub::send_spoilt(self, client_id, spoil);
    }
}

impl Hub {
    /// Takes what a device published: passes it on to other devices and to the service. A report is in the database when
    /// this returns, so it may be acknowledged; then comes [`Hub::report`]. `None`: the database did not take it (its disk
    /// may be full), so it must not be acknowledged, and the device says it again.
    pub fn receive(&self, client_id: &str, message: &Publish) -> Option<Received> {
        self.events.emit(&Event::Message {
            client_id: client_id.to_owned(),
            topic: message.topic.clone(),
            qos: message.qos as u8,
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
        });
        if messaging::is_clouds(&message.topic) {
            self.warn_of(client_id, format!("published on {}, where only the cloud speaks", message.topic));
            return Some(Received::default());
        }
        match self.may(client_id, &rights::to_speak(&message.topic)) {
            Ok(true) => {}
            Ok(false) => {
                self.warn_of(client_id, format!("published on {}, where it may not", message.topic));
                return Some(Received::default());
            }
            Err(problem) => {
                self.warn_of(client_id, format!("a message could not be judged: {}", problem.detail));
                return None;
            }
        }
        self.downlink.pass_on(message);
        self.last_seen.note(client_id, now_ms());
        if let Some(address) = messaging::Address::of(&message.topic) {
            return self.receive_message(client_id, &address, message);
        }
        let Some(address) = Address::of(&message.topic) else {
            return Some(Received::default());
        };
        let sender = client_id;
        let client_id = address.client_id();
        let warn = |text: String| self.warn_of(&client_id, text);
        let refuse = |text: String| {
            warn(text);
            Some(Received::default())
        };
        let not_kept = |problem: Problem| {
            warn(format!("a message could not be kept, so it is not acknowledged: {}", problem.detail));
            None
        };
        let device = match self.store.find_device(&client_id) {
            Ok(device) => device.filter(|device| device.product_id == address.product_id),
            Err(problem) => return not_kept(problem),
        };
        let Some(device) = device else {
            return refuse("a report of a device that is not in the list".to_owned());
        };
        // Of one behind a gateway, too.
        self.last_seen.note(&client_id, now_ms());
        let said = match address.service {
            Service::Ota => read_report(&message.payload),
            Service::Time => read_system(&message.payload),
            Service::Gateway => return self.ask_gateway(sender, &device, message).map_or_else(not_kept, Some),
            Service::Shadow => {
                return self.ask_shadow(&client_id, &device, "$shadow", message).map_or_else(not_kept, Some)
            }
            Service::Template => {
                return self.ask_shadow(&client_id, &device, "$template", message).map_or_else(not_kept, Some)
            }
        };
        let outcome = match said {
            Err(text) => return refuse(text),
            Ok(Said::WhatTime) => {
                self.send(answers::time(address.product_id, address.device_name, now_ms()));
                Ok(Received::default())
            }
            Ok(Said::Tunnel(is_up)) => {
                self.tell_of_ssh(&client_id, if is_up { "told up" } else { "told down" });
                Ok(Received::default())
            }
            Ok(Said::Version(version)) => self.version(&client_id, &device, &version),
            Ok(Said::Progress(progress)) => self.progress(&client_id, progress),
        };
        outcome.map_or_else(not_kept, Some)
    }

    /// A device did something that makes no sense.
    pub(crate) fn warn_of(&self, client_id: &str, text: String) {
        self.events.emit(&Event::Warning { client_id: Some(client_id.to_owned()), text });
    }

    /// Says what has been received, to people and to those who wait for the end.
    pub fn report(&self, received: Received) {
        if let Some(event) = received.event {
            self.events.emit(&event);
        }
        if let Some(verdict) = received.verdict {
            // Nobody listens any more when the hub is already on its way out.
            let _ = self.verdicts.send(verdict);
        }
    }

    fn version(&self, client_id: &str, device: &Device, version: &str) -> Result<Received, Problem> {
        let (tell, touched) = self.store.report_version(client_id, &device.product_id, clip(version), now_ms())?;
        let mut event = Some(Event::Version { client_id: client_id.to_owned(), version: version.to_owned() });
        if tell.is_some() {
            // What follows is told of after it, and is not the end.
            event.take().iter().for_each(|event| self.events.emit(event));
        }
        self.send(answers::version(&device.product_id, &device.device_name, version));
        self.send_commands(tell.as_slice())?;
        self.notify(&touched);
        Ok(Received { event, verdict: None })
    }

    fn progress(&self, client_id: &str, report: Progress) -> Result<Received, Problem> {
        let kept = Progress {
            state: clip(&report.state).to_owned(),
            result_msg: report.result_msg.as_deref().map(|text| clip(text).to_owned()),
            ..report.clone()
        };
        let touched = self.store.report_progress(client_id, &kept, now_ms())?;
        let verdict = self.verdict(client_id, &report);
        self.notify(&touched);
        let event = Event::Upgrade {
            client_id: client_id.to_owned(),
            version: report.version,
            state: report.state,
            percent: report.percent,
            result_code: report.result_code,
            result_msg: report.result_msg,
        };
        Ok(Received { event: Some(event), verdict })
    }

    fn verdict(&self, client_id: &str, report: &Progress) -> Option<Verdict> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // A command that a device cannot use is reported with whatever version the device made of it.
        if report.state == "fail" {
            done.remove(client_id);
            return Some(Verdict::Failed);
        }
        let awaited = self.awaited.contains(client_id) && self.offer.as_ref() == Some(&report.version);
        if report.state == "done" && awaited {
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

    /// Sends devices the commands of their jobs, a few at a time. The job of a device that cannot receive goes on waiting.
    pub(crate) fn send_commands(&self, jobs: &[Job]) -> Result<(), Problem> {
        let mut firmware: BTreeMap<i64, Option<Stored>> = BTreeMap::new();
        for batch in jobs.chunks(BATCH) {
            for job in batch {
                if let Entry::Vacant(entry) = firmware.entry(job.upgrade_id) {
                    entry.insert(self.store.firmware_of_upgrade(job.upgrade_id)?);
                }
            }
            let told = self.send_batch(batch, &firmware)?;
            // Somebody else's broker says itself when it has them.
            if !told.is_empty() && !self.downlink.is_shared() {
                self.store.set_sent(&told, now_ms())?;
            }
        }
        Ok(())
    }

    /// Those whose devices may be told now.
    fn open_jobs(&self, jobs: &[i64]) -> Result<BTreeSet<i64>, Problem> {
        let now = self.store.jobs(jobs)?;
        Ok(now.iter().filter(|job| job.state.is_open() && !job.held).map(|job| job.id).collect())
    }

    /// Returns the jobs whose devices are told.
    fn send_batch(&self, jobs: &[Job], firmware: &BTreeMap<i64, Option<Stored>>) -> Result<Vec<i64>, Problem> {
        let client_ids: Vec<&str> = jobs.iter().map(|job| job.client_id.as_str()).collect();
        let devices = self.store.find_devices(&client_ids)?;
        let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
        let _in_sequence = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer order may have taken the place of one, somebody called it off, or its order stopped.
        let open = self.open_jobs(&ids)?;
        let told = jobs.iter().filter(|job| {
            let stored = firmware.get(&job.upgrade_id).and_then(Option::as_ref);
            let command = devices.get(&job.client_id).zip(stored);
            let command = command.and_then(|(device, stored)| self.update_command(device, stored));
            open.contains(&job.id) && command.is_some_and(|command| self.send_command(job, command))
        });
        Ok(told.map(|job| job.id).collect())
    }

    fn send_command(&self, job: &Job, command: Outgoing) -> bool {
        if !self.hears(&job.client_id, &command.topic) {
            return false;
        }
        // Before the device can say anything about it.
        self.events.emit(&Event::Ordered { client_id: job.client_id.clone(), version: job.version.clone() });
        if self.downlink.is_shared() {
            // Before the broker can acknowledge it.
            self.handed_out.add(job.id, now_ms());
        }
        let sent = self.send_message(command, Some(job.id));
        if !sent {
            self.handed_out.remove(job.id);
        }
        sent
    }

    /// Somebody else's broker has the commands of these jobs.
    fn told_by_broker(&self, jobs: &[i64]) {
        let kept = self.store.set_sent(jobs, now_ms());
        jobs.iter().for_each(|job| self.handed_out.remove(*job));
        let told = kept.and_then(|()| match self.changes.receiver_count() {
            0 => Ok(()),
            _ => self.store.jobs(jobs).map(|jobs| self.notify_of_jobs(&jobs)),
        });
        if let Err(problem) = told {
            self.warn(&problem.detail);
        }
    }

    /// Says that the jobs whose commands are on their way are still this hub's.
    fn keep_handed_out(&self, now: u64) -> Result<(), Problem> {
        match self.handed_out.to_keep(now) {
            jobs if jobs.is_empty() => Ok(()),
            jobs => self.store.keep(&jobs, now),
        }
    }

    /// Looks for jobs that nobody has told of: their device came without a report, or another hub left them behind.
    /// `now` is UTC in milliseconds.
    pub fn sweep(&self, now: u64) {
        for work in [Hub::try_sweep, Hub::write_seen] {
            if let Err(problem) = work(self, now) {
                self.warn(&problem.detail);
            }
        }
    }

    /// Writes when devices were seen, once a minute.
    fn write_seen(&self, now: u64) -> Result<(), Problem> {
        self.last_seen.due(now).chunks(SEEN).try_for_each(|devices| self.store.note_seen(devices))
    }

    fn try_sweep(&self, now: u64) -> Result<(), Problem> {
        self.roll_on(now)?;
        if !self.downlink.is_shared() {
            return self.sweep_own(now.saturating_sub(SWEEP_AFTER_MS));
        }
        // Every hub could tell these devices; one of them takes each job.
        loop {
            // Many may take a while.
            self.keep_handed_out(now.max(now_ms()))?;
            if self.handed_out.is_full() {
                return Ok(());
            }
            let mut jobs = self.store.claim(&due(now, self.downlink.may_repeat()), now, CLAIM)?;
            self.events.add(Count::Claims, jobs.len() as u64);
            if jobs.is_empty() {
                return Ok(());
            }
            // What waits for the broker still need not go out twice.
            jobs.retain(|job| !self.handed_out.has(job.id));
            self.send_commands(&jobs)?;
            self.notify_of_jobs(&jobs);
        }
    }

    /// Looks at some of the jobs that wait, and at the following ones next time: there may be many of devices that are not
    /// there.
    fn sweep_own(&self, since: u64) -> Result<(), Problem> {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.store.waiting(since, *swept, SWEEP)?;
        let all = (waiting.len() as u64) < SWEEP;
        *swept = waiting.last().filter(|_| !all).map(|last| last.at).unwrap_or_default();
        let there = waiting.iter().filter(|waiting| self.is_online(&waiting.client_id) != Some(false));
        let ids: Vec<i64> = there.map(|waiting| waiting.at.1).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let jobs = self.store.jobs(&ids)?;
        self.send_commands(&jobs)?;
        self.notify_of_jobs(&jobs);
        Ok(())
    }

    /// Tells watchers where another process has changed something.
    pub fn notice_other_hubs(&self) {
        let Ok(seen) = self.store.foreign_changes() else {
            return;
        };
        if self.seen.swap(seen, Ordering::Relaxed) != seen {
            self.change(Change::Reset);
        }
    }

    /// A device came or went.
    pub fn presence(&self, client_id: &str) {
        self.last_seen.note(client_id, now_ms());
        let mut touched = Touched::default();
        touched.devices.insert(client_id.to_owned());
        self.lose_devices_behind(client_id, &mut touched);
        self.notify(&touched);
    }

    pub(crate) fn notify_of_jobs(&self, jobs: &[Job]) {
        let mut touched = Touched::default();
        jobs.iter().for_each(|job| touched.job(job));
        self.notify(&touched);
    }

    /// Tells watchers how things are now.
    pub(crate) fn notify(&self, touched: &Touched) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        let _latest_last = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = if touched.is_much() { Ok(vec![Change::Reset]) } else { self.store.changes(touched) };
        // A watcher that may have missed a change must ask for everything again.
        for change in changes.unwrap_or_else(|_| vec![Change::Reset]) {
            self.send_change(change);
        }
    }

    /// Tells watchers of a change.
    pub(crate) fn change(&self, change: Change) {
        let _latest_last = self.notifying.lock().unwrap_or_else(PoisonError::into_inner);
        self.send_change(change);
    }

    fn send_change(&self, mut change: Change) {
        match &mut change {
            Change::Device { device } => self.complete(device),
            Change::Gateway { gateway } => self.fill_in(gateway),
            _ => {}
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
