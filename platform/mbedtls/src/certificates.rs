//! Clients of TLS 1.2 and 1.3 with certificates.

use std::ffi::{c_char, c_int, c_uchar, c_void, CString};
use std::io::{Read, Write};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use super::{with, Calls, Error, Owner, Session};

/// What a client offers, those of TLS 1.3 first, and 0: authenticated encryption and forward secrecy only.
pub static CERTIFICATE_SUITES: [i32; 10] = [0x1302, 0x1301, 0x1303, 0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0];

/// Decides about a server. Called once in a handshake.
pub type Judge = Box<dyn FnMut(&Peer<'_>) -> bool + Send>;

/// What a server shows, and what mbedTLS found about it.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// Its certificate, DER.
    pub der: &'a [u8],
    /// The certificate above it whose time is over or has not begun, DER.
    pub dated: Option<&'a [u8]>,
    /// What is wrong with it, by the constants of this type.
    pub flaws: u32,
    /// The same of those above it.
    pub chain_flaws: u32,
    /// Byte for byte one of the trusted ones.
    pub is_trusted_itself: bool,
    /// Marked as a CA's.
    pub is_authority: bool,
    /// The topmost names a trusted one as its issuer, which did not sign it where there is the flaw `NOT_TRUSTED`.
    pub names_a_root: bool,
    /// Its extended key usage, where it has one, is for servers.
    pub is_for_servers: bool,
}

impl Peer<'_> {
    /// Its time is over.
    pub const EXPIRED: u32 = 0x01;
    /// No trusted certificate vouches for it.
    pub const NOT_TRUSTED: u32 = 0x08;
    /// Its time has not begun.
    pub const FUTURE: u32 = 0x0200;
    /// Its key usage is for something else.
    pub const KEY_USAGE: u32 = 0x0800;
    /// It is signed over a weak hash.
    pub const BAD_HASH: u32 = 0x4000;
    /// It is signed with a kind of key that is not supported.
    pub const BAD_KEY_KIND: u32 = 0x8000;
    /// It is signed with a short key or a curve that is not supported.
    pub const BAD_KEY: u32 = 0x1_0000;
}

/// The certificates to trust, and the device's own.
#[derive(Debug)]
pub struct Trust {
    raw: NonNull<c_void>,
    has_roots: bool,
}

// SAFETY: nothing of it is tied to a thread.
unsafe impl Send for Trust {}
// SAFETY: sessions only read it, except for what RSA keys keep to blind their use, which mbedTLS locks
// (MBEDTLS_THREADING_C in c/config.h).
unsafe impl Sync for Trust {}

#[repr(C)]
pub(super) struct RawPeer {
    der: *const c_uchar,
    der_len: usize,
    dated: *const c_uchar,
    dated_len: usize,
    flags: u32,
    chain_flags: u32,
    is_trusted_itself: c_int,
    is_authority: c_int,
    names_a_root: c_int,
    is_for_servers: c_int,
}

