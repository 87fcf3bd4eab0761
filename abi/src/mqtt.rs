//! `qcloud_iot_export_mqtt.h`: parameters, messages and events of the MQTT client.

use std::ffi::{c_char, c_int, c_void};

use crate::raw;

/// Quality of service. The server does not offer QOS2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QoS {
    /// At most once.
    QOS0 = 0,
    /// At least once.
    QOS1 = 1,
    /// Exactly once: refused with QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT.
    QOS2 = 2,
}

integers!(QoS as raw::QoS: QOS0, QOS1, QOS2);

/// What an event handler is told. The comment says what MQTTEventMsg.msg holds; where it says nothing, NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum MQTTEventType {
    /// Never sent.
    MQTT_EVENT_UNDEF = 0,
    /// The connection was lost.
    MQTT_EVENT_DISCONNECT = 1,
    /// Connected again, every subscription made again.
    MQTT_EVENT_RECONNECT = 2,
    /// The server granted a subscription. msg: packet id as a pointer.
    MQTT_EVENT_SUBCRIBE_SUCCESS = 3,
    /// No answer to a subscription in time. msg: packet id as a pointer.
    MQTT_EVENT_SUBCRIBE_TIMEOUT = 4,
    /// The server refused a subscription. msg: packet id as a pointer.
    MQTT_EVENT_SUBCRIBE_NACK = 5,
    /// The server confirmed the end of a subscription. msg: packet id as a pointer.
    MQTT_EVENT_UNSUBCRIBE_SUCCESS = 6,
    /// No answer to an unsubscription in time. msg: packet id as a pointer.
    MQTT_EVENT_UNSUBCRIBE_TIMEOUT = 7,
    /// The server refused an unsubscription. msg: packet id as a pointer.
    MQTT_EVENT_UNSUBCRIBE_NACK = 8,
    /// The server has a QOS1 message. msg: packet id as a pointer.
    MQTT_EVENT_PUBLISH_SUCCESS = 9,
    /// No acknowledgement of a QOS1 message in time. msg: packet id as a pointer.
    MQTT_EVENT_PUBLISH_TIMEOUT = 10,
    /// The server refused a message. msg: packet id as a pointer.
    MQTT_EVENT_PUBLISH_NACK = 11,
    /// A message that no subscription matches. msg: MQTTMessage *.
    MQTT_EVENT_PUBLISH_RECVEIVED = 12,
    /// The client is being destroyed; for a subscription's own handler.
    MQTT_EVENT_CLIENT_DESTROY = 13,
    /// The subscription was removed; for its own handler.
    MQTT_EVENT_UNSUBSCRIBE = 14,
    /// A gateway's handler: the cloud starts or ends a search for devices. msg: int32_t *, 1 to start, 0 to end.
    #[cfg(feature = "abi-3-3")]
    MQTT_EVENT_GATEWAY_SEARCH = 15,
    /// A gateway's handler: the cloud has unbound all devices.
    #[cfg(feature = "abi-3-3")]
    MQTT_EVENT_GATEWAY_UNBIND_ALL = 16,
}

integers!(
    MQTTEventType as raw::MQTTEventType: MQTT_EVENT_UNDEF, MQTT_EVENT_DISCONNECT, MQTT_EVENT_RECONNECT,
    MQTT_EVENT_SUBCRIBE_SUCCESS, MQTT_EVENT_SUBCRIBE_TIMEOUT, MQTT_EVENT_SUBCRIBE_NACK,
    MQTT_EVENT_UNSUBCRIBE_SUCCESS, MQTT_EVENT_UNSUBCRIBE_TIMEOUT, MQTT_EVENT_UNSUBCRIBE_NACK,
    MQTT_EVENT_PUBLISH_SUCCESS, MQTT_EVENT_PUBLISH_TIMEOUT, MQTT_EVENT_PUBLISH_NACK, MQTT_EVENT_PUBLISH_RECVEIVED,
    MQTT_EVENT_CLIENT_DESTROY, MQTT_EVENT_UNSUBSCRIBE,
);
#[cfg(feature = "abi-3-3")]
integers!(MQTTEventType as raw::MQTTEventType: MQTT_EVENT_GATEWAY_SEARCH, MQTT_EVENT_GATEWAY_UNBIND_ALL);

/// A message, sent or received. In a callback, topic and payload are valid until the callback returns.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct MQTTMessage {
    /// Quality of service.
    pub qos: raw::QoS,
    /// 1 when the server keeps, or kept, the message for later subscribers.
    pub retained: u8,
    /// 1 when the message was sent before.
    pub dup: u8,
    /// Packet id; written by IOT_MQTT_Publish for QOS1.
    pub id: u16,
    /// Topic, not terminated by a NUL in received messages.
    pub ptopic: *const c_char,
    /// Length of the topic in bytes.
    pub topic_len: usize,
    /// Payload, any bytes.
    pub payload: *mut c_void,
    /// Length of the payload in bytes.
    pub payload_len: usize,
}

/// What to publish. Topic and payload are copied, the caller keeps them.
pub type PublishParams = MQTTMessage;

/// Receives the messages of a subscription.
pub type OnMessageHandler =
    Option<unsafe extern "C" fn(pClient: *mut c_void, message: *mut MQTTMessage, pUserData: *mut c_void)>;

/// Is told what happens to a subscription.
pub type OnSubEventHandler =
    Option<unsafe extern "C" fn(pClient: *mut c_void, event_type: raw::MQTTEventType, pUserData: *mut c_void)>;

/// How to subscribe.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SubscribeParams {
    /// Highest quality of service wanted.
    pub qos: raw::QoS,
    /// Receives the messages.
    pub on_message_handler: OnMessageHandler,
    /// Is told what happens to the subscription, NULL for none.
    pub on_sub_event_handler: OnSubEventHandler,
    /// Handed to both handlers; must stay valid while the subscription exists.
    pub user_data: *mut c_void,
}

/// An event and what belongs to it. Valid during the callback only.
#[repr(C)]
pub struct MQTTEventMsg {
    /// What happened.
    pub event_type: raw::MQTTEventType,
    /// See MQTTEventType.
    pub msg: *mut c_void,
}

/// Receives the events of a client.
pub type MQTTEventHandleFun =
    Option<unsafe extern "C" fn(pclient: *mut c_void, context: *mut c_void, msg: *mut MQTTEventMsg)>;

/// A handler with its context.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct MQTTEventHandler {
    /// The handler, NULL for none.
    pub h_fp: MQTTEventHandleFun,
    /// Handed to the handler; must stay valid while the client exists.
    pub context: *mut c_void,
}

/// How to connect. Texts are copied, the caller keeps them. Start from DEFAULT_MQTTINIT_PARAMS.
#[repr(C)]
pub struct MQTTInitParams {
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
    /// Time limit of a command in milliseconds, taken as 500 to 20000.
    pub command_timeout: u32,
    /// Keep-alive interval in milliseconds, at most 690000; 0 switches pings off.
    pub keep_alive_interval_ms: u32,
    /// 1: the server forgets the subscriptions when the connection ends.
    pub clean_session: u8,
    /// 1: connect again after a loss.
    pub auto_connect_enable: u8,
    /// Receives the client's events.
    pub event_handle: MQTTEventHandler,
    /// Written by IOT_MQTT_Construct: 0, or why it failed.
    pub err_code: c_int,
}
