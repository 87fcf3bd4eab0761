//! `qcloud_iot_export_gateway.h`: devices that reach the cloud through this one (gateway.md).

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use iot_abi::error::{
    QCLOUD_ERR_FAILURE, QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST, QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE, QCLOUD_ERR_INVAL,
    QCLOUD_ERR_MALLOC, QCLOUD_ERR_MQTT_NO_CONN, QCLOUD_ERR_MQTT_REQUEST_TIMEOUT, QCLOUD_ERR_MQTT_SUB,
    QCLOUD_RET_SUCCESS,
};
use iot_abi::export::DeviceInfo;
use iot_abi::gateway::{GatewayInitParam, GatewayParam, SubdevBindInfo, SubdevBindList};
use iot_abi::mqtt::{MQTTInitParams, PublishParams, SubscribeParams};
use iot_engine::identity::Identity;
use iot_engine::services::gateway::message::Proof;
use iot_engine::services::gateway::{signature, Bound, Operation};

use super::log::null_argument;
use super::mqtt::{self, fill, text};
use super::{handle, memory, required_str};
use crate::drive::mqtt::Client;
use crate::drive::services::channel::Ended;
use crate::drive::services::gateway::{Gateway, Unanswered};
use crate::hal::{memory as hal_memory, timer};

export! {
    /// Connects a gateway as IOT_MQTT_Construct does and subscribes to the answers of the cloud. Returns its handle, or NULL;
    /// the reason is then in `init_param->init_param.err_code`.
    ///
    /// Texts are copied. Events go to `init_param->init_param.event_handle`, with the MQTT client as their client. The gateway
    /// is ended with IOT_Gateway_Destroy.
    ///
    /// # Safety
    /// `init_param` is NULL or points to a valid `GatewayInitParam`.
    pub unsafe fn IOT_Gateway_Construct(init_param: *mut GatewayInitParam) -> *mut c_void {
        // SAFETY: the caller's promise.
        let Some(params) = (unsafe { init_param.as_mut() }) else {
            null_argument(NAME, "init_param");
            return mqtt::noted(Err(QCLOUD_ERR_INVAL)).unwrap_or(ptr::null_mut());
        };
        let params = &mut params.init_param;
        // SAFETY: the caller's promise.
        let gateway = unsafe {
            mqtt::constructed(NAME, params, |params| construct(NAME, params), |gateway: Arc<Gateway>| end(&gateway))
        };
        gateway.map_or(ptr::null_mut(), |gateway| {
            handle::insert(gateway.client().clone());
            let known_as = handle::insert(gateway.clone());
            #[cfg(feature = "log-upload")]
            crate::drive::services::log_upload::join(gateway.client());
            known_as
        })
    }
}

unsafe fn construct(function: &'static str, params: &MQTTInitParams) -> Result<Arc<Gateway>, c_int> {
    // SAFETY: the caller's promise.
    let client = unsafe { mqtt::construct(params) }?;
    Gateway::new(client.clone()).map(Arc::new).map_err(|ended| {
        ::log::error!(target: function, "no subscription to the answers of the cloud: {ended}");
        client.destroy();
        match ended {
            Ended::Refused => QCLOUD_ERR_MQTT_SUB,
            Ended::TimedOut => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
            Ended::NoLink(_) | Ended::Destroyed => QCLOUD_ERR_MQTT_NO_CONN,
        }
    })
}

fn end(gateway: &Gateway) {
    gateway.close();
    gateway.client().destroy();
}

export! {
    /// Disconnects the gateway and frees it with its MQTT client. Its devices are not put offline first; lists of bound
    /// devices stay valid. Returns 0, QCLOUD_ERR_INVAL for a NULL or unknown gateway.
    ///
    /// Not to be called from inside one of its callbacks.
    pub fn IOT_Gateway_Destroy(client: *mut c_void) -> c_int {
        let Some(gateway) = handle::remove::<Gateway>(client) else {
            handle::log_unknown(NAME, "client", "a gateway", client);
            return QCLOUD_ERR_INVAL;
        };
        handle::remove::<Client>(client_of(&gateway));
        end(&gateway);
        QCLOUD_RET_SUCCESS
    }
}

