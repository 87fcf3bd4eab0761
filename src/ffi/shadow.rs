//! `qcloud_iot_export_shadow.h`: the device's state as the cloud keeps it (shadow.md).

mod property;

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use iot_abi::error::{
    QCLOUD_ERR_INVAL, QCLOUD_ERR_JSON_BUFFER_TRUNCATED, QCLOUD_ERR_MALLOC, QCLOUD_ERR_MAX_APPENDING_REQUEST,
    QCLOUD_ERR_MQTT_NO_CONN, QCLOUD_ERR_SHADOW_GET_REJECTED, QCLOUD_ERR_SHADOW_GET_TIMEOUT,
    QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST, QCLOUD_ERR_SHADOW_UPDATE_REJECTED, QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT,
    QCLOUD_RET_SUCCESS,
};
use iot_abi::mqtt::{MQTTInitParams, PublishParams, SubscribeParams};
use iot_abi::raw;
use iot_abi::shadow::{
    eShadowType, DeviceProperty, Method, OnPropRegCallback, OnRequestCallback, ShadowInitParams, ACK_ACCEPTED,
    ACK_REJECTED, ACK_TIMEOUT,
};
use iot_engine::services::shadow::{Document, Fault, Form, Kind};

use super::code::code;
use super::log::null_argument;
use super::mqtt;
use super::{handle, memory, required_str};
use crate::drive::mqtt::Client;
use crate::drive::services::shadow::{Ack, OnEnd, Shadow, Unsent};
use crate::hal::callout;

export! {
    /// Connects as IOT_MQTT_Construct does and subscribes to what the cloud says of the device's shadow. Returns the shadow's
    /// handle, or NULL; the reason is then in the log and in IOT_MQTT_GetErrCode().
    ///
    /// Where the subscription fails, the handle is returned all the same, after `pParams->command_timeout` ms at most: it is
    /// asked for again with the next request. Texts are copied. Events of the MQTT client go to `pParams->event_handle`, with
    /// the shadow as their client, from here on. The shadow is ended with IOT_Shadow_Destroy.
    ///
    /// # Safety
    /// `pParams` is NULL or points to a valid `ShadowInitParams`.
    pub unsafe fn IOT_Shadow_Construct(pParams: *mut ShadowInitParams) -> *mut c_void {
        // SAFETY: the caller's promise.
        let Some(params) = (unsafe { pParams.as_ref() }) else {
            null_argument(NAME, "pParams");
            return mqtt::noted(Err(QCLOUD_ERR_INVAL)).unwrap_or(ptr::null_mut());
        };
        // SAFETY: the caller's promise.
        let result = memory::whole(NAME, || unsafe { construct(NAME, params) }, |shadow| {
            handle::remove::<Shadow>(handle::of(&shadow));
            end(&shadow);
        });
        #[cfg(feature = "log-upload")]
        if let Ok(shadow) = &result {
            crate::drive::services::log_upload::join(shadow.client());
        }
        mqtt::noted(result).map_or(ptr::null_mut(), |shadow| handle::of(&shadow))
    }
}

unsafe fn construct(function: &'static str, params: &ShadowInitParams) -> Result<Arc<Shadow>, c_int> {
    let mqtt_params = MQTTInitParams {
        #[cfg(feature = "abi-3-3")]
        region: params.region,
        product_id: params.product_id,
        device_name: params.device_name,
        #[cfg(feature = "auth-mode-cert")]
        cert_file: params.cert_file,
        #[cfg(feature = "auth-mode-cert")]
        key_file: params.key_file,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret: params.device_secret,
        command_timeout: params.command_timeout,
        keep_alive_interval_ms: params.keep_alive_interval_ms,
        clean_session: params.clean_session,
        auto_connect_enable: params.auto_connect_enable,
        event_handle: params.event_handle,
        err_code: QCLOUD_RET_SUCCESS,
    };
    let known_as = Arc::<AtomicPtr<c_void>>::default();
    // SAFETY: the caller's promise.
    let client = unsafe { mqtt::construct_as(&mqtt_params, known_as.clone()) }?;
    let is_template = params.shadow_type == eShadowType::eTEMPLATE as raw::eShadowType;
    let kind = if is_template { Kind::Template } else { Kind::Shadow };
    let shadow = Arc::new(Shadow::new(client.clone(), kind));
    // Whole before the first event: the handler may use what it is told of.
    handle::insert(client);
    known_as.store(handle::insert(shadow.clone()), Ordering::Relaxed);
    match shadow.subscribe() {
        Ok(()) => ::log::info!(target: function, "subscribed to {}", shadow.result_topic()),
        Err(ended) => {
            ::log::error!(target: function, "not subscribed to {} yet: {ended}", shadow.result_topic());
        }
    }
    Ok(shadow)
}

