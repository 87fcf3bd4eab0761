//! Where in the world a device's cloud is (versions.md section 6).

/// A region of the cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Region {
    /// `china`, where nothing else is asked for.
    #[default]
    China,
    /// `us-east`.
    UsEast,
    /// `europe`.
    Europe,
    /// `ap-bangkok`.
    ApBangkok,
}

impl Region {
    const ALL: [Region; 4] = [Region::China, Region::UsEast, Region::Europe, Region::ApBangkok];

    /// The region of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Region::China => "china",
            Region::UsEast => "us-east",
            Region::Europe => "europe",
            Region::ApBangkok => "ap-bangkok",
        }
    }

    /// What stands behind the product id in the name of its MQTT and CoAP servers.
    #[must_use]
    pub fn domain(self) -> &'static str {
        match self {
            Region::China => "iotcloud.tencentdevices.com",
            Region::UsEast => "us-east.iotcloud.tencentdevices.com",
            Region::Europe => "europe.iothub.tencentdevices.com",
            Region::ApBangkok => "ap-bangkok.iothub.tencentdevices.com",
        }
    }

    /// The same where MQTT goes through WebSocket.
    #[must_use]
    pub fn websocket_domain(self) -> &'static str {
        match self {
            Region::China => "ap-guangzhou.iothub.tencentdevices.com",
            Region::UsEast => "us-east.iothub.tencentdevices.com",
            Region::Europe => "europe.iothub.tencentdevices.com",
            Region::ApBangkok => "ap-bangkok.iothub.tencentdevices.com",
        }
    }

    /// Its server for registration and log as the C SDK 3.3.0 knows it.
    #[must_use]
    pub fn gateway(self) -> &'static str {
        match self {
            Region::China => "ap-guangzhou.gateway.tencentdevices.com",
            Region::UsEast => "us-east.gateway.tencentdevices.com",
            Region::Europe => "europe.gateway.tencentdevices.com",
            Region::ApBangkok => "ap-bangkok.gateway.tencentdevices.com",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_found_by_its_whole_name() {
        for region in Region::ALL {
            assert_eq!(Region::named(region.name()), Some(region));
        }
        for name in ["", "China", "us", "us-east1", "mars"] {
            assert_eq!(Region::named(name), None, "{name}");
        }
    }
}
