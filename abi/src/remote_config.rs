//! `qcloud_iot_export_remote_config.h`: configuration that the cloud keeps for a product.

use std::ffi::{c_char, c_int, c_void};

/// The cloud sent a configuration.
pub const REMOTE_CONFIG_ERRCODE_SUCCESS: c_int = 0;
/// Remote configuration is switched off for the product.
pub const REMOTE_CONFIG_ERRCODE_DISABLE: c_int = 1001;
/// Smallest buffer for a configuration in bytes.
pub const REMOTE_CONFIG_JSON_BUFFER_MIN_LEN: c_int = 60;

/// Receives a configuration; the text is valid during the call only.
pub type OnConfigProcHandler = Option<
    unsafe extern "C" fn(
        client: *mut c_void,
        config_reply_errcode: c_int,
        config_json: *mut c_char,
        config_json_len: c_int,
    ),
>;

/// Where configurations go. Must stay valid while the subscription exists.
#[repr(C)]
pub struct ConfigSubscirbeUserData {
    /// Receives them.
    pub on_config_proc: OnConfigProcHandler,
    /// Size of json_buffer in bytes, at least REMOTE_CONFIG_JSON_BUFFER_MIN_LEN.
    pub json_buffer_len: c_int,
    /// The caller's buffer for their text.
    pub json_buffer: *mut c_char,
}
