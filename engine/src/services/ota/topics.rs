//! The two topics of a device (wire.md section 3).

use crate::identity::Identity;

/// A device's update and report topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Subscribed to with QoS 1.
    pub update: String,
    /// Published to.
    pub report: String,
}

impl Topics {
    /// The topics of a device.
    #[must_use]
    pub fn of(device: &Identity) -> Self {
        let (product_id, device_name) = (device.product_id(), device.device_name());
        Topics {
            update: format!("$ota/update/{product_id}/{device_name}"),
            report: format!("$ota/report/{product_id}/{device_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_hold_the_longest_names() {
        let topics = Topics::of(&Identity::new("P123456789", &"d".repeat(48)).unwrap());
        assert_eq!(topics.update, format!("$ota/update/P123456789/{}", "d".repeat(48)));
        assert_eq!(topics.report, format!("$ota/report/P123456789/{}", "d".repeat(48)));
    }
}
