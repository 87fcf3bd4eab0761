//! `qcloud_iot_export_coap.h`: the CoAP client.

use std::ffi::{c_char, c_int, c_uchar, c_void};

use crate::raw;

/// What a CoAP event handler is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum CoAPEventType {
    /// The server has the message.
    COAP_EVENT_RECEIVE_ACK = 0,
    /// The server answered with content.
    COAP_EVENT_RECEIVE_RESPCONTENT = 1,
    /// The token is not valid, or no longer.
    COAP_EVENT_UNAUTHORIZED = -1,
    /// Not allowed.
    COAP_EVENT_FORBIDDEN = -2,
    /// The server failed.
    COAP_EVENT_INTERNAL_SERVER_ERROR = -3,
    /// No acknowledgement in time.
    COAP_EVENT_ACK_TIMEOUT = -4,
    /// Acknowledged, but no answer in time.
    COAP_EVENT_SEPRESP_TIMEOUT = -5,
}

integers!(
    CoAPEventType as c_int: COAP_EVENT_RECEIVE_ACK, COAP_EVENT_RECEIVE_RESPCONTENT, COAP_EVENT_UNAUTHORIZED,
    COAP_EVENT_FORBIDDEN, COAP_EVENT_INTERNAL_SERVER_ERROR, COAP_EVENT_ACK_TIMEOUT, COAP_EVENT_SEPRESP_TIMEOUT,
);

/// An event and its message. Valid during the callback only.
#[repr(C)]
pub struct CoAPEventMessage {
    /// What happened.
    pub event_type: raw::CoAPEventType,
    /// The message, for the IOT_COAP_GetMessage functions, or the message id as a pointer.
    pub message: *mut c_void,
}

/// Receives the answer to a message.
pub type OnRespCallback = Option<unsafe extern "C" fn(message: *mut c_void, userContext: *mut c_void)>;

/// Receives the events of a client.
pub type CoAPEventHandleFunc = Option<unsafe extern "C" fn(pcontext: *mut c_void, message: *mut CoAPEventMessage)>;

/// A handler with its context.
#[repr(C)]
pub struct CoAPEventHandler {
    /// The handler, NULL for none.
    pub h_fp: CoAPEventHandleFunc,
    /// Handed to the handler.
    pub context: *mut c_void,
}

/// A message to send. Start from DEFAULT_SENDMSG_PARAMS.
#[repr(C)]
pub struct SendMsgParams {
    /// Whether an answer with content is wanted.
    pub need_resp: bool,
    /// Payload; the caller keeps it.
    pub pay_load: *mut c_char,
    /// Length of the payload in bytes.
    pub pay_load_len: usize,
    /// Handed to resp_callback.
    pub user_context: *mut c_void,
    /// Receives the answer.
    pub resp_callback: OnRespCallback,
}

/// How to connect. Start from DEFAULT_COAPINIT_PARAMS.
#[repr(C)]
pub struct CoAPInitParams {
    /// Region of the cloud, such as "china"; NULL, an empty one and an unknown one mean that.
    #[cfg(feature = "abi-3-3")]
    pub region: *mut c_char,
    /// Product id.
    pub product_id: *mut c_char,
    /// Device name.
    pub device_name: *mut c_char,
    /// Path of the client certificate (PEM).
    #[cfg(feature = "auth-mode-cert")]
    pub cert_file: [c_char; 256],
    /// Path of the certificate's private key (PEM).
    #[cfg(feature = "auth-mode-cert")]
    pub key_file: [c_char; 256],
    /// Device secret, base64.
    #[cfg(not(feature = "auth-mode-cert"))]
    pub device_secret: *mut c_char,
    /// Time limit for an acknowledgement in milliseconds.
    pub command_timeout: u32,
    /// How often a message is sent again.
    pub max_retry_count: c_uchar,
    /// Receives the client's events.
    pub event_handle: CoAPEventHandler,
}
