//! `qcloud_iot_export_broadcast.h`: messages to all devices of a product (messaging.md section 1).

use std::ffi::{c_int, c_void};

use iot_abi::broadcast::OnBroadcastMessageCallback;
use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_ERR_MALLOC, QCLOUD_RET_SUCCESS};

use super::{handle, memory, messages};
use crate::drive::mqtt::Client;
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
        let Some(client) = handle::required::<Client>(NAME, "pClient", "an MQTT client", pClient) else {
            return QCLOUD_ERR_INVAL;
        };
        if memory::is_exhausted(NAME) {
            return QCLOUD_ERR_MALLOC;
        }
        broadcast::subscribe(&client, messages::handler(callback)).map_or_else(
            |why| {
                ::log::error!(target: NAME, "no subscription to broadcasts: {why}");
                QCLOUD_ERR_FAILURE
            },
            |()| QCLOUD_RET_SUCCESS,
        )
    }
}

#[cfg(test)]
mod tests;
