//! The one form that broadcasts and requests of the cloud have for the program: the bytes of a message.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_ERR_MALLOC, QCLOUD_RET_SUCCESS};

use super::{handle, memory};
use crate::drive::mqtt::Client;
use crate::drive::services::inbox::{Handler, NotSubscribed};
use crate::hal::callout::{self, OnBytes};

/// Calls `callback`, which is the program's. Without one the messages are dropped.
fn handler(callback: Option<OnBytes>) -> Handler {
    Box::new(move |client: &Arc<Client>, payload: &[u8]| {
        // The session's limit for a message is far below that of the length.
        let (Some(callback), Ok(len)) = (callback, u32::try_from(payload.len())) else {
            return;
        };
        let client: *mut c_void = handle::of(client);
        // SAFETY: the callback is the program's, with the signature of the header; the payload is there for the call.
        unsafe { callout::on_bytes(callback, client, payload.as_ptr().cast(), len) };
    })
}

/// Has `subscribe` make the subscription to `what`, whose messages go to `callback`. For `function`, whose value it
/// returns.
pub(super) fn subscribe(
    function: &'static str,
    what: &str,
    client: *mut c_void,
    callback: Option<OnBytes>,
    subscribe: impl FnOnce(&Arc<Client>, Handler) -> Result<(), NotSubscribed>,
) -> c_int {
    let Some(client) = handle::required::<Client>(function, "pClient", "an MQTT client", client) else {
        return QCLOUD_ERR_INVAL;
    };
    if memory::is_exhausted(function) {
        return QCLOUD_ERR_MALLOC;
    }
    subscribe(&client, handler(callback)).map_or_else(
        |why| {
            ::log::error!(target: function, "no subscription to {what}: {why}");
            QCLOUD_ERR_FAILURE
        },
        |()| QCLOUD_RET_SUCCESS,
    )
}
