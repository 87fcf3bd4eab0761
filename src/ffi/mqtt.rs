//! `qcloud_iot_export_mqtt.h`: the MQTT client.

mod handlers;

use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_INVAL, QCLOUD_ERR_MALLOC, QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT, QCLOUD_RET_SUCCESS};
use iot_abi::export::{DeviceInfo, QCLOUD_IOT_DEVICE_SDK_VERSION};
use iot_abi::mqtt::{MQTTEventHandler, MQTTInitParams, PublishParams, SubscribeParams};
use iot_abi::raw;
use iot_engine::identity::Identity;
use iot_engine::mqtt::session::MAX_SEND;
use iot_engine::mqtt::QoS;

use handlers::{CListener, CSubscriber};

use super::code::{code, driven_code};
#[cfg(feature = "auth-mode-cert")]
use super::interface::has_pointers_for_paths;
use super::interface::{is_of_another_layout, Names};
use super::log::null_argument;
use super::{handle, memory, required_str};
use crate::drive::mqtt::{Client, Listener, Proof, Settings, Setup};
#[cfg(all(feature = "auth-mode-cert", not(feature = "websocket-unverified")))]
use crate::drive::trust::mqtt_ca as mqtt_roots;
use crate::hal::platform::HalPlatform;
#[cfg(feature = "auth-mode-cert")]
use crate::hal::Roots;
use crate::hal::Security;

/// Why the last `IOT_MQTT_Construct` failed, 0 if it did not.
pub(super) static LAST_ERROR: AtomicI32 = AtomicI32::new(QCLOUD_RET_SUCCESS);

export! {
    /// Connects to the cloud and returns the client, or NULL; the reason is then in `pParams->err_code`, which stays as it was
    /// otherwise.
    ///
    /// Waits for the server's answer for up to `pParams->command_timeout` ms, the TLS handshake apart. Texts in `pParams`
    /// are copied. The client is ended with IOT_MQTT_Destroy.
    ///
    /// # Safety
    /// `pParams` is NULL or points to a valid `MQTTInitParams`.
    pub unsafe fn IOT_MQTT_Construct(pParams: *mut MQTTInitParams) -> *mut c_void {
        // SAFETY: the caller's promise.
        let Some(params) = (unsafe { pParams.as_mut() }) else {
            null_argument(NAME, "pParams");
            return noted(Err(QCLOUD_ERR_INVAL)).unwrap_or(ptr::null_mut());
        };
        // SAFETY: the caller's promise.
        let client = unsafe { constructed(NAME, params, |params| construct(params), |client: Arc<Client>| client.destroy()) };
        client.map_or(ptr::null_mut(), |client| {
            let known_as = handle::insert(client.clone());
            // Known by now: its event handler hears of the subscription.
            #[cfg(feature = "log-upload")]
            crate::drive::services::log_upload::join(&client);
            known_as
        })
    }
}

/// What a construct function has made, and `IOT_MQTT_GetErrCode` tells of.
pub(super) fn noted<T>(result: Result<T, c_int>) -> Option<T> {
    LAST_ERROR.store(result.as_ref().err().copied().unwrap_or(QCLOUD_RET_SUCCESS), Ordering::Relaxed);
    result.ok()
}

/// What `make` makes, whole; `undo` takes it back where memory was short. Otherwise the reason is in `err_code`, if the struct
/// has it where ours has.
///
/// # Safety
/// The texts in `params` are NULL or end with a NUL.
pub(super) unsafe fn constructed<T>(
    function: &'static str,
    params: &mut MQTTInitParams,
    make: impl FnOnce(&MQTTInitParams) -> Result<T, c_int>,
    undo: impl FnOnce(T),
) -> Option<T> {
    // SAFETY: the caller's promise.
    if unsafe { is_of_another_layout(function, params) } {
        return noted(Err(QCLOUD_ERR_INVAL));
    }
    let result = memory::whole(function, || make(params), undo);
    if let Err(code) = result {
        params.err_code = code;
    }
    noted(result)
}

pub(super) unsafe fn construct(params: &MQTTInitParams) -> Result<Arc<Client>, c_int> {
    // SAFETY: the caller's promise.
    unsafe { construct_as(params, Arc::default()) }
}

