//! Waiting with nothing to do, on platforms whose wait another thread can end.
//!
//! Whoever changes what the pumping thread must look at says so afterwards ([`Client::stir`]). The thread that rests shows
//! its connection first and looks at everything then: either it sees the change, or the change's thread sees the connection.

use std::sync::Arc;

use iot_engine::time::Millis;

use super::Client;
use crate::hal::sync::Mutex;
use crate::hal::{Transport, TransportError};

/// Longest rest: the platform's clock has to be looked at more often than it wraps.
const LONGEST_MS: u64 = 3_600_000;

/// The connection that the pumping thread rests on.
pub(super) struct Rest(Mutex<Option<Arc<dyn Transport>>>);

impl Rest {
    pub(super) fn new() -> Self {
        Rest(Mutex::new(None))
    }
}

impl Client {
    /// Ends the pumping thread's rest, if it rests.
    pub(super) fn stir(&self) {
        let resting = self.rest.0.lock().clone();
        if let Some(transport) = resting {
            transport.wake();
        }
    }

    /// Reads what is there, or waits for it for as long as nothing else is due: at most until `deadline`, unless `may_rest`.
    /// Returns what came of it and how long it might have waited. `None`: the platform has no such wait, or there
    /// is something to write meanwhile.
    pub(super) fn rest_on(
        &self,
        transport: &Arc<dyn Transport>,
        buffer: &mut [u8],
        deadline: Millis,
        may_rest: &dyn Fn() -> bool,
    ) -> Option<(Result<usize, TransportError>, u64)> {
        *self.rest.0.lock() = Some(Arc::clone(transport));
        let limit = if may_rest() { Millis(u64::MAX) } else { deadline };
        let (wanted, until) = self.wanted_until(limit);
        let wait = self.platform.now().until(until).min(LONGEST_MS);
        let wanted = wanted.min(buffer.len());
        let read = (self.is_current(transport) && self.is_all_sent() && !self.must_hurry())
            .then(|| transport.read_or_wake(&mut buffer[..wanted], u32::try_from(wait).unwrap_or(u32::MAX)))
            .flatten();
        let resting = self.rest.0.lock().take();
        drop(resting);
        read.map(|read| (read, wait))
    }
}

#[cfg(test)]
mod tests;
