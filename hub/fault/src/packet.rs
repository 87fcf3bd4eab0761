//! Packets that no broker should send.

use super::noise::noise;
use super::rule::choose;

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// As they are.
    Bytes(Vec<u8>),
    /// A message of so many bytes on the device's update topic, well-formed but longer than devices take.
    LongMessage(usize),
}

/// Every packet type with what may be wrong with it (MQTT 3.1.1, sections 2 and 3).
pub const KINDS: &[(&str, &[u8])] = &[
    ("type-0", b"\x00\x00"),
    ("type-15", b"\xf0\x00"),
    ("endless-length", b"\x30\xff\xff\xff\xff\x01"),
    ("connect", b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04hub1"),
    ("connack-again", b"\x20\x02\x00\x00"),
    ("connack-short", b"\x20\x01\x00"),
    ("connack-flags", b"\x2f\x02\x00\x00"),
    ("publish-short", b"\x30\x01\x00"),
    ("publish-past-end", b"\x30\x05\x00\xffabc"),
    ("publish-without-id", b"\x32\x05\x00\x03a/b"),
    ("publish-id-0", b"\x32\x08\x00\x03a/b\x00\x00x"),
    ("publish-qos-3", b"\x36\x08\x00\x03a/b\x00\x01x"),
    ("publish-without-topic", b"\x30\x03\x00\x00x"),
    ("publish-wildcard", b"\x30\x06\x00\x03a/#x"),
    ("publish-not-utf-8", b"\x30\x06\x00\x03\xff\xfe\xfdx"),
    ("puback-short", b"\x40\x01\x00"),
    ("puback-flags", b"\x4f\x02\x00\x01"),
    ("puback-unknown", b"\x40\x02\x00\x00"),
    ("pubrec", b"\x50\x02\x00\x01"),
    ("pubrel", b"\x62\x02\x00\x01"),
    ("pubrel-flags", b"\x60\x02\x00\x01"),
    ("pubcomp", b"\x70\x02\x00\x01"),
    ("subscribe", b"\x82\x08\x00\x01\x00\x03a/b\x01"),
    ("suback-short", b"\x90\x01\x00"),
    ("suback-without-codes", b"\x90\x02\x00\x01"),
    ("suback-code", b"\x90\x03\x00\x01\x7f"),
    ("suback-unknown", b"\x90\x03\x00\x00\x01"),
    ("unsubscribe", b"\xa2\x07\x00\x01\x00\x03a/b"),
    ("unsuback-short", b"\xb0\x01\x00"),
    ("pingreq", b"\xc0\x00"),
    ("pingresp-long", b"\xd0\x02\x00\x00"),
    ("pingresp-flags", b"\xd5\x00"),
    ("disconnect", b"\xe0\x00"),
];

/// The kinds with a number of their own.
pub const NUMBERED: &[(&str, &str)] =
    &[("random", "500 random bytes"), ("long-message", "a message of 40000 bytes"), ("hex:3003000178", "these bytes")];

/// Understands a kind.
pub fn parse(text: &str) -> Result<Stray, String> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return hex::decode(digits).map(Stray::Bytes).map_err(|error| format!("send={text}: {error}"));
    }
    match text {
        "random" => Ok(Stray::Bytes(noise(500))),
        "long-message" => Ok(Stray::LongMessage(40_000)),
        _ => {
            let found = choose("packet", text, KINDS).map(|bytes| Stray::Bytes(bytes.to_vec()));
            found.map_err(|error| format!("{error}, random, long-message, hex:DIGITS"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_what_they_should_be() {
        // But where a length is the very thing that is wrong, the packet after it must still be seen as one.
        for (name, bytes) in KINDS.iter().filter(|(name, _)| *name != "endless-length") {
            assert_eq!(usize::from(bytes[1]), bytes.len() - 2, "{name}");
        }
    }

    #[test]
    fn kinds() {
        assert_eq!(parse("pingreq"), Ok(Stray::Bytes(vec![0xc0, 0])));
        assert_eq!(parse("hex:3003"), Ok(Stray::Bytes(vec![0x30, 3])));
        assert!(parse("hex:3").is_err());
        assert!(parse("odd").is_err_and(|error| error.contains("type-15") && error.contains("hex:")));
    }
}
