//! Messages to all devices of a product (messaging.md section 1).

use crate::identity::Identity;

/// How long a call waits for its SUBACK, in milliseconds.
pub const SUBACK_TIMEOUT_MS: u64 = 1_500;

/// What a device subscribes to, with QoS 1.
#[must_use]
pub fn topic(device: &Identity) -> String {
    format!("$broadcast/rxd/{}/{}", device.product_id(), device.device_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_names_the_device() {
        assert_eq!(topic(&Identity::new("PID", "dev").unwrap()), "$broadcast/rxd/PID/dev");
    }
}
