//! TLS over `HAL_TLS_*`.

use std::ffi::{c_uint, CStr, CString};
use std::ptr;

use iot_abi::import::SSLConnectParams;

use super::callout::{HAL_TLS_Connect, HAL_TLS_Disconnect, HAL_TLS_Read, HAL_TLS_Write};

use super::interface::{Transport, TransportError};
use super::outcome::Pending;
use super::security::Security;
use super::wait::{self, Source, Waits};

/// An open TLS connection.
pub struct TlsStream {
    handle: usize,
    pending: Pending,
    waits: Option<Waits>,
}

/// What `SSLConnectParams` points at, kept until the handshake is over: platform code may read it as long as that.
#[derive(Default)]
struct Credentials {
    #[cfg(feature = "auth-mode-cert")]
    cert_file: Option<CString>,
    #[cfg(feature = "auth-mode-cert")]
    key_file: Option<CString>,
    #[cfg(not(feature = "auth-mode-cert"))]
    psk_id: PskId,
}

/// The identity that goes with a pre-shared key, as `SSLConnectParams` has it.
#[cfg(all(not(feature = "auth-mode-cert"), not(feature = "abi-3-3")))]
#[derive(Default)]
struct PskId(Option<CString>);

#[cfg(all(not(feature = "auth-mode-cert"), not(feature = "abi-3-3")))]
impl PskId {
    fn of(identity: &str) -> Result<Self, String> {
        Ok(PskId(Some(c_string(identity)?)))
    }

    /// Points into `self`.
    fn field(&self) -> *const std::ffi::c_char {
        pointer(&self.0)
    }
}

/// The identity that goes with a pre-shared key, as `SSLConnectParams` has it.
#[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
struct PskId([std::ffi::c_char; 81]);

#[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
impl Default for PskId {
    fn default() -> Self {
        PskId([0; 81])
    }
}

#[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
impl PskId {
    fn of(identity: &str) -> Result<Self, String> {
        let text = c_string(identity)?;
        let mut field = Self::default();
        if text.as_bytes().len() >= field.0.len() {
            return Err("the device's names are too long for a platform".to_owned());
        }
        for (to, from) in field.0.iter_mut().zip(text.as_bytes()) {
            *to = *from as std::ffi::c_char;
        }
        Ok(field)
    }

    fn field(&self) -> [std::ffi::c_char; 81] {
        self.0
    }
}

#[cfg(any(feature = "auth-mode-cert", not(feature = "abi-3-3")))]
fn pointer(text: &Option<CString>) -> *const std::ffi::c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

const HAS_NUL: &str = "a name, path or certificate for TLS has a NUL in it";

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| HAS_NUL.to_owned())
}

/// Connects and shakes hands; `None` when the platform could not (it logs why).
///
/// # Errors
/// As [`with_params`].
pub fn connect(host: &CStr, port: u16, security: &Security, timeout_ms: u32) -> Result<Option<TlsStream>, String> {
    let handle = with_params(security, timeout_ms, |params| {
        // SAFETY: `params` and all that it points at outlive the call; `host` ends with a NUL.
        unsafe { HAL_TLS_Connect(params, host.as_ptr(), i32::from(port)) }
    })?;
    let waits = wait::is_for_tls().then(Waits::default);
    Ok((handle != 0).then(|| TlsStream { handle, pending: Pending::default(), waits }))
}

