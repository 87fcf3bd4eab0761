//! The two topics of a device (behaviour.md section 7).

use crate::identity::Identity;
use crate::services::topics::Topics;

/// Those of `device`, for questions about the system and their answers, with QoS 0.
#[must_use]
pub fn topics(device: &Identity) -> Topics {
    Topics::of("$sys", device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device() {
        let topics = topics(&Identity::new("PID", "dev").unwrap());
        assert_eq!(topics.operation, "$sys/operation/PID/dev");
        assert_eq!(topics.result, "$sys/operation/result/PID/dev");
    }
}
