//! `qcloud_iot_export_coap.h`: the CoAP client.

use std::any::Any;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::Arc;

use iot_abi::coap::{CoAPEventHandler, CoAPEventMessage, CoAPEventType, CoAPInitParams, SendMsgParams};
use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_ERR_MALLOC, QCLOUD_RET_SUCCESS};
use iot_abi::export::DeviceInfo;
use iot_abi::raw;
use iot_engine::identity::Identity;

use super::code::code;
use super::interface::Names;
use super::mqtt::SharedDeviceInfo;
use super::{handle, memory, required_str};
use crate::drive::coap::{Answer, Client, Event, Listener, Settings, Setup};
use crate::hal::callout;
use crate::hal::platform::HalPlatform;
use crate::hal::Security;

/// What the handles of these functions are, for the log.
const CLIENT: &str = "a CoAP client";
const MESSAGE: &str = "a message whose callback runs";

export! {
    /// Connects to the cloud, says who the device is and returns the client, or NULL.
    ///
    /// Waits for the handshake, up to 14 s, and for the cloud's answer, up to `command_timeout` for each of `max_retry_count`
    /// + 1 sends. Clamps `command_timeout` to 500 to 5000 ms, in `pParams`, too. Everything in it is copied. The client is
    /// ended with IOT_COAP_Destroy.
    ///
    /// # Safety
    /// `pParams` is NULL or points to a valid `CoAPInitParams`.
    pub unsafe fn IOT_COAP_Construct(pParams: *mut CoAPInitParams) -> *mut c_void {
        // SAFETY: the caller's promise.
        let Some(params) = (unsafe { pParams.as_mut() }) else {
            log::error!(target: NAME, "pParams is NULL");
            return ptr::null_mut();
        };
        // SAFETY: the caller's promise.
        let made = memory::whole(NAME, || unsafe { construct(NAME, params) }, |client| client.destroy());
        made.map_or(ptr::null_mut(), handle::insert)
    }
}

unsafe fn construct(name: &'static str, params: &mut CoAPInitParams) -> Result<Arc<Client>, c_int> {
    let refused = |why: &dyn std::fmt::Display| {
        log::error!(target: name, "{why}");
        QCLOUD_ERR_INVAL
    };
    // SAFETY: the texts in `params` are NULL or end with a NUL.
    let identity = unsafe { Names::from(&*params).device(name) }?;
    // SAFETY: as above.
    let security = unsafe { security(name, params, &identity) }?;
    let asked = Settings { command_timeout_ms: params.command_timeout, max_repeats: params.max_retry_count };
    let settings = asked.within_limits();
    params.command_timeout = settings.command_timeout_ms;
    let listener = CListener::new(&params.event_handle).map(|listener| Box::new(listener) as Box<dyn Listener>);
    let attachment = Box::new(SharedDeviceInfo::new(&identity));
    let setup = Setup::new(identity, settings, security, listener, attachment).map_err(|error| refused(&error))?;
    let place = format!("{}:{}", setup.endpoint.host, setup.endpoint.port);
    let client = Client::connect(Arc::new(HalPlatform::new()), setup).map_err(|error| {
        log::error!(target: name, "CoAP server {place}: {error}");
        code(&error)
    })?;
    log::info!(target: name, "coap connect to {place} success");
    Ok(client)
}

#[cfg(feature = "auth-with-notls")]
unsafe fn security(_name: &str, _params: &CoAPInitParams, _identity: &Identity) -> Result<Security, c_int> {
    Ok(Security::None)
}

#[cfg(not(any(feature = "auth-mode-cert", feature = "auth-with-notls")))]
unsafe fn security(name: &'static str, params: &CoAPInitParams, identity: &Identity) -> Result<Security, c_int> {
    // SAFETY: the text is NULL or ends with a NUL.
    let key = unsafe { super::mqtt::secret_key(name, params.device_secret) }?;
    Ok(Security::Psk { identity: identity.client_id(), key })
}

#[cfg(feature = "auth-mode-cert")]
unsafe fn security(name: &'static str, params: &CoAPInitParams, _identity: &Identity) -> Result<Security, c_int> {
    super::mqtt::certificates(name, crate::drive::trust::mqtt_ca, &params.cert_file, &params.key_file)
}

export! {
    /// Closes the connection, frees the client and sets `*pClient` to NULL. Messages that still wait get no callback.
    ///
    /// # Safety
    /// `pClient` is NULL or points to a writable pointer.
    pub unsafe fn IOT_COAP_Destroy(pClient: *mut *mut c_void) {
        // SAFETY: the caller's promise.
        let slot = unsafe { pClient.as_mut() };
        let Some((slot, client)) = slot.and_then(|slot| handle::remove::<Client>(*slot).map(|client| (slot, client)))
        else {
            log::error!(target: NAME, "pClient is NULL or not a client");
            return;
        };
        client.destroy();
        *slot = ptr::null_mut();
        log::info!(target: NAME, "coap release!");
    }
}

