//! The loop thread: a thread that does nothing but yield (behaviour.md section 3).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::{Client, Driven};
use crate::drive::error::Error;
use crate::hal::memory;
use crate::hal::sync::Mutex;
use crate::hal::thread::{self, Thread};

/// How long one round of the loop lasts; StopLoop waits for at most that. Where the platform has a wait that another thread
/// can end, a round in which nothing is to be done lasts longer, and StopLoop ends it.
const ROUND_MS: u64 = 500;
/// How long the loop waits for memory before it looks again.
const MEMORY_MS: u32 = 100;

pub(super) struct PumpLoop {
    running: AtomicBool,
    ended_with: Mutex<Result<Driven, Error>>,
    last: Mutex<Last>,
}

/// The last thread started.
struct Last {
    number: u64,
    /// Kept after its end, because the platform may still read its parameters.
    thread: Option<Arc<Thread>>,
}

impl PumpLoop {
    pub(super) fn new() -> Self {
        let last = Mutex::new(Last { number: 0, thread: None });
        PumpLoop { running: AtomicBool::new(false), ended_with: Mutex::new(Ok(Driven::Done)), last }
    }
}

impl Client {
    /// Starts the loop thread; a running one is left alone.
    ///
    /// # Errors
    /// The platform started no thread.
    pub fn start_loop(self: &Arc<Self>) -> Result<(), Error> {
        let mut last = self.pump_loop.last.lock();
        if self.pump_loop.running.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        *self.pump_loop.ended_with.lock() = Ok(Driven::Done);
        // One that was told to stop may still be on its way out, or be this very thread, inside a callback: its successor
        // waits for its end.
        last.number += 1;
        let (number, before, client) = (last.number, last.thread.clone(), Arc::clone(self));
        let started = thread::spawn(c"mqtt_loop", move || {
            if let Some(before) = before {
                before.join();
            }
            client.run_loop(number);
        });
        match started {
            Ok(thread) => {
                last.thread = Some(Arc::new(thread));
                Ok(())
            }
            Err(error) => {
                self.pump_loop.running.store(false, Ordering::Release);
                Err(Error::NoThread(error))
            }
        }
    }

    /// Stops the loop thread and waits for its end; from inside one of its callbacks it only asks it to stop.
    pub fn stop_loop(&self) {
        self.set_loop_status(false);
        if self.pump.is_mine() {
            return;
        }
        let thread = self.pump_loop.last.lock().thread.clone();
        if let Some(thread) = thread {
            thread.join();
        }
    }

    /// Whether the loop thread runs, and what it ended with.
    pub fn loop_status(&self) -> (bool, Result<Driven, Error>) {
        let running = self.pump_loop.running.load(Ordering::Acquire);
        (running, self.pump_loop.ended_with.lock().clone())
    }

    /// Sets the flag that [`loop_status`](Self::loop_status) shows; false ends the loop thread at its next round.
    pub fn set_loop_status(&self, running: bool) {
        self.pump_loop.running.store(running, Ordering::Release);
        self.stir();
    }

    /// Whether there is a loop thread.
    pub(super) fn is_looping(&self) -> bool {
        self.pump_loop.running.load(Ordering::Acquire)
    }

    /// Whether pumping is the loop thread's business and not the caller's.
    pub(super) fn is_left_to_loop(&self) -> bool {
        self.is_looping() && !self.pump.is_mine()
    }

    fn run_loop(self: &Arc<Self>, number: u64) {
        let goes_on = || self.is_looping() && self.pump_loop.last.lock().number == number;
        while goes_on() {
            if memory::is_exhausted() {
                self.platform.sleep(MEMORY_MS);
                continue;
            }
            #[cfg(feature = "log-upload")]
            // An attendant wants its turns, also one that gets something to do only later.
            let may_rest = || goes_on() && self.attendant.get().is_none();
            #[cfg(not(feature = "log-upload"))]
            let may_rest = goes_on;
            let driven = self.pump_until(self.platform.now() + ROUND_MS, &may_rest, &|| false);
            #[cfg(feature = "log-upload")]
            self.attend_turn(&driven);
            if matches!(driven, Err(Error::NotConnected) | Ok(Driven::Closed)) || self.platform.is_leaving() {
                let last = self.pump_loop.last.lock();
                if last.number == number {
                    *self.pump_loop.ended_with.lock() = driven;
                    self.pump_loop.running.store(false, Ordering::Release);
                }
                return;
            }
        }
        #[cfg(feature = "log-upload")]
        self.attend_turn(&Ok(Driven::Closed));
    }

    /// Tells the attendant what a turn came to, with the right to pump: what it asks the cloud is read on this thread.
    #[cfg(feature = "log-upload")]
    fn attend_turn(&self, driven: &Result<Driven, Error>) {
        let Some(attendant) = self.attendant.get() else { return };
        if let Some(_pumping) = self.pump.acquire(&*self.platform, self.platform.now()) {
            attendant(driven);
        }
    }
}