/// The handle of the gateway's MQTT client.
fn client_of(gateway: &Gateway) -> *mut c_void {
    handle::of(gateway.client())
}

fn required(function: &'static str, client: *mut c_void) -> Option<Arc<Gateway>> {
    handle::required(function, "client", "a gateway", client)
}

export! {
    /// Tells the cloud that the device behind the gateway is online. Drives the client while it waits, up to 20 s.
    ///
    /// Returns 0; QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE where it is already; the cloud's result, such as -1 for a device that is
    /// not bound; QCLOUD_ERR_INVAL for NULL, an unknown gateway or names that are empty or too long; QCLOUD_ERR_FAILURE when
    /// the request could not be sent or no answer came, which the log tells apart.
    ///
    /// # Safety
    /// `param` is NULL or valid, its texts NULL or strings.
    pub unsafe fn IOT_Gateway_Subdev_Online(client: *mut c_void, param: *mut GatewayParam) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { switch(NAME, client, param, Operation::Online) }
    }
}

export! {
    /// Tells the cloud that the device behind the gateway is offline. Drives the client while it waits, up to 20 s.
    ///
    /// Returns as IOT_Gateway_Subdev_Online; QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST where it was not put online. Where the cloud
    /// refuses, the device stays online.
    ///
    /// # Safety
    /// As IOT_Gateway_Subdev_Online.
    pub unsafe fn IOT_Gateway_Subdev_Offline(client: *mut c_void, param: *mut GatewayParam) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { switch(NAME, client, param, Operation::Offline) }
    }
}

unsafe fn switch(function: &'static str, client: *mut c_void, param: *mut GatewayParam, operation: Operation) -> c_int {
    // SAFETY: the caller's promise.
    let call = || unsafe {
        let (gateway, asker) = gateway_and_asker(function, client, param)?;
        let param = &*param;
        let product_id = required_str(function, "subdev_product_id", param.subdev_product_id)?;
        let device_name = required_str(function, "subdev_device_name", param.subdev_device_name)?;
        let device = identity(function, product_id, device_name)?;
        ask(function, &gateway, &asker, operation, &device, None)
    };
    call().unwrap_or_else(|code| code)
}

export! {
    /// Binds a device to the gateway, with the proof that its secret (KEY mode) or its certificate file (CERT mode) gives.
    /// Drives the client while it waits, up to 20 s.
    ///
    /// Returns 0; the cloud's result, such as 809 for a device that is bound already; QCLOUD_ERR_INVAL for NULL, an unknown
    /// gateway, names that are empty or too long, or an empty secret; QCLOUD_ERR_FAILURE when the certificate file can't be
    /// read, the request could not be sent or no answer came.
    ///
    /// # Safety
    /// As IOT_Gateway_Subdev_Online; `pBindSubDevInfo` is NULL or valid.
    pub unsafe fn IOT_Gateway_Subdev_Bind(
        client: *mut c_void,
        param: *mut GatewayParam,
        pBindSubDevInfo: *mut DeviceInfo,
    ) -> c_int {
        // SAFETY: the caller's promise.
        let call = || unsafe {
            let (gateway, asker) = gateway_and_asker(NAME, client, param)?;
            let info = required_info(NAME, "pBindSubDevInfo", pBindSubDevInfo)?;
            let device = device_of(NAME, info)?;
            let key = key_of(NAME, info)?;
            // 31 bits.
            let random = (gateway.client().platform().random() & 0x7fff_ffff) as u32;
            let timestamp = timer::utc_seconds();
            let signature = signature::sign(&key, &device, random, timestamp);
            let auth_type = if cfg!(feature = "auth-mode-cert") { "certificate" } else { "psk" };
            let proof = Proof { signature, random, timestamp, auth_type };
            ask(NAME, &gateway, &asker, Operation::Bind, &device, Some(&proof))
        };
        call().unwrap_or_else(|code| code)
    }
}

