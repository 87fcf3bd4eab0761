//! What CERT devices of the interface of 3.3.0 sign with (versions.md section 6). A key is a boxed [`Key`].

use std::ffi::{c_char, c_int, c_void, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{ptr, slice};

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_platform_posix::{export, log};

use crate::certificate::files;

#[cfg(feature = "tls-mbedtls")]
#[path = "signature/by_mbedtls.rs"]
mod by;
#[cfg(not(feature = "tls-mbedtls"))]
#[path = "signature/by_ring.rs"]
mod by;

pub use self::by::Key;

/// Bytes of a signature, and of the key's modulus: what both ring and mbedTLS sign with.
const LENS: std::ops::RangeInclusive<usize> = 256..=512;

fn load(path: &Path) -> Result<Key, String> {
    let der = zeroize::Zeroizing::new(files::private_key(path)?);
    let key = Key::from_der(&der).filter(|key| LENS.contains(&key.signature_len()));
    key.ok_or_else(|| format!("the private key in {} is not RSA of 2048 to 4096 bits", path.display()))
}

export! {
    "HAL_TLS_Get_PrivateKey_FromFile" or ptr::null_mut();
    /// Loads an RSA key (unencrypted PEM). NULL on failure (logged with the cause).
    ///
    /// # Safety
    /// `path` is NULL or NUL-terminated.
    pub unsafe fn iot_platform_tls_load_key(path: *const c_char) -> *mut c_void {
        if path.is_null() {
            log::error(NAME, "null path");
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
        match load(path) {
            Ok(key) => Box::into_raw(Box::new(key)).cast(),
            Err(text) => {
                log::error(NAME, &text);
                ptr::null_mut()
            }
        }
    }
}

export! {
    "HAL_TLS_Destory_PrivateKey" or ();
    /// Frees a key. NULL is ignored.
    ///
    /// # Safety
    /// `key` is NULL or from [`iot_platform_tls_load_key`], and used no more by any thread.
    pub unsafe fn iot_platform_tls_free_key(key: *mut c_void) {
        if !key.is_null() {
            // SAFETY: the caller's promise; the box was made in `iot_platform_tls_load_key`.
            drop(unsafe { Box::from_raw(key.cast::<Key>()) });
        }
    }
}

export! {
    "HAL_TLS_Get_RSASHA256_Result_Len" or 0;
    /// Bytes of a signature, 0 for NULL.
    ///
    /// # Safety
    /// `key` is NULL or from [`iot_platform_tls_load_key`].
    pub unsafe fn iot_platform_tls_signature_len(key: *mut c_void) -> c_int {
        // SAFETY: the caller's promise.
        let Some(key) = (unsafe { key.cast::<Key>().as_ref() }) else {
            log::error(NAME, "null key");
            return 0;
        };
        c_int::try_from(key.signature_len()).unwrap_or(0)
    }
}

export! {
    "HAL_TLS_Calc_Sign_RSASHA256" or QCLOUD_ERR_FAILURE;
    /// Writes the signature of `len` bytes of `data`, RSA PKCS #1 v1.5 over SHA-256, to `out`.
    ///
    /// # Safety
    /// `key` is NULL or from [`iot_platform_tls_load_key`], `data` is NULL or has `len` bytes, `out` is NULL or has room for
    /// as many as [`iot_platform_tls_signature_len`] says.
    pub unsafe fn iot_platform_tls_sign(key: *mut c_void, data: *const c_char, len: c_int, out: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        let key = unsafe { key.cast::<Key>().as_ref() };
        let (Some(key), false, Ok(len), false) = (key, data.is_null(), usize::try_from(len), out.is_null()) else {
            log::error(NAME, "null key or pointer, or negative length");
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let data = unsafe { slice::from_raw_parts(data.cast(), len) };
        let mut signature = vec![0; key.signature_len()];
        if !key.sign(data, &mut signature) {
            log::error(NAME, "the private key can't sign");
            return QCLOUD_ERR_FAILURE;
        }
        // SAFETY: the caller's promise.
        unsafe { ptr::copy_nonoverlapping(signature.as_ptr(), out.cast(), signature.len()) };
        QCLOUD_RET_SUCCESS
    }
}

export! {
    "HAL_TLS_Calc_SHA256" or ();
    /// Writes the SHA-256 of `len` bytes of `data`, 32 bytes, to `out`.
    ///
    /// # Safety
    /// `data` is NULL or has `len` bytes, `out` is NULL or has room for 32.
    pub unsafe fn iot_platform_tls_sha256(data: *const u8, len: usize, out: *mut u8) {
        if data.is_null() || out.is_null() {
            log::error(NAME, "null pointer");
            return;
        }
        // SAFETY: the caller's promise.
        match by::sha256(unsafe { slice::from_raw_parts(data, len) }) {
            // SAFETY: the caller's promise.
            Some(hash) => unsafe { ptr::copy_nonoverlapping(hash.as_ptr(), out, hash.len()) },
            None => log::error(NAME, "the TLS library has no SHA-256"),
        }
    }
}

#[cfg(test)]
mod tests;
