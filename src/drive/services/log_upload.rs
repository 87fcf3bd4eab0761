//! Log lines to the cloud: one uploader for the whole process (log_upload.md).
//!
//! Locks: those here are of the standard library and are held for a few instructions, never while anything of the program's
//! or of the platform's runs, and never while a line is logged: logging takes them, too.

mod level;
mod post;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use iot_engine::helpers::logline::Level;
use iot_engine::http::Url;
use iot_engine::services::log_upload::{Moment, Sender, Session, Urgency, Wanted, MAX_SAVED};

use super::system_time;
use crate::drive::mqtt::Client;
use crate::drive::overrides;
use crate::hal::abandoned::{self, Held};
use crate::hal::{callout, Platform};

/// The program's variable with another server.
const ENDPOINT: &str = "QCLOUD_IOT_LOG_ENDPOINT";
/// More than that was not saved by us.
const MAX_READ: usize = 64 * 1024;
/// How long to sleep while another thread uploads.
const TURN_MS: u32 = 10;

/// What the program keeps over a restart.
pub trait Store: Send + Sync {
    /// Bytes that are kept.
    fn size(&self) -> usize;
    /// Reads them from their beginning. Returns how many.
    fn read(&self, buffer: &mut [u8]) -> usize;
    /// Adds text. Returns how many bytes are kept of it.
    fn save(&self, text: &[u8]) -> usize;
    /// Deletes everything. False where that failed.
    fn delete(&self) -> bool;
}

/// All that an uploader needs to know.
pub struct Setup {
    /// How it reaches the server.
    pub platform: Arc<dyn Platform>,
    /// Who the device is.
    pub sender: Sender,
    /// Where unsent lines are kept; `None`: nowhere.
    pub store: Option<Box<dyn Store>>,
    /// The level up to which lines are collected now.
    pub level: fn() -> u32,
    /// Sets it.
    pub set_level: fn(Level),
}

/// Collects lines and sends them.
pub struct Uploader {
    setup: Setup,
    server: Url,
    session: Mutex<Session>,
    turn: Arc<Turn>,
    clients: Mutex<Vec<Weak<Client>>>,
}

/// The right to upload: one thread has it at a time.
struct Turn(AtomicBool);

impl Held for Turn {
    fn give_back(&self) {
        PLACE.set(Place::Outside);
        self.0.store(false, Ordering::Release);
    }
}

impl Turn {
    /// Runs `body`, unless another thread is at it, or this one further out.
    fn take(self: &Arc<Self>, body: impl FnOnce()) {
        if self.0.swap(true, Ordering::Acquire) {
            return;
        }
        PLACE.set(Place::Upload);
        // The program's functions that keep lines may be left by `longjmp`.
        let note = abandoned::hold_shared(self);
        body();
        drop(note);
        self.give_back();
    }
}

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// In an upload: what it logs there would make a server that is down the only news.
    Upload,
    /// In an upload, where it asks the cloud for the time and so brings the program its messages.
    Question,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Outside) };
}

static IS_UP: AtomicBool = AtomicBool::new(false);
static UPLOADER: Mutex<Option<Arc<Uploader>>> = Mutex::new(None);

/// A lock of this file. What a panic left behind is as good as before: nothing here is half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether lines are collected.
pub fn is_up() -> bool {
    IS_UP.load(Ordering::Relaxed)
}

/// The process's uploader.
pub fn current() -> Option<Arc<Uploader>> {
    is_up().then(|| lock(&UPLOADER).clone()).flatten()
}

/// Makes `uploader` the process's; one that is there already stays.
pub fn start(uploader: Arc<Uploader>) {
    lock(&UPLOADER).get_or_insert(uploader);
    IS_UP.store(true, Ordering::Relaxed);
}

/// Ends the process's uploader, and what it has collected with it. Waits for an upload that another thread has under way.
pub fn stop() {
    IS_UP.store(false, Ordering::Relaxed);
    let ended = lock(&UPLOADER).take();
    if let Some(uploader) = ended {
        uploader.finish();
    }
}

/// Takes a line of the log, as it is printed.
pub fn collect(line: &[u8]) {
    if let Some(uploader) = current() {
        uploader.collect(line);
    }
}

/// Asks over a client that has just connected which lines the cloud wants, and uploads what waits.
pub fn join(client: &Arc<Client>) {
    level::join(client, current);
}

/// Prints a message of the uploader's own: in the log it would be uploaded in its turn.
fn say(function: &str, line: u32, text: &dyn fmt::Display) {
    callout::print_text(&format!(">>LOG-ERR>>{function}({line}): {text}\n"));
}

impl Uploader {
    /// An uploader that has collected nothing.
    ///
    /// # Errors
    /// Why it can't be.
    pub fn new(setup: Setup) -> Result<Arc<Self>, String> {
        let address = overrides::read(ENDPOINT);
        let server = Url::parse(address.as_deref().unwrap_or(setup.sender.server()))?;
        if server.tls() {
            return Err(format!("{ENDPOINT} must begin with http://"));
        }
        let session =
            Session::new(setup.sender.form(), setup.store.is_some()).ok_or("there is no memory for the lines")?;
        let (session, clients) = (Mutex::new(session), Mutex::new(Vec::new()));
        Ok(Arc::new(Uploader { setup, server, session, turn: Arc::new(Turn(AtomicBool::new(false))), clients }))
    }

    fn collect(&self, line: &[u8]) {
        if PLACE.get() == Place::Upload {
            return;
        }
        let fits = lock(&self.session).collect(line);
        if !fits {
            say("append_to_upload_buffer", line!(), &format!("no room for a line of {} bytes", line.len()));
        }
    }

