//! Signatures by an RSA key.

use std::ffi::{c_int, c_uchar, c_void};
use std::ptr::{self, NonNull};

use super::Error;

/// A private RSA key. Zeroised when this is dropped.
#[derive(Debug)]
pub struct SigningKey(NonNull<c_void>);

// SAFETY: nothing of it is tied to a thread.
unsafe impl Send for SigningKey {}
// SAFETY: a signature changes only what the key keeps to blind its use, which mbedTLS locks (MBEDTLS_THREADING_C).
unsafe impl Sync for SigningKey {}

// c/signature.c.
extern "C" {
    fn iot_mbedtls_hash_sha256(data: *const c_uchar, len: usize, out: *mut c_uchar) -> c_int;
    fn iot_mbedtls_signing_key_new(out: *mut *mut c_void, der: *const c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_signing_key_free(key: *mut c_void);
    fn iot_mbedtls_signing_key_len(key: *const c_void) -> usize;
    fn iot_mbedtls_sign(key: *mut c_void, data: *const c_uchar, len: usize, out: *mut c_uchar) -> c_int;
}

/// The SHA-256 of `data`.
///
/// # Errors
/// mbedTLS was built without it.
pub fn sha256(data: &[u8]) -> Result<[u8; 32], Error> {
    let mut out = [0; 32];
    // SAFETY: pointer and length are those of `data`, and `out` has the 32 bytes that are written.
    Error::check(unsafe { iot_mbedtls_hash_sha256(data.as_ptr(), data.len(), out.as_mut_ptr()) })?;
    Ok(out)
}

impl SigningKey {
    /// The key in `der`, PKCS #8 or PKCS #1.
    ///
    /// # Errors
    /// It can't be parsed, it is not RSA, or no memory.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is writable; pointer and length are those of `der`.
        let code = unsafe { iot_mbedtls_signing_key_new(&mut raw, der.as_ptr(), der.len()) };
        NonNull::new(raw).map(Self).ok_or(Error(code))
    }

    /// Bytes of its modulus, and of a signature.
    #[must_use]
    pub fn signature_len(&self) -> usize {
        // SAFETY: the object lives as long as `self`.
        unsafe { iot_mbedtls_signing_key_len(self.0.as_ptr()) }
    }

    /// Writes the signature of `data`, RSA PKCS #1 v1.5 over SHA-256, to `out`.
    ///
    /// # Errors
    /// `out` is not as long as a signature, or the key does not hold together.
    pub fn sign(&self, data: &[u8], out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.signature_len() {
            return Err(Error::BAD_INPUT);
        }
        // SAFETY: the object lives as long as `self`, pointer and length are those of `data`, and `out` was just measured.
        Error::check(unsafe { iot_mbedtls_sign(self.0.as_ptr(), data.as_ptr(), data.len(), out.as_mut_ptr()) })
            .map(|_| ())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        // SAFETY: made by `iot_mbedtls_signing_key_new`, and nobody uses it after this.
        unsafe { iot_mbedtls_signing_key_free(self.0.as_ptr()) };
    }
}
