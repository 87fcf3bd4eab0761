//! Who may speak and listen on which topic: a device on its own, a gateway on those of the devices that are bound to it, too
//! (gateway contract, section 7). Topics of [`messaging`](crate::messaging) have rules of their own. No I/O.

use crate::devices::check_product_id;

/// Services whose topics end in a product id and a device name.
const SERVICES: [&str; 5] = ["$ota", "$sys", "$shadow", "$template", "$gateway"];
/// What comes before those where a device speaks.
const SPOKEN: [&str; 4] = ["$ota/report/", "$sys/operation/", "$shadow/operation/", "$template/operation/"];
/// And where it listens.
const HEARD: [&str; 4] =
    ["$ota/update/", "$sys/operation/result/", "$shadow/operation/result/", "$template/operation/result/"];
const GATEWAY_SPEAKS: &str = "$gateway/operation/";
const GATEWAY_HEARS: &str = "$gateway/operation/result/";

/// Whom a topic or a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    /// This device, and the gateway it is bound to: product id and device name.
    Device(&'a str, &'a str),
    /// This device alone.
    Alone(&'a str, &'a str),
    /// The same as `Device`, if there is such a device; else anybody.
    Data(&'a str, &'a str),
    /// Anybody.
    All,
    /// No device.
    Nobody,
}

/// Who may publish on a topic.
pub fn to_speak(topic: &str) -> Right<'_> {
    right(topic, &SPOKEN, GATEWAY_SPEAKS)
}

/// Who may subscribe to a filter.
pub fn to_hear(filter: &str) -> Right<'_> {
    right(filter, &HEARD, GATEWAY_HEARS)
}

fn right<'a>(topic: &'a str, prefixes: &[&str], gateway: &str) -> Right<'a> {
    let mut levels = topic.split('/');
    let first = levels.next().unwrap_or_default();
    if SERVICES.contains(&first) {
        let of_device = |prefix: &&str| names(topic.strip_prefix(*prefix)?);
        return match prefixes.iter().find_map(of_device) {
            Some((product, device)) => Right::Device(product, device),
            None => names(topic.strip_prefix(gateway).unwrap_or_default())
                .map_or(Right::Nobody, |(product, device)| Right::Alone(product, device)),
        };
    }
    match (first, levels.next()) {
        ("+" | "#", _) => Right::Nobody,
        (product, Some("+" | "#")) if is_product(product) => Right::Nobody,
        (product, Some(device)) if is_product(product) => Right::Data(product, device),
        _ => Right::All,
    }
}

/// Whether this may be a product id; other first levels are no device's.
fn is_product(level: &str) -> bool {
    check_product_id(level).is_ok()
}

/// Product id and device name, where that is all.
fn names(text: &str) -> Option<(&str, &str)> {
    let (product, device) = text.split_once('/')?;
    let is_name = |name: &str| !name.is_empty() && !name.contains(['+', '#', '/']);
    (is_name(product) && is_name(device)).then_some((product, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_speaks_where_it_reports_and_asks() {
        for topic in ["$ota/report/P/d", "$sys/operation/P/d", "$shadow/operation/P/d", "$template/operation/P/d"] {
            assert_eq!(to_speak(topic), Right::Device("P", "d"), "{topic}");
        }
        assert_eq!(to_speak("$gateway/operation/P/d"), Right::Alone("P", "d"));
        for clouds in [
            "$ota/update/P/d",
            "$ota/report/P",
            "$ota/report/P/d/e",
            "$shadow/operation/result/P/d",
            "$template/operation/result/P/d",
            "$gateway/operation/result/P/d",
            "$sys",
        ] {
            assert_eq!(to_speak(clouds), Right::Nobody, "{clouds}");
        }
    }

    #[test]
    fn a_device_listens_where_it_is_answered() {
        for filter in [
            "$ota/update/P/d",
            "$sys/operation/result/P/d",
            "$shadow/operation/result/P/d",
            "$template/operation/result/P/d",
        ] {
            assert_eq!(to_hear(filter), Right::Device("P", "d"), "{filter}");
        }
        assert_eq!(to_hear("$gateway/operation/result/P/d"), Right::Alone("P", "d"));
        for other in [
            "$shadow/#",
            "$shadow/operation/P/d",
            "$shadow/operation/result/P/+",
            "$shadow/operation/result/+/d",
            "$shadow/operation/result/P/d/#",
            "$shadow/operation/result//d",
            "$gateway/operation/result/P/#",
            "$ota/update/#",
            "#",
            "+/d/data",
        ] {
            assert_eq!(to_hear(other), Right::Nobody, "{other}");
        }
    }

    #[test]
    fn data_is_its_devices() {
        for (topic, right) in [
            ("P/d/data", Right::Data("P", "d")),
            ("P/d/#", Right::Data("P", "d")),
            ("P/+/data", Right::Nobody),
            ("P/#", Right::Nobody),
            ("loop", Right::All),
            ("a b/#", Right::All),
            ("$thing/up/P/d", Right::All),
            ("$rrpc/txd/P/d/5", Right::All),
        ] {
            assert_eq!(to_hear(topic), right, "{topic}");
        }
    }
}
