//! What a program may choose of a CoAP client, within the limits of coap.md section 2.

use std::any::Any;

use iot_engine::coap::Terms;
use iot_engine::identity::Identity;

use super::{Listener, Setup};
use crate::drive::overrides;
use crate::hal::{Endpoint, Security};

const MIN_COMMAND_TIMEOUT_MS: u32 = 500;
const MAX_COMMAND_TIMEOUT_MS: u32 = 5000;
const PORT: u16 = 5684;

/// What the program asks for.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Time between two sends of a message, and for its answer.
    pub command_timeout_ms: u32,
    /// How often a message is sent again.
    pub max_repeats: u8,
}

impl Settings {
    /// What goes beyond a limit counts as the limit.
    #[must_use]
    pub fn within_limits(self) -> Self {
        let command_timeout_ms = self.command_timeout_ms.clamp(MIN_COMMAND_TIMEOUT_MS, MAX_COMMAND_TIMEOUT_MS);
        Settings { command_timeout_ms, ..self }
    }

    pub(super) fn terms(self) -> Terms {
        Terms { command_timeout_ms: self.command_timeout_ms, max_repeats: self.max_repeats }
    }
}

impl Setup {
    /// The setup of a client for the product's server, or for the one that the environment names.
    ///
    /// # Errors
    /// What the environment names is no server.
    pub fn new(
        identity: Identity,
        settings: Settings,
        security: Security,
        listener: Option<Box<dyn Listener>>,
        attachment: Box<dyn Any + Send + Sync>,
    ) -> Result<Setup, String> {
        let (host, port) = overrides::server(overrides::COAP_ENDPOINT, "IOT_COAP_Construct", "CoAP server", || {
            (identity.host(), PORT)
        })?;
        // The handshake has time limits of its own.
        let endpoint = Endpoint { host, port, security, handshake_timeout_ms: 0 };
        Ok(Setup { identity, endpoint, settings: settings.within_limits(), listener, attachment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_05_what_goes_beyond_a_limit_counts_as_the_limit() {
        for (asked, granted) in [(0, 500), (100, 500), (500, 500), (2000, 2000), (5000, 5000), (99_999, 5000)] {
            let settings = Settings { command_timeout_ms: asked, max_repeats: 5 };
            let identity = Identity::new("PRODUCTID0", "device").unwrap();
            let setup = Setup::new(identity, settings, Security::None, None, Box::new(())).unwrap();
            assert_eq!((setup.settings.command_timeout_ms, setup.settings.max_repeats), (granted, 5));
            assert_eq!(setup.endpoint.host, "PRODUCTID0.iotcloud.tencentdevices.com");
            assert_eq!(setup.endpoint.port, 5684);
        }
    }
}
