//! The messages that start and stop a tunnel, and that tell how it is (shadow.md section 9).

use crate::helpers::json;

/// What the cloud asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Make a tunnel. One that there is ends before.
    Start,
    /// End it.
    Stop,
}

/// How the tunnel is, for the cloud.
#[must_use]
pub fn state(is_up: bool) -> &'static str {
    if is_up {
        r#"{"type": "ssh", "switch": 1}"#
    } else {
        r#"{"type": "ssh", "switch": 0}"#
    }
}

/// Reads a message of the cloud. `None` for any other one, and for one that does not say which of the two it wants.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Switch> {
    let [kind, switch] = json::values(json::message(payload), ["type", "switch"]).ok()?;
    if !kind?.text()?.is(b"ssh") {
        return None;
    }
    match switch?.whole()? {
        0 => Some(Switch::Stop),
        1 => Some(Switch::Start),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_read_whatever_stands_beside_it() {
        for (payload, expected) in [
            (r#"{"type":"ssh","switch":1}"#, Switch::Start),
            (r#"{"type": "ssh", "switch": 0}"#, Switch::Stop),
            (r#"{"switch":1,"timestamp":5,"type":"ssh","x":{"switch":0}}"#, Switch::Start),
        ] {
            assert_eq!(parse(payload.as_bytes()), Some(expected), "{payload}");
        }
        assert_eq!(parse(state(true).as_bytes()), Some(Switch::Start));
        assert_eq!(parse(state(false).as_bytes()), Some(Switch::Stop));
    }

    #[test]
    fn other_messages_switch_nothing() {
        for payload in [
            "",
            "{}",
            "null",
            r#"{"type":"ssh"}"#,
            r#"{"switch":1}"#,
            r#"{"type":"get","switch":1}"#,
            r#"{"type":1,"switch":1}"#,
            r#"{"type":"ssh","switch":2}"#,
            r#"{"type":"ssh","switch":-1}"#,
            r#"{"type":"ssh","switch":"on"}"#,
            r#"{"type":"ssh","switch":null}"#,
            r#"{"type":"ssh","switch":1"#,
        ] {
            assert_eq!(parse(payload.as_bytes()), None, "{payload}");
        }
    }
}
