//! Opening and losing the link.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use iot_abi::error::{
    QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION, QCLOUD_ERR_MQTT_CONNACK_UNKNOWN, QCLOUD_ERR_MQTT_NO_CONN,
    QCLOUD_ERR_MQTT_REQUEST_TIMEOUT, QCLOUD_ERR_RX_MESSAGE_INVAL, QCLOUD_ERR_TCP_WRITE_TIMEOUT,
};
use iot_engine::identity;
use iot_engine::mqtt::{Link, LinkFault, Login};
use iot_engine::time::Millis;

use super::{Client, Proof};
use crate::hal::{Attempt, ConnectError, Connected, Endpoint, TransportError};

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
    /// The `QCLOUD_ERR_*` code of what went wrong.
    pub fn connect(self: &Arc<Self>) -> Result<String, i32> {
        let conn_id = self.opened(self.platform.connect(self.announced_endpoint()))?;
        let patience = self.setup.config.command_timeout_ms;
        let deadline = self.platform.now() + u64::from(patience);
        let Some(_pumping) = self.pump.acquire(&*self.platform, deadline) else {
            return Err(QCLOUD_ERR_MQTT_REQUEST_TIMEOUT);
        };
        loop {
            match self.session.lock().link() {
                Link::Up => return Ok(conn_id),
                Link::Connecting(_) => {}
                _ => return Err(self.last_fault.load(Ordering::Relaxed)),
            }
            self.tick(deadline);
            self.read_some(deadline);
        }
    }

    /// Goes on with an attempt to connect again, or begins one; waits at most `wait_ms` for what comes of it.
    pub(super) fn reconnect(&self, wait_ms: u64) {
        // Only the pumping thread comes here, so the lock may be held while it waits; Destroy waits for no longer.
        let mut slot = self.reconnect.lock();
        let now = self.platform.now();
        let reconnect = slot.get_or_insert_with(|| Reconnect {
            attempt: self.platform.begin_connect(self.announced_endpoint()),
            began: now,
        });
        let outcome = match reconnect.attempt.outcome(wait_ms) {
            Some(outcome) => outcome,
            None if self.platform.now().since(reconnect.began) < ATTEMPT_MS => return,
            None => Err(ConnectError::unexplained(QCLOUD_ERR_MQTT_REQUEST_TIMEOUT)),
        };
        *slot = None;
        drop(slot);
        // A failure is logged there, and the session has set the next date.
        let _ = self.opened(outcome);
    }

    /// Where to connect, noted in the log.
    fn announced_endpoint(&self) -> &Endpoint {
        let endpoint = &self.setup.endpoint;
        log::debug!(target: "mqtt_connect", "connecting to {}:{}", endpoint.host, endpoint.port);
        endpoint
    }

    /// Sends CONNECT over a connection that was made. Returns the connection id.
    fn opened(&self, outcome: Connected) -> Result<String, i32> {
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
                self.lose(error.code);
                return Err(error.code);
            }
        };
        let conn_id = identity::conn_id(self.platform.random());
        let user_name = self.setup.identity.user_name(&conn_id, i64::MAX);
        let password = match &self.setup.proof {
            Proof::Transport => String::new(),
            Proof::Password(key) => identity::password(key, &user_name),
        };
        log::debug!(target: "mqtt_connect", "connection id {conn_id}");
        {
            let mut session = self.session.lock();
            if session.link() == Link::Closed {
                return Err(QCLOUD_ERR_MQTT_NO_CONN);
            }
            *self.transport.lock() = Some(transport);
            session.open(self.platform.now(), Login { user_name, password });
        }
        self.flush()?;
        Ok(conn_id)
    }

    /// Gives the link up because of what the engine found.
    pub(super) fn fault(&self, fault: LinkFault) {
        self.lose(fault_code(fault));
        log::error!(target: "mqtt_session", "MQTT link given up: {fault}");
    }

    /// Gives the link up because of the transport.
    pub(super) fn broken(&self, error: TransportError) {
        self.lose(error.code());
        log::error!(target: "mqtt_session", "MQTT link lost: {error}");
    }

    fn lose(&self, code: i32) {
        self.last_fault.store(code, Ordering::Relaxed);
        let closed = {
            let mut session = self.session.lock();
            session.lost(self.platform.now(), self.platform.random());
            self.transport.lock().take()
        };
        // Closing may take its time, so not under a lock.
        drop(closed);
    }
}

fn fault_code(fault: LinkFault) -> i32 {
    match fault {
        LinkFault::Refused(code @ 1..=5) => {
            QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION - (i32::from(code) - 1)
        }
        LinkFault::Refused(_) => QCLOUD_ERR_MQTT_CONNACK_UNKNOWN,
        LinkFault::ConnackTimeout | LinkFault::PingTimeout => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
        LinkFault::Malformed(_) => QCLOUD_ERR_RX_MESSAGE_INVAL,
        LinkFault::Unread => QCLOUD_ERR_TCP_WRITE_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connack_codes_map_in_order() {
        let codes: Vec<i32> = (1..=6).map(|code| fault_code(LinkFault::Refused(code))).collect();
        assert_eq!(codes, [-113, -114, -115, -116, -117, -112]);
    }
}
