//! The tunnel through which the cloud reaches this machine's SSH server (shadow.md section 9): the messages that start and
//! stop it, its frames, how it signs in, and the sessions in it.

pub mod frame;
pub mod message;
mod session;
pub mod sign_in;
pub mod tunnel;

pub use message::Switch;
pub use session::{SessionId, MAX_SESSIONS};
pub use sign_in::SignIn;
pub use tunnel::{Ended, Moment, Tunnel};

use crate::identity::Identity;

/// How long the answer to the subscription is waited for, in milliseconds, each of [`ASKS`] times.
pub const SUBSCRIBE_TIMEOUT_MS: u64 = 2_000;
/// How often the subscription is asked for where the server refuses it.
pub const ASKS: u32 = 3;
/// The path of a tunnel on its server.
pub const PATH: &str = "/ssh/device";

/// What a device asks its server to speak: its own name.
#[must_use]
pub fn protocol(device: &Identity) -> String {
    format!("{}+{}", device.product_id(), device.device_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_speaks_its_devices_name() {
        assert_eq!(protocol(&Identity::new("PRODUCTID0", "lamp").unwrap()), "PRODUCTID0+lamp");
    }
}
