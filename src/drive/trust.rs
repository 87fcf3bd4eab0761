//! Whom TLS trusts: the roots of [`overrides::CA_FILE`], else those that the program has set, else the built-in ones
//! (wire.md section 5).

use std::fs::File;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use iot_engine::helpers::pem;

use super::overrides;
use crate::hal::Roots;

/// The roots of the object stores that firmware is downloaded from, in DER as `build.rs` has written them.
const HTTPS_ROOTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/https_roots.der"));
/// The private CA of the platform's own servers.
#[cfg(any(
    feature = "dev-dyn-reg",
    feature = "ssh",
    all(feature = "auth-mode-cert", any(feature = "coap", not(feature = "websocket-unverified")))
))]
const PLATFORM_CA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tencent_iot_ca.der"));

const NO_MEMORY: &str = "no memory for the trusted roots";
/// `SSLConnectParams.ca_crt_len` has 16 bits.
const MAX_PEM: usize = 65_534;
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Roots for HTTPS downloads, as PEM.
///
/// # Errors
/// The named file can't be used; the text says why.
pub fn https_roots() -> Result<Roots, String> {
    roots(&[HTTPS_ROOTS])
}

/// Roots for MQTT and CoAP in CERT mode, as PEM.
///
/// # Errors
/// As [`https_roots`].
#[cfg(all(feature = "auth-mode-cert", any(feature = "coap", not(feature = "websocket-unverified"))))]
pub fn mqtt_ca() -> Result<Roots, String> {
    // Which of the two the servers of WebSocket show is not known (resource.md section 9).
    if cfg!(feature = "websocket-mqtt") {
        return roots(&[PLATFORM_CA, HTTPS_ROOTS]);
    }
    roots(&[PLATFORM_CA])
}

/// Roots for a region's gateway, where devices register and SSH tunnels begin, as PEM: the platform's CA signed its server, and
/// a public one may.
///
/// # Errors
/// As [`https_roots`].
#[cfg(any(feature = "dev-dyn-reg", feature = "ssh"))]
pub fn gateway_roots() -> Result<Roots, String> {
    roots(&[PLATFORM_CA, HTTPS_ROOTS])
}

/// What the program has set.
static OWN_ROOTS: Mutex<Option<Roots>> = Mutex::new(None);

/// Trusts `pem` from the next connection on, instead of the built-in roots, for HTTPS, dynamic registration and MQTT in CERT
/// mode. `None`: the built-in ones again.
///
/// # Errors
/// That can't be used; the text says why, and what was set before stays.
pub fn set_roots(pem: Option<&[u8]>) -> Result<(), String> {
    let pem = pem.map(|pem| usable(pem, "trusted roots")).transpose()?;
    *OWN_ROOTS.lock().unwrap_or_else(PoisonError::into_inner) = pem;
    Ok(())
}

fn roots(built_in: &[&[u8]]) -> Result<Roots, String> {
    if let Some(path) = overrides::read(overrides::CA_FILE) {
        let name = format!("trusted roots {path} ({})", overrides::CA_FILE);
        let file = read(&path).map_err(|error| format!("{name}: {error}"))?;
        return usable(&file, &name);
    }
    let own = OWN_ROOTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let own = own.or_else(|| {
        let size = built_in.iter().map(|der| pem::size_of_all(der)).sum();
        Roots::written(size, |text| built_in.iter().for_each(|der| pem::append_all(text, der)))
    });
    own.ok_or_else(|| NO_MEMORY.to_owned())
}

/// What a file of certificates holds.
///
/// # Errors
/// Why it can't be read.
pub fn read(path: &str) -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    let read = File::open(path).and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut file));
    read.map_err(|error| error.to_string())?;
    within_limit(&file)?;
    Ok(file)
}

fn within_limit(file: &[u8]) -> Result<(), String> {
    if file.len() as u64 > MAX_FILE {
        return Err(format!("more than {} kB", MAX_FILE / 1024));
    }
    Ok(())
}

/// The certificates in `file`, as PEM that a platform can be handed. `name` begins the text that says why it can't be.
fn usable(file: &[u8], name: &str) -> Result<Roots, String> {
    within_limit(file).map_err(|why| format!("{name}: {why}"))?;
    let pem = pem::certificates(file).map_err(|why| format!("{name}: {why}"))?;
    if pem.len() > MAX_PEM {
        let size = pem.len();
        return Err(format!(
            "{name}: {size} bytes of certificates, a platform can be handed {MAX_PEM}: leave those that your servers need"
        ));
    }
    Roots::of(&[&pem]).ok_or_else(|| NO_MEMORY.to_owned())
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
        #[cfg(feature = "dev-dyn-reg")]
        assert_eq!(gateway_roots().as_deref(), Ok(own));
        let large = own.repeat(1200);
        let too_large = format!(
            "trusted roots: {} bytes of certificates, a platform can be handed 65534: leave those that your servers need",
            large.len()
        );
        let huge = " ".repeat(1024 * 1024 + 1);
        for (wrong, expected) in [
            (&b"no PEM"[..], "trusted roots: no certificate in it"),
            (b"\xff", "trusted roots: no certificate in it"),
            (large.as_bytes(), &too_large),
            (huge.as_bytes(), "trusted roots: more than 1024 kB"),
        ] {
            assert_eq!(set_roots(Some(wrong)), Err(expected.to_owned()));
            assert_eq!(https_roots().as_deref(), Ok(own), "what was set stays");
        }
        assert_eq!(set_roots(None), Ok(()));
        let file = pem::certificates(include_bytes!("../../certs/https_roots.pem")).unwrap();
        assert_eq!(https_roots().as_deref(), Ok(file.as_str()));
        #[cfg(feature = "dev-dyn-reg")]
        {
            let both = gateway_roots().unwrap();
            let platform = pem::certificates(include_bytes!("../../certs/tencent_iot_ca.pem")).unwrap();
            assert_eq!(*both, *(platform + &file));
            assert!(both.len() <= MAX_PEM);
        }
    }
}
