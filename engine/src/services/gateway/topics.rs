//! The two topics of a gateway (gateway.md section 1).

use crate::identity::Identity;

/// A gateway's topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Subscribed to with QoS 1.
    pub result: String,
    /// Published to with QoS 0.
    pub operation: String,
}

impl Topics {
    /// The topics of a gateway.
    #[must_use]
    pub fn of(gateway: &Identity) -> Self {
        let (product_id, device_name) = (gateway.product_id(), gateway.device_name());
        Topics {
            result: format!("$gateway/operation/result/{product_id}/{device_name}"),
            operation: format!("$gateway/operation/{product_id}/{device_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_gateway() {
        let topics = Topics::of(&Identity::new("PID", "gw").unwrap());
        assert_eq!(topics.operation, "$gateway/operation/PID/gw");
        assert_eq!(topics.result, "$gateway/operation/result/PID/gw");
    }
}
