//! The OTA service: what the cloud answers to a device, and what becomes of its upgrade (wire contract, section 3).
//! No I/O and no clock.

pub mod answers;
pub mod message;
pub mod roll_out;
pub mod rules;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// JSON, or what a fault made of it.
    pub payload: String,
    /// At least once instead of at most once.
    pub acknowledged: bool,
}

/// Topics the service listens to on a broker.
pub const FILTERS: [&str; 5] = [
    "$ota/report/+/+",
    "$sys/operation/+/+",
    "$shadow/operation/+/+",
    "$template/operation/+/+",
    "$gateway/operation/+/+",
];

/// What a device's topics begin with, by what they are for.
const PREFIXES: [(&str, Service); 5] = [
    ("$ota/report/", Service::Ota),
    ("$sys/operation/", Service::Time),
    ("$shadow/operation/", Service::Shadow),
    ("$template/operation/", Service::Template),
    ("$gateway/operation/", Service::Gateway),
];

/// The topic a device gets its commands on.
pub fn update_topic(product_id: &str, device_name: &str) -> String {
    format!("$ota/update/{product_id}/{device_name}")
}

/// Which part of the service a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Upgrades.
    Ota,
    /// The system time.
    Time,
    /// The device's shadow.
    Shadow,
    /// The same by its other name.
    Template,
    /// A gateway's devices.
    Gateway,
}

/// A topic of the service, and the device it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// What the topic is for.
    pub service: Service,
    /// The device's product.
    pub product_id: &'a str,
    /// Its name within that.
    pub device_name: &'a str,
}

impl<'a> Address<'a> {
    /// Takes a topic apart, where it is one of the service's.
    pub fn of(topic: &'a str) -> Option<Self> {
        let (service, rest) =
            PREFIXES.iter().find_map(|(prefix, service)| Some((*service, topic.strip_prefix(prefix)?)))?;
        match rest.split_once('/') {
            Some((product_id, device_name))
                if !product_id.is_empty() && !device_name.is_empty() && !device_name.contains('/') =>
            {
                Some(Address { service, product_id, device_name })
            }
            _ => None,
        }
    }

    /// The device's client id.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }
}

/// The client id a service topic belongs to, where it is one.
pub fn sender(topic: &str) -> Option<String> {
    Address::of(topic).map(|address| address.client_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = Address::of("$ota/report/P1/dev1").expect("a report");
        assert_eq!((address.service, address.client_id().as_str()), (Service::Ota, "P1dev1"));
        assert_eq!(sender("$sys/operation/P1/dev1").as_deref(), Some("P1dev1"));
        for other in ["$sys/operation/result/P1/dev1", "$ota/report/P1", "$ota/report//d", "$ota/update/P1/dev1", "a"] {
            assert_eq!(Address::of(other), None, "{other}");
        }
    }
}
