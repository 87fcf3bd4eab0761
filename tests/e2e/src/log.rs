//! What a peer or a process has said so far, for a test to wait on.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::LIMIT;

/// Entries in order of arrival. Clones share them.
pub struct Log<T>(Arc<Inner<T>>);

struct Inner<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    entries: Vec<T>,
    /// Writers that have not closed the log yet.
    writers: usize,
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Log::with_writers(1)
    }
}

impl<T> Log<T> {
    /// A log that is closed once so many writers have closed it.
    pub fn with_writers(writers: usize) -> Self {
        let state = Mutex::new(State { entries: Vec::new(), writers });
        Log(Arc::new(Inner { state, changed: Condvar::new() }))
    }
}

impl<T: Clone> Log<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry and wakes whoever waits.
    pub fn push(&self, entry: T) {
        self.state().entries.push(entry);
        self.0.changed.notify_all();
    }

    /// Adds an entry that holds its own number, from 1, and returns that.
    pub fn push_numbered(&self, entry: impl FnOnce(usize) -> T) -> usize {
        let mut state = self.state();
        let number = state.entries.len() + 1;
        state.entries.push(entry(number));
        drop(state);
        self.0.changed.notify_all();
        number
    }

    /// Says that nothing more will come from this writer.
    pub fn close(&self) {
        let mut state = self.state();
        state.writers = state.writers.saturating_sub(1);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        self.state().entries.clone()
    }

    /// How many entries there are: a place to wait from.
    pub fn mark(&self) -> usize {
        self.state().entries.len()
    }

    /// Blocks until an entry at or after `from` matches. `None` when the log closed, or [`LIMIT`] passed, without one.
    pub fn find(&self, from: usize, mut matches: impl FnMut(&T) -> bool) -> Option<T> {
        let end = Instant::now() + LIMIT;
        let mut seen = from;
        let mut state = self.state();
        loop {
            for entry in state.entries.iter().skip(seen) {
                if matches(entry) {
                    return Some(entry.clone());
                }
            }
            seen = seen.max(state.entries.len());
            let left = end.saturating_duration_since(Instant::now());
            if state.writers == 0 || left.is_zero() {
                return None;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Like [`Log::find`], but a missing entry fails the test; `what` says which one.
    #[track_caller]
    pub fn wait(&self, from: usize, what: &str, matches: impl FnMut(&T) -> bool) -> T {
        match self.find(from, matches) {
            Some(entry) => entry,
            None => panic!("never happened: {what}"),
        }
    }

    /// Blocks until the log is closed. False after `limit`.
    pub fn wait_closed(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.state();
        while state.writers > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