/// As [`construct`]. What `known_as` holds when an event comes, the event handler gets for the client, unless it is NULL.
pub(super) unsafe fn construct_as(
    params: &MQTTInitParams,
    known_as: Arc<AtomicPtr<c_void>>,
) -> Result<Arc<Client>, c_int> {
    // SAFETY: the texts in `params` are NULL or end with a NUL.
    let identity = unsafe { Names::from(params).device("IOT_MQTT_Construct") }?;
    // SAFETY: as above.
    let (security, proof) = unsafe { credentials(params, &identity) }?;
    let settings = Settings {
        command_timeout_ms: params.command_timeout,
        keep_alive_ms: params.keep_alive_interval_ms,
        clean_session: params.clean_session != 0,
        auto_connect: params.auto_connect_enable != 0,
    };
    let listener = listener(&params.event_handle, known_as);
    // SAFETY: as above.
    let attachment = unsafe { device_info(params, &identity) };
    let setup = Setup::new(identity, settings, security, proof, listener, attachment).map_err(|error| {
        log::error!(target: "IOT_MQTT_Construct", "{error}");
        QCLOUD_ERR_INVAL
    })?;
    let client = Client::offline(Arc::new(HalPlatform::new()), setup);
    log::info!(
        target: "IOT_MQTT_Construct",
        "SDK_Ver: {QCLOUD_IOT_DEVICE_SDK_VERSION}, Product_ID: {}, Device_Name: {}",
        client.identity().product_id(),
        client.identity().device_name()
    );
    let conn_id = client.connect().map_err(|error| code(&error))?;
    log::info!(target: "IOT_MQTT_Construct", "mqtt connect with id: {conn_id} success");
    Ok(client)
}

/// What calls the program's event handler; `None` without one. `known_as` as in [`construct_as`].
pub(super) fn listener(handler: &MQTTEventHandler, known_as: Arc<AtomicPtr<c_void>>) -> Option<Box<dyn Listener>> {
    let context = handler.context;
    Some(Box::new(CListener { handler: handler.h_fp?, context, known_as }))
}

#[cfg(not(feature = "auth-mode-cert"))]
unsafe fn credentials(params: &MQTTInitParams, identity: &Identity) -> Result<(Security, Proof), c_int> {
    // SAFETY: the text is NULL or ends with a NUL.
    let key = unsafe { secret_key("IOT_MQTT_Construct", params.device_secret) }?;
    #[cfg(feature = "auth-with-notls")]
    {
        let _ = identity;
        Ok((Security::None, Proof::Password(key)))
    }
    #[cfg(not(feature = "auth-with-notls"))]
    {
        // The cloud asks for the password behind WebSocket, whatever TLS has proved.
        let proof = if cfg!(feature = "websocket-mqtt") { Proof::Password(key.clone()) } else { Proof::Transport };
        Ok((Security::Psk { identity: identity.client_id(), key }, proof))
    }
}

/// The key in a device secret, which `function` was given.
///
/// # Safety
/// `device_secret` is NULL or ends with a NUL.
#[cfg(not(feature = "auth-mode-cert"))]
pub(super) unsafe fn secret_key(function: &'static str, device_secret: *const c_char) -> Result<Vec<u8>, c_int> {
    // SAFETY: the caller's promise.
    let secret = unsafe { required_str(function, "device_secret", device_secret) }?;
    iot_engine::identity::decode_secret(secret).map_err(|error| {
        log::error!(target: function, "{error}");
        QCLOUD_ERR_INVAL
    })
}

#[cfg(feature = "auth-mode-cert")]
unsafe fn credentials(params: &MQTTInitParams, _identity: &Identity) -> Result<(Security, Proof), c_int> {
    let security = certificates("IOT_MQTT_Construct", mqtt_roots, &params.cert_file, &params.key_file)?;
    #[cfg(feature = "websocket-mqtt")]
    let proof = Proof::Signature(path("IOT_MQTT_Construct", &params.key_file, "key_file")?);
    #[cfg(not(feature = "websocket-mqtt"))]
    let proof = Proof::Transport;
    Ok((security, proof))
}

/// No look at the server: which chain the cloud's servers of WebSocket show is not known (resource.md section 9).
#[cfg(all(feature = "auth-mode-cert", feature = "websocket-unverified"))]
fn mqtt_roots() -> Result<Roots, String> {
    log::warn!(
        target: "IOT_MQTT_Construct",
        "whoever answers counts as the MQTT server: this library was built with FEATURE_WEBSOCKET_VERIFY_SERVER OFF"
    );
    Ok(Roots::none())
}

