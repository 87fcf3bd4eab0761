//! Functions of `qcloud_iot_export_broadcast.h` without a Rust definition.

extern "C" {
    /// Receives the messages to all devices of the client's product. Returns 0 or an error code.
    pub fn IOT_Broadcast_Subscribe(pClient: *mut c_void, callback: OnBroadcastMessageCallback) -> c_int;
}
