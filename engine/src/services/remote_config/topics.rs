//! The two topics of a device (messaging.md).

use crate::identity::Identity;

/// A device's topics for its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Subscribed to with QoS 0.
    pub result: String,
    /// Published to with QoS 0.
    pub operation: String,
}

impl Topics {
    /// The topics of a device.
    #[must_use]
    pub fn of(device: &Identity) -> Self {
        let (product_id, device_name) = (device.product_id(), device.device_name());
        Topics {
            result: format!("$config/operation/result/{product_id}/{device_name}"),
            operation: format!("$config/operation/{product_id}/{device_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device() {
        let topics = Topics::of(&Identity::new("PID", "dev").unwrap());
        assert_eq!(topics.operation, "$config/operation/PID/dev");
        assert_eq!(topics.result, "$config/operation/result/PID/dev");
    }
}
