//! `qcloud_iot_export_shadow.h`: the state of a device that the cloud keeps.

use std::ffi::{c_char, c_int, c_void};

use crate::mqtt::MQTTEventHandler;
use crate::raw;

/// Kind of shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum eShadowType {
    /// A device shadow.
    eSHADOW = 0,
    /// A data template.
    eTEMPLATE = 1,
}

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum RequestAck {
    /// Still waiting.
    ACK_NONE = -3,
    /// No answer in time.
    ACK_TIMEOUT = -2,
    /// Refused.
    ACK_REJECTED = -1,
    /// Accepted.
    ACK_ACCEPTED = 0,
}

integers!(RequestAck as c_int: ACK_NONE, ACK_TIMEOUT, ACK_REJECTED, ACK_ACCEPTED);

/// Kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum Method {
    /// Read the shadow.
    GET = 0,
    /// Change the shadow.
    UPDATE = 1,
}

/// C type behind a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum JsonDataType {
    /// int32_t
    JINT32 = 0,
    /// int16_t
    JINT16 = 1,
    /// int8_t
    JINT8 = 2,
    /// uint32_t
    JUINT32 = 3,
    /// uint16_t
    JUINT16 = 4,
    /// uint8_t
    JUINT8 = 5,
    /// float
    JFLOAT = 6,
    /// double
    JDOUBLE = 7,
    /// bool
    JBOOL = 8,
    /// Text with a NUL.
    JSTRING = 9,
    /// JSON text of an object.
    JOBJECT = 10,
}

/// Whether a data point has to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum eDataState {
    /// As reported.
    eNOCHANGE = 0,
    /// Changed since.
    eCHANGED = 1,
}

/// A template's integer.
pub type TYPE_DEF_TEMPLATE_INT = i32;
/// A template's enumeration.
pub type TYPE_DEF_TEMPLATE_ENUM = i32;
/// A template's number.
pub type TYPE_DEF_TEMPLATE_FLOAT = f32;
/// A template's truth value.
pub type TYPE_DEF_TEMPLATE_BOOL = c_char;
/// A template's character.
pub type TYPE_DEF_TEMPLATE_STRING = c_char;
/// A template's point in time, seconds of UTC.
pub type TYPE_DEF_TEMPLATE_TIME = u32;
/// A template's object.
pub type TYPE_DEF_TEMPLATE_OBJECT = *mut c_void;

/// How to connect. Start from DEFAULT_SHAWDOW_INIT_PARAMS. Texts are copied.
#[repr(C)]
pub struct ShadowInitParams {
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
    /// Time limit of a command in milliseconds.
    pub command_timeout: u32,
    /// Keep-alive interval in milliseconds.
    pub keep_alive_interval_ms: u32,
    /// 1: the server forgets the subscriptions when the connection ends.
    pub clean_session: u8,
    /// 1: connect again after a loss.
    pub auto_connect_enable: u8,
    /// Receives the client's events.
    pub event_handle: MQTTEventHandler,
    /// Kind of shadow.
    pub shadow_type: raw::eShadowType,
}

/// A property of the device. The caller keeps it while it is registered.
#[repr(C)]
pub struct DeviceProperty {
    /// Name.
    pub key: *mut c_char,
    /// Value, of the type that `type` says.
    pub data: *mut c_void,
    /// C type of the value.
    pub r#type: raw::JsonDataType,
    /// Set when the cloud wants another value.
    pub delta_arrived: bool,
}

/// A property and whether it has to be reported.
#[repr(C)]
pub struct sDataPoint {
    /// The property.
    pub data_property: DeviceProperty,
    /// Whether it has to be reported.
    pub state: raw::eDataState,
}

/// Receives the outcome of a request; the document is valid during the call only.
pub type OnRequestCallback = Option<
    unsafe extern "C" fn(
        pClient: *mut c_void,
        method: raw::Method,
        requestAck: raw::RequestAck,
        pJsonDocument: *const c_char,
        userContext: *mut c_void,
    ),
>;

/// Is told when the cloud wants another value of a registered property; the text is valid during the call only.
pub type OnPropRegCallback = Option<
    unsafe extern "C" fn(
        pClient: *mut c_void,
        pJsonValueBuffer: *const c_char,
        valueLength: u32,
        pProperty: *mut DeviceProperty,
    ),
>;
