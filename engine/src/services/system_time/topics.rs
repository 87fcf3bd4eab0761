//! The two topics of a device (behaviour.md section 7).

use crate::identity::Identity;

/// A device's topics for questions about the system, and their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Subscribed to with QoS 0.
    pub result: String,
    /// Published to with QoS 0.
    pub request: String,
}

impl Topics {
    /// The topics of a device.
    #[must_use]
    pub fn of(device: &Identity) -> Self {
        let (product_id, device_name) = (device.product_id(), device.device_name());
        Topics {
            result: format!("$sys/operation/result/{product_id}/{device_name}"),
            request: format!("$sys/operation/{product_id}/{device_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device() {
        let topics = Topics::of(&Identity::new("PID", "dev").unwrap());
        assert_eq!(topics.request, "$sys/operation/PID/dev");
        assert_eq!(topics.result, "$sys/operation/result/PID/dev");
    }
}