/// A certificate and its key, whose paths `function` was given, and the roots that the server is held to.
#[cfg(feature = "auth-mode-cert")]
pub(super) fn certificates(
    function: &'static str,
    roots: impl FnOnce() -> Result<Roots, String>,
    cert_file: &[c_char; 256],
    key_file: &[c_char; 256],
) -> Result<Security, c_int> {
    if has_pointers_for_paths(function, cert_file) {
        return Err(QCLOUD_ERR_INVAL);
    }
    let cert_file = path(function, cert_file, "cert_file")?;
    let key_file = path(function, key_file, "key_file")?;
    let ca_pem = roots().map_err(|error| {
        log::error!(target: function, "{error}");
        QCLOUD_ERR_INVAL
    })?;
    Ok(Security::Mutual { ca_pem, cert_file, key_file })
}

#[cfg(feature = "auth-mode-cert")]
fn path(function: &'static str, field: &[c_char; 256], name: &str) -> Result<String, c_int> {
    match String::from_utf8(text(field).collect()) {
        Ok(path) if !path.is_empty() && path.len() < field.len() => Ok(path),
        _ => {
            log::error!(target: function, "{name} must be a path of 1 to 255 characters");
            Err(QCLOUD_ERR_INVAL)
        }
    }
}

/// What `IOT_MQTT_GetDeviceInfo` points at. C code may write to it; the library never reads it again.
pub(super) struct SharedDeviceInfo(UnsafeCell<DeviceInfo>);

// SAFETY: no reference to the content is ever made on the Rust side.
unsafe impl Send for SharedDeviceInfo {}
// SAFETY: as above.
unsafe impl Sync for SharedDeviceInfo {}

impl SharedDeviceInfo {
    /// The device's names, and nothing else.
    pub(super) fn new(identity: &Identity) -> Self {
        // SAFETY: DeviceInfo is arrays of char only, for which zero is a value.
        let mut shared = SharedDeviceInfo(UnsafeCell::new(unsafe { std::mem::zeroed() }));
        let info: &mut DeviceInfo = shared.0.get_mut();
        fill(&mut info.product_id, identity.product_id().bytes());
        fill(&mut info.device_name, identity.device_name().bytes());
        fill(&mut info.client_id, identity.client_id().bytes());
        #[cfg(feature = "abi-3-3")]
        fill(&mut info.region, identity.region().name().bytes());
        shared
    }

    pub(super) fn get(&self) -> *mut DeviceInfo {
        self.0.get()
    }
}

/// Filled where it stays: a copy on the stack would keep the secret.
unsafe fn device_info(params: &MQTTInitParams, identity: &Identity) -> Box<SharedDeviceInfo> {
    let mut shared = Box::new(SharedDeviceInfo::new(identity));
    let info: &mut DeviceInfo = shared.0.get_mut();
    #[cfg(not(feature = "auth-mode-cert"))]
    // SAFETY: the caller's promise: NULL or NUL-terminated.
    if let Some(secret) = unsafe { super::str_from_c(params.device_secret) } {
        fill(&mut info.device_secret, secret.bytes());
    }
    #[cfg(feature = "auth-mode-cert")]
    {
        fill(&mut info.dev_cert_file_name, text(&params.cert_file));
        fill(&mut info.dev_key_file_name, text(&params.key_file));
    }
    shared
}

/// Copies `text` into a zeroed field, leaving room for the NUL.
pub(super) fn fill(field: &mut [c_char], text: impl Iterator<Item = u8>) {
    let room = field.len().saturating_sub(1);
    for (to, from) in field[..room].iter_mut().zip(text) {
        *to = from as c_char;
    }
}

/// The bytes of a fixed field, up to its NUL. A char is a byte, whatever its sign.
#[cfg(any(feature = "auth-mode-cert", feature = "gateway"))]
pub(super) fn text(field: &[c_char]) -> impl Iterator<Item = u8> + '_ {
    field.iter().map(|c| *c as u8).take_while(|byte| *byte != 0)
}

export! {
    /// Disconnects, tells every subscription (MQTT_EVENT_CLIENT_DESTROY), frees the client and sets `*pClient` to NULL.
    ///
    /// Not to be called from inside one of the client's callbacks.
    ///
    /// # Safety
    /// `pClient` is NULL or points to a writable pointer.
    pub unsafe fn IOT_MQTT_Destroy(pClient: *mut *mut c_void) -> c_int {
        // SAFETY: the caller's promise.
        let slot = unsafe { pClient.as_mut() };
        let Some((slot, client)) = slot.and_then(|slot| handle::remove::<Client>(*slot).map(|client| (slot, client)))
        else {
            log::error!(target: NAME, "pClient is NULL or not a client");
            return QCLOUD_ERR_INVAL;
        };
        client.destroy();
        *slot = ptr::null_mut();
        log::info!(target: NAME, "mqtt release!");
        QCLOUD_RET_SUCCESS
    }
}

