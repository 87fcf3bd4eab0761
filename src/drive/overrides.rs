//! Pointing a device at another cloud without compiling it anew: environment variables, read when they are needed.
//! A build without `FEATURE_RUNTIME_OVERRIDES` never looks at them.

use iot_engine::endpoint;

/// MQTT server as `host:port`, instead of the product's own host.
pub const ENDPOINT: &str = "QCLOUD_IOT_MQTT_ENDPOINT";
/// CoAP server as `host:port`, instead of the product's own host.
#[cfg(feature = "coap")]
pub const COAP_ENDPOINT: &str = "QCLOUD_IOT_COAP_ENDPOINT";
/// Server of dynamic registration as `host:port`.
#[cfg(feature = "dev-dyn-reg")]
pub const REGISTRATION_ENDPOINT: &str = "QCLOUD_IOT_REGISTRATION_ENDPOINT";
/// Server of SSH tunnels as `host:port`, instead of the region's own host.
#[cfg(feature = "ssh")]
pub const SSH_ENDPOINT: &str = "QCLOUD_IOT_SSH_ENDPOINT";
/// The SSH server that tunnels lead to as `host:port`, instead of port 22 of this machine.
#[cfg(feature = "ssh")]
pub const SSH_SERVER: &str = "QCLOUD_IOT_SSH_SERVER";
/// File with trusted roots (PEM) for HTTPS, dynamic registration and MQTT in CERT mode, instead of the built-in ones.
pub const CA_FILE: &str = "QCLOUD_IOT_CA_FILE";

/// The variable's value where it is set, not empty, and the build allows it.
#[must_use]
pub fn read(variable: &str) -> Option<String> {
    if cfg!(feature = "runtime-overrides") {
        std::env::var(variable).ok().filter(|value| !value.is_empty())
    } else {
        None
    }
}

/// Host and port that `variable` names, `default` where it names none. `function` is whose log line tells that it does, and
/// `service` what for.
///
/// # Errors
/// It is not `host:port`.
pub fn server(
    variable: &str,
    function: &str,
    service: &str,
    default: impl FnOnce() -> (String, u16),
) -> Result<(String, u16), String> {
    let Some(text) = read(variable) else {
        return Ok(default());
    };
    let Some((host, port)) = endpoint::parse(&text) else {
        return Err(format!("{variable} is not host:port: {text}"));
    };
    log::info!(target: function, "{service} from {variable}: {host}:{port}");
    Ok((host.to_owned(), port))
}
