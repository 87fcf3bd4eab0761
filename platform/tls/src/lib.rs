//! The default `HAL_TLS_*` for Linux (hal.md): pre-shared keys by mbedTLS, certificates by rustls or, with feature
//! `tls-mbedtls`, by mbedTLS.
//!
//! The names C code links are weak C definitions (`weak/hal_tls.c`) in an object of their own, and nothing else refers
//! to this crate: a program with its own `HAL_TLS_*` links neither TLS stack.
//!
//! ```no_run
//! use iot_platform_tls::{iot_platform_tls_connect, iot_platform_tls_disconnect};
//!
//! # #[cfg(not(any(feature = "auth-mode-cert", feature = "abi-3-3")))] {
//! let mut params = iot_abi::import::SSLConnectParams {
//!     ca_crt: std::ptr::null(),
//!     ca_crt_len: 0,
//!     psk: c"0123456789abcdef".as_ptr(),
//!     psk_id: c"PRODUCTID0lamp".as_ptr(),
//!     psk_length: 16,
//!     timeout_ms: 5000,
//! };
//! // SAFETY: the texts end with a NUL, and both outlive the call.
//! let handle = unsafe { iot_platform_tls_connect(&mut params, c"localhost".as_ptr(), 8883) };
//! assert_ne!(handle, 0, "the log says why not");
//! // SAFETY: it is from the call above.
//! unsafe { iot_platform_tls_disconnect(handle) };
//! # }
//! ```
#![cfg(not(feature = "auth-with-notls"))]

#[cfg(not(feature = "tls-mbedtls"))]
mod cert;
mod certificate;
#[cfg(not(any(feature = "tls-rustls", feature = "tls-mbedtls")))]
compile_error!("name whose TLS verifies certificates: feature tls-rustls or tls-mbedtls");

mod connection;
#[cfg(feature = "coap")]
pub mod dtls;
mod handle;
#[cfg(any(not(feature = "auth-mode-cert"), feature = "tls-mbedtls", feature = "coap"))]
mod mbed;
mod params;
#[cfg(all(feature = "abi-3-3", feature = "auth-mode-cert"))]
pub mod signature;
mod stack;

use std::ffi::{c_char, c_int};

use iot_abi::error::{QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_WRITE};
use iot_abi::import::SSLConnectParams;
use iot_platform_posix::export;

use crate::connection::Connection;

#[cfg(test)]
#[path = "../../testing/log_double.rs"]
mod log_double;

export! {
    "HAL_TLS_Connect" or 0;
    /// Connects to `host`, TCP and handshake within `params->timeout_ms` together. Returns the handle, 0 on failure
    /// (logged with the cause).
    ///
    /// # Safety
    /// `params` is NULL or valid as `SSLConnectParams` says, `host` is NULL or NUL-terminated.
    pub unsafe fn iot_platform_tls_connect(
        params: *mut SSLConnectParams,
        host: *const c_char,
        port: c_int,
    ) -> usize {
        // SAFETY: the caller's promises.
        unsafe { handle::connect(NAME, params, host, port, Connection::open) }
    }
}

export! {
    "HAL_TLS_Disconnect" or ();
    /// Says goodbye, closes and frees the connection. 0 is ignored.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_tls_connect`], and used no more by any thread.
    pub unsafe fn iot_platform_tls_disconnect(handle: usize) {
        // SAFETY: the caller's promise.
        unsafe { handle::disconnect::<Connection>(handle) }
    }
}

export! {
    "HAL_TLS_Read" or QCLOUD_ERR_SSL_READ;
    /// Reads until `len` bytes are in or `timeout_ms` is over (hal.md). Sets `*read_len` whatever it returns. May run
    /// beside a write on the same handle.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_tls_connect`], `data` is NULL or has room for `len` bytes, `read_len` is NULL or
    /// writable.
    pub unsafe fn iot_platform_tls_read(
        handle: usize,
        data: *mut u8,
        len: usize,
        timeout_ms: u32,
        read_len: *mut usize,
    ) -> c_int {
        // SAFETY: the caller's promises.
        unsafe {
            handle::read(NAME, handle, data, len, read_len, |connection: &Connection, data| {
                connection.read(data, timeout_ms)
            })
        }
    }
}

export! {
    "iot_platform_tls_descriptor" or -1;
    /// What to wait on once a read has found nothing, -1 for nothing. Sends what is unsent first, and sets `*is_writing` to
    /// whether some of it is left.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_tls_connect`], `is_writing` is NULL or writable.
    pub unsafe fn iot_platform_tls_descriptor(handle: usize, is_writing: *mut c_int) -> c_int {
        // SAFETY: the caller's promises.
        let (connection, is_writing) = unsafe { ((handle as *const Connection).as_ref(), is_writing.as_mut()) };
        let (Some(connection), Some(is_writing)) = (connection, is_writing) else {
            return -1;
        };
        *is_writing = c_int::from(!connection.is_all_sent());
        connection.descriptor()
    }
}

export! {
    "HAL_TLS_Write" or QCLOUD_ERR_SSL_WRITE;
    /// Writes until all of `data` is sent or `timeout_ms` is over (hal.md). Sets `*written_len` whatever it returns. May
    /// run beside a read on the same handle.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_tls_connect`], `data` is NULL or has `len` bytes, `written_len` is NULL or
    /// writable.
    pub unsafe fn iot_platform_tls_write(
        handle: usize,
        data: *mut u8,
        len: usize,
        timeout_ms: u32,
        written_len: *mut usize,
    ) -> c_int {
        // SAFETY: the caller's promises.
        unsafe {
            handle::write(NAME, handle, data, len, written_len, |connection: &Connection, data| {
                connection.write(data, timeout_ms)
            })
        }
    }
}

#[cfg(test)]
mod downgrade_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
