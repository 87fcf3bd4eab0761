//! Whom TLS trusts: the built-in roots (wire.md section 5), or those of [`overrides::CA_FILE`].

use std::sync::Arc;

use super::overrides;

/// The roots of the object stores that firmware is downloaded from.
const HTTPS_ROOTS: &str = include_str!("../../certs/https_roots.pem");
/// The private CA of the platform's MQTT servers.
#[cfg(feature = "auth-mode-cert")]
const MQTT_CA: &str = include_str!("../../certs/tencent_iot_ca.pem");

/// `SSLConnectParams.ca_crt_len` has 16 bits.
const MAX_PEM: usize = 65_534;

/// Roots for HTTPS downloads, as PEM.
///
/// # Errors
/// The named file can't be used; the text says why.
pub fn https_roots() -> Result<Arc<str>, String> {
    roots(HTTPS_ROOTS)
}

/// Roots for MQTT in CERT mode, as PEM.
///
/// # Errors
/// As [`https_roots`].
#[cfg(feature = "auth-mode-cert")]
pub fn mqtt_ca() -> Result<Arc<str>, String> {
    roots(MQTT_CA)
}

fn roots(built_in: &'static str) -> Result<Arc<str>, String> {
    let Some(path) = overrides::read(overrides::CA_FILE) else {
        return Ok(Arc::from(built_in));
    };
    let pem = std::fs::read_to_string(&path)
        .map_err(|error| format!("trusted roots {path} ({}): {error}", overrides::CA_FILE))?;
    if pem.len() > MAX_PEM {
        return Err(format!(
            "trusted roots {path} ({}): {} bytes, more than the {MAX_PEM} that a platform can be handed",
            overrides::CA_FILE,
            pem.len()
        ));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("trusted roots {path} ({}): no certificate in it", overrides::CA_FILE));
    }
    Ok(Arc::from(pem))
}
