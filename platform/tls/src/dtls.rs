//! `HAL_DTLS_*` (coap.md, 6), by mbedTLS in every build.

mod connection;

use std::ffi::{c_char, c_int};

use iot_abi::error::{QCLOUD_ERR_INVAL, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_WRITE};
use iot_abi::import::SSLConnectParams;
use iot_platform_posix::cause::Cause;
use iot_platform_posix::{export, log, tcp};

use self::connection::Connection;
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
        // SAFETY: the caller's promises.
        let (params, host) = unsafe { (params.as_ref(), tcp::host_name(host)) };
        let (Some(params), Some(host), Ok(port @ 1..)) = (params, host, u16::try_from(port)) else {
            Cause::lasting("parameters, host or port are missing or invalid".to_owned()).tell(NAME);
            return 0;
        };
        // SAFETY: the caller's promise.
        let result = unsafe { Params::from_c(params) }
            .map_err(Cause::lasting)
            .and_then(|params| Connection::open(&params.security, host, port));
        match result {
            Ok(connection) => Box::into_raw(Box::new(connection)) as usize,
            Err(cause) => {
                cause.tell(NAME);
                0
            }
        }
    }
}

export! {
    "HAL_DTLS_Disconnect" or ();
    /// Says goodbye, closes and frees the connection. 0 is ignored.
    ///
    /// # Safety
    /// `handle` is 0 or from [`iot_platform_dtls_connect`], and used no more by any thread.
    pub unsafe fn iot_platform_dtls_disconnect(handle: usize) {
        if handle != 0 {
            // SAFETY: the caller's promise; the box was made in connect.
            drop(unsafe { Box::from_raw(handle as *mut Connection) });
        }
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
        // SAFETY: the caller's promise.
        let connection = unsafe { (handle as *const Connection).as_ref() };
        let (Some(connection), false, false) = (connection, data.is_null(), written_len.is_null()) else {
            log::error(NAME, "null handle or pointer");
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let code = connection.write(unsafe { std::slice::from_raw_parts(data, len) });
        // SAFETY: the caller's promise.
        unsafe { *written_len = if code == 0 { len } else { 0 } };
        code
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
        // SAFETY: the caller's promise.
        let connection = unsafe { (handle as *const Connection).as_ref() };
        let (Some(connection), false, false) = (connection, data.is_null(), read_len.is_null()) else {
            log::error(NAME, "null handle or pointer");
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let (code, n) = connection.read(unsafe { std::slice::from_raw_parts_mut(data, len) }, timeout_ms);
        // SAFETY: the caller's promise.
        unsafe { *read_len = n };
        code
    }
}

#[cfg(test)]
mod tests;
