//! Functions that the C SDK's library has and its headers don't.

use std::ffi::{c_char, c_int, c_void};

use iot_abi::error::QCLOUD_RET_SUCCESS;
use iot_engine::services::resource::ResourceError;

use super::resource::with_resource;

export! {
    /// What the server has answered to an upload, which `IOT_Resource_UploadYield` waits for: 0 or its error (resource.md
    /// section 3). `buf` is not used.
    pub fn IOT_Resource_UploadRecvResult(handle: *mut c_void, buf: *mut c_char, buf_len: u32) -> c_int {
        let _ = (buf, buf_len);
        with_resource(NAME, handle, |resource| {
            resource.upload_answer().map_or_else(ResourceError::code, |()| QCLOUD_RET_SUCCESS)
        })
    }
}
