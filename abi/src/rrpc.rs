//! `qcloud_iot_export_rrpc.h`: calls from the cloud that the device answers at once.

use std::ffi::{c_char, c_int, c_void};

/// Room for the status text of an answer, in bytes with the NUL.
pub const MAX_RRPC_REPLY_STATUS_LEN: usize = 64;
/// Room for the id of a call, in bytes with the NUL.
pub const MAX_RRPC_PROCESS_ID_LEN: usize = 16;

/// Outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum eRRPCReplyCode {
    /// Done.
    eRRPC_SUCCESS = 0,
    /// Failed.
    eRRPC_FAIL = -1,
}

integers!(eRRPCReplyCode as c_int: eRRPC_SUCCESS, eRRPC_FAIL);

/// The answer to a call. The caller keeps the data.
#[repr(C)]
pub struct sRRPCReplyPara {
    /// Outcome.
    pub code: crate::raw::eRRPCReplyCode,
    /// Status text.
    pub status_msg: [c_char; 64],
    /// Data of the answer, NULL for none.
    pub user_data: *mut c_char,
    /// Length of the data in bytes.
    pub user_data_len: usize,
}

/// Receives a call of msgLen bytes, not terminated by a NUL; valid during the call only.
pub type OnRRPCMessageCallback = Option<unsafe extern "C" fn(pClient: *mut c_void, msg: *const c_char, msgLen: u32)>;
