//! The CoAP client: pumps datagrams between the connection and the engine's [`Session`] (coap.md).
//!
//! Whoever calls [`Client::yield_for`] pumps. No lock is held while the program's code runs, so it may call everything
//! again. Any thread may send meanwhile.

mod settings;

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use iot_engine::coap::packet::MAX_RECEIVE;
pub use iot_engine::coap::{Answer, Event};
use iot_engine::coap::{Authentication, Due, Refusal, Session};
use iot_engine::identity::{self, Identity};
use iot_engine::time::Millis;
pub use settings::Settings;

use super::error::Error;
use super::transfers::Transfers;
use crate::hal::sync::Mutex;
use crate::hal::{datagrams, Datagrams, Endpoint, Platform, TransportError};

/// Longest wait in one read, so that a thread notices what another one changed.
const SLICE_MS: u64 = 500;
/// Wait where another thread reads, and where a platform's read returns at once with nothing.
const TURN_MS: u64 = 5;
/// How many datagrams are handled in a row once the first is there.
const MAX_BURST: usize = 64;

/// Receives what the client's owner is told, on the thread that pumps, with no lock held.
pub trait Listener: Send + Sync {
    /// A message without a receiver of its own has ended.
    fn ended(&self, client: &Arc<Client>, answer: &Answer);
}

/// All that a client needs to know.
pub struct Setup {
    /// Who the device is.
    pub identity: Identity,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// How long answers are waited for.
    pub settings: Settings,
    /// Is told of messages that nobody else is told of.
    pub listener: Option<Box<dyn Listener>>,
    /// What the C surface wants to keep for as long as the client lives.
    pub attachment: Box<dyn Any + Send + Sync>,
}

/// Who is told of a message's end: its own receiver, else the client's listener.
type Owner = Option<Arc<dyn Listener>>;

/// A device's conversation with the cloud over CoAP. It is not made anew when it ends: the program does that.
pub struct Client {
    platform: Arc<dyn Platform>,
    setup: Setup,
    session: Mutex<Session<Owner>>,
    /// `None` once the client was destroyed.
    link: Mutex<Option<Arc<dyn Datagrams>>>,
    /// Held by the thread that receives.
    buffer: Mutex<Vec<u8>>,
    /// The code with which the peer closed the connection; 0 while it has not.
    closed: AtomicI32,
    is_destroyed: AtomicBool,
    /// What runs beside it.
    transfers: Transfers,
}

impl Client {
    /// Connects and says who the device is.
    ///
    /// # Errors
    /// What went wrong, with nothing left behind.
    pub fn connect(platform: Arc<dyn Platform>, setup: Setup) -> Result<Arc<Client>, Error> {
        let link = datagrams::connect(&setup.endpoint)?;
        Self::over(link, platform, setup)
    }

    /// As [`connect`](Self::connect), over a connection that is there.
    pub(crate) fn over(
        link: Arc<dyn Datagrams>,
        platform: Arc<dyn Platform>,
        setup: Setup,
    ) -> Result<Arc<Client>, Error> {
        let session = Session::new(setup.settings.terms(), platform.random());
        let client = Arc::new(Client {
            session: Mutex::new(session),
            link: Mutex::new(Some(link)),
            buffer: Mutex::new(vec![0; MAX_RECEIVE]),
            closed: AtomicI32::new(0),
            is_destroyed: AtomicBool::new(false),
            transfers: Transfers::default(),
            platform,
            setup,
        });
        client.authenticate()?;
        Ok(client)
    }

    fn authenticate(self: &Arc<Self>) -> Result<(), Error> {
        let conn_id = identity::conn_id(self.platform.random());
        log::debug!(target: "coap_auth", "connection id {conn_id}");
        let now = self.platform.now();
        let packet = self.session.lock().authenticate(now, &self.setup.identity, &conn_id)?;
        self.transmit(&packet)?;
        loop {
            match self.session.lock().authentication() {
                Authentication::Accepted => return Ok(()),
                Authentication::Failed(ending) => return Err(Error::NotAuthenticated(*ending)),
                Authentication::Pending => {}
            }
            if self.platform.is_leaving() {
                return Err(Error::ConnectTimedOut);
            }
            self.step(SLICE_MS)?;
        }
    }