export! {
    /// Receives and handles messages for at most `timeout_ms`, and returns earlier where one came. Sends again and gives up
    /// what is due. With 0 it handles what is there. Callbacks run inside this call.
    ///
    /// Returns 0; QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY once the cloud has closed the connection; QCLOUD_ERR_TCP_READ_FAIL or
    /// QCLOUD_ERR_SSL_READ where it can't be read.
    pub fn IOT_COAP_Yield(pClient: *mut c_void, timeout_ms: u32) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            client.yield_for(timeout_ms).map_or_else(
                |error| {
                    log::error!(target: NAME, "{error}");
                    code(&error)
                },
                |()| QCLOUD_RET_SUCCESS,
            )
        })
    }
}

export! {
    /// Sends a message to `topicName`, at most 128 characters. Topic, payload and parameters are copied. Returns the message's
    /// id, 1 to 65535, with which it ends in one event, or one call of `resp_callback`; or an error below 0.
    ///
    /// QCLOUD_ERR_MAX_TOPIC_LENGTH, QCLOUD_ERR_COAP_INTERNAL for a packet of more than 512 bytes,
    /// QCLOUD_ERR_MAX_APPENDING_REQUEST while too many wait.
    ///
    /// # Safety
    /// `topicName` is NULL or a string; `sendParams` is NULL or valid, its payload readable for its length.
    pub unsafe fn IOT_COAP_SendMessage(
        pClient: *mut c_void,
        topicName: *mut c_char,
        sendParams: *mut SendMsgParams,
    ) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            // SAFETY: the caller's promises.
            let (topic, params) = unsafe { (required_str(NAME, "topicName", topicName), sendParams.as_ref()) };
            let (Ok(topic), Some(params)) = (topic, params) else {
                log::error!(target: NAME, "topicName or sendParams is NULL");
                return QCLOUD_ERR_INVAL;
            };
            let payload: &[u8] = match params.pay_load_len {
                0 => &[],
                _ if params.pay_load.is_null() => {
                    log::error!(target: NAME, "pay_load is NULL");
                    return QCLOUD_ERR_INVAL;
                }
                // SAFETY: the caller's promise.
                len => unsafe { slice::from_raw_parts(params.pay_load.cast::<u8>(), len) },
            };
            let callback = params.resp_callback.filter(|_| params.need_resp);
            let receiver = callback.map(|callback| {
                Arc::new(CReceiver { callback, context: params.user_context }) as Arc<dyn Listener>
            });
            client.send(topic, payload, params.need_resp, receiver).map_or_else(
                |error| {
                    log::error!(target: NAME, "not sent to {topic}: {error}");
                    code(&error)
                },
                c_int::from,
            )
        })
    }
}

export! {
    /// Id of the message that is answered, as IOT_COAP_SendMessage returned it. QCLOUD_ERR_INVAL for what is no message.
    pub fn IOT_COAP_GetMessageId(pMessage: *mut c_void) -> c_int {
        with_message(NAME, pMessage, |message| c_int::from(message.id))
    }
}

export! {
    /// The answer's payload, which a NUL follows that is not counted; valid during the callback. NULL and 0 where it has none.
    ///
    /// Returns 0; QCLOUD_ERR_FAILURE, with both outputs as they were, unless the answer is 2.05.
    ///
    /// # Safety
    /// The outputs are NULL or writable.
    pub unsafe fn IOT_COAP_GetMessagePayload(
        pMessage: *mut c_void,
        payload: *mut *mut c_char,
        payloadLen: *mut c_int,
    ) -> c_int {
        // SAFETY: the caller's promise.
        let (Some(payload), Some(len)) = (unsafe { (payload.as_mut(), payloadLen.as_mut()) }) else {
            log::error!(target: NAME, "payload or payloadLen is NULL");
            return QCLOUD_ERR_INVAL;
        };
        with_message(NAME, pMessage, |message| match message.content {
            Some((content, content_len)) => {
                (*payload, *len) = (content, content_len);
                QCLOUD_RET_SUCCESS
            }
            None => QCLOUD_ERR_FAILURE,
        })
    }
}

export! {
    /// How the message ended, a CoAPEventType that is not 0: COAP_EVENT_RECEIVE_RESPCONTENT for an answer that is good.
    /// QCLOUD_ERR_INVAL for what is no message.
    pub fn IOT_COAP_GetMessageCode(pMessage: *mut c_void) -> c_int {
        with_message(NAME, pMessage, |message| message.verdict)
    }
}

export! {
    /// Who the client's device is, without its secret. Valid as long as the client; NULL for an unknown client.
    pub fn IOT_COAP_GetDeviceInfo(pClient: *mut c_void) -> *mut DeviceInfo {
        let null = ptr::null_mut();
        with_client(NAME, pClient, null, |client| {
            let attachment: &(dyn Any + Send + Sync) = client.attachment();
            attachment.downcast_ref::<SharedDeviceInfo>().map_or(null, SharedDeviceInfo::get)
        })
    }
}