/// Runs `body` with the client behind `pClient`; an unknown handle gives `on_error`.
fn with_client<R>(
    function: &'static str,
    pClient: *mut c_void,
    on_error: R,
    body: impl FnOnce(&Arc<Client>) -> R,
) -> R {
    handle::required::<Client>(function, "pClient", "an MQTT client", pClient).map_or(on_error, |client| body(&client))
}

export! {
    /// Reads and handles packets, sends pings, watches time-outs and reconnects, for at most `timeout_ms`.
    ///
    /// Returns 0, QCLOUD_ERR_INVAL where `timeout_ms` is 0, QCLOUD_RET_MQTT_RECONNECTED when it reconnected,
    /// QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT while the link is down, or another QCLOUD_ERR_MQTT_* code. With the loop thread
    /// running it only sleeps. While an OTA download runs it returns as soon as there is nothing more to handle, with the loop
    /// thread at once on the thread that fetches.
    pub fn IOT_MQTT_Yield(pClient: *mut c_void, timeout_ms: u32) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            if timeout_ms == 0 {
                log::error!(target: NAME, "timeout_ms is 0");
                return QCLOUD_ERR_INVAL;
            }
            let driven = client.yield_for(timeout_ms);
            #[cfg(feature = "log-upload")]
            client.attend(&driven);
            driven_code(&driven)
        })
    }
}

export! {
    /// Publishes a message. Returns the packet id (QOS1, also written to `pParams->id`), 0 (QOS0) or an error.
    ///
    /// QOS1 ends with the event MQTT_EVENT_PUBLISH_SUCCESS or, after the command time-out, MQTT_EVENT_PUBLISH_TIMEOUT.
    ///
    /// # Safety
    /// `topicName` is NULL or a string; `pParams` is NULL or valid, its payload readable for `payload_len` bytes.
    pub unsafe fn IOT_MQTT_Publish(
        pClient: *mut c_void,
        topicName: *mut c_char,
        pParams: *mut PublishParams,
    ) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            // SAFETY: the caller's promise.
            let topic = match unsafe { required_str(NAME, "topicName", topicName) } {
                Ok(topic) => topic,
                Err(code) => return code,
            };
            // SAFETY: the caller's promise.
            let Some(params) = (unsafe { pParams.as_mut() }) else {
                log::error!(target: NAME, "pParams is NULL");
                return QCLOUD_ERR_INVAL;
            };
            let Some(qos) = qos(params.qos) else {
                log::error!(target: NAME, "QoS {} is not supported", params.qos);
                return QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT;
            };
            if params.payload.is_null() && params.payload_len != 0 {
                log::error!(target: NAME, "pParams->payload is NULL");
                return QCLOUD_ERR_INVAL;
            }
            let payload = if params.payload_len == 0 {
                &[][..]
            } else {
                // A length that no memory has is refused like any other that is too long.
                let len = params.payload_len.min(MAX_SEND + 1);
                // SAFETY: not NULL, and readable for its length by the caller's promise.
                unsafe { std::slice::from_raw_parts(params.payload.cast::<u8>(), len) }
            };
            match client.publish_retained(topic, qos, payload, params.retained != 0) {
                Ok(0) => QCLOUD_RET_SUCCESS,
                Ok(id) => {
                    params.id = id;
                    c_int::from(id)
                }
                Err(error) => {
                    log::error!(target: NAME, "publish to {topic} failed: {error}");
                    code(&error)
                }
            }
        })
    }
}

export! {
    /// Subscribes. Returns the packet id or an error; the server's answer comes as an event.
    ///
    /// # Safety
    /// `topicFilter` is NULL or a string; `pParams` is NULL or valid; its `user_data` is handed to the handlers as it is.
    pub unsafe fn IOT_MQTT_Subscribe(
        pClient: *mut c_void,
        topicFilter: *mut c_char,
        pParams: *mut SubscribeParams,
    ) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            // SAFETY: the caller's promise.
            let filter = match unsafe { required_str(NAME, "topicFilter", topicFilter) } {
                Ok(filter) => filter,
                Err(code) => return code,
            };
            // SAFETY: the caller's promise.
            let Some(params) = (unsafe { pParams.as_ref() }) else {
                log::error!(target: NAME, "pParams is NULL");
                return QCLOUD_ERR_INVAL;
            };
            let Some(qos) = qos(params.qos) else {
                log::error!(target: NAME, "QoS {} is not supported", params.qos);
                return QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT;
            };
            let subscriber = CSubscriber {
                on_message: params.on_message_handler,
                on_event: params.on_sub_event_handler,
                user_data: params.user_data,
                over: AtomicBool::new(false),
            };
            match client.subscribe(filter, qos, Arc::new(subscriber)) {
                Ok(id) => c_int::from(id),
                Err(error) => {
                    log::error!(target: NAME, "subscription to {filter} failed: {error}");
                    code(&error)
                }
            }
        })
    }
}