// c/certificates.c.
extern "C" {
    fn iot_mbedtls_trust_new(out: *mut *mut c_void) -> c_int;
    fn iot_mbedtls_trust_free(trust: *mut c_void);
    fn iot_mbedtls_trust_root(trust: *mut c_void, der: *const c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_trust_chain(trust: *mut c_void, der: *const c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_trust_key(trust: *mut c_void, der: *const c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_trust_check(trust: *const c_void) -> c_int;
    fn iot_mbedtls_new_certificates(
        out: *mut *mut c_void,
        suites: *const c_int,
        calls: *const Calls,
        trust: *mut c_void,
        host: *const c_char,
    ) -> c_int;
    #[cfg(all(feature = "dtls", feature = "server"))]
    fn iot_mbedtls_new_certificates_server(
        out: *mut *mut c_void,
        suites: *const c_int,
        calls: *const Calls,
        trust: *mut c_void,
    ) -> c_int;
    fn iot_mbedtls_verify_result(session: *const c_void) -> u32;
}

impl Trust {
    /// Nothing is trusted yet.
    ///
    /// # Errors
    /// No memory, or no random numbers.
    pub fn new() -> Result<Self, Error> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is writable.
        let code = unsafe { iot_mbedtls_trust_new(&mut raw) };
        NonNull::new(raw).map(|raw| Self { raw, has_roots: false }).ok_or(Error(code))
    }

    /// Trusts a certificate (DER), which is copied.
    ///
    /// # Errors
    /// It can't be parsed, or no memory.
    pub fn add_root(&mut self, der: &[u8]) -> Result<(), Error> {
        // SAFETY: the object lives as long as `self`, and `&mut` keeps others away; pointer and length are those of `der`.
        Error::check(unsafe { iot_mbedtls_trust_root(self.raw.as_ptr(), der.as_ptr(), der.len()) })?;
        self.has_roots = true;
        Ok(())
    }

    /// Whether there is anything to trust.
    #[must_use]
    pub fn has_roots(&self) -> bool {
        self.has_roots
    }

    /// Adds a certificate (DER) to the device's own chain, its own first.
    ///
    /// # Errors
    /// As [`Trust::add_root`].
    pub fn add_to_chain(&mut self, der: &[u8]) -> Result<(), Error> {
        // SAFETY: as in `add_root`.
        Error::check(unsafe { iot_mbedtls_trust_chain(self.raw.as_ptr(), der.as_ptr(), der.len()) }).map(|_| ())
    }

    /// The private key of the chain's first certificate: PKCS #8, PKCS #1 or SEC 1, DER, RSA or NIST's curves. Zeroised
    /// when this is dropped. Once, after the chain.
    ///
    /// # Errors
    /// `false`: it can't be parsed. `true`: it is that of another certificate.
    pub fn set_key(&mut self, der: &[u8]) -> Result<(), bool> {
        // SAFETY: as in `add_root`.
        Error::check(unsafe { iot_mbedtls_trust_key(self.raw.as_ptr(), der.as_ptr(), der.len()) })
            .map_err(|_| false)?;
        // SAFETY: as in `add_root`.
        Error::check(unsafe { iot_mbedtls_trust_check(self.raw.as_ptr()) }).map(|_| ()).map_err(|_| true)
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        // SAFETY: made by `iot_mbedtls_trust_new`, and nobody uses it after this: sessions share its ownership.
        unsafe { iot_mbedtls_trust_free(self.raw.as_ptr()) };
    }
}

impl<T: Read + Write> Session<T> {
    /// A client before its handshake, which trusts a server that `judge` takes. `host` goes into the server name extension;
    /// whether the certificate is for it is for `judge` to say, and so is all that mbedTLS found.
    ///
    /// # Errors
    /// A host of bad length, or no memory.
    pub fn with_certificates(
        trust: Arc<Trust>,
        judge: Judge,
        host: Option<&str>,
        suites: &'static [i32],
        transport: T,
    ) -> Result<Self, Error> {
        Self::client_of(trust, host, suites, Owner { judge: Some(judge), ..Owner::new(transport) })
    }

    /// The same with an owner that has its judge.
    pub(super) fn client_of(
        trust: Arc<Trust>,
        host: Option<&str>,
        suites: &'static [i32],
        owner: Owner<T>,
    ) -> Result<Self, Error> {
        let host = host.map(CString::new).transpose().map_err(|_| Error::BAD_INPUT)?;
        let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());
        let mut session = Self::new(suites, owner, |raw, calls| {
            // SAFETY: `suites` lives for ever and ends with 0, `trust` outlives the session, the rest is copied.
            unsafe { iot_mbedtls_new_certificates(raw, suites.as_ptr(), calls, trust.raw.as_ptr(), host) }
        })?;
        session._trust = Some(trust);
        Ok(session)
    }

    /// A server before its handshake, whose owner judges the client's certificate.
    #[cfg(all(feature = "dtls", feature = "server"))]
    pub(super) fn server_of(trust: Arc<Trust>, suites: &'static [i32], owner: Owner<T>) -> Result<Self, Error> {
        let mut session = Self::new(suites, owner, |raw, calls| {
            // SAFETY: as in `client_of`.
            unsafe { iot_mbedtls_new_certificates_server(raw, suites.as_ptr(), calls, trust.raw.as_ptr()) }
        })?;
        session._trust = Some(trust);
        Ok(session)
    }

    /// After [`Error::BAD_CERTIFICATE`]: what is wrong besides what `judge` was told, by the constants of [`Peer`].
    pub fn flaws(&self) -> u32 {
        // SAFETY: the session lives as long as `self`; nothing is changed.
        unsafe { iot_mbedtls_verify_result(self.raw.as_ptr()) }
    }
}

pub(super) unsafe extern "C" fn judge<T>(owner: *mut c_void, peer: *const RawPeer) -> c_int {
    // SAFETY: certificates.c gives a peer that nobody changes meanwhile.
    let raw = unsafe { &*peer };
    // SAFETY: the certificate of the server, which mbedTLS keeps during the call.
    let der = unsafe { slice::from_raw_parts(raw.der, raw.der_len) };
    // SAFETY: NULL, or one above it, which lives as long.
    let dated = (!raw.dated.is_null()).then(|| unsafe { slice::from_raw_parts(raw.dated, raw.dated_len) });
    let peer = Peer {
        der,
        dated,
        flaws: raw.flags,
        chain_flaws: raw.chain_flags,
        is_trusted_itself: raw.is_trusted_itself != 0,
        is_authority: raw.is_authority != 0,
        names_a_root: raw.names_a_root != 0,
        is_for_servers: raw.is_for_servers != 0,
    };
    // Nobody who panics has said yes.
    const NO: Error = Error(0);
    // SAFETY: called in a call of the session's functions, with its owner.
    unsafe { with::<T>(owner, NO, |owner| c_int::from(owner.judge.as_mut().is_some_and(|judge| judge(&peer)))) }
}
