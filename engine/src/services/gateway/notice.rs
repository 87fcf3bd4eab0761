//! What the cloud tells a gateway unasked, as the C SDK 3.3.0 understands it (gateway.md section 4).

use crate::helpers::json::{self, quoted, Items, Kind};
use crate::identity::Identity;

use super::message::entry;

/// Something the cloud begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Devices are to be searched for (1), or no longer (0).
    Search(i32),
    /// No device belongs to the gateway any more.
    UnbindAll,
    /// These devices were bound (1) or unbound (0).
    Change(i32, Vec<Identity>),
}

/// Reads what came on the result topic; `None` where it is something else, or says too little to be answered.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Notice> {
    let [kind, payload] = json::values(json::message(payload), ["type", "payload"]).ok()?;
    let kind = kind?.text()?;
    if kind.is(b"unbind_all") {
        return Some(Notice::UnbindAll);
    }
    let payload = payload.filter(|payload| payload.kind() == Kind::Object)?;
    let [status, devices] = json::values(payload.source(), ["status", "devices"]).ok()?;
    let status = i32::try_from(status?.whole()?).ok()?;
    if kind.is(b"search_devices") {
        return Some(Notice::Search(status));
    }
    if !kind.is(b"change") {
        return None;
    }
    let mut items = Items::open(devices?.source()).ok()?;
    let mut named = Vec::new();
    while let Ok(Some(item)) = items.next_item() {
        // One without names is left out.
        named.extend(entry(item).and_then(|entry| Identity::new(&entry.product_id, &entry.device_name).ok()));
    }
    Some(Notice::Change(status, named))
}

impl Notice {
    /// What the gateway answers, blanks and all.
    #[must_use]
    pub fn answer(&self) -> String {
        match self {
            Notice::Search(status) => {
                format!(r#"{{"type":"search_devices", "payload":{{"status":{status}, "result":0}}}}"#)
            }
            Notice::UnbindAll => r#"{"type":"unbind_all", "payload":{"result":0}}"#.to_owned(),
            Notice::Change(status, devices) => {
                let devices: Vec<String> = devices
                    .iter()
                    .map(|device| {
                        let (product_id, device_name) = (quoted(device.product_id()), quoted(device.device_name()));
                        format!(r#"{{"product_id":{product_id},"device_name":{device_name},"result":0}}"#)
                    })
                    .collect();
                let devices = devices.join(",");
                format!(r#"{{"type":"change", "payload":{{"status":{status}, "devices":[{devices}]}}}}"#)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(|notice| notice.answer())
    }

    #[test]
    fn case_27_the_three_answers_are_the_contracts_byte_for_byte() {
        for (text, expected) in [
            (
                r#"{"type":"search_devices","payload":{"status":1}}"#,
                r#"{"type":"search_devices", "payload":{"status":1, "result":0}}"#,
            ),
            (r#"{"type":"unbind_all"}"#, r#"{"type":"unbind_all", "payload":{"result":0}}"#),
            (
                r#"{"type":"change","payload":{"status":0,"devices":[{"product_id":"SP","device_name":"SD"}]}}"#,
                r#"{"type":"change", "payload":{"status":0, "devices":[{"product_id":"SP","device_name":"SD","result":0}]}}"#,
            ),
        ] {
            assert_eq!(answer(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn case_27_an_entry_without_names_is_left_out_and_sixty_are_all_there() {
        let devices = (0..60).map(|at| format!(r#"{{"product_id":"SP","device_name":"d{at}"}}"#));
        let devices: Vec<String> = std::iter::once(r#"{"device_name":"x"},7"#.to_owned()).chain(devices).collect();
        let text = format!(r#"{{"type":"change","payload":{{"status":1,"devices":[{}]}}}}"#, devices.join(","));
        assert!(matches!(parse(text.as_bytes()), Some(Notice::Change(1, devices)) if devices.len() == 60));
        assert_eq!(answer(&text).unwrap().matches("\"result\":0").count(), 60);
    }

    #[test]
    fn what_says_too_little_is_not_answered() {
        for text in [
            "",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"search_devices"}"#,
            r#"{"type":"search_devices","payload":{}}"#,
            r#"{"type":"search_devices","payload":[1]}"#,
            r#"{"type":"search_devices2","payload":{"status":1}}"#,
            r#"{"type":"change","payload":{"status":1}}"#,
            r#"{"type":"change","payload":{"status":1,"devices":{}}}"#,
            r#"{"type":"change","payload":{"status":"x","devices":[]}}"#,
            r#"{"type":"online","payload":{"status":0,"devices":[]}}"#,
        ] {
            assert_eq!(answer(text), None, "{text}");
        }
    }
}
