//! `qcloud_iot_export_remote_config.h`: configuration that the cloud keeps for a product (messaging.md section 3).

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use iot_abi::error::{
    QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_ERR_JSON_BUFFER_TRUNCATED, QCLOUD_ERR_MALLOC,
    QCLOUD_ERR_MQTT_REQUEST_TIMEOUT, QCLOUD_ERR_MQTT_SUB, QCLOUD_RET_SUCCESS,
};
use iot_abi::remote_config::ConfigSubscirbeUserData;
use iot_engine::services::remote_config::message::REQUEST;
use iot_engine::services::remote_config::DEFAULT_TIMEOUT_MS;

use super::code::code;
use super::log::null_argument;
use super::{handle, memory};
use crate::drive::mqtt::Client;
use crate::drive::services::inbox::NotSubscribed;
use crate::drive::services::remote_config::{self, Destination, NoReply};
use crate::hal::callout;

/// What the program has given for its configurations. It stays the program's.
struct CDestination(*mut ConfigSubscirbeUserData);

// SAFETY: the program leaves it to the library for as long as it is in use, on whichever thread pumps, as documented.
unsafe impl Send for CDestination {}
// SAFETY: as above.
unsafe impl Sync for CDestination {}

impl Destination for CDestination {
    fn room(&self) -> usize {
        // SAFETY: the program's promise in IOT_Subscribe_Config.
        let data = unsafe { self.0.read() };
        let len = if data.json_buffer.is_null() { 0 } else { data.json_buffer_len };
        usize::try_from(len).unwrap_or(0)
    }

    fn take(&self, client: &Arc<Client>, result: i32, text: &[u8]) {
        // SAFETY: the program's promise in IOT_Subscribe_Config.
        let data = unsafe { self.0.read() };
        // The engine's limit for a message is far below that of the length.
        let (Some(handler), Ok(len)) = (data.on_config_proc, c_int::try_from(text.len())) else {
            return;
        };
        // SAFETY: text and NUL fit, as `room` was asked before; the handler is the program's.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), data.json_buffer.cast::<u8>(), text.len());
            data.json_buffer.add(text.len()).write(0);
            callout::on_config(handler, handle::of(client), result, data.json_buffer, len);
        }
    }
}

/// A time of the program in milliseconds; one that is negative says nothing.
fn limit(timeout: c_int) -> u64 {
    u64::try_from(timeout).unwrap_or(DEFAULT_TIMEOUT_MS)
}

