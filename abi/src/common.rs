//! `qcloud_iot_common.h`: where the cloud is.

/// The SDK's application id, part of every MQTT user name.
pub const QCLOUD_IOT_DEVICE_SDK_APPID: &str = "21010406";
/// Domain of the MQTT servers; the product id and a dot go in front.
#[cfg(not(feature = "abi-3-3"))]
pub const QCLOUD_IOT_MQTT_DIRECT_DOMAIN: &str = "iotcloud.tencentdevices.com";
/// The product id and a dot go in front of the domains that follow.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_DOMAIN_WITH_PREFIX: i32 = 1;
/// Domain of the MQTT and CoAP servers of region china.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_COAP_DIRECT_DOMAIN: &str = "iotcloud.tencentdevices.com";
/// Domain of the MQTT and CoAP servers of region us-east.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_COAP_US_EAST_DOMAIN: &str = "us-east.iotcloud.tencentdevices.com";
/// Domain of the MQTT and CoAP servers of region europe.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_COAP_EUROPE_DOMAIN: &str = "europe.iothub.tencentdevices.com";
/// Domain of the MQTT and CoAP servers of region ap-bangkok.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_MQTT_COAP_AP_BANGKOK_DOMAIN: &str = "ap-bangkok.iothub.tencentdevices.com";
/// Domain of the servers of MQTT over WebSocket of region china.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_DIRECT_DOMAIN: &str = "ap-guangzhou.iothub.tencentdevices.com";
/// Domain of the servers of MQTT over WebSocket of region us-east.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_US_EAST_DOMAIN: &str = "us-east.iothub.tencentdevices.com";
/// Domain of the servers of MQTT over WebSocket of region europe.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_EUROPE_DOMAIN: &str = "europe.iothub.tencentdevices.com";
/// Domain of the servers of MQTT over WebSocket of region ap-bangkok.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_AP_BANGKOK_DOMAIN: &str = "ap-bangkok.iothub.tencentdevices.com";
/// MQTT over TLS.
pub const MQTT_SERVER_PORT_TLS: u16 = 8883;
/// MQTT over plain TCP.
pub const MQTT_SERVER_PORT_NOTLS: u16 = 1883;
/// MQTT over WebSocket and TLS.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_SERVER_PORT_TLS: u16 = 443;
/// MQTT over WebSocket without TLS.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_WEBSOCKET_MQTT_SERVER_PORT_NOTLS: u16 = 80;
/// Domain of the CoAP servers; the product id and a dot go in front.
#[cfg(not(feature = "abi-3-3"))]
pub const QCLOUD_IOT_COAP_DEIRECT_DOMAIN: &str = "iotcloud.tencentdevices.com";
/// CoAP over DTLS.
pub const COAP_SERVER_PORT: u16 = 5684;
/// Host that registers devices at run time.
#[cfg(not(feature = "abi-3-3"))]
pub const DYN_REG_SERVER_URL: &str = "gateway.tencentdevices.com";
/// Host that registers devices and takes their log in region china.
#[cfg(feature = "abi-3-3")]
pub const DYNREG_LOG_SERVER_URL: &str = "ap-guangzhou.gateway.tencentdevices.com";
/// Host that registers devices and takes their log in region us-east.
#[cfg(feature = "abi-3-3")]
pub const DYNREG_LOG_SERVER_US_EAST_URL: &str = "us-east.gateway.tencentdevices.com";
/// Host that registers devices and takes their log in region europe.
#[cfg(feature = "abi-3-3")]
pub const DYNREG_LOG_SERVER_EUROPE_URL: &str = "europe.gateway.tencentdevices.com";
/// Host that registers devices and takes their log in region ap-bangkok.
#[cfg(feature = "abi-3-3")]
pub const DYNREG_LOG_SERVER_AP_BANGKOK_URL: &str = "ap-bangkok.gateway.tencentdevices.com";
/// Where it registers devices.
#[cfg(feature = "abi-3-3")]
pub const DYN_REG_SERVER_URL_PATH: &str = "/device/register";
/// Its port without TLS.
pub const DYN_REG_SERVER_PORT: u16 = 80;
/// Its port with TLS.
pub const DYN_REG_SERVER_PORT_TLS: u16 = 443;
/// Where log uploads go.
#[cfg(not(feature = "abi-3-3"))]
pub const LOG_UPLOAD_SERVER_URL: &str = "http://devicelog.iot.cloud.tencent.com/cgi-bin/report-log";
/// Host of LOG_UPLOAD_SERVER_URL.
#[cfg(not(feature = "abi-3-3"))]
pub const LOG_UPLOAD_SERVER_DOMAIN: &str = "devicelog.iot.cloud.tencent.com";
/// What the hosts that take logs end with.
#[cfg(feature = "abi-3-3")]
pub const LOG_UPLOAD_SERVER_POSTFIX: &str = "gateway.tencentdevices.com";
/// Where they take logs.
#[cfg(feature = "abi-3-3")]
pub const UPLOAD_LOG_URI_PATH: &str = "/device/reportlog";
/// Port of LOG_UPLOAD_SERVER_URL.
pub const LOG_UPLOAD_SERVER_PORT: u16 = 80;
/// Where tunnels for SSH begin in region china.
#[cfg(feature = "abi-3-3")]
pub const REMOTE_LOGIN_WEBSOCKET_SSH_URL: &str = "ap-guangzhou.gateway.tencentdevices.com/ssh/device";
/// Where tunnels for SSH begin in region us-east.
#[cfg(feature = "abi-3-3")]
pub const REMOTE_LOGIN_WEBSOCKET_SSH_US_EAST_URL: &str = "us-east.gateway.tencentdevices.com/ssh/device";
/// Where tunnels for SSH begin in region europe.
#[cfg(feature = "abi-3-3")]
pub const REMOTE_LOGIN_WEBSOCKET_SSH_EUROPE_URL: &str = "europe.gateway.tencentdevices.com/ssh/device";
/// Where tunnels for SSH begin in region ap-bangkok.
#[cfg(feature = "abi-3-3")]
pub const REMOTE_LOGIN_WEBSOCKET_SSH_AP_BANGKOK_URL: &str = "ap-bangkok.gateway.tencentdevices.com/ssh/device";
/// Port of the SSH server that they lead to.
#[cfg(feature = "abi-3-3")]
pub const LOCAL_SSH_PORT: u16 = 22;
/// Address of the SSH server that they lead to.
#[cfg(feature = "abi-3-3")]
pub const LOCAL_SSH_IP: &str = "127.0.0.1";
/// Room for a host name in the C SDK, in bytes with the NUL.
pub const HOST_STR_LENGTH: usize = 64;
/// Longest decoded device secret in bytes.
pub const DECODE_PSK_LENGTH: usize = 48;
