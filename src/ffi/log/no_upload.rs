//! Log upload in a library without it: every call succeeds and does nothing (log_upload.md).

use std::ffi::c_int;

use iot_abi::error::QCLOUD_RET_SUCCESS;
use iot_abi::log::{eLOG_DISABLE, LogUploadInitParams};
use iot_abi::raw;

pub(super) const FIRST_LEVEL: raw::LOG_LEVEL = eLOG_DISABLE;

pub(super) const fn is_up() -> bool {
    false
}

pub(super) fn collect(_line: &[u8]) {}

/// # Safety
/// None.
pub(super) unsafe fn start(function: &'static str, _params: &LogUploadInitParams) -> c_int {
    ::log::debug!(target: function, "log upload is not part of this library, lines are only printed");
    QCLOUD_RET_SUCCESS
}

pub(super) fn stop() {}

pub(super) fn upload(_force: bool) -> c_int {
    QCLOUD_RET_SUCCESS
}