    /// Time, waiting and random numbers.
    pub fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    /// What the C surface keeps with the client.
    pub fn attachment(&self) -> &(dyn Any + Send + Sync) {
        &*self.setup.attachment
    }

    /// Sends a message. `receiver` is told of its end, without one the client's listener. Returns its id.
    ///
    /// # Errors
    /// Why it is not sent; nobody is told of anything then.
    pub fn send(
        &self,
        topic: &str,
        payload: &[u8],
        needs_answer: bool,
        receiver: Option<Arc<dyn Listener>>,
    ) -> Result<u16, Error> {
        self.enqueue(|session, now| session.send(now, topic, payload, needs_answer, receiver))
    }

    /// As [`send`](Self::send), with an answer wanted: `receiver` is told of further answers with content, too, for a minute or
    /// until the next message of this kind.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_followed(&self, topic: &str, payload: &[u8], receiver: Arc<dyn Listener>) -> Result<u16, Error> {
        self.enqueue(|session, now| session.send_followed(now, topic, payload, Some(receiver)))
    }

    /// How many bytes of payload fit into a message to `topic`.
    pub fn room(&self, topic: &str) -> usize {
        self.session.lock().room(topic)
    }

    fn enqueue(
        &self,
        queue: impl FnOnce(&mut Session<Owner>, Millis) -> Result<(u16, Bytes), Refusal>,
    ) -> Result<u16, Error> {
        self.check_open()?;
        let now = self.platform.now();
        // It waits before its bytes leave: another thread may receive the answer before this one goes on.
        let (id, packet) = queue(&mut self.session.lock(), now)?;
        log::debug!(target: "coap_send", "message {id}, {} bytes", packet.len());
        match self.transmit(&packet) {
            Ok(()) => Ok(id),
            Err(error) => {
                let forgotten = self.session.lock().forget(id);
                // Where it has ended meanwhile, somebody was told so.
                forgotten.map_or(Ok(id), |_owner| Err(error))
            }
        }
    }

    /// A download runs, or has ended: while one does, [`yield_for`](Self::yield_for) waits for nothing.
    pub fn set_transfer_running(&self, is_running: bool) {
        self.transfers.set_running(is_running);
    }

    /// Receives for at most `ms` milliseconds; returns earlier where something came and was handled, and at once while a download
    /// runs. Then sends again and gives up what is due.
    ///
    /// # Errors
    /// The connection is gone, or could not be read this time.
    pub fn yield_for(self: &Arc<Self>, ms: u32) -> Result<(), Error> {
        self.check_open()?;
        let is_transferring = self.transfers.any();
        let deadline = self.platform.now() + if is_transferring { 0 } else { u64::from(ms) };
        loop {
            if self.step(self.platform.now().until(deadline))? {
                return Ok(());
            }
            self.check_open()?;
            if self.platform.now() >= deadline || self.platform.is_leaving() {
                return Ok(());
            }
        }
    }

    /// Ends the client: nobody is told of messages that still wait. Not to be used any more.
    pub fn destroy(&self) {
        self.is_destroyed.store(true, Ordering::Relaxed);
        let link = self.link.lock().take();
        // Closing may take its time, so not under a lock.
        drop(link);
        let waiting = std::mem::replace(&mut *self.session.lock(), Session::new(self.setup.settings.terms(), 0));
        drop(waiting);
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.closed.load(Ordering::Relaxed) {
            _ if self.is_destroyed.load(Ordering::Relaxed) => Err(Error::NotConnected),
            0 => Ok(()),
            code => Err(Error::Transport(TransportError::Closed(code))),
        }
    }

    fn link(&self) -> Result<Arc<dyn Datagrams>, Error> {
        self.link.lock().clone().ok_or(Error::NotConnected)
    }

    fn transmit(&self, datagram: &[u8]) -> Result<(), Error> {
        self.link()?.send(datagram).map_err(|error| self.noted(error))
    }

    /// Notes where the peer has closed the connection: it stays closed.
    fn noted(&self, error: TransportError) -> Error {
        if let TransportError::Closed(code) = error {
            self.closed.store(code, Ordering::Relaxed);
        }
        Error::Transport(error)
    }

    /// Receives what comes within `wait_ms`, or earlier where something is due, and then does that. Whether anything came.
    fn step(self: &Arc<Self>, wait_ms: u64) -> Result<bool, Error> {
        let now = self.platform.now();
        let due = self.session.lock().deadline().map_or(SLICE_MS, |deadline| now.until(deadline));
        let mut wait_ms = wait_ms.min(due).min(SLICE_MS);
        let mut came = Ok(false);
        for count in 0..MAX_BURST {
            match self.receive(wait_ms) {
                Ok(false) => break,
                Ok(true) => came = Ok(true),
                // What came before the error is handled, and the next call meets the error again.
                Err(error) if count == 0 => came = Err(error),
                Err(_) => {}
            }
            if came.is_err() || self.is_destroyed.load(Ordering::Relaxed) {
                break;
            }
            wait_ms = 0;
        }
        self.expire();
        came
    }

    /// Receives one datagram within `wait_ms` and handles it. Whether there was one.
    fn receive(self: &Arc<Self>, wait_ms: u64) -> Result<bool, Error> {
        let Some(mut buffer) = self.buffer.try_lock() else {
            // Another thread receives.
            self.sleep(wait_ms.min(TURN_MS));
            return Ok(false);
        };
        let link = self.link()?;
        let began = self.platform.now();
        // A limit of 0 means none on some platforms.
        let limit = u32::try_from(wait_ms).unwrap_or(u32::MAX).max(1);
        let count = link.receive(&mut buffer, limit).map_err(|error| self.noted(error))?;
        drop(link);
        if count == 0 {
            drop(buffer);
            let is_early = self.platform.now() == began;
            self.sleep(if is_early { wait_ms.min(TURN_MS) } else { 0 });
            return Ok(false);
        }
        let received = self.session.lock().received(self.platform.now(), buffer.get(..count).unwrap_or_default());
        drop(buffer);
        if let Some(why) = received.malformed {
            log::error!(target: "coap_message", "a datagram of {count} bytes was dropped: {why}");
        }
        if let Some(reply) = received.reply {
            // The cloud sends its answer again where this one is lost.
            let _ = self.transmit(&reply);
        }
        if let Some((owner, answer)) = received.answered {
            self.deliver(owner, &answer);
        }
        Ok(true)
    }

    fn sleep(&self, ms: u64) {
        if ms > 0 {
            self.platform.sleep(u32::try_from(ms).unwrap_or(u32::MAX));
        }
    }

    /// Sends again and gives up what is due.
    fn expire(self: &Arc<Self>) {
        loop {
            let due = self.session.lock().due(self.platform.now());
            match due {
                None => return,
                Some(Due::Repeat(packet)) => {
                    if let Err(error) = self.transmit(&packet) {
                        log::warn!(target: "coap_send", "a message was not sent again: {error}");
                    }
                }
                Some(Due::Ended(owner, answer)) => self.deliver(owner, &answer),
            }
        }
    }

    fn deliver(self: &Arc<Self>, owner: Owner, answer: &Answer) {
        if self.is_destroyed.load(Ordering::Relaxed) {
            return;
        }
        log::debug!(target: "coap_message", "message {}: {}", answer.id, answer.ending);
        match (owner.as_deref(), self.setup.listener.as_deref()) {
            (Some(receiver), _) | (None, Some(receiver)) => receiver.ended(self, answer),
            (None, None) => {
                log::error!(target: "coap_message", "nobody is there to be told of message {}: {}", answer.id, answer.ending);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
