//! Functions of `qcloud_iot_export_rrpc.h` without a Rust definition.

extern "C" {
    /// Receives the calls of the cloud. Returns 0 or an error code.
    pub fn IOT_RRPC_Init(pClient: *mut c_void, callback: OnRRPCMessageCallback) -> c_int;
    /// Answers a call, inside the callback or later; pJsonDoc is a buffer of the caller. Returns 0 or an error code.
    pub fn IOT_RRPC_Reply(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        replyPara: *mut sRRPCReplyPara,
    ) -> c_int;
}