/// Hands `security` to `connect` in the platform's words. Every pointer in them is NULL or points at what outlives the call;
/// the texts end with a NUL.
///
/// # Errors
/// What is asked for can't be handed to a platform; the text says why.
pub(super) fn with_params(
    security: &Security,
    timeout_ms: u32,
    connect: impl FnOnce(*mut SSLConnectParams) -> usize,
) -> Result<usize, String> {
    let mut credentials = Credentials::default();
    let psk: &[u8] = match security {
        #[cfg(not(feature = "auth-mode-cert"))]
        Security::Psk { key, .. } => key,
        _ => &[],
    };
    match security {
        Security::None => {}
        #[cfg(not(feature = "auth-mode-cert"))]
        Security::Psk { identity, .. } => credentials.psk_id = PskId::of(identity.as_str())?,
        Security::Server { .. } => {}
        #[cfg(feature = "auth-mode-cert")]
        Security::Mutual { cert_file, key_file, .. } => {
            credentials.cert_file = Some(c_string(cert_file.as_str())?);
            credentials.key_file = Some(c_string(key_file.as_str())?);
        }
    }
    let ca_pem = match security {
        Security::Server { ca_pem } => Some(ca_pem.as_c_str().ok_or(HAS_NUL)?),
        #[cfg(feature = "auth-mode-cert")]
        Security::Mutual { ca_pem, .. } if !ca_pem.is_empty() => Some(ca_pem.as_c_str().ok_or(HAS_NUL)?),
        _ => None,
    };
    let ca_len = ca_pem.map_or(0, |pem| pem.to_bytes().len());
    let Ok(ca_crt_len) = u16::try_from(ca_len) else {
        return Err(format!(
            "the trusted roots have {ca_len} bytes, more than the 65,535 that a platform can be handed"
        ));
    };
    let mut params = SSLConnectParams {
        ca_crt: ca_pem.map_or(ptr::null(), CStr::as_ptr),
        ca_crt_len,
        #[cfg(feature = "auth-mode-cert")]
        cert_file: pointer(&credentials.cert_file),
        #[cfg(feature = "auth-mode-cert")]
        key_file: pointer(&credentials.key_file),
        #[cfg(not(feature = "auth-mode-cert"))]
        psk: if psk.is_empty() { ptr::null() } else { psk.as_ptr().cast() },
        #[cfg(not(feature = "auth-mode-cert"))]
        psk_id: credentials.psk_id.field(),
        psk_length: psk.len(),
        timeout_ms: timeout_ms as c_uint,
    };
    Ok(connect(&mut params))
}

impl Transport for TlsStream {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.pending.check()?;
        let mut count = 0;
        // SAFETY: `buf` is writable for its length; `handle` is open until drop.
        let code = unsafe { HAL_TLS_Read(self.handle, buf.as_mut_ptr(), buf.len(), timeout_ms, &mut count) };
        self.pending.outcome(code, count, buf.len())
    }

    fn read_or_wake(&self, buf: &mut [u8], timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        let waits = self.waits.as_ref().filter(|waits| waits.can_be_ended())?;
        // SAFETY: `handle` is open until drop, and from the platform that has this wait.
        let source = || unsafe { Source::tls(self.handle) };
        Some(waits.read(timeout_ms, source, || self.read(buf, 0)))
    }

    fn wake(&self) {
        if let Some(waits) = &self.waits {
            waits.end();
        }
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut count = 0;
        // SAFETY: `data` is readable for its length, and the HAL's parameter is not const only by an oversight of the
        // C SDK: no platform writes to it. `handle` is open until drop.
        let code = unsafe { HAL_TLS_Write(self.handle, data.as_ptr().cast_mut(), data.len(), timeout_ms, &mut count) };
        self.pending.outcome(code, count, data.len())
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // SAFETY: `handle` came from HAL_TLS_Connect and is closed once.
        unsafe { HAL_TLS_Disconnect(self.handle) };
    }
}

#[cfg(all(test, feature = "auth-mode-cert"))]
mod tests {
    use super::*;
    use crate::hal::Roots;

    /// What the platform is given for `ca_pem`: whether there is a CA, and its length.
    fn given(ca_pem: Roots) -> (bool, u16) {
        let security = Security::Mutual { ca_pem, cert_file: "cert.pem".to_owned(), key_file: "key.pem".to_owned() };
        let mut given = (false, 0);
        let connect = |params: *mut SSLConnectParams| {
            // SAFETY: it was made for this call.
            let params = unsafe { &*params };
            assert!(!params.cert_file.is_null() && !params.key_file.is_null());
            given = (!params.ca_crt.is_null(), params.ca_crt_len);
            1
        };
        assert_eq!(with_params(&security, 0, connect), Ok(1));
        given
    }

    #[test]
    fn the_platform_gets_the_roots() {
        assert_eq!(given(Roots::of(&["one", "two"]).unwrap()), (true, 6));
    }

    #[cfg(feature = "websocket-unverified")]
    #[test]
    fn an_unverified_server_is_one_without_roots() {
        assert_eq!(given(Roots::none()), (false, 0));
    }
}
