//! What the service says to devices.

use serde::Serialize;

use super::{update_topic, Outgoing};

/// A firmware as the update command tells it.
pub struct Offer<'a> {
    /// What the device is to report afterwards.
    pub version: &'a str,
    /// 32 lower-case hex digits.
    pub md5: &'a str,
    /// Bytes.
    pub size: u64,
    /// Where the device fetches it.
    pub url: &'a str,
}

#[derive(Serialize)]
struct VersionAnswer<'a> {
    result_code: u8,
    result_msg: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct UpdateCommand<'a> {
    file_size: u64,
    md5sum: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    url: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct TimeAnswer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: u64,
    ntptime1: u64,
    ntptime2: u64,
}

fn to_json(value: &impl Serialize) -> String {
    // These are structs of strings and numbers; there is nothing in them that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

/// The answer to a reported version.
pub fn version(product_id: &str, device_name: &str, version: &str) -> Outgoing {
    let answer = VersionAnswer { result_code: 0, result_msg: "success", kind: "report_version_rsp", version };
    Outgoing { topic: update_topic(product_id, device_name), payload: to_json(&answer), acknowledged: true }
}

/// The update command.
pub fn command(product_id: &str, device_name: &str, offer: &Offer<'_>) -> Outgoing {
    let command = UpdateCommand {
        file_size: offer.size,
        md5sum: offer.md5,
        kind: "update_firmware",
        url: offer.url,
        version: offer.version,
    };
    Outgoing { topic: update_topic(product_id, device_name), payload: to_json(&command), acknowledged: true }
}

/// System time (behaviour contract, section 7). `now_ms` is UTC in milliseconds.
pub fn time(product_id: &str, device_name: &str, now_ms: u64) -> Outgoing {
    let answer = TimeAnswer { kind: "get", time: now_ms / 1000, ntptime1: now_ms, ntptime2: now_ms };
    let topic = format!("$sys/operation/result/{product_id}/{device_name}");
    Outgoing { topic, payload: to_json(&answer), acknowledged: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_byte_for_byte() {
        let answer = version("P1", "dev1", "1.0");
        assert_eq!((answer.topic.as_str(), answer.acknowledged), ("$ota/update/P1/dev1", true));
        let expected = r#"{"result_code":0,"result_msg":"success","type":"report_version_rsp","version":"1.0"}"#;
        assert_eq!(answer.payload, expected);

        let url = "https://localhost:1/1_P1_2.0?sign=a%26b%00";
        let offer = Offer { version: "2.0", md5: "0123456789abcdef0123456789abcdef", size: 7, url };
        let expected = r#"{"file_size":7,"md5sum":"0123456789abcdef0123456789abcdef","type":"update_firmware","url":"https://localhost:1/1_P1_2.0?sign=a%26b%00","version":"2.0"}"#;
        assert_eq!(command("P1", "dev1", &offer).payload, expected);

        let answer = time("P1", "dev1", 1_604_458_421_734);
        assert_eq!((answer.topic.as_str(), answer.acknowledged), ("$sys/operation/result/P1/dev1", false));
        let expected = r#"{"type":"get","time":1604458421,"ntptime1":1604458421734,"ntptime2":1604458421734}"#;
        assert_eq!(answer.payload, expected);
    }
}
