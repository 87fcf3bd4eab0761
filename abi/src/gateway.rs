//! `qcloud_iot_export_gateway.h`: devices that connect through another one.

use std::ffi::{c_char, c_int, c_void};

use crate::mqtt::MQTTInitParams;

/// A gateway and one device behind it. The caller keeps the texts.
#[repr(C)]
pub struct GatewayParam {
    /// Product id of the gateway.
    pub product_id: *mut c_char,
    /// Device name of the gateway.
    pub device_name: *mut c_char,
    /// Product id of the device behind it.
    pub subdev_product_id: *mut c_char,
    /// Name of the device behind it.
    pub subdev_device_name: *mut c_char,
}

/// Receives the events of a gateway; msg is an MQTTEventMsg *.
pub type GatewayEventHandleFun =
    Option<unsafe extern "C" fn(client: *mut c_void, context: *mut c_void, msg: *mut c_void)>;

/// How a gateway connects. Start from DEFAULT_GATEWAY_INIT_PARAMS.
#[repr(C)]
pub struct GatewayInitParam {
    /// The MQTT connection.
    pub init_param: MQTTInitParams,
    /// Handed to event_handler.
    pub event_context: *mut c_void,
    /// Receives the events, NULL for none.
    pub event_handler: GatewayEventHandleFun,
}

/// A device bound to a gateway, in a singly linked list.
#[repr(C)]
pub struct SubdevBindInfo {
    /// Product id.
    pub product_id: [c_char; 11],
    /// Device name.
    pub device_name: [c_char; 49],
    /// Next entry, NULL after the last one.
    pub next: *mut SubdevBindInfo,
}

/// The devices bound to a gateway. Freed with IOT_Gateway_Subdev_DestoryBindList.
#[repr(C)]
pub struct SubdevBindList {
    /// First entry, NULL for none.
    pub bindlist_head: *mut SubdevBindInfo,
    /// Number of entries.
    pub bind_num: c_int,
}