export! {
    /// Ends the binding of a device. Drives the client while it waits, up to 20 s.
    ///
    /// Returns 0; the cloud's result, such as -1 for a device that is not bound; else as IOT_Gateway_Subdev_Online.
    ///
    /// # Safety
    /// As IOT_Gateway_Subdev_Online; `pSubDevInfo` is NULL or valid.
    pub unsafe fn IOT_Gateway_Subdev_Unbind(
        client: *mut c_void,
        param: *mut GatewayParam,
        pSubDevInfo: *mut DeviceInfo,
    ) -> c_int {
        // SAFETY: the caller's promise.
        let call = || unsafe {
            let (gateway, asker) = gateway_and_asker(NAME, client, param)?;
            let device = device_of(NAME, required_info(NAME, "pSubDevInfo", pSubDevInfo)?)?;
            ask(NAME, &gateway, &asker, Operation::Unbind, &device, None)
        };
        call().unwrap_or_else(|code| code)
    }
}

/// The gateway, and who it says it is.
unsafe fn gateway_and_asker(
    function: &'static str,
    client: *mut c_void,
    param: *mut GatewayParam,
) -> Result<(Arc<Gateway>, Identity), c_int> {
    let gateway = required(function, client).ok_or(QCLOUD_ERR_INVAL)?;
    // SAFETY: the caller's promise.
    let Some(param) = (unsafe { param.as_ref() }) else {
        null_argument(function, "param");
        return Err(QCLOUD_ERR_INVAL);
    };
    // SAFETY: the caller's promise.
    let (product_id, device_name) = unsafe {
        (
            required_str(function, "product_id", param.product_id)?,
            required_str(function, "device_name", param.device_name)?,
        )
    };
    let asker = identity(function, product_id, device_name)?;
    if memory::is_exhausted(function) {
        return Err(QCLOUD_ERR_MALLOC);
    }
    Ok((gateway, asker))
}

fn identity(function: &'static str, product_id: &str, device_name: &str) -> Result<Identity, c_int> {
    Identity::new(product_id, device_name).map_err(|error| {
        ::log::error!(target: function, "{error}");
        QCLOUD_ERR_INVAL
    })
}

unsafe fn required_info<'a>(
    function: &'static str,
    argument: &str,
    info: *mut DeviceInfo,
) -> Result<&'a DeviceInfo, c_int> {
    // SAFETY: the caller's promise.
    unsafe { info.as_ref() }.ok_or_else(|| {
        null_argument(function, argument);
        QCLOUD_ERR_INVAL
    })
}

fn device_of(function: &'static str, info: &DeviceInfo) -> Result<Identity, c_int> {
    // What is not UTF-8 has no place in JSON or a topic.
    let field = |field: &[c_char]| String::from_utf8(text(field).collect()).unwrap_or_default();
    identity(function, &field(&info.product_id), &field(&info.device_name))
}

#[cfg(not(feature = "auth-mode-cert"))]
fn key_of(function: &'static str, info: &DeviceInfo) -> Result<Vec<u8>, c_int> {
    let secret: Vec<u8> = text(&info.device_secret).collect();
    if secret.is_empty() {
        ::log::error!(target: function, "device_secret is empty");
        return Err(QCLOUD_ERR_INVAL);
    }
    Ok(secret)
}

#[cfg(feature = "auth-mode-cert")]
fn key_of(function: &'static str, info: &DeviceInfo) -> Result<Vec<u8>, c_int> {
    let path = String::from_utf8(text(&info.dev_cert_file_name).collect()).unwrap_or_default();
    if path.is_empty() {
        ::log::error!(target: function, "dev_cert_file_name is empty or not UTF-8");
        return Err(QCLOUD_ERR_INVAL);
    }
    crate::drive::trust::read(&path).map(|file| signature::certificate_key(&file).into_bytes()).map_err(|why| {
        ::log::error!(target: function, "the device's certificate {path}: {why}");
        QCLOUD_ERR_FAILURE
    })
}

