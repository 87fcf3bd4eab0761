//! What `HAL_TLS_*` and `HAL_DTLS_*` do alike with what C hands them. A handle is a boxed connection's address.

use std::ffi::{c_char, c_int};

use iot_abi::error::QCLOUD_ERR_INVAL;
use iot_abi::import::SSLConnectParams;
use iot_platform_posix::cause::Cause;
use iot_platform_posix::{log, socket};

use crate::params::Params;

/// The handle of the connection that `open` makes, 0 on failure (logged with the cause).
///
/// # Safety
/// `params` is NULL or valid as `SSLConnectParams` says, `host` is NULL or NUL-terminated.
pub unsafe fn connect<C>(
    name: &str,
    params: *mut SSLConnectParams,
    host: *const c_char,
    port: c_int,
    open: impl FnOnce(&Params<'_>, &str, u16) -> Result<C, Cause>,
) -> usize {
    // SAFETY: the caller's promises.
    let (params, host) = unsafe { (params.as_ref(), socket::host_name(host)) };
    let (Some(params), Ok(host), Ok(port @ 1..)) = (params, host, u16::try_from(port)) else {
        Cause::lasting("parameters, host or port are missing or invalid".to_owned()).tell(name);
        return 0;
    };
    // SAFETY: the caller's promise.
    let result = unsafe { Params::from_c(params) }.map_err(Cause::lasting).and_then(|params| open(&params, host, port));
    match result {
        Ok(connection) => Box::into_raw(Box::new(connection)) as usize,
        Err(cause) => {
            cause.tell(name);
            0
        }
    }
}

/// Frees the connection. 0 is ignored.
///
/// # Safety
/// `handle` is 0 or from [`connect`] with the same `C`, and used no more by any thread.
pub unsafe fn disconnect<C>(handle: usize) {
    if handle != 0 {
        // SAFETY: the caller's promise; the box was made in `connect`.
        drop(unsafe { Box::from_raw(handle as *mut C) });
    }
}

/// Has `read` fill `data`, and sets `*read_len` to the count that it returns with the code.
///
/// # Safety
/// `handle` is 0 or from [`connect`] with the same `C`, `data` is NULL or has room for `len` bytes, `read_len` is NULL or
/// writable.
pub unsafe fn read<C>(
    name: &str,
    handle: usize,
    data: *mut u8,
    len: usize,
    read_len: *mut usize,
    read: impl FnOnce(&C, &mut [u8]) -> (c_int, usize),
) -> c_int {
    // SAFETY: the caller's promise.
    let connection = unsafe { (handle as *const C).as_ref() };
    let (Some(connection), false, false) = (connection, data.is_null(), read_len.is_null()) else {
        return null(name);
    };
    // SAFETY: the caller's promise.
    let (code, n) = read(connection, unsafe { std::slice::from_raw_parts_mut(data, len) });
    // SAFETY: the caller's promise.
    unsafe { *read_len = n };
    code
}

/// Has `write` take `data`, and sets `*written_len` to the count that it returns with the code.
///
/// # Safety
/// `handle` is 0 or from [`connect`] with the same `C`, `data` is NULL or has `len` bytes, `written_len` is NULL or
/// writable.
pub unsafe fn write<C>(
    name: &str,
    handle: usize,
    data: *const u8,
    len: usize,
    written_len: *mut usize,
    write: impl FnOnce(&C, &[u8]) -> (c_int, usize),
) -> c_int {
    // SAFETY: the caller's promise.
    let connection = unsafe { (handle as *const C).as_ref() };
    let (Some(connection), false, false) = (connection, data.is_null(), written_len.is_null()) else {
        return null(name);
    };
    // SAFETY: the caller's promise.
    let (code, n) = write(connection, unsafe { std::slice::from_raw_parts(data, len) });
    // SAFETY: the caller's promise.
    unsafe { *written_len = n };
    code
}

fn null(name: &str) -> c_int {
    log::error(name, "null handle or pointer");
    QCLOUD_ERR_INVAL
}
