//! What else the cloud says to devices: broadcast, RRPC, remote configuration (messaging contract, section 5), and the log
//! server (log_upload.md section 9). No I/O and no clock.

pub mod config;
pub mod log;
#[allow(missing_docs)]
pub mod model;
pub mod rrpc;

/// Topics of devices that the hub listens to on a broker.
pub const FILTERS: [&str; 4] =
    ["$rrpc/txd/+/+/+", "$config/operation/+/+", "$log/operation/+/+", crate::resource::FILTER];

/// Bytes of a message that devices take, topic and all (behaviour contract, section 3).
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Bytes of what goes out in one message: what is left beside the longest topic and the words around a configuration.
pub const MAX_PAYLOAD: usize = MAX_MESSAGE - 384;

/// What a device's topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service<'a> {
    /// The answer to the request with this id.
    Rrpc(&'a str),
    /// Its remote configuration.
    Config,
    /// Which lines it is to upload.
    Log,
    /// Files for it, and of it.
    Resource,
}

/// A topic that a device speaks on, and the device it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// What the topic is for.
    pub service: Service<'a>,
    /// The device's product.
    pub product_id: &'a str,
    /// Its name within that.
    pub device_name: &'a str,
}

impl<'a> Address<'a> {
    /// Takes a topic apart, where it is one of these services'.
    pub fn of(topic: &'a str) -> Option<Self> {
        if let Some(rest) = topic.strip_prefix("$rrpc/txd/") {
            let [product_id, device_name, id] = levels(rest)?;
            return Address { service: Service::Rrpc(id), product_id, device_name }.whole();
        }
        let services = [
            ("$config/operation/", Service::Config),
            ("$log/operation/", Service::Log),
            (crate::resource::UP, Service::Resource),
        ];
        let mut found =
            services.into_iter().filter_map(|(prefix, service)| Some((topic.strip_prefix(prefix)?, service)));
        let (rest, service) = found.next()?;
        let [product_id, device_name] = levels(rest)?;
        Address { service, product_id, device_name }.whole()
    }

    fn whole(self) -> Option<Self> {
        (!self.product_id.is_empty() && !self.device_name.is_empty()).then_some(self)
    }

    /// The device's client id.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }
}

fn levels<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('/').collect::<Vec<_>>().try_into().ok()
}

/// The client id one of these topics belongs to, where it is one.
pub fn sender(topic: &str) -> Option<String> {
    Address::of(topic).map(|address| address.client_id())
}

/// The topic of what is broadcast, as one device hears it.
pub fn broadcast_topic(product_id: &str, device_name: &str) -> String {
    format!("$broadcast/rxd/{product_id}/{device_name}")
}

/// The topic of a request to a device.
pub fn rrpc_topic(product_id: &str, device_name: &str, id: i64) -> String {
    format!("$rrpc/rxd/{product_id}/{device_name}/{id}")
}

/// The topic of what a device hears of its configuration.
pub fn config_topic(product_id: &str, device_name: &str) -> String {
    format!("$config/operation/result/{product_id}/{device_name}")
}

/// The topic of what a device hears of its log level.
pub fn log_topic(product_id: &str, device_name: &str) -> String {
    format!("$log/operation/result/{product_id}/{device_name}")
}

/// Whether only the cloud speaks on this topic.
pub fn is_clouds(topic: &str) -> bool {
    let prefixes =
        ["$broadcast/", "$rrpc/rxd/", "$config/operation/result/", "$log/operation/result/", "$resource/down/"];
    prefixes.iter().any(|prefix| topic.starts_with(prefix))
}

/// Whether a device may subscribe to this: of these services' topics, its own only.
pub fn may_subscribe(filter: &str, product_id: &str, device_name: &str) -> bool {
    if !["$broadcast", "$rrpc", "$config", "$log", "$resource"].contains(&filter.split('/').next().unwrap_or_default())
    {
        return true;
    }
    let request = filter.strip_prefix(&format!("$rrpc/rxd/{product_id}/{device_name}/"));
    request.is_some_and(|id| !id.contains('/'))
        || filter == broadcast_topic(product_id, device_name)
        || filter == config_topic(product_id, device_name)
        || filter == log_topic(product_id, device_name)
        || filter == crate::resource::topic(product_id, device_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = Address::of("$rrpc/txd/P1/dev1/469").expect("an answer");
        assert_eq!((address.service, address.client_id().as_str()), (Service::Rrpc("469"), "P1dev1"));
        let address = Address::of("$config/operation/P1/dev1").expect("a question");
        assert_eq!((address.service, address.product_id, address.device_name), (Service::Config, "P1", "dev1"));
        assert_eq!(Address::of("$log/operation/P1/dev1").map(|address| address.service), Some(Service::Log));
        assert_eq!(Address::of("$log/operation/result/P1/dev1"), None);
        // The C SDK answers so where nobody has asked.
        assert_eq!(Address::of("$rrpc/txd/P1/dev1/").map(|address| address.service), Some(Service::Rrpc("")));
        for other in [
            "$config/operation/result/P1/dev1",
            "$config/operation/P1",
            "$config/operation//d",
            "$rrpc/txd/P1/dev1",
            "$rrpc/txd/P1/dev1/5/6",
            "$rrpc/rxd/P1/dev1/5",
            "$ota/report/P1/dev1",
        ] {
            assert_eq!(sender(other), None, "{other}");
        }
    }

    #[test]
    fn a_device_hears_its_own_topics_only() {
        for own in [
            "$broadcast/rxd/P1/dev1",
            "$rrpc/rxd/P1/dev1/+",
            "$rrpc/rxd/P1/dev1/#",
            "$config/operation/result/P1/dev1",
            "$log/operation/result/P1/dev1",
            "$ota/update/P1/dev1",
            "P1/dev1/data",
        ] {
            assert!(may_subscribe(own, "P1", "dev1"), "{own}");
        }
        for other in [
            "$broadcast/rxd/P1/dev2",
            "$broadcast/rxd/P1/+",
            "$broadcast/#",
            "$rrpc/#",
            "$rrpc/rxd/P1/+/+",
            "$rrpc/rxd/P1/dev1",
            "$rrpc/rxd/P1/dev1/5/6",
            "$config/operation/result/P1/dev2",
            "$config/operation/P1/dev1",
            "$log/operation/result/P1/dev2",
        ] {
            assert!(!may_subscribe(other, "P1", "dev1"), "{other}");
        }
    }

    #[test]
    fn what_only_the_cloud_says() {
        let (broadcast, request) = (broadcast_topic("P1", "dev1"), rrpc_topic("P1", "dev1", 5));
        assert_eq!((broadcast.as_str(), request.as_str()), ("$broadcast/rxd/P1/dev1", "$rrpc/rxd/P1/dev1/5"));
        for topic in [broadcast, request, config_topic("P1", "dev1"), log_topic("P1", "dev1")] {
            assert!(is_clouds(&topic), "{topic}");
        }
        assert!(!is_clouds("$rrpc/txd/P1/dev1/5") && !is_clouds("$config/operation/P1/dev1"));
    }
}
