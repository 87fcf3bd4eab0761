//! C enums and handles as the integers that really arrive.
//!
//! cbindgen reads a type's last path segment only, so `raw::QoS` in a signature is `QoS` in the header.

use std::ffi::{c_int, c_uint};

/// An [`IOT_OTA_CmdType`](crate::ota::IOT_OTA_CmdType) from C; any value.
pub type IOT_OTA_CmdType = c_uint;
/// A [`LOG_LEVEL`](crate::log::LOG_LEVEL) from C; any value.
pub type LOG_LEVEL = c_uint;
/// A [`QoS`](crate::mqtt::QoS) from C; any value.
pub type QoS = c_uint;
/// An [`MQTTEventType`](crate::mqtt::MQTTEventType).
pub type MQTTEventType = c_uint;
/// A [`CoAPEventType`](crate::coap::CoAPEventType).
pub type CoAPEventType = c_int;
/// An [`eRRPCReplyCode`](crate::rrpc::eRRPCReplyCode) from C; any value.
pub type eRRPCReplyCode = c_int;
/// An [`eShadowType`](crate::shadow::eShadowType) from C; any value.
pub type eShadowType = c_uint;
/// A [`Method`](crate::shadow::Method).
pub type Method = c_uint;
/// A [`RequestAck`](crate::shadow::RequestAck).
pub type RequestAck = c_int;
/// A [`JsonDataType`](crate::shadow::JsonDataType) from C; any value.
pub type JsonDataType = c_uint;
/// An [`eDataState`](crate::shadow::eDataState) from C; any value.
pub type eDataState = c_uint;
/// `uintptr_t`. A name of its own, because cbindgen writes `usize` as `size_t`.
pub type Handle = usize;
/// A [`QCLOUD_IOT_RESOURCE_CMDTYPE_E`](crate::resource::QCLOUD_IOT_RESOURCE_CMDTYPE_E) from C; any value.
#[cfg(feature = "abi-3-3")]
pub type QCLOUD_IOT_RESOURCE_CMDTYPE_E = c_uint;
