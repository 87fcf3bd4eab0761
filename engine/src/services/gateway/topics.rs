//! The two topics of a gateway (gateway.md section 1).

use crate::identity::Identity;
use crate::services::topics::Topics;

/// Those of `gateway`: subscribed to with QoS 1, published to with QoS 0.
#[must_use]
pub fn topics(gateway: &Identity) -> Topics {
    Topics::of("$gateway", gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_gateway() {
        let topics = topics(&Identity::new("PID", "gw").unwrap());
        assert_eq!(topics.operation, "$gateway/operation/PID/gw");
        assert_eq!(topics.result, "$gateway/operation/result/PID/gw");
    }
}