/// Runs `body` with the client behind `pClient`; an unknown handle gives `on_error`.
fn with_client<R>(name: &'static str, pClient: *mut c_void, on_error: R, body: impl FnOnce(&Arc<Client>) -> R) -> R {
    handle::required::<Client>(name, "pClient", CLIENT, pClient).map_or(on_error, |client| body(&client))
}

fn with_message(name: &'static str, pMessage: *mut c_void, body: impl FnOnce(&Message) -> c_int) -> c_int {
    handle::required::<Message>(name, "pMessage", MESSAGE, pMessage).map_or(QCLOUD_ERR_INVAL, |message| body(&message))
}

/// What `IOT_COAP_GetMessage*` read. The handle of an answer while its callback runs: an id, which the same handlers are given
/// for a pointer, is none, and is told from it.
struct Message {
    id: u16,
    verdict: c_int,
    /// Points into `_bytes`; NULL where that is empty. C code may write to it.
    content: Option<(*mut c_char, c_int)>,
    _bytes: Vec<u8>,
}

// SAFETY: the pointer is only handed on.
unsafe impl Send for Message {}
// SAFETY: as above.
unsafe impl Sync for Message {}

impl Message {
    /// `None` where there is no memory for the payload, whose length the cloud decides.
    fn new(answer: &Answer) -> Option<Self> {
        let mut bytes = Vec::new();
        let content = match answer.content() {
            None => None,
            Some([]) => Some((ptr::null_mut(), 0)),
            Some(payload) => {
                bytes = memory::with_nul(payload)?;
                Some((bytes.as_mut_ptr().cast(), c_int::try_from(payload.len()).ok()?))
            }
        };
        Some(Message { id: answer.id, verdict: number(answer.verdict()), content, _bytes: bytes })
    }

    /// Runs `body` with the handle of a message.
    fn lend(answer: &Answer, body: impl FnOnce(*mut c_void)) {
        let Some(message) = Self::new(answer) else {
            log::error!(target: "coap_message", "no memory to hand on an answer of {} bytes", answer.payload.len());
            return;
        };
        let message = handle::insert(Arc::new(message));
        body(message);
        handle::remove::<Message>(message);
    }
}

fn number(event: Event) -> raw::CoAPEventType {
    (match event {
        Event::Acknowledged => CoAPEventType::COAP_EVENT_RECEIVE_ACK,
        Event::Content => CoAPEventType::COAP_EVENT_RECEIVE_RESPCONTENT,
        Event::Unauthorized => CoAPEventType::COAP_EVENT_UNAUTHORIZED,
        Event::Forbidden => CoAPEventType::COAP_EVENT_FORBIDDEN,
        Event::ServerError => CoAPEventType::COAP_EVENT_INTERNAL_SERVER_ERROR,
        Event::NotAcknowledged => CoAPEventType::COAP_EVENT_ACK_TIMEOUT,
        Event::NotAnswered => CoAPEventType::COAP_EVENT_SEPRESP_TIMEOUT,
    }) as raw::CoAPEventType
}

type EventHandler = unsafe extern "C" fn(*mut c_void, *mut CoAPEventMessage);
type Callback = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// The event handler of `CoAPInitParams`.
struct CListener {
    handler: EventHandler,
    context: *mut c_void,
}

// SAFETY: `context` is only handed back; the handler is called from whichever thread yields, as documented.
unsafe impl Send for CListener {}
// SAFETY: as above.
unsafe impl Sync for CListener {}

impl CListener {
    fn new(handler: &CoAPEventHandler) -> Option<Self> {
        Some(CListener { handler: handler.h_fp?, context: handler.context })
    }

    fn call(&self, event: Event, message: *mut c_void) {
        let mut event = CoAPEventMessage { event_type: number(event), message };
        // SAFETY: the handler is the program's, with the signature of the header; the pointers are valid for the call.
        unsafe {
            callout::two_pointers(
                std::mem::transmute::<EventHandler, callout::TwoPointers>(self.handler),
                self.context,
                ptr::from_mut(&mut event).cast(),
            );
        }
    }
}

impl Listener for CListener {
    fn ended(&self, _client: &Arc<Client>, answer: &Answer) {
        match answer.event() {
            Event::Content => Message::lend(answer, |message| self.call(Event::Content, message)),
            // Ids travel to C as pointers.
            event => self.call(event, ptr::without_provenance_mut(usize::from(answer.id))),
        }
    }
}

/// The callback of `SendMsgParams`.
struct CReceiver {
    callback: Callback,
    context: *mut c_void,
}

// SAFETY: as for `CListener`.
unsafe impl Send for CReceiver {}
// SAFETY: as above.
unsafe impl Sync for CReceiver {}

impl Listener for CReceiver {
    fn ended(&self, _client: &Arc<Client>, answer: &Answer) {
        Message::lend(answer, |message| {
            // SAFETY: the callback is the program's, with the signature of the header; the message is valid for the call.
            unsafe { callout::two_pointers(self.callback, message, self.context) };
        });
    }
}

#[cfg(test)]
mod tests;