/// The handle of the shadow's MQTT client.
fn client_of(shadow: &Shadow) -> *mut c_void {
    handle::of(shadow.client())
}

fn end(shadow: &Shadow) {
    handle::remove::<Client>(client_of(shadow));
    shadow.close();
    shadow.client().destroy();
}

fn required(function: &'static str, argument: &str, pClient: *mut c_void) -> Option<Arc<Shadow>> {
    handle::required(function, argument, "a shadow", pClient)
}

/// What `body` returns for the shadow; for none `QCLOUD_ERR_INVAL`.
fn with_shadow(function: &'static str, pClient: *mut c_void, body: impl FnOnce(&Arc<Shadow>) -> c_int) -> c_int {
    required(function, "pClient", pClient).map_or(QCLOUD_ERR_INVAL, |shadow| body(&shadow))
}

export! {
    /// The shadow's MQTT client, for IOT_MQTT_StartLoop, OTA and other services; NULL for an unknown shadow. It belongs to
    /// the shadow and ends with it: never call IOT_MQTT_Destroy on it.
    pub fn IOT_Shadow_Get_Mqtt_Client(handle: *mut c_void) -> *mut c_void {
        required(NAME, "handle", handle).map_or(ptr::null_mut(), |shadow| client_of(&shadow))
    }
}

export! {
    /// As IOT_MQTT_Publish, on the shadow's MQTT client.
    ///
    /// # Safety
    /// As IOT_MQTT_Publish.
    pub unsafe fn IOT_Shadow_Publish(
        pClient: *mut c_void,
        topicName: *mut c_char,
        pParams: *mut PublishParams,
    ) -> c_int {
        // SAFETY: the caller's promise.
        with_shadow(NAME, pClient, |shadow| unsafe { mqtt::IOT_MQTT_Publish(client_of(shadow), topicName, pParams) })
    }
}

export! {
    /// As IOT_MQTT_Subscribe, on the shadow's MQTT client.
    ///
    /// # Safety
    /// As IOT_MQTT_Subscribe.
    pub unsafe fn IOT_Shadow_Subscribe(
        pClient: *mut c_void,
        topicFilter: *mut c_char,
        pParams: *mut SubscribeParams,
    ) -> c_int {
        with_shadow(NAME, pClient, |shadow| {
            // SAFETY: the caller's promise.
            unsafe { mqtt::IOT_MQTT_Subscribe(client_of(shadow), topicFilter, pParams) }
        })
    }
}

export! {
    /// As IOT_MQTT_Unsubscribe, on the shadow's MQTT client. It takes away the shadow's own subscription, too: replies go to
    /// the event handler from then on, and requests time out.
    ///
    /// # Safety
    /// As IOT_MQTT_Unsubscribe.
    pub unsafe fn IOT_Shadow_Unsubscribe(pClient: *mut c_void, topicFilter: *mut c_char) -> c_int {
        with_shadow(NAME, pClient, |shadow| {
            // SAFETY: the caller's promise.
            match unsafe { required_str(NAME, "topicFilter", topicFilter) } {
                Ok(filter) => shadow.unsubscribe(filter).map_or_else(
                    |error| {
                        ::log::error!(target: NAME, "unsubscription from {filter} failed: {error}");
                        code(&error)
                    },
                    c_int::from,
                ),
                Err(code) => code,
            }
        })
    }
}

export! {
    /// Whether the connection is up; false for a NULL or unknown shadow.
    pub fn IOT_Shadow_IsConnected(pClient: *mut c_void) -> bool {
        required(NAME, "pClient", pClient).is_some_and(|shadow| shadow.client().is_connected())
    }
}

