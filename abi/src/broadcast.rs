//! `qcloud_iot_export_broadcast.h`: messages to all devices of a product.

use std::ffi::{c_char, c_void};

/// Receives a broadcast message of msgLen bytes, not terminated by a NUL; valid during the call only.
pub type OnBroadcastMessageCallback =
    Option<unsafe extern "C" fn(pClient: *mut c_void, msg: *const c_char, msgLen: u32)>;
