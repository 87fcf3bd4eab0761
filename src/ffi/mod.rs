//! The C surface: one file per public header. Each function checks its pointers, calls drive, and turns the result
//! into the documented code. No rules live here.
//!
//! Rules for every call (behaviour.md section 1): a NULL or unknown handle and a NULL required pointer are answered
//! with the function's documented error and an `ERR` line; a panic never reaches the caller.

// Parameters have the C SDK's names: cbindgen carries them into the headers.
#![allow(non_snake_case)]

use std::ffi::{c_char, CStr};

#[macro_use]
mod edge;

#[cfg(feature = "broadcast")]
pub mod broadcast;
#[cfg(feature = "coap")]
pub mod coap;
pub(crate) mod code;
#[cfg(feature = "dev-dyn-reg")]
pub mod dynreg;
pub mod ext;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod getopt;
pub mod handle;
mod interface;
pub mod json;
pub mod log;
pub mod memory;
#[cfg(any(feature = "broadcast", feature = "rrpc"))]
mod messages;
pub mod mqtt;
pub mod ota;
#[cfg(feature = "remote-config-mqtt")]
pub mod remote_config;
#[cfg(feature = "resource")]
pub mod resource;
#[cfg(feature = "rrpc")]
pub mod rrpc;
#[cfg(feature = "shadow")]
pub mod shadow;
#[cfg(feature = "abi-3-3")]
mod ssh;
pub mod system;
pub mod timer;
#[cfg(feature = "abi-3-3")]
pub mod undeclared;
#[cfg(feature = "upgrade")]
pub mod upgrade;

/// The string behind `text`; `None` for NULL or what is not UTF-8.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that outlives `'a`.
pub(crate) unsafe fn str_from_c<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// The string that `argument` of `function` must be.
///
/// # Errors
/// `QCLOUD_ERR_INVAL` for NULL and for what is not UTF-8, with a log line that names the argument.
///
/// # Safety
/// As [`str_from_c`].
pub(crate) unsafe fn required_str<'a>(
    function: &'static str,
    argument: &str,
    text: *const c_char,
) -> Result<&'a str, i32> {
    // SAFETY: the caller's promise.
    unsafe { str_from_c(text) }.ok_or_else(|| {
        let what = if text.is_null() { "NULL" } else { "not UTF-8" };
        ::log::error!(target: function, "{argument} is {what}");
        iot_abi::error::QCLOUD_ERR_INVAL
    })
}
