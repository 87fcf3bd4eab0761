//! `qcloud_iot_export_broadcast.h`: messages to all devices of a product (messaging.md section 1).

use std::ffi::{c_int, c_void};

use iot_abi::broadcast::OnBroadcastMessageCallback;

use super::messages;
use crate::drive::services::broadcast;

export! {
    /// Receives the messages to all devices of the client's product. Drives the client while it waits for the server, up
    /// to 1.5 s. Called again it only sets another callback; NULL drops the messages. The subscription is one of the
    /// client's ten; IOT_MQTT_Unsubscribe takes it away.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for a NULL or unknown client; QCLOUD_ERR_FAILURE when the server
    /// refuses or does not answer, or without a link.
    ///
    /// # Safety
    /// `callback` may be called for as long as the subscription lasts.
    pub unsafe fn IOT_Broadcast_Subscribe(pClient: *mut c_void, callback: OnBroadcastMessageCallback) -> c_int {
        messages::subscribe(NAME, "broadcasts", pClient, callback, broadcast::subscribe)
    }
}

#[cfg(test)]
mod tests;