export! {
    /// Disconnects the shadow and frees it with its MQTT client. Requests that wait get no callback. Returns 0,
    /// QCLOUD_ERR_INVAL for a NULL or unknown shadow.
    ///
    /// Not to be called from inside one of its callbacks.
    pub fn IOT_Shadow_Destroy(pClient: *mut c_void) -> c_int {
        let Some(shadow) = handle::remove::<Shadow>(pClient) else {
            handle::log_unknown(NAME, "pClient", "a shadow", pClient);
            return QCLOUD_ERR_INVAL;
        };
        end(&shadow);
        QCLOUD_RET_SUCCESS
    }
}

export! {
    /// As IOT_MQTT_Yield, on the shadow's MQTT client. What the cloud has said is handled first, then requests end that have
    /// waited too long.
    pub fn IOT_Shadow_Yield(pClient: *mut c_void, timeout_ms: u32) -> c_int {
        with_shadow(NAME, pClient, |shadow| mqtt::IOT_MQTT_Yield(client_of(shadow), timeout_ms))
    }
}

export! {
    /// Sends the document in the `sizeOfBuffer` bytes at `pJsonDoc` to the cloud. `callback`, NULL for none, is told once how
    /// it ended: by the reply with the document's clientToken, or after `timeout_ms`.
    ///
    /// The document is edited in place and gets its type: 17 bytes more, for which there must be room. It may be freed when
    /// this returns. Returns 0; QCLOUD_ERR_INVAL for NULL, an unknown shadow, 0 ms, a document without clientToken or a buffer
    /// without room; QCLOUD_ERR_MQTT_NO_CONN; QCLOUD_ERR_MAX_APPENDING_REQUEST while ten requests wait; or why it could not
    /// be published.
    ///
    /// # Safety
    /// `pJsonDoc` is NULL or a string in a buffer of `sizeOfBuffer` bytes; `userContext` is handed to the callback as it is.
    pub unsafe fn IOT_Shadow_Update(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        callback: OnRequestCallback,
        userContext: *mut c_void,
        timeout_ms: u32,
    ) -> c_int {
        // SAFETY: the caller's promise.
        let call = || unsafe {
            let shadow = asked(NAME, pClient, timeout_ms)?;
            let (buffer, length) = document(NAME, &shadow, pJsonDoc, sizeOfBuffer)?;
            let on_end = on_end(pClient, Method::UPDATE, callback, userContext);
            shadow.update(buffer, length, timeout_ms, on_end).map_err(|why| unsent(NAME, &why))
        };
        call().map_or_else(|code| code, |_| QCLOUD_RET_SUCCESS)
    }
}

export! {
    /// As IOT_Shadow_Update, and drives the client until the request has ended, up to `timeout_ms`. Returns 0,
    /// QCLOUD_ERR_SHADOW_UPDATE_REJECTED, QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT or as IOT_Shadow_Update.
    ///
    /// # Safety
    /// As IOT_Shadow_Update.
    pub unsafe fn IOT_Shadow_Update_Sync(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        timeout_ms: u32,
    ) -> c_int {
        // SAFETY: the caller's promise.
        let call = || unsafe {
            let shadow = asked(NAME, pClient, timeout_ms)?;
            let (buffer, length) = document(NAME, &shadow, pJsonDoc, sizeOfBuffer)?;
            shadow.update_and_wait(buffer, length, timeout_ms).map_err(|why| unsent(NAME, &why))
        };
        match call() {
            Ok(Ack::Accepted) => QCLOUD_RET_SUCCESS,
            Ok(Ack::Rejected) => QCLOUD_ERR_SHADOW_UPDATE_REJECTED,
            Ok(Ack::TimedOut) => QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT,
            Err(code) => code,
        }
    }
}

export! {
    /// Asks the cloud for the whole document. `callback` is told once how it ended: with the reply, or after `timeout_ms`.
    /// What the cloud wants changed goes to the registered properties first. Returns as IOT_Shadow_Update.
    ///
    /// # Safety
    /// `userContext` is handed to the callback as it is.
    pub unsafe fn IOT_Shadow_Get(
        pClient: *mut c_void,
        callback: OnRequestCallback,
        userContext: *mut c_void,
        timeout_ms: u32,
    ) -> c_int {
        let call = || {
            let shadow = asked(NAME, pClient, timeout_ms)?;
            if callback.is_none() {
                null_argument(NAME, "callback");
                return Err(QCLOUD_ERR_INVAL);
            }
            let on_end = on_end(pClient, Method::GET, callback, userContext);
            shadow.get(timeout_ms, on_end).map_err(|why| unsent(NAME, &why))
        };
        call().map_or_else(|code| code, |_| QCLOUD_RET_SUCCESS)
    }
}

