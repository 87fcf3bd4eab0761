//! The one form that broadcasts and requests of the cloud have for the program: the bytes of a message.

use std::ffi::c_void;
use std::sync::Arc;

use super::handle;
use crate::drive::mqtt::Client;
use crate::drive::services::inbox::Handler;
use crate::hal::callout::{self, OnBytes};

/// Calls `callback`, which is the program's. Without one the messages are dropped.
pub(super) fn handler(callback: Option<OnBytes>) -> Handler {
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
