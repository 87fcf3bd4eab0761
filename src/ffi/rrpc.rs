//! `qcloud_iot_export_rrpc.h`: requests of the cloud that the device answers (messaging.md section 2).

use std::ffi::{c_char, c_int, c_void};

use iot_abi::error::{QCLOUD_ERR_INVAL, QCLOUD_ERR_RRPC_REPLY_ERR, QCLOUD_RET_SUCCESS};
use iot_abi::rrpc::{sRRPCReplyPara, OnRRPCMessageCallback};

use super::log::null_argument;
use super::{handle, memory, messages};
use crate::drive::mqtt::Client;
use crate::drive::services::rrpc;

export! {
    /// Receives the requests of the cloud. Drives the client while it waits for the server, up to 1.5 s. Called again it
    /// only sets another callback; NULL drops the requests. The subscription is one of the client's ten;
    /// IOT_MQTT_Unsubscribe takes it away.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for a NULL or unknown client; QCLOUD_ERR_FAILURE when the server
    /// refuses or does not answer, or without a link.
    ///
    /// # Safety
    /// `callback` may be called for as long as the subscription lasts.
    pub unsafe fn IOT_RRPC_Init(pClient: *mut c_void, callback: OnRRPCMessageCallback) -> c_int {
        messages::subscribe(NAME, "requests", pClient, callback, rrpc::subscribe)
    }
}

export! {
    /// Answers the client's last request with the text `pJsonDoc`, inside the callback or later. The cloud waits some
    /// seconds for it. `sizeOfBuffer` and `replyPara` are not looked at.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for a NULL or unknown client or a NULL text; otherwise
    /// QCLOUD_ERR_RRPC_REPLY_ERR: no request has come yet, no link, or a text that is too long.
    ///
    /// # Safety
    /// `pJsonDoc` is NULL or a string.
    pub unsafe fn IOT_RRPC_Reply(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        replyPara: *mut sRRPCReplyPara,
    ) -> c_int {
        // The C SDK does not look at them either, so programs pass anything (messaging.md section 2).
        let _ = (sizeOfBuffer, replyPara);
        let Some(client) = handle::required::<Client>(NAME, "pClient", "an MQTT client", pClient) else {
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { memory::bytes_from_c(pJsonDoc) }) else {
            null_argument(NAME, "pJsonDoc");
            return QCLOUD_ERR_INVAL;
        };
        if memory::is_exhausted(NAME) {
            return QCLOUD_ERR_RRPC_REPLY_ERR;
        }
        rrpc::answer(&client, text).map_or_else(
            |why| {
                ::log::error!(target: NAME, "{why}");
                QCLOUD_ERR_RRPC_REPLY_ERR
            },
            |()| QCLOUD_RET_SUCCESS,
        )
    }
}

#[cfg(test)]
mod tests;