export! {
    /// As IOT_Shadow_Get, and drives the client until the request has ended, up to `timeout_ms`. Returns 0,
    /// QCLOUD_ERR_SHADOW_GET_REJECTED, QCLOUD_ERR_SHADOW_GET_TIMEOUT or as IOT_Shadow_Get.
    pub fn IOT_Shadow_Get_Sync(pClient: *mut c_void, timeout_ms: u32) -> c_int {
        let call = || {
            let shadow = asked(NAME, pClient, timeout_ms)?;
            shadow.get_and_wait(timeout_ms).map_err(|why| unsent(NAME, &why))
        };
        match call() {
            Ok(Ack::Accepted) => QCLOUD_RET_SUCCESS,
            Ok(Ack::Rejected) => QCLOUD_ERR_SHADOW_GET_REJECTED,
            Ok(Ack::TimedOut) => QCLOUD_ERR_SHADOW_GET_TIMEOUT,
            Err(code) => code,
        }
    }
}

/// The shadow that is asked for something within `timeout_ms`.
fn asked(function: &'static str, pClient: *mut c_void, timeout_ms: u32) -> Result<Arc<Shadow>, c_int> {
    let shadow = required(function, "pClient", pClient).ok_or(QCLOUD_ERR_INVAL)?;
    if timeout_ms == 0 {
        ::log::error!(target: function, "timeout_ms is 0");
        return Err(QCLOUD_ERR_INVAL);
    }
    if memory::is_exhausted(function) {
        return Err(QCLOUD_ERR_MALLOC);
    }
    Ok(shadow)
}

/// The program's buffer, as far as an update needs it, and how long the document in it is.
unsafe fn document<'a>(
    function: &'static str,
    shadow: &Shadow,
    text: *mut c_char,
    size: usize,
) -> Result<(&'a mut [u8], usize), c_int> {
    /// More than an update has besides the document.
    const MARGIN: usize = 32;
    if text.is_null() {
        null_argument(function, "pJsonDoc");
        return Err(QCLOUD_ERR_INVAL);
    }
    if !shadow.client().is_connected() {
        return Err(unsent(function, &Unsent::NotConnected));
    }
    // SAFETY: what lies before the NUL can be read, and no more than the buffer is asked for.
    let length = (0..size).find(|at| unsafe { *text.add(*at) } == 0);
    let Some(length) = length else {
        ::log::error!(target: function, "the document has no NUL within its {size} bytes");
        return Err(QCLOUD_ERR_INVAL);
    };
    // A size that no memory has would be no slice.
    let size = size.min(length.saturating_add(MARGIN));
    // SAFETY: the buffer has `size` bytes, by the caller's promise.
    Ok((unsafe { std::slice::from_raw_parts_mut(text.cast::<u8>(), size) }, length))
}

fn unsent(function: &'static str, why: &Unsent) -> c_int {
    ::log::error!(target: function, "{why}");
    match why {
        Unsent::NotConnected => QCLOUD_ERR_MQTT_NO_CONN,
        Unsent::NoToken | Unsent::NoRoom => QCLOUD_ERR_INVAL,
        Unsent::TooMany => QCLOUD_ERR_MAX_APPENDING_REQUEST,
        Unsent::Failed(error) => code(error),
    }
}

/// What a callback is called with.
struct Told {
    shadow: *mut c_void,
    method: Method,
    callback: callout::OnRequest,
    context: *mut c_void,
}

// SAFETY: the pointers are only handed back; the callback is called from whichever thread pumps, as documented.
unsafe impl Send for Told {}