export! {
    /// Receives configurations, those that IOT_Get_Config asks for and those that the cloud sends on its own. Drives the
    /// client while it waits for the server, up to `subscribe_timeout` ms; 20 s where that is negative. Each configuration
    /// is written to `json_buffer` with a NUL and handed to `on_config_proc`; one that does not fit is dropped.
    ///
    /// `config_sub_userdata` and its buffer stay in use until IOT_MQTT_Unsubscribe takes the subscription away, another
    /// call that returned 0 or more replaces them, or the client is destroyed; also after
    /// QCLOUD_ERR_MQTT_REQUEST_TIMEOUT, since an answer that comes later still makes the subscription. After other errors
    /// they are the caller's again. The subscription is one of the client's ten.
    ///
    /// Returns the packet id, 1 to 65535; QCLOUD_ERR_MQTT_REQUEST_TIMEOUT without an answer in that time;
    /// QCLOUD_ERR_MQTT_SUB when the server refuses, or does not answer within the client's command time-out;
    /// QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT or QCLOUD_ERR_MQTT_NO_CONN when the link is lost; QCLOUD_ERR_INVAL for NULL, an
    /// unknown client or a buffer without room; what IOT_MQTT_Subscribe returns.
    ///
    /// # Safety
    /// `config_sub_userdata` is NULL or valid, its buffer writable for `json_buffer_len` bytes, for as long as said above.
    pub unsafe fn IOT_Subscribe_Config(
        client: *mut c_void,
        config_sub_userdata: *mut ConfigSubscirbeUserData,
        subscribe_timeout: c_int,
    ) -> c_int {
        let Some(client) = handle::required::<Client>(NAME, "client", "an MQTT client", client) else {
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let Some(data) = (unsafe { config_sub_userdata.as_ref() }) else {
            null_argument(NAME, "config_sub_userdata");
            return QCLOUD_ERR_INVAL;
        };
        if data.on_config_proc.is_none() {
            null_argument(NAME, "config_sub_userdata->on_config_proc");
            return QCLOUD_ERR_INVAL;
        }
        if data.json_buffer.is_null() {
            null_argument(NAME, "config_sub_userdata->json_buffer");
            return QCLOUD_ERR_INVAL;
        }
        if data.json_buffer_len <= 0 {
            ::log::error!(target: NAME, "config_sub_userdata->json_buffer_len is {}", data.json_buffer_len);
            return QCLOUD_ERR_INVAL;
        }
        if memory::is_exhausted(NAME) {
            return QCLOUD_ERR_MALLOC;
        }
        let result = remote_config::subscribe(&client, CDestination(config_sub_userdata), limit(subscribe_timeout));
        result.map_or_else(
            |why| {
                ::log::error!(target: NAME, "no subscription to configurations: {why}");
                match why {
                    NotSubscribed::Refused | NotSubscribed::GivenUp => QCLOUD_ERR_MQTT_SUB,
                    NotSubscribed::TimedOut => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
                    NotSubscribed::NotSent(error) | NotSubscribed::LinkLost(error) => code(&error),
                }
            },
            c_int::from,
        )
    }
}

export! {
    /// Asks for the configuration, which goes to the handler of IOT_Subscribe_Config. Drives the client until the handler
    /// has returned, up to `reply_timeout` ms; 20 s where that is negative. `json_buffer`, of 15 bytes at least, receives
    /// the question, not the configuration.
    ///
    /// Returns QCLOUD_RET_SUCCESS when a reply came, whatever its result; QCLOUD_ERR_FAILURE without a subscription;
    /// QCLOUD_ERR_JSON_BUFFER_TRUNCATED for a buffer that is too small; QCLOUD_ERR_MQTT_REQUEST_TIMEOUT without a reply in
    /// time, which still reaches the handler when it comes; QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT or
    /// QCLOUD_ERR_MQTT_NO_CONN when the link is lost; QCLOUD_ERR_INVAL for NULL, an unknown client or a negative size; what
    /// IOT_MQTT_Publish returns.
    ///
    /// # Safety
    /// `json_buffer` is NULL or writable for `buffer_size` bytes.
    pub unsafe fn IOT_Get_Config(
        client: *mut c_void,
        json_buffer: *mut c_char,
        buffer_size: c_int,
        reply_timeout: c_int,
    ) -> c_int {
        let Some(client) = handle::required::<Client>(NAME, "client", "an MQTT client", client) else {
            return QCLOUD_ERR_INVAL;
        };
        if json_buffer.is_null() {
            null_argument(NAME, "json_buffer");
            return QCLOUD_ERR_INVAL;
        }
        let Ok(size) = usize::try_from(buffer_size) else {
            ::log::error!(target: NAME, "buffer_size is {buffer_size}");
            return QCLOUD_ERR_INVAL;
        };
        if size <= REQUEST.len() {
            ::log::error!(target: NAME, "buffer_size is {size}, the question needs {}", REQUEST.len() + 1);
            return QCLOUD_ERR_JSON_BUFFER_TRUNCATED;
        }
        if memory::is_exhausted(NAME) {
            return QCLOUD_ERR_MALLOC;
        }
        // SAFETY: the caller's promise.
        unsafe { memory::write_text(json_buffer, size, REQUEST.as_bytes()) };
        remote_config::get::<CDestination>(&client, limit(reply_timeout)).map_or_else(
            |why| {
                ::log::error!(target: NAME, "{why}");
                match why {
                    NoReply::NotSubscribed => QCLOUD_ERR_FAILURE,
                    NoReply::TimedOut => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
                    NoReply::NotSent(error) | NoReply::LinkLost(error) => code(&error),
                }
            },
            |()| QCLOUD_RET_SUCCESS,
        )
    }
}

#[cfg(test)]
mod tests;
