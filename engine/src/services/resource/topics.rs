//! The two topics of a device (resource.md section 1).

use crate::identity::Identity;

/// Where a device asks and reports, and where the cloud answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Published to.
    pub up: String,
    /// Subscribed to with QoS 1.
    pub down: String,
}

impl Topics {
    /// The topics of a device.
    #[must_use]
    pub fn of(device: &Identity) -> Self {
        let topic = |way| format!("$resource/{way}/service/{}/{}", device.product_id(), device.device_name());
        Topics { up: topic("up"), down: topic("down") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_hold_the_longest_names() {
        let topics = Topics::of(&Identity::new("P123456789", &"d".repeat(48)).unwrap());
        assert_eq!(topics.up, format!("$resource/up/service/P123456789/{}", "d".repeat(48)));
        assert_eq!(topics.down, format!("$resource/down/service/P123456789/{}", "d".repeat(48)));
    }
}