impl Told {
    fn call(&self, ack: Ack, reply: &[u8]) {
        let ack = match ack {
            Ack::Accepted => ACK_ACCEPTED,
            Ack::Rejected => ACK_REJECTED,
            Ack::TimedOut => ACK_TIMEOUT,
        };
        let text = memory::with_nul(reply);
        if text.is_none() {
            ::log::error!("no memory to hand on a reply of {} bytes", reply.len());
        }
        let text = text.as_ref().map_or(c"".as_ptr(), |text| text.as_ptr().cast());
        // SAFETY: the callback is the user's, with the signature of the header; the text is valid for the call.
        unsafe {
            callout::on_request(self.callback, self.shadow, self.method as raw::Method, ack, text, self.context);
        }
    }
}

fn on_end(shadow: *mut c_void, method: Method, callback: OnRequestCallback, context: *mut c_void) -> OnEnd {
    match callback {
        Some(callback) => {
            let told = Told { shadow, method, callback, context };
            Box::new(move |ack, reply| told.call(ack, reply))
        }
        None => Box::new(|_, _| {}),
    }
}

export! {
    /// Watches a property: when the cloud wants another value of it, the value goes to `pProperty->data`, then `callback` gets
    /// the text of the whole state that is wanted. Values of the types JSTRING and JOBJECT the callback reads itself.
    ///
    /// Only the pointer is kept: property, key and data must live until IOT_Shadow_UnRegister_Property or
    /// IOT_Shadow_Destroy. The same pointer again only changes the callback. Returns 0; QCLOUD_ERR_INVAL for NULL, also as key
    /// or data, or an unknown shadow; QCLOUD_ERR_MQTT_NO_CONN.
    ///
    /// # Safety
    /// `pProperty` is NULL or valid for as long as it is registered.
    pub unsafe fn IOT_Shadow_Register_Property(
        pClient: *mut c_void,
        pProperty: *mut DeviceProperty,
        callback: OnPropRegCallback,
    ) -> c_int {
        with_shadow(NAME, pClient, |shadow| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            if !shadow.client().is_connected() {
                return unsent(NAME, &Unsent::NotConnected);
            }
            // SAFETY: the caller's promise.
            if pProperty.is_null() || !unsafe { property::is_complete(pProperty) } {
                null_argument(NAME, "pProperty, its key or its data");
                return QCLOUD_ERR_INVAL;
            }
            let Some(watched) = property::Watched::new(pClient, pProperty, callback) else {
                null_argument(NAME, "callback");
                return QCLOUD_ERR_INVAL;
            };
            shadow.register(pProperty as usize, Arc::new(watched)).map_or_else(
                |error| {
                    ::log::error!(target: NAME, "{error}");
                    code(&error)
                },
                |()| QCLOUD_RET_SUCCESS,
            )
        })
    }
}

export! {
    /// Stops watching a property. Returns 0; QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST where it is not watched; QCLOUD_ERR_INVAL
    /// for NULL or an unknown shadow; QCLOUD_ERR_MQTT_NO_CONN.
    pub fn IOT_Shadow_UnRegister_Property(pClient: *mut c_void, pProperty: *mut DeviceProperty) -> c_int {
        with_shadow(NAME, pClient, |shadow| {
            if pProperty.is_null() {
                null_argument(NAME, "pProperty");
                return QCLOUD_ERR_INVAL;
            }
            match shadow.unregister(pProperty as usize) {
                Ok(true) => QCLOUD_RET_SUCCESS,
                Ok(false) => {
                    ::log::error!(target: NAME, "the property is not registered");
                    QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST
                }
                Err(error) => {
                    ::log::error!(target: NAME, "{error}");
                    code(&error)
                }
            }
        })
    }
}

export! {
    /// Writes the document that reports `count` properties into the `sizeOfBuffer` bytes at `jsonBuffer`, with a token of its
    /// own, for IOT_Shadow_Update.
    ///
    /// A property without data is reported as null: the cloud deletes it. Returns 0; QCLOUD_ERR_INVAL for NULL, also as
    /// property or key, an unknown shadow or type, infinity or NaN; QCLOUD_ERR_JSON_BUFFER_TRUNCATED where document and NUL
    /// don't fit. After a failure the buffer holds the text so far.
    ///
    /// # Safety
    /// `jsonBuffer` is NULL or writable for `sizeOfBuffer` bytes; `pDeviceProperties` is NULL or has `count` pointers, each NULL
    /// or to a valid property.
    pub unsafe fn IOT_Shadow_JSON_ConstructReportArray(
        pClient: *mut c_void,
        jsonBuffer: *mut c_char,
        sizeOfBuffer: usize,
        count: u8,
        pDeviceProperties: *mut *mut DeviceProperty,
    ) -> c_int {
        let buffer = Buffer { text: jsonBuffer, size: sizeOfBuffer };
        // SAFETY: the caller's promise.
        unsafe { build(NAME, Form::Report, pClient, buffer, count, pDeviceProperties) }
    }
}

