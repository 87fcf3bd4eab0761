//! The log's lines on what is sent, which users' scripts look for (log_lines.md, lines 7, 9 and 10).

use iot_engine::helpers::redact::without_url_secrets;

const FUNCTION: &str = "mqtt_send";

pub(super) fn subscribe(id: u16, filter: &str) {
    log::debug!(target: FUNCTION, "topicName={filter}|packet_id={id}");
}

/// `id` 0 means QoS 0.
pub(super) fn publish(id: u16, topic: &str, payload: &[u8]) {
    if !log::log_enabled!(target: FUNCTION, log::Level::Debug) {
        return;
    }
    log::debug!(target: FUNCTION, "{}", publish_line(id, topic, payload));
}

fn publish_line(id: u16, topic: &str, payload: &[u8]) -> String {
    let number = if id == 0 { "packetID" } else { "topic seq" };
    let payload = without_url_secrets(payload);
    format!("publish {number}={id}|topicName={topic}|payload={payload}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_manual_shows_them() {
        let line = publish_line(0, "$ota/report/P/d", br#"{"type": "x"}"#);
        assert_eq!(line, r#"publish packetID=0|topicName=$ota/report/P/d|payload={"type": "x"}"#);
        assert_eq!(publish_line(7, "t", b"x"), "publish topic seq=7|topicName=t|payload=x");
    }

    #[test]
    fn a_payload_is_shown_without_the_secrets_of_its_urls() {
        let line = publish_line(7, "t", br#"{"url":"https://host/file?sign=secret"}"#);
        assert!(line.contains("https://host/file") && !line.contains("secret"), "{line}");
    }
}
