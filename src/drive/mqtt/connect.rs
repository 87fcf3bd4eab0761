//! Opening and losing the link.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use iot_abi::error::{
    QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION, QCLOUD_ERR_MQTT_CONNACK_UNKNOWN, QCLOUD_ERR_MQTT_NO_CONN,
    QCLOUD_ERR_MQTT_REQUEST_TIMEOUT, QCLOUD_ERR_RX_MESSAGE_INVAL, QCLOUD_ERR_TCP_WRITE_TIMEOUT,
};
use iot_engine::auth;
use iot_engine::mqtt::{Link, LinkFault, Login};

use super::{Client, Proof};
use crate::hal::TransportError;

impl Client {
    /// Connects for the first time and waits for the CONNACK. Returns the connection id.
    ///
    /// # Errors
    /// The `QCLOUD_ERR_*` code of what went wrong.
    pub fn connect(self: &Arc<Self>) -> Result<String, i32> {
        let conn_id = self.open()?;
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
            self.read_some(deadline);
            self.tick();
        }
    }

    /// Opens a transport and sends CONNECT. Returns the connection id.
    pub(super) fn open(&self) -> Result<String, i32> {
        let endpoint = &self.setup.endpoint;
        log::debug!(target: "mqtt_connect", "connecting to {}:{}", endpoint.host, endpoint.port);
        let transport = match self.platform.connect(endpoint) {
            Ok(transport) => transport,
            Err(error) => {
                log::error!(
                    target: "mqtt_connect",
                    "MQTT server {}:{} can't be reached: {error}",
                    endpoint.host,
                    endpoint.port
                );
                self.lose(error.code());
                return Err(error.code());
            }
        };
        *self.transport.lock() = Some(transport);
        let conn_id = auth::conn_id(self.platform.random());
        let user_name = self.setup.identity.user_name(&conn_id, i64::MAX);
        let password = match &self.setup.proof {
            Proof::Transport => String::new(),
            Proof::Password(key) => auth::password(key, &user_name),
        };
        log::debug!(target: "mqtt_connect", "connection id {conn_id}");
        self.session.lock().open(self.platform.now(), Login { user_name, password });
        self.flush()?;
        Ok(conn_id)
    }

    /// Gives the link up because of what the engine found.
    pub(super) fn fault(&self, fault: LinkFault) {
        log::error!(target: "mqtt_session", "MQTT link given up: {fault}");
        self.lose(fault_code(fault));
    }

    /// Gives the link up because of the transport.
    pub(super) fn broken(&self, error: TransportError) {
        log::error!(target: "mqtt_session", "MQTT link lost: {error}");
        self.lose(error.code());
    }

    fn lose(&self, code: i32) {
        self.last_fault.store(code, Ordering::Relaxed);
        let closed = self.transport.lock().take();
        self.session.lock().lost(self.platform.now(), self.platform.random());
        // Closing may take its time, so not under a lock.
        drop(closed);
    }

    /// Writes what the session wants sent, in order.
    ///
    /// # Errors
    /// The transport's code; the link was given up.
    pub(super) fn flush(&self) -> Result<(), i32> {
        let _writing = self.writing.lock();
        loop {
            let output = self.session.lock().take_output();
            if output.is_empty() {
                return Ok(());
            }
            let Some(transport) = self.transport.lock().clone() else {
                return Err(QCLOUD_ERR_MQTT_NO_CONN);
            };
            let deadline = self.platform.now() + u64::from(self.setup.config.command_timeout_ms);
            let mut rest = &output[..];
            while !rest.is_empty() {
                let left = self.platform.now().until(deadline);
                let written = transport.write(rest, u32::try_from(left).unwrap_or(u32::MAX));
                match written {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => {
                        self.broken(error);
                        return Err(error.code());
                    }
                }
                if !rest.is_empty() && left == 0 {
                    let error = TransportError::Failed(QCLOUD_ERR_TCP_WRITE_TIMEOUT);
                    self.broken(error);
                    return Err(error.code());
                }
            }
        }
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