/// The cloud's result.
///
/// # Errors
/// The code for what brought none.
fn ask(
    function: &'static str,
    gateway: &Gateway,
    asker: &Identity,
    operation: Operation,
    device: &Identity,
    proof: Option<&Proof>,
) -> Result<c_int, c_int> {
    let result = gateway.ask(asker, operation, device, proof).map_err(|why| unanswered(function, &why))?;
    if result != 0 {
        ::log::error!(target: function, "the cloud refused {} of {}: {result}", operation.name(), device.device_name());
    }
    Ok(result)
}

fn unanswered(function: &'static str, why: &Unanswered) -> c_int {
    ::log::error!(target: function, "{why}");
    match why {
        Unanswered::AlreadyOnline => QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE,
        Unanswered::NotOnline => QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST,
        Unanswered::TooMany | Unanswered::NotSent(_) | Unanswered::NoAnswer(_) => QCLOUD_ERR_FAILURE,
    }
}

export! {
    /// Asks for the devices that are bound to the gateway. Drives the client while it waits, up to 20 s.
    ///
    /// Returns 0 with the list in `*subdev_bindlist`, whose former content is overwritten, the last device of the cloud's
    /// answer first; the caller frees it with IOT_Gateway_Subdev_DestoryBindList. Otherwise the list stays as it was:
    /// QCLOUD_ERR_INVAL for NULL, an unknown gateway or names that are empty or too long, QCLOUD_ERR_FAILURE when the request
    /// could not be sent or no answer came, QCLOUD_ERR_MALLOC without memory.
    ///
    /// # Safety
    /// As IOT_Gateway_Subdev_Online; `subdev_bindlist` is NULL or may be written.
    pub unsafe fn IOT_Gateway_Subdev_GetBindList(
        client: *mut c_void,
        param: *mut GatewayParam,
        subdev_bindlist: *mut SubdevBindList,
    ) -> c_int {
        let call = || {
            // SAFETY: the caller's promise.
            let (gateway, asker) = unsafe { gateway_and_asker(NAME, client, param) }?;
            // SAFETY: the caller's promise.
            let Some(list) = (unsafe { subdev_bindlist.as_mut() }) else {
                null_argument(NAME, "subdev_bindlist");
                return Err(QCLOUD_ERR_INVAL);
            };
            let bound = gateway.bound(&asker).map_err(|why| unanswered(NAME, &why))?;
            *list = to_hal_list(&bound).ok_or(QCLOUD_ERR_MALLOC)?;
            Ok(())
        };
        call().err().unwrap_or(QCLOUD_RET_SUCCESS)
    }
}

/// The devices in memory of the caller's, in reverse order as the C SDK has them. `None` without memory; nothing is left of
/// it then.
fn to_hal_list(bound: &[Bound]) -> Option<SubdevBindList> {
    let mut list = SubdevBindList { bindlist_head: ptr::null_mut(), bind_num: 0 };
    for device in bound {
        let mut node = SubdevBindInfo { product_id: [0; 11], device_name: [0; 49], next: list.bindlist_head };
        fill(&mut node.product_id, device.product_id.bytes());
        fill(&mut node.device_name, device.device_name.bytes());
        let Some(node) = memory::to_hal_object(node) else {
            free(&mut list);
            return None;
        };
        list.bindlist_head = node;
        list.bind_num += 1;
    }
    Some(list)
}

fn free(list: &mut SubdevBindList) {
    let mut next = std::mem::replace(&mut list.bindlist_head, ptr::null_mut());
    list.bind_num = 0;
    while !next.is_null() {
        let node = next;
        // SAFETY: a node of `to_hal_list`, by the caller's promise, that nobody has freed yet.
        unsafe {
            next = (*node).next;
            hal_memory::free(node.cast());
        }
    }
}

