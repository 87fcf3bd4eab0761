//! Whom TLS trusts: the roots of [`overrides::CA_FILE`], else those that the program has set, else the built-in ones
//! (wire.md section 5).

use std::sync::{Arc, Mutex, PoisonError};

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

/// What the program has set.
static OWN_ROOTS: Mutex<Option<Arc<str>>> = Mutex::new(None);

/// Trusts `pem` from the next connection on, instead of the built-in roots, for HTTPS and for MQTT in CERT mode. `None`: the
/// built-in ones again.
///
/// # Errors
/// That can't be used; the text says why, and what was set before stays.
pub fn set_roots(pem: Option<&[u8]>) -> Result<(), String> {
    let pem = match pem {
        Some(pem) => {
            let text = std::str::from_utf8(pem).map_err(|_| "trusted roots: not a text".to_owned())?;
            check(text, "trusted roots")?;
            Some(Arc::from(text))
        }
        None => None,
    };
    *OWN_ROOTS.lock().unwrap_or_else(PoisonError::into_inner) = pem;
    Ok(())
}

fn roots(built_in: &'static str) -> Result<Arc<str>, String> {
    if let Some(path) = overrides::read(overrides::CA_FILE) {
        let name = format!("trusted roots {path} ({})", overrides::CA_FILE);
        let pem = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        check(&pem, &name)?;
        return Ok(Arc::from(pem));
    }
    let own = OWN_ROOTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(own.unwrap_or_else(|| Arc::from(built_in)))
}

/// Whether a platform can be handed `pem`. `name` begins the text that says why not.
fn check(pem: &str, name: &str) -> Result<(), String> {
    if pem.len() > MAX_PEM {
        return Err(format!("{name}: {} bytes, more than the {MAX_PEM} that a platform can be handed", pem.len()));
    }
    if pem.contains('\0') {
        return Err(format!("{name}: there is a NUL in it"));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("{name}: no certificate in it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because what is set is the process's.
    #[test]
    fn the_programs_roots_stand_in_for_the_built_in_ones_until_they_are_taken_back() {
        let own = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(set_roots(Some(own.as_bytes())), Ok(()));
        assert_eq!(https_roots().as_deref(), Ok(own));
        let large = own.repeat(1200);
        let too_large =
            format!("trusted roots: {} bytes, more than the 65534 that a platform can be handed", large.len());
        for (wrong, expected) in [
            (&b"no PEM"[..], "trusted roots: no certificate in it"),
            (b"\xff", "trusted roots: not a text"),
            (b"-----BEGIN CERTIFICATE-----\0", "trusted roots: there is a NUL in it"),
            (large.as_bytes(), &too_large),
        ] {
            assert_eq!(set_roots(Some(wrong)), Err(expected.to_owned()));
            assert_eq!(https_roots().as_deref(), Ok(own), "what was set stays");
        }
        assert_eq!(set_roots(None), Ok(()));
        assert_eq!(https_roots().as_deref(), Ok(HTTPS_ROOTS));
    }
}
