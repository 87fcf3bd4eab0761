//! `qcloud_iot_export_log.h`: levels and hooks of the log.

use std::ffi::{c_char, c_int};

use crate::raw;

/// How much is logged: a line is printed when its level is at most the print level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum LOG_LEVEL {
    /// Nothing.
    eLOG_DISABLE = 0,
    /// What failed.
    eLOG_ERROR = 1,
    /// What may lead to a failure.
    eLOG_WARN = 2,
    /// What happens; the default.
    eLOG_INFO = 3,
    /// Details for developers.
    eLOG_DEBUG = 4,
}

integers!(LOG_LEVEL as raw::LOG_LEVEL: eLOG_DISABLE, eLOG_ERROR, eLOG_WARN, eLOG_INFO, eLOG_DEBUG);

/// Sees each line before it is printed. Returns true when it has dealt with the line: then it isn't printed.
/// The text is valid during the call only.
pub type LogMessageHandler = Option<unsafe extern "C" fn(message: *const c_char) -> bool>;

/// Stores wLen bytes of log text for a later upload; returns how many were stored.
pub type LogSaveFunc = Option<unsafe extern "C" fn(msg: *const c_char, wLen: usize) -> usize>;

/// Reads up to rLen bytes of stored log text into buff; returns how many were read.
pub type LogReadFunc = Option<unsafe extern "C" fn(buff: *mut c_char, rLen: usize) -> usize>;

/// Deletes the stored log text; returns 0 on success. Declared without a prototype in C, called without arguments.
pub type LogDelFunc = Option<unsafe extern "C" fn() -> c_int>;

/// Returns the size of the stored log text in bytes. Declared without a prototype in C, called without arguments.
pub type LogGetSizeFunc = Option<unsafe extern "C" fn() -> usize>;

/// What the log uploader needs to know. All pointers belong to the caller and must stay valid while it runs.
#[repr(C)]
pub struct LogUploadInitParams {
    /// Region of the cloud, such as "china"; NULL, an empty one and an unknown one mean that.
    #[cfg(feature = "abi-3-3")]
    pub region: *const c_char,
    /// Product id.
    pub product_id: *const c_char,
    /// Device name.
    pub device_name: *const c_char,
    /// Key that signs the uploads: the device secret, or the certificate's file name.
    pub sign_key: *const c_char,
    /// Stores text that could not be uploaded, NULL for none.
    pub save_func: LogSaveFunc,
    /// Reads it back, NULL for none.
    pub read_func: LogReadFunc,
    /// Deletes it, NULL for none.
    pub del_func: LogDelFunc,
    /// Tells its size, NULL for none.
    pub get_size_func: LogGetSizeFunc,
}
