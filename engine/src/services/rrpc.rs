//! Requests of the cloud that the device answers (messaging.md section 2).

use crate::identity::Identity;

/// How long a call waits for its SUBACK, in milliseconds.
pub const SUBACK_TIMEOUT_MS: u64 = 1_500;
/// The longest id of a request, in bytes.
pub const MAX_ID_LEN: usize = 16;

/// What a device subscribes to, with QoS 0.
#[must_use]
pub fn filter(device: &Identity) -> String {
    format!("$rrpc/rxd/{}/{}/+", device.product_id(), device.device_name())
}

/// Where the answer to the request with this id goes, with QoS 0.
#[must_use]
pub fn answer_topic(device: &Identity, id: &str) -> String {
    format!("$rrpc/txd/{}/{}/{id}", device.product_id(), device.device_name())
}

/// The id of the request that came on `topic`. `None` where it is empty or too long: there is no answering it.
#[must_use]
pub fn id_of(topic: &str) -> Option<&str> {
    let (_, id) = topic.rsplit_once('/')?;
    (1..=MAX_ID_LEN).contains(&id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device() {
        let device = Identity::new("PID", "dev").unwrap();
        assert_eq!(filter(&device), "$rrpc/rxd/PID/dev/+");
        assert_eq!(answer_topic(&device, "469"), "$rrpc/txd/PID/dev/469");
    }

    #[test]
    fn an_id_is_the_topics_end_of_1_to_16_bytes() {
        assert_eq!(id_of("$rrpc/rxd/PID/dev/469"), Some("469"));
        assert_eq!(id_of("$rrpc/rxd/PID/dev/1234567890123456"), Some("1234567890123456"));
        for topic in ["$rrpc/rxd/PID/dev/12345678901234567", "$rrpc/rxd/PID/dev/", "469", ""] {
            assert_eq!(id_of(topic), None, "{topic}");
        }
    }
}
