//! Lets the cloud reach this machine's SSH server (shadow.md section 9): hears when a tunnel is wanted, and tells how it is.

mod connections;
mod tunnel;

use std::sync::Arc;

use iot_engine::services::ssh::message::{parse, state};
use iot_engine::services::ssh::{Switch, ASKS, SUBSCRIBE_TIMEOUT_MS};
use iot_engine::services::system_time::topics;

use super::channel::{Channel, Service, Terms};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};

pub use tunnel::{start, stop};

/// The tunnel's name in the log.
const FUNCTION: &str = "ssh_tunnel";

/// Whether a client listens for what the cloud wants.
#[derive(Default)]
struct Listens(bool);

/// What the cloud wants.
struct Wishes;

impl Service for Wishes {
    fn message(&self, client: &Arc<Client>, _topic: &str, payload: &[u8]) {
        match parse(payload) {
            Some(Switch::Start) => {
                log::info!(target: FUNCTION, "the cloud asks for an SSH tunnel");
                if let Err(error) = start(client) {
                    log::error!(target: FUNCTION, "no SSH tunnel: {error}");
                    tell(client, false);
                }
            }
            Some(Switch::Stop) => {
                log::info!(target: FUNCTION, "the cloud wants no SSH tunnel any more");
                stop();
            }
            // The answers of other services come here, too.
            None => {}
        }
    }

    fn client_ends(&self, client: &Arc<Client>) {
        tunnel::end_with(client);
    }
}

/// Has the cloud start and stop tunnels from now on, for as long as the client lives, and tells it that there is none yet.
/// Drives the client until the server has granted the subscription, where it has not before.
///
/// # Errors
/// Why the cloud can't ask, or can't be told.
pub fn enable(client: &Arc<Client>) -> Result<(), Error> {
    let listens = client.keepsake::<Listens>();
    if !listens.lock().0 {
        let terms = Terms { qos: QoS::AtMostOnce, limit_ms: SUBSCRIBE_TIMEOUT_MS, asks: ASKS };
        let channel = Channel::open(client, &topics(client.identity()).result, Arc::new(Wishes), terms)?;
        // Another thread may have done the same meanwhile: each message is to come once.
        if !std::mem::replace(&mut listens.lock().0, true) {
            channel.stay();
        }
    }
    report(client, false).map(drop)
}

/// Tells the cloud whether a tunnel is up. Returns the packet id.
///
/// # Errors
/// Why it can't be told.
pub fn report(client: &Client, is_up: bool) -> Result<u16, Error> {
    client.publish(&topics(client.identity()).operation, QoS::AtMostOnce, state(is_up).as_bytes())
}

/// The same from a thread that must not wait; what goes wrong is only logged.
fn tell(client: &Client, is_up: bool) {
    let topic = topics(client.identity()).operation;
    if let Err(error) = client.publish_without_waiting(&topic, state(is_up).as_bytes()) {
        log::warn!(target: FUNCTION, "the cloud was not told that the SSH tunnel is {}: {error}", if is_up { "up" } else { "down" });
    }
}

#[cfg(all(test, not(feature = "auth-mode-cert")))]
mod tests;
