//! The two topics of a shadow (shadow.md section 1).

use crate::identity::Identity;

/// What the cloud keeps for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A shadow.
    Shadow,
    /// A data template.
    Template,
}

/// A shadow's topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Published to with QoS 0.
    pub operation: String,
    /// Subscribed to with QoS 0: replies and pushes arrive here.
    pub result: String,
}

impl Topics {
    /// The topics of `device`.
    #[must_use]
    pub fn of(device: &Identity, kind: Kind) -> Self {
        let root = match kind {
            Kind::Shadow => "$shadow",
            Kind::Template => "$template",
        };
        let (product_id, device_name) = (device.product_id(), device.device_name());
        Topics {
            operation: format!("{root}/operation/{product_id}/{device_name}"),
            result: format!("{root}/operation/result/{product_id}/{device_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device_and_what_is_kept() {
        let device = Identity::new("PID", "lamp").unwrap();
        let shadow = Topics::of(&device, Kind::Shadow);
        assert_eq!(shadow.operation, "$shadow/operation/PID/lamp");
        assert_eq!(shadow.result, "$shadow/operation/result/PID/lamp");
        let template = Topics::of(&device, Kind::Template);
        assert_eq!(template.operation, "$template/operation/PID/lamp");
        assert_eq!(template.result, "$template/operation/result/PID/lamp");
    }
}
