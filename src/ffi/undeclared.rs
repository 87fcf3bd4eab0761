//! Functions that the C SDK's library has and its headers don't.

#[cfg(feature = "resource")]
use std::ffi::c_char;
use std::ffi::{c_int, c_void};

#[cfg(feature = "resource")]
use iot_abi::error::QCLOUD_RET_SUCCESS;
#[cfg(feature = "resource")]
use iot_engine::services::resource::ResourceError;

#[cfg(feature = "resource")]
use super::resource::with_resource;
use super::ssh;

#[cfg(feature = "resource")]
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

export! {
    /// Tells the cloud whether the SSH tunnel is up (1) or not (0). Returns the packet id, 0, or the client's error.
    pub fn IOT_Ssh_state_report(client: *mut c_void, state: c_int) -> c_int {
        ssh::report(NAME, client, state != 0)
    }
}

export! {
    /// Starts an SSH tunnel as if the cloud had asked for it. One that runs ends before.
    pub fn IOT_QCLOUD_SSH_Start(client: *mut c_void) -> c_int {
        ssh::start(NAME, client)
    }
}

export! {
    /// Ends the SSH tunnel, which is not waited for.
    pub fn IOT_QCLOUD_SSH_Stop() -> c_int {
        ssh::stop(NAME)
    }
}