export! {
    /// Takes a subscription away: it gets MQTT_EVENT_UNSUBSCRIBE before this returns. Returns the packet id or an error.
    ///
    /// # Safety
    /// `topicFilter` is NULL or a string.
    pub unsafe fn IOT_MQTT_Unsubscribe(pClient: *mut c_void, topicFilter: *mut c_char) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            // SAFETY: the caller's promise.
            match unsafe { required_str(NAME, "topicFilter", topicFilter) } {
                Ok(filter) => client.unsubscribe(filter).map_or_else(
                    |error| {
                        log::error!(target: NAME, "unsubscription from {filter} failed: {error}");
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
    /// Whether the server has granted the subscription to `topicFilter`.
    ///
    /// # Safety
    /// `topicFilter` is NULL or a string.
    pub unsafe fn IOT_MQTT_IsSubReady(pClient: *mut c_void, topicFilter: *mut c_char) -> bool {
        with_client(NAME, pClient, false, |client| {
            // SAFETY: the caller's promise.
            unsafe { required_str(NAME, "topicFilter", topicFilter) }
                .is_ok_and(|filter| client.is_subscribed(filter))
        })
    }
}

export! {
    /// Whether the client is connected.
    pub fn IOT_MQTT_IsConnected(pClient: *mut c_void) -> bool {
        with_client(NAME, pClient, false, |client| client.is_connected())
    }
}

export! {
    /// Why the last IOT_MQTT_Construct of the program failed; 0 when it did not.
    pub fn IOT_MQTT_GetErrCode() -> c_int {
        LAST_ERROR.load(Ordering::Relaxed)
    }
}

export! {
    /// Who the client's device is. Valid as long as the client; NULL for an unknown client.
    pub fn IOT_MQTT_GetDeviceInfo(pClient: *mut c_void) -> *mut DeviceInfo {
        let null = ptr::null_mut();
        with_client(NAME, pClient, null, |client| {
            let attachment: &(dyn Any + Send + Sync) = client.attachment();
            attachment.downcast_ref::<SharedDeviceInfo>().map_or(null, SharedDeviceInfo::get)
        })
    }
}

export! {
    /// Starts a thread that yields for the client. Returns 0 also when it runs already.
    #[cfg(feature = "multithread")]
    pub fn IOT_MQTT_StartLoop(pClient: *mut c_void) -> c_int {
        with_client(NAME, pClient, QCLOUD_ERR_INVAL, |client| {
            if memory::is_exhausted(NAME) {
                return QCLOUD_ERR_MALLOC;
            }
            client.start_loop().map_or_else(
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
    /// Stops the loop thread and returns when it has ended. From inside a callback it only asks the thread to stop.
    #[cfg(feature = "multithread")]
    pub fn IOT_MQTT_StopLoop(pClient: *mut c_void) {
        with_client(NAME, pClient, (), |client| client.stop_loop());
    }
}

export! {
    /// Whether the loop thread runs; the code it ended with goes to `exit_code`, which may be NULL.
    ///
    /// # Safety
    /// `exit_code` is NULL or writable.
    #[cfg(feature = "multithread")]
    pub unsafe fn IOT_MQTT_GetLoopStatus(pClient: *mut c_void, exit_code: *mut c_int) -> bool {
        with_client(NAME, pClient, false, |client| {
            let (running, ended_with) = client.loop_status();
            // SAFETY: the caller's promise.
            if let Some(exit_code) = unsafe { exit_code.as_mut() } {
                *exit_code = driven_code(&ended_with);
            }
            running
        })
    }
}

export! {
    /// Sets the flag that IOT_MQTT_GetLoopStatus shows; false makes the loop thread end.
    #[cfg(feature = "multithread")]
    pub fn IOT_MQTT_SetLoopStatus(pClient: *mut c_void, loop_status: bool) {
        with_client(NAME, pClient, (), |client| client.set_loop_status(loop_status));
    }
}

fn qos(raw: raw::QoS) -> Option<QoS> {
    match raw {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
