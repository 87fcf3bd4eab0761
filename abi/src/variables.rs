//! `qcloud_iot_export_variables.h`: limits and defaults.

/// Default time limit of an MQTT command in milliseconds.
pub const QCLOUD_IOT_MQTT_COMMAND_TIMEOUT: u32 = 5000;
/// Default keep-alive interval in milliseconds.
#[cfg(not(feature = "abi-3-3"))]
pub const QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL: u32 = 240000;
/// Keep-alive interval in milliseconds for a program that sets it itself; the initialisers have twice as much.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL: u32 = 120000;
/// The region where none is given.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_DEFAULT_REGION: &str = "china";
/// Largest MQTT packet that can be sent, in bytes.
pub const QCLOUD_IOT_MQTT_TX_BUF_LEN: usize = 2048;
/// Size of the C SDK's receive buffer in bytes. This library takes larger packets, up to 16 kB of payload.
pub const QCLOUD_IOT_MQTT_RX_BUF_LEN: usize = 2048;
/// Largest CoAP message that can be sent, in bytes.
pub const COAP_SENDMSG_MAX_BUFLEN: usize = 512;
/// Largest CoAP message that can be received, in bytes.
pub const COAP_RECVMSG_MAX_BUFLEN: usize = 512;
/// Longest wait between two attempts to reconnect, in milliseconds; beyond it reconnecting is given up.
pub const MAX_RECONNECT_WAIT_INTERVAL: u32 = 60000;
/// Validity of a connection's credentials in seconds, 0 for no end.
pub const MAX_ACCESS_EXPIRE_TIMEOUT: u32 = 0;
/// Longest log line in bytes, without the NUL.
#[cfg(target_os = "linux")]
pub const MAX_LOG_MSG_LEN: usize = 1023;
/// Longest log line in bytes, without the NUL.
#[cfg(not(target_os = "linux"))]
pub const MAX_LOG_MSG_LEN: usize = 511;
/// Buffer for log lines that wait for their upload, in bytes.
pub const LOG_UPLOAD_BUFFER_SIZE: usize = 5000;
/// Largest body of one log upload in bytes.
pub const MAX_HTTP_LOG_POST_SIZE: usize = 3000;
/// Most log text that is saved when an upload fails, in bytes.
pub const MAX_LOG_SAVE_SIZE: usize = 15000;
/// Time between two log uploads in milliseconds.
pub const LOG_UPLOAD_INTERVAL_MS: u32 = 2000;
