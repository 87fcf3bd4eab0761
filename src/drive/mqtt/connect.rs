//! Opening and losing the link.

use std::sync::Arc;

use iot_engine::identity;
use iot_engine::mqtt::{LinkFault, LinkState, Login};
use iot_engine::time::Millis;
#[cfg(feature = "websocket-mqtt")]
use iot_engine::websocket::handshake::Target;

use super::{Client, Proof};
use crate::drive::error::Error;
#[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
use crate::hal::signature;
use crate::hal::{Attempt, Endpoint, Transport};
#[cfg(feature = "websocket-mqtt")]
use crate::hal::{Carries, Connected, Made, Upgrade};

/// Longest wait in one call, so that a thread that is to end does so soon.
#[cfg(feature = "websocket-mqtt")]
const UPGRADE_SLICE_MS: u64 = 500;
/// Longest time an attempt to connect again may take; then it is given up for the next one.
const ATTEMPT_MS: u64 = 60_000;

/// An attempt to connect again.
pub(super) struct Reconnect {
    attempt: Box<dyn Attempt>,
    began: Millis,
}

impl Client {
    /// Connects for the first time and waits for the CONNACK. Returns the connection id.
    ///
    /// # Errors
    /// What went wrong.
    pub fn connect(self: &Arc<Self>) -> Result<String, Error> {
        let connected = self.platform.connect(self.logged_endpoint());
        #[cfg(feature = "websocket-mqtt")]
        let connected = self.upgraded(connected)?;
        let conn_id = self.opened(connected.map_err(Error::from))?;
        let patience = self.setup.config.command_timeout_ms;
        let deadline = self.platform.now() + u64::from(patience);
        let Some(_pumping) = self.pump.acquire(&*self.platform, deadline) else {
            return Err(Error::ConnectTimedOut);
        };
        loop {
            match self.session.lock().link() {
                LinkState::Up => return Ok(conn_id),
                LinkState::Connecting(_) => {}
                _ => return Err(self.last_fault.lock().clone().unwrap_or(Error::NotConnected)),
            }
            if self.platform.is_leaving() {
                return Err(Error::ConnectTimedOut);
            }
            self.tick(deadline);
            self.read_some(deadline);
        }
    }

    /// An attempt to connect that goes on to WebSocket, where that is what the server speaks.
    #[cfg(feature = "websocket-mqtt")]
    fn upgrading(&self, attempt: Box<dyn Attempt>) -> Box<dyn Attempt> {
        if !self.setup.over_websocket {
            return attempt;
        }
        let Endpoint { host, port, .. } = &self.setup.endpoint;
        let target = Target { host: host.clone(), port: *port, path: "/".to_owned(), protocol: "mqtt".to_owned() };
        Box::new(Upgrade::new(Arc::clone(&self.platform), target, Carries::Mqtt, attempt))
    }

    /// The same, waited for.
    #[cfg(feature = "websocket-mqtt")]
    fn upgraded(&self, connected: Connected) -> Result<Connected, Error> {
        let mut attempt = self.upgrading(Box::new(Made(Some(connected))));
        loop {
            if let Some(outcome) = attempt.outcome(UPGRADE_SLICE_MS) {
                return Ok(outcome);
            }
            if self.platform.is_leaving() {
                return Err(Error::ConnectTimedOut);
            }
        }
    }

    /// Goes on with an attempt to connect again, or begins one; waits at most `wait_ms` for what comes of it.
    pub(super) fn reconnect(&self, wait_ms: u64) {
        // Taken out for as long as it runs: it logs, and the program's log handler may call the client.
        let known = self.reconnect.lock().take();
        let mut reconnect = known.unwrap_or_else(|| {
            let began = self.platform.now();
            let attempt = self.platform.begin_connect(self.logged_endpoint());
            #[cfg(feature = "websocket-mqtt")]
            let attempt = self.upgrading(attempt);
            Reconnect { attempt, began }
        });
        let outcome = match reconnect.attempt.outcome(wait_ms) {
            Some(outcome) => outcome.map_err(Error::from),
            None if self.platform.now().since(reconnect.began) < ATTEMPT_MS => return self.keep(reconnect),
            None => Err(Error::ConnectTimedOut),
        };
        // A log handler that drove the client has done it all meanwhile.
        if matches!(self.session.lock().link(), LinkState::Waiting(_)) {
            // A failure is logged there, and the session has set the next date.
            let _ = self.opened(outcome);
        }
    }

    /// Keeps an attempt that goes on, unless the client was destroyed or a log handler's call has begun another one.
    fn keep(&self, reconnect: Reconnect) {
        let mut slot = self.reconnect.lock();
        if slot.is_none() && self.session.lock().link() != LinkState::Closed {
            *slot = Some(reconnect);
        }
    }

    /// Where to connect; the log says so, too.
    fn logged_endpoint(&self) -> &Endpoint {
        let endpoint = &self.setup.endpoint;
        log::debug!(target: "mqtt_connect", "connecting to {}:{}", endpoint.host, endpoint.port);
        endpoint
    }

    /// Sends CONNECT over a connection that was made. Returns the connection id.
    fn opened(&self, outcome: Result<Arc<dyn Transport>, Error>) -> Result<String, Error> {
        let endpoint = &self.setup.endpoint;
        let transport = match outcome {
            Ok(transport) => transport,
            Err(error) => {
                log::error!(
                    target: "mqtt_connect",
                    "MQTT server {}:{} can't be reached: {error}",
                    endpoint.host,
                    endpoint.port
                );
                self.lose(error.clone());
                return Err(error);
            }
        };
        let conn_id = identity::conn_id(self.platform.random());
        let user_name = self.setup.identity.user_name(&conn_id, i64::MAX);
        let password = match &self.setup.proof {
            Proof::Transport => String::new(),
            Proof::Password(key) => identity::password(key, &user_name),
            #[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
            Proof::Signature(key_file) => match signature::sign(key_file, &user_name) {
                Ok(signature) => identity::signed_password(&signature),
                Err(cause) => {
                    log::error!(target: "mqtt_connect", "no password: {cause}");
                    drop(transport);
                    self.lose(Error::NoPassword);
                    return Err(Error::NoPassword);
                }
            },
        };
        log::debug!(target: "mqtt_connect", "connection id {conn_id}");
        {
            let mut session = self.session.lock();
            if session.link() == LinkState::Closed {
                return Err(Error::NotConnected);
            }
            *self.transport.lock() = Some(transport);
            session.open(self.platform.now(), Login { user_name, password });
        }
        self.flush()?;
        Ok(conn_id)
    }

    /// Gives the link up because of what the engine found.
    pub(super) fn fault(&self, fault: LinkFault) {
        self.lose(Error::Link(fault));
        log::error!(target: "mqtt_session", "MQTT link given up: {fault}");
    }

    /// Gives the link up because of the transport.
    pub(super) fn broken(&self, error: Error) {
        self.lose(error.clone());
        log::error!(target: "mqtt_session", "MQTT link lost: {error}");
    }

    fn lose(&self, error: Error) {
        *self.last_fault.lock() = Some(error);
        let (closed, was_up, short_lived) = {
            let mut session = self.session.lock();
            let was_up = session.link() == LinkState::Up;
            session.lost(self.platform.now(), self.platform.random());
            (self.transport.lock().take(), was_up, session.short_lived())
        };
        // Closing may take its time, so not under a lock.
        drop(closed);
        self.stir();
        if was_up && short_lived > 1 {
            log::warn!(
                target: "mqtt_session",
                "closed right after connecting, {short_lived} times: is another device using this client id, or is a topic \
                 forbidden?"
            );
        }
    }
}
