//! `qcloud_iot_common.h`: where the cloud is.

/// The SDK's application id, part of every MQTT user name.
pub const QCLOUD_IOT_DEVICE_SDK_APPID: &str = "21010406";
/// Domain of the MQTT servers; the product id and a dot go in front.
pub const QCLOUD_IOT_MQTT_DIRECT_DOMAIN: &str = "iotcloud.tencentdevices.com";
/// MQTT over TLS.
pub const MQTT_SERVER_PORT_TLS: u16 = 8883;
/// MQTT over plain TCP.
pub const MQTT_SERVER_PORT_NOTLS: u16 = 1883;
/// Domain of the CoAP servers; the product id and a dot go in front.
pub const QCLOUD_IOT_COAP_DEIRECT_DOMAIN: &str = "iotcloud.tencentdevices.com";
/// CoAP over DTLS.
pub const COAP_SERVER_PORT: u16 = 5684;
/// Host that registers devices at run time.
pub const DYN_REG_SERVER_URL: &str = "gateway.tencentdevices.com";
/// Its port without TLS.
pub const DYN_REG_SERVER_PORT: u16 = 80;
/// Its port with TLS.
pub const DYN_REG_SERVER_PORT_TLS: u16 = 443;
/// Where log uploads go.
pub const LOG_UPLOAD_SERVER_URL: &str = "http://devicelog.iot.cloud.tencent.com/cgi-bin/report-log";
/// Host of LOG_UPLOAD_SERVER_URL.
pub const LOG_UPLOAD_SERVER_DOMAIN: &str = "devicelog.iot.cloud.tencent.com";
/// Port of LOG_UPLOAD_SERVER_URL.
pub const LOG_UPLOAD_SERVER_PORT: u16 = 80;
/// Room for a host name in the C SDK, in bytes with the NUL.
pub const HOST_STR_LENGTH: usize = 64;
/// Longest decoded device secret in bytes.
pub const DECODE_PSK_LENGTH: usize = 48;
