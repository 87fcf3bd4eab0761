//! Writing what the session wants sent.

use std::sync::{Arc, Weak};

use bytes::{Buf, Bytes};
use iot_engine::time::Millis;

use super::Client;
use crate::drive::error::Error;
use crate::hal::sync::Guard;
use crate::hal::Transport;

/// Bytes on their way to the server.
#[derive(Default)]
pub(super) struct Outgoing {
    rest: Bytes,
    /// The connection that `rest` is for.
    transport: Option<Weak<dyn Transport>>,
    /// Since when the server has taken nothing.
    stalled: Option<Millis>,
}

impl Outgoing {
    fn is_for(&self, transport: Option<&Arc<dyn Transport>>) -> bool {
        match (transport, &self.transport) {
            (Some(current), Some(known)) => Weak::ptr_eq(&Arc::downgrade(current), known),
            _ => false,
        }
    }
}

impl Client {
    /// Writes what the session wants sent, in order, within the command time-out.
    ///
    /// # Errors
    /// As [`flush_until`](Self::flush_until).
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.flush_until(self.platform.now() + self.patience_ms())
    }

    /// Sends the request with this packet id, 0 for none. A request that fails here is withdrawn: its caller may free what
    /// its handlers use, so they must never be called.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(super) fn sent(&self, id: u16) -> Result<u16, Error> {
        self.flush().inspect_err(|_| self.session.lock().withdraw(id))?;
        Ok(id)
    }

    /// Writes what the session wants sent, in order, until `deadline`. What is left goes out with the next flush, unless
    /// the server has taken nothing for the command time-out: then the link is given up.
    ///
    /// # Errors
    /// Why the link was given up.
    pub(super) fn flush_until(&self, deadline: Millis) -> Result<(), Error> {
        let result = self.write_until(deadline);
        // After the right to write is given back: what is left, and what the session waits for now, is the pump's to see.
        self.stir();
        result
    }

    fn write_until(&self, deadline: Millis) -> Result<(), Error> {
        let Some(mut outgoing) = self.outgoing_until(deadline) else {
            // Whoever holds it writes ours, too; at the latest the next pump does.
            return Ok(());
        };
        loop {
            let transport = self.refill(&mut outgoing);
            if outgoing.rest.is_empty() {
                return Ok(());
            }
            let Some(transport) = transport else {
                return Err(Error::NotConnected);
            };
            let began = self.platform.now();
            let left = u32::try_from(began.until(deadline).max(1)).unwrap_or(u32::MAX);
            match transport.write(&outgoing.rest, left) {
                Ok(0) => {
                    let since = *outgoing.stalled.get_or_insert(began);
                    let mut now = self.platform.now();
                    if now <= began && now < deadline {
                        // A platform that does not wait must not make us spin.
                        self.platform.sleep(1);
                        now = self.platform.now();
                    }
                    if now.since(since) >= self.patience_ms() {
                        return Err(self.unwritable(&transport, Error::WriteTimedOut));
                    }
                    if now >= deadline {
                        return Ok(());
                    }
                }
                Ok(count) => {
                    let count = count.min(outgoing.rest.len());
                    outgoing.rest.advance(count);
                    outgoing.stalled = None;
                }
                Err(error) => return Err(self.unwritable(&transport, error.into())),
            }
        }
    }

    /// Whether nothing is left to write, or another thread writes.
    pub(super) fn is_all_sent(&self) -> bool {
        self.outgoing.try_lock().is_none_or(|outgoing| outgoing.rest.is_empty())
    }

    /// The right to write, waited for until `deadline`: another thread may hold it for as long as the server takes nothing.
    fn outgoing_until(&self, deadline: Millis) -> Option<Guard<'_, Outgoing>> {
        loop {
            let outgoing = self.outgoing.try_lock();
            if outgoing.is_some() || self.platform.now() >= deadline {
                return outgoing;
            }
            self.platform.sleep(1);
        }
    }

    /// Takes the session's output where nothing is left, or where what is left was for a connection that is gone.
    /// Returns the present connection.
    fn refill(&self, outgoing: &mut Outgoing) -> Option<Arc<dyn Transport>> {
        let mut session = self.session.lock();
        let transport = self.transport.lock().clone();
        if outgoing.rest.is_empty() || !outgoing.is_for(transport.as_ref()) {
            *outgoing = Outgoing {
                rest: session.take_output(),
                transport: transport.as_ref().map(Arc::downgrade),
                stalled: None,
            };
        }
        transport
    }

    /// A write failed: gives the link up, unless that has been done and there is another one by now.
    fn unwritable(&self, transport: &Arc<dyn Transport>, error: Error) -> Error {
        if self.is_current(transport) {
            self.broken(error.clone());
        }
        error
    }

    pub(super) fn is_current(&self, transport: &Arc<dyn Transport>) -> bool {
        self.transport.lock().as_ref().is_some_and(|current| Arc::ptr_eq(current, transport))
    }

    /// How long the server may take for an answer.
    pub(crate) fn patience_ms(&self) -> u64 {
        u64::from(self.setup.config.command_timeout_ms)
    }
}
