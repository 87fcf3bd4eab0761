//! `HAL_DTLS_*` (coap.md, 6), by mbedTLS in every build.

mod connection;

use std::ffi::{c_char, c_int};

use iot_abi::error::{QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_WRITE};
use iot_abi::import::SSLConnectParams;
use iot_platform_posix::export;

use self::connection::Connection;
use crate::handle;
use crate::params::Params;

export! {
    "HAL_DTLS_Connect" or 0;
    /// Connects to `host` and shakes hands, within 14 s whatever `params->timeout_ms` says. Returns the handle, 0 on failure
    /// (logged with the cause).
    ///
    /// # Safety
    /// `params` is NULL or valid as `SSLConnectParams` says, `host` is NULL or NUL-terminated.
    pub unsafe fn iot_platform_dtls_connect(
        params: *mut SSLConnectParams,
        host: *const c_char,
        port: c_int,
    ) -> usize {
        let open = |params: &Params<'_>, host: &str, port| Connection::open(&params.security, host, port);
        // SAFETY: the caller's promises.
        unsafe { handle::connect(NAME, params, host, port, open) }
    }
}

export! {
    "HAL_DTLS_Disconnect" or ();
    /// Says goodbye, closes and frees the connection. 0 is ignored.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_dtls_connect`], and used no more by any thread.
    pub unsafe fn iot_platform_dtls_disconnect(handle: usize) {
        // SAFETY: the caller's promise.
        unsafe { handle::disconnect::<Connection>(handle) }
    }
}

export! {
    "HAL_DTLS_Write" or QCLOUD_ERR_SSL_WRITE;
    /// Sends `data` as one datagram. Sets `*written_len` whatever it returns. May run beside a read on the same handle.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_dtls_connect`], `data` is NULL or has `len` bytes, `written_len` is NULL or
    /// writable.
    pub unsafe fn iot_platform_dtls_write(
        handle: usize,
        data: *const u8,
        len: usize,
        written_len: *mut usize,
    ) -> c_int {
        // SAFETY: the caller's promises.
        unsafe {
            handle::write(NAME, handle, data, len, written_len, |connection: &Connection, data| {
                let code = connection.write(data);
                (code, if code == 0 { data.len() } else { 0 })
            })
        }
    }
}

export! {
    "HAL_DTLS_Read" or QCLOUD_ERR_SSL_READ;
    /// Waits for one record, with `timeout_ms` 0 without a limit. What does not fit into `len` bytes comes with the next
    /// read. Sets `*read_len` whatever it returns. May run beside a write on the same handle.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_dtls_connect`], `data` is NULL or has room for `len` bytes, `read_len` is NULL
    /// or writable.
    pub unsafe fn iot_platform_dtls_read(
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

#[cfg(test)]
mod tests;
