//! The form that the topics of most services have: one for questions, one for answers.

use crate::identity::Identity;

/// The two topics of a service for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// The device publishes to it.
    pub operation: String,
    /// The device subscribes to it.
    pub result: String,
}

impl Topics {
    /// Those of `device` below `root`, which begins with a `$`.
    #[must_use]
    pub fn of(root: &str, device: &Identity) -> Self {
        let (product_id, device_name) = (device.product_id(), device.device_name());
        Topics {
            operation: format!("{root}/operation/{product_id}/{device_name}"),
            result: format!("{root}/operation/result/{product_id}/{device_name}"),
        }
    }
}
