//! The two topics of a shadow (shadow.md section 1).

use crate::identity::Identity;
use crate::services::topics::Topics;

/// What the cloud keeps for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A shadow.
    Shadow,
    /// A data template.
    Template,
}

/// Those of `device`, with QoS 0. Replies and pushes arrive on the result topic.
#[must_use]
pub fn topics(device: &Identity, kind: Kind) -> Topics {
    let root = match kind {
        Kind::Shadow => "$shadow",
        Kind::Template => "$template",
    };
    Topics::of(root, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_name_the_device_and_what_is_kept() {
        let device = Identity::new("PID", "lamp").unwrap();
        let shadow = topics(&device, Kind::Shadow);
        assert_eq!(shadow.operation, "$shadow/operation/PID/lamp");
        assert_eq!(shadow.result, "$shadow/operation/result/PID/lamp");
        let template = topics(&device, Kind::Template);
        assert_eq!(template.operation, "$template/operation/PID/lamp");
        assert_eq!(template.result, "$template/operation/result/PID/lamp");
    }
}