export! {
    /// Frees a list of IOT_Gateway_Subdev_GetBindList and empties it. A list that is empty is left as it is.
    ///
    /// # Safety
    /// `subdev_bindlist` is NULL or valid; its nodes came from IOT_Gateway_Subdev_GetBindList or HAL_Malloc.
    pub unsafe fn IOT_Gateway_Subdev_DestoryBindList(subdev_bindlist: *mut SubdevBindList) {
        // SAFETY: the caller's promise.
        match unsafe { subdev_bindlist.as_mut() } {
            Some(list) => free(list),
            None => null_argument(NAME, "subdev_bindlist"),
        }
    }
}

export! {
    /// As IOT_MQTT_Publish, on the gateway's MQTT client.
    ///
    /// # Safety
    /// As IOT_MQTT_Publish.
    pub unsafe fn IOT_Gateway_Publish(
        client: *mut c_void,
        topic_name: *mut c_char,
        params: *mut PublishParams,
    ) -> c_int {
        required(NAME, client).map_or(QCLOUD_ERR_INVAL, |gateway| {
            // SAFETY: the caller's promise.
            unsafe { mqtt::IOT_MQTT_Publish(client_of(&gateway), topic_name, params) }
        })
    }
}

export! {
    /// As IOT_MQTT_Subscribe, on the gateway's MQTT client.
    ///
    /// # Safety
    /// As IOT_MQTT_Subscribe.
    pub unsafe fn IOT_Gateway_Subscribe(
        client: *mut c_void,
        topic_filter: *mut c_char,
        params: *mut SubscribeParams,
    ) -> c_int {
        required(NAME, client).map_or(QCLOUD_ERR_INVAL, |gateway| {
            // SAFETY: the caller's promise.
            unsafe { mqtt::IOT_MQTT_Subscribe(client_of(&gateway), topic_filter, params) }
        })
    }
}

export! {
    /// As IOT_MQTT_Unsubscribe, on the gateway's MQTT client.
    ///
    /// # Safety
    /// As IOT_MQTT_Unsubscribe.
    pub unsafe fn IOT_Gateway_Unsubscribe(client: *mut c_void, topic_filter: *mut c_char) -> c_int {
        required(NAME, client).map_or(QCLOUD_ERR_INVAL, |gateway| {
            // SAFETY: the caller's promise.
            unsafe { mqtt::IOT_MQTT_Unsubscribe(client_of(&gateway), topic_filter) }
        })
    }
}

export! {
    /// 1 when the server has granted the subscription to `topic_filter`, else 0, also for a NULL or unknown gateway.
    ///
    /// # Safety
    /// As IOT_MQTT_IsSubReady.
    pub unsafe fn IOT_Gateway_IsSubReady(client: *mut c_void, topic_filter: *mut c_char) -> c_int {
        required(NAME, client).map_or(0, |gateway| {
            // SAFETY: the caller's promise.
            unsafe { mqtt::IOT_MQTT_IsSubReady(client_of(&gateway), topic_filter) }.into()
        })
    }
}

export! {
    /// As IOT_MQTT_Yield, on the gateway's MQTT client.
    pub fn IOT_Gateway_Yield(client: *mut c_void, timeout_ms: u32) -> c_int {
        required(NAME, client)
            .map_or(QCLOUD_ERR_INVAL, |gateway| mqtt::IOT_MQTT_Yield(client_of(&gateway), timeout_ms))
    }
}

export! {
    /// The gateway's MQTT client, for IOT_MQTT_StartLoop, OTA and other services; NULL for an unknown gateway. It belongs to
    /// the gateway and ends with it: never call IOT_MQTT_Destroy on it.
    pub fn IOT_Gateway_Get_Mqtt_Client(handle: *mut c_void) -> *mut c_void {
        handle::required::<Gateway>(NAME, "handle", "a gateway", handle)
            .map_or(ptr::null_mut(), |gateway| client_of(&gateway))
    }
}

#[cfg(test)]
mod tests;
