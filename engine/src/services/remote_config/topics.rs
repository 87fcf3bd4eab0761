//! The two topics of a device (messaging.md).

use crate::identity::Identity;
use crate::services::topics::Topics;

/// Those of `device`, for its configuration, with QoS 0.
#[must_use]
pub fn topics(device: &Identity) -> Topics {
    Topics::of("$config", device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device() {
        let topics = topics(&Identity::new("PID", "dev").unwrap());
        assert_eq!(topics.operation, "$config/operation/PID/dev");
        assert_eq!(topics.result, "$config/operation/result/PID/dev");
    }
}