    /// The cloud wants other lines.
    fn want(&self, wanted: Wanted) {
        let before = (self.setup.level)();
        let level = lock(&self.session).want(wanted, before);
        (self.setup.set_level)(level);
        match wanted {
            Wanted::OnlyOnError => {
                log::info!(target: "log_level", "only errors are uploaded, when something goes wrong")
            }
            Wanted::UpTo(level) => {
                log::warn!(target: "log_level", "Upload log level change to: {}", level as u32);
            }
        }
    }

    /// The time may be asked for over this client.
    fn know(&self, client: &Arc<Client>) {
        let mut clients = lock(&self.clients);
        clients.retain(|known| known.strong_count() > 0);
        clients.push(Arc::downgrade(client));
    }

    /// Sends what is there, if it is time. Another thread that is at it already is left alone.
    pub fn upload(&self, urgency: Urgency) {
        self.turn.take(|| {
            let begins = lock(&self.session).begin(self.setup.platform.now(), urgency);
            if begins {
                let sent = self.send_all();
                let may_have_saved = self.setup.store.is_some() && sent != Sent::All;
                lock(&self.session).ended(sent != Sent::Failed, may_have_saved);
            }
        });
    }

    fn finish(&self) {
        while PLACE.get() == Place::Outside && self.turn.0.load(Ordering::Acquire) && !self.setup.platform.is_leaving()
        {
            self.setup.platform.sleep(TURN_MS);
        }
    }

    /// First what the program has kept, then what was collected.
    fn send_all(&self) -> Sent {
        let may_have_saved = lock(&self.session).may_have_saved();
        let saved = match &self.setup.store {
            Some(store) if may_have_saved => self.send_saved(&**store),
            _ => Sent::All,
        };
        if saved == Sent::Failed {
            self.keep(Vec::new());
            return Sent::Failed;
        }
        let taken = lock(&self.session).take();
        let Some(taken) = taken else {
            return Sent::Failed;
        };
        match self.send(&taken) {
            Ok(()) => saved,
            Err(unsent) => {
                self.keep(unsent.to_vec());
                Sent::Failed
            }
        }
    }

    /// Sends `text` in as many requests as it takes.
    ///
    /// # Errors
    /// What was not sent.
    fn send<'a>(&self, text: &'a [u8]) -> Result<(), &'a [u8]> {
        let mut left = text;
        while !left.is_empty() {
            let (part, later) = left.split_at(self.setup.sender.form().first_part(left).min(left.len()));
            if let Err(why) = self.post(part) {
                say("post_log", line!(), &why);
                return Err(left);
            }
            left = later;
        }
        Ok(())
    }

    fn post(&self, part: &[u8]) -> Result<(), String> {
        self.learn_time();
        let platform = &*self.setup.platform;
        let seconds = lock(&self.session).seconds(platform.now());
        let sender = &self.setup.sender;
        let moment = Moment { seconds, random: platform.random() };
        let request = sender.request(&self.server, moment, part)?;
        post::post(platform, &self.server, sender.form(), &request)
    }

    fn learn_time(&self) {
        let needs = lock(&self.session).needs_clock(self.setup.platform.now());
        if !needs {
            return;
        }
        let clients: Vec<_> = lock(&self.clients).iter().filter_map(Weak::upgrade).collect();
        if let Some(client) = clients.iter().find(|client| client.is_connected()) {
            PLACE.set(Place::Question);
            let answered = system_time::ask(client).ok();
            PLACE.set(Place::Upload);
            let now = self.setup.platform.now();
            lock(&self.session).set_clock(now, answered.map(|answered| answered.answer.seconds));
        }
    }

    /// Sends what the program has kept, and has it deleted once the server has all of it: cut off in between, lines come
    /// twice rather than not at all.
    fn send_saved(&self, store: &dyn Store) -> Sent {
        let size = store.size();
        if size == 0 {
            return Sent::All;
        }
        let mut text = Vec::new();
        if size <= MAX_READ {
            if text.try_reserve_exact(size).is_err() {
                return Sent::NotSaved;
            }
            text.resize(size, 0);
            let count = store.read(&mut text);
            if count < size {
                say("send_saved_log", line!(), &format!("{count} of {size} saved bytes could be read"));
                return Sent::NotSaved;
            }
        }
        let sound = self.setup.sender.form().sound(&text);
        if !sound.is_empty() {
            if self.send(sound).is_err() {
                return Sent::Failed;
            }
        } else {
            say("send_saved_log", line!(), &format!("{size} saved bytes are no log lines and are deleted"));
        }
        if !store.delete() {
            say("send_saved_log", line!(), &"the saved lines could not be deleted");
        }
        Sent::All
    }

    /// Has the program keep what was not sent, and what came meanwhile.
    fn keep(&self, mut unsent: Vec<u8>) {
        let later = lock(&self.session).take();
        let Some(store) = &self.setup.store else { return };
        let later = later.unwrap_or_default();
        if unsent.try_reserve_exact(later.len()).is_ok() {
            unsent.extend_from_slice(&later);
        }
        if unsent.is_empty() {
            return;
        }
        let size = store.size();
        if size > 0 && size.saturating_add(unsent.len()) > MAX_SAVED && !store.delete() {
            say("save_log", line!(), &"the old lines could not be deleted");
        }
        let count = store.save(&unsent);
        if count < unsent.len() {
            say("save_log", line!(), &format!("{count} of {} bytes could be saved", unsent.len()));
        }
    }
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The server has all of them.
    All,
    /// It has all but those that the program keeps, which can't be read at the moment.
    NotSaved,
    /// The server has not taken all.
    Failed,
}

#[cfg(test)]
mod tests;
