//! `SSLConnectParams` as Rust values.

#[cfg(feature = "auth-mode-cert")]
use std::ffi::OsStr;
use std::ffi::{c_char, CStr};
#[cfg(feature = "auth-mode-cert")]
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use iot_abi::import::SSLConnectParams;

/// Where the caller sets no limit.
const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// How the two sides prove who they are.
pub enum Security<'a> {
    /// A key both know.
    #[cfg(not(feature = "auth-mode-cert"))]
    Psk { key: &'a [u8], identity: &'a str },
    /// The server by a certificate, this side too where `client` is given. With feature `unverified`, an empty `ca_pem` takes
    /// any server.
    Cert { ca_pem: &'a [u8], client: Option<ClientFiles<'a>> },
}

/// Files of a client certificate and its private key, PEM. In KEY mode there can be none, and no code for them is linked.
#[derive(Clone, Copy)]
pub struct ClientFiles<'a> {
    pub cert: &'a Path,
    pub key: &'a Path,
    #[cfg(not(feature = "auth-mode-cert"))]
    _none: std::convert::Infallible,
}

/// Checked parameters of a connection.
pub struct Params<'a> {
    pub security: Security<'a>,
    /// Limit for TCP and handshake together.
    pub timeout_ms: u32,
}

impl<'a> Params<'a> {
    /// # Errors
    /// A text for the log: what is missing.
    ///
    /// # Safety
    /// The pointers in `params` are NULL or valid as its documentation says.
    pub unsafe fn from_c(params: &'a SSLConnectParams) -> Result<Self, String> {
        let timeout_ms = if params.timeout_ms == 0 { DEFAULT_TIMEOUT_MS } else { params.timeout_ms };
        #[cfg(not(feature = "auth-mode-cert"))]
        if !params.psk.is_null() && has_psk_id(params) {
            // SAFETY: the caller's promise.
            let (key, identity) = unsafe {
                let key = std::slice::from_raw_parts(params.psk.cast(), params.psk_length);
                (key, psk_id(params))
            };
            let identity = std::str::from_utf8(identity).unwrap_or_default();
            if key.is_empty() || identity.is_empty() {
                return Err("the pre-shared key or its identity is empty".to_owned());
            }
            return Ok(Self { security: Security::Psk { key, identity }, timeout_ms });
        }
        // SAFETY: the caller's promise.
        let ca_pem = unsafe {
            match (params.ca_crt.is_null(), params.ca_crt_len) {
                (true, _) => &[],
                (false, 0) => text(params.ca_crt).unwrap_or_default(),
                (false, len) => std::slice::from_raw_parts(params.ca_crt.cast(), usize::from(len)),
            }
        };
        #[cfg(not(feature = "auth-mode-cert"))]
        let client = None;
        #[cfg(feature = "auth-mode-cert")]
        // SAFETY: the caller's promise.
        let client = match unsafe { (text(params.cert_file), text(params.key_file)) } {
            (None, None) => None,
            (Some(cert), Some(key)) => {
                Some(ClientFiles { cert: Path::new(OsStr::from_bytes(cert)), key: Path::new(OsStr::from_bytes(key)) })
            }
            _ => return Err("client certificate file without private key file, or the other way round".to_owned()),
        };
        if ca_pem.is_empty() && !(cfg!(feature = "unverified") && client.is_some()) {
            return Err("no CA certificate to verify the server with, and no pre-shared key: refused".to_owned());
        }
        Ok(Self { security: Security::Cert { ca_pem, client }, timeout_ms })
    }
}

/// Whether there is an identity that goes with the key.
#[cfg(all(not(feature = "auth-mode-cert"), not(feature = "abi-3-3")))]
fn has_psk_id(params: &SSLConnectParams) -> bool {
    !params.psk_id.is_null()
}

/// # Safety
/// The pointer in `params` is NULL or valid.
#[cfg(all(not(feature = "auth-mode-cert"), not(feature = "abi-3-3")))]
unsafe fn psk_id(params: &SSLConnectParams) -> &[u8] {
    // SAFETY: the caller's promise.
    unsafe { text(params.psk_id) }.unwrap_or_default()
}

/// Whether there is an identity that goes with the key.
#[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
fn has_psk_id(params: &SSLConnectParams) -> bool {
    params.psk_id[0] != 0
}

/// # Safety
/// None: it stands in `params`.
#[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
unsafe fn psk_id(params: &SSLConnectParams) -> &[u8] {
    // SAFETY: as many bytes as characters.
    let field = unsafe { std::slice::from_raw_parts(params.psk_id.as_ptr().cast::<u8>(), params.psk_id.len()) };
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The bytes of a C string, `None` for NULL.
///
/// # Safety
/// `text` is NULL or NUL-terminated and lives as long as the result is used.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}