export! {
    /// Writes the document that clears what was desired, as IOT_Shadow_JSON_ConstructReportArray.
    ///
    /// # Safety
    /// `jsonBuffer` is NULL or writable for `sizeOfBuffer` bytes.
    pub unsafe fn IOT_Shadow_JSON_ConstructDesireAllNull(
        handle: *mut c_void,
        jsonBuffer: *mut c_char,
        sizeOfBuffer: usize,
    ) -> c_int {
        let buffer = Buffer { text: jsonBuffer, size: sizeOfBuffer };
        // SAFETY: the caller's promise.
        unsafe { build(NAME, Form::DesireAllNull, handle, buffer, 0, ptr::NonNull::dangling().as_ptr()) }
    }
}

/// The functions of varargs.c, in the order of their forms there.
const VARIADIC: [(&str, Form); 4] = [
    ("IOT_Shadow_JSON_ConstructReport", Form::Report),
    ("IOT_Shadow_JSON_Construct_OverwriteReport", Form::OverwriteReport),
    ("IOT_Shadow_JSON_ConstructReportAndDesireAllNull", Form::ReportAndDesireNull),
    ("IOT_Shadow_JSON_ConstructDesirePropNull", Form::Desire),
];

export! {
    /// Writes a document. Called by varargs.c, `form` as it has it.
    ///
    /// # Safety
    /// As IOT_Shadow_JSON_ConstructReportArray.
    pub unsafe fn qcloud_shadow_document(
        form: c_int,
        pClient: *mut c_void,
        jsonBuffer: *mut c_char,
        sizeOfBuffer: usize,
        count: u8,
        pDeviceProperties: *mut *mut DeviceProperty,
    ) -> c_int {
        let Some((function, form)) = usize::try_from(form).ok().and_then(|form| VARIADIC.get(form)) else {
            return QCLOUD_ERR_INVAL;
        };
        let buffer = Buffer { text: jsonBuffer, size: sizeOfBuffer };
        // SAFETY: the caller's promise.
        unsafe { build(function, *form, pClient, buffer, count, pDeviceProperties) }
    }
}

/// Where a document goes.
struct Buffer {
    text: *mut c_char,
    size: usize,
}

unsafe fn build(
    function: &'static str,
    form: Form,
    pClient: *mut c_void,
    buffer: Buffer,
    count: u8,
    properties: *const *mut DeviceProperty,
) -> c_int {
    let Some(shadow) = required(function, "the shadow", pClient) else {
        return QCLOUD_ERR_INVAL;
    };
    if buffer.text.is_null() {
        null_argument(function, "jsonBuffer");
        return QCLOUD_ERR_INVAL;
    }
    let fault = |fault: Fault| {
        ::log::error!(target: function, "{fault}");
        match fault {
            Fault::NoRoom => QCLOUD_ERR_JSON_BUFFER_TRUNCATED,
            Fault::NotFinite => QCLOUD_ERR_INVAL,
            Fault::Memory => QCLOUD_ERR_MALLOC,
        }
    };
    let mut document = Document::new(form, buffer.size);
    let mut write = || {
        document.begin().map_err(fault)?;
        if properties.is_null() {
            null_argument(function, "pDeviceProperties");
            return Err(QCLOUD_ERR_INVAL);
        }
        for at in 0..usize::from(count) {
            // SAFETY: there are `count` of them, by the caller's promise.
            let (key, value) = unsafe { property::read(function, *properties.add(at)) }?;
            document.property(key, value).map_err(fault)?;
        }
        document.end(shadow.client().identity().product_id(), shadow.take_token()).map_err(fault)
    };
    let result = write();
    // SAFETY: the buffer is writable for its size, and the document is no part of it.
    unsafe { memory::write_text(buffer.text, buffer.size, document.text()) };
    result.err().unwrap_or(QCLOUD_RET_SUCCESS)
}

#[cfg(test)]
mod tests;
