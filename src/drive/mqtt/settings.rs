//! What a program may choose of an MQTT client, within the limits of behaviour.md section 3.

use iot_engine::identity::Identity;
use iot_engine::mqtt::Config;

use super::{Listener, Proof, Setup};
use crate::drive::overrides;
use crate::hal::{Endpoint, Security};

const MIN_COMMAND_TIMEOUT_MS: u32 = 500;
const MAX_COMMAND_TIMEOUT_MS: u32 = 20_000;
const MIN_HANDSHAKE_TIMEOUT_MS: u32 = 5000;
const MAX_KEEP_ALIVE_S: u16 = 690;
/// With TLS and without, or what goes for WebSocket.
const PORT: u16 = match (cfg!(feature = "websocket-mqtt"), cfg!(feature = "auth-with-notls")) {
    (false, false) => 8883,
    (false, true) => 1883,
    (true, false) => 443,
    (true, true) => 80,
};

/// What the program asks for. What goes beyond a limit counts as the limit.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long an answer of the server is waited for.
    pub command_timeout_ms: u32,
    /// How long the link may be silent.
    pub keep_alive_ms: u32,
    /// The server forgets the device when the connection ends.
    pub clean_session: bool,
    /// A lost link is made again.
    pub auto_connect: bool,
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
        proof: Proof,
        listener: Option<Box<dyn Listener>>,
        attachment: Box<dyn std::any::Any + Send + Sync>,
    ) -> Result<Setup, String> {
        let host = if cfg!(feature = "websocket-mqtt") { identity.websocket_host() } else { identity.host() };
        let (host, port) =
            overrides::server(overrides::ENDPOINT, "IOT_MQTT_Construct", "MQTT server", || (host, PORT))?;
        let command_timeout_ms = settings.command_timeout_ms.clamp(MIN_COMMAND_TIMEOUT_MS, MAX_COMMAND_TIMEOUT_MS);
        let handshake_timeout_ms = command_timeout_ms.max(MIN_HANDSHAKE_TIMEOUT_MS);
        Ok(Setup {
            endpoint: Endpoint { host, port, security, handshake_timeout_ms },
            #[cfg(feature = "websocket-mqtt")]
            over_websocket: true,
            proof,
            config: Config {
                client_id: identity.client_id(),
                keep_alive_s: u16::try_from(settings.keep_alive_ms / 1000).unwrap_or(u16::MAX).min(MAX_KEEP_ALIVE_S),
                clean_session: settings.clean_session,
                command_timeout_ms,
                auto_connect: settings.auto_connect,
            },
            listener,
            attachment,
            identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(command_timeout_ms: u32, keep_alive_ms: u32) -> Setup {
        let settings = Settings { command_timeout_ms, keep_alive_ms, clean_session: true, auto_connect: true };
        let identity = Identity::new("PRODUCTID0", "device").unwrap();
        Setup::new(identity, settings, Security::None, Proof::Transport, None, Box::new(())).unwrap()
    }

    #[test]
    fn what_goes_beyond_a_limit_counts_as_the_limit() {
        for (asked, command, handshake) in [(0, 500, 5000), (6000, 6000, 6000), (u32::MAX, 20_000, 20_000)] {
            let setup = setup(asked, 0);
            assert_eq!(setup.config.command_timeout_ms, command);
            assert_eq!(setup.endpoint.handshake_timeout_ms, handshake);
        }
        for (asked, keep_alive) in [(0, 0), (240_000, 240), (u32::MAX, 690)] {
            assert_eq!(setup(500, asked).config.keep_alive_s, keep_alive);
        }
    }

    #[cfg(feature = "websocket-mqtt")]
    #[test]
    fn websocket_has_servers_and_ports_of_its_own() {
        let setup = setup(500, 0);
        assert!(setup.over_websocket);
        assert_eq!(setup.endpoint.host, "PRODUCTID0.ap-guangzhou.iothub.tencentdevices.com");
        assert_eq!(setup.endpoint.port, if cfg!(feature = "auth-with-notls") { 80 } else { 443 });
    }
}
