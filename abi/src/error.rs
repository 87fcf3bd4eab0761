//! `qcloud_iot_export_error.h`: what the functions return.

use std::ffi::c_int;

/// Return codes. Functions that return a packet id or a count return it as a positive number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IoT_Return_Code {
    /// The client was connected already.
    QCLOUD_RET_MQTT_ALREADY_CONNECTED = 4,
    /// The server accepted the connection.
    QCLOUD_RET_MQTT_CONNACK_CONNECTION_ACCEPTED = 3,
    /// The client was disconnected on purpose.
    QCLOUD_RET_MQTT_MANUALLY_DISCONNECTED = 2,
    /// The client has connected again.
    QCLOUD_RET_MQTT_RECONNECTED = 1,
    /// Done.
    QCLOUD_RET_SUCCESS = 0,
    /// Failed without a closer reason.
    QCLOUD_ERR_FAILURE = -1001,
    /// A parameter is NULL or out of range.
    QCLOUD_ERR_INVAL = -1002,
    /// The device information could not be read or written.
    QCLOUD_ERR_DEV_INFO = -1003,
    /// Out of memory.
    QCLOUD_ERR_MALLOC = -1004,
    /// The HTTP server closed the connection.
    QCLOUD_ERR_HTTP_CLOSED = -3,
    /// HTTP failed.
    QCLOUD_ERR_HTTP = -4,
    /// The answer is not HTTP.
    QCLOUD_ERR_HTTP_PRTCL = -5,
    /// The HTTP server's name has no address.
    QCLOUD_ERR_HTTP_UNRESOLVED_DNS = -6,
    /// The URL or the answer can't be understood.
    QCLOUD_ERR_HTTP_PARSE = -7,
    /// The HTTP server could not be reached.
    QCLOUD_ERR_HTTP_CONN = -8,
    /// The HTTP server refused the authorisation.
    QCLOUD_ERR_HTTP_AUTH = -9,
    /// The HTTP server does not have the file.
    QCLOUD_ERR_HTTP_NOT_FOUND = -10,
    /// The HTTP server stayed silent.
    QCLOUD_ERR_HTTP_TIMEOUT = -11,
    /// Too much waits for an acknowledgement.
    QCLOUD_ERR_MQTT_PUSH_TO_LIST_FAILED = -102,
    /// The client is not connected.
    QCLOUD_ERR_MQTT_NO_CONN = -103,
    /// MQTT failed without a closer reason.
    QCLOUD_ERR_MQTT_UNKNOWN = -104,
    /// The client is about to connect again.
    QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT = -105,
    /// Reconnecting was given up.
    QCLOUD_ERR_MQTT_RECONNECT_TIMEOUT = -106,
    /// Too many subscriptions.
    QCLOUD_ERR_MQTT_MAX_SUBSCRIPTIONS = -107,
    /// The server refused the subscription.
    QCLOUD_ERR_MQTT_SUB = -108,
    /// No packet is there.
    QCLOUD_ERR_MQTT_NOTHING_TO_READ = -109,
    /// A packet could not be read.
    QCLOUD_ERR_MQTT_PACKET_READ = -110,
    /// No answer to a command in time.
    QCLOUD_ERR_MQTT_REQUEST_TIMEOUT = -111,
    /// CONNACK with an unknown code.
    QCLOUD_ERR_MQTT_CONNACK_UNKNOWN = -112,
    /// CONNACK code 1: protocol version not accepted.
    QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION = -113,
    /// CONNACK code 2: client id not accepted.
    QCLOUD_ERR_MQTT_CONNACK_IDENTIFIER_REJECTED = -114,
    /// CONNACK code 3: server not available.
    QCLOUD_ERR_MQTT_CONNACK_SERVER_UNAVAILABLE = -115,
    /// CONNACK code 4: user name or password wrong.
    QCLOUD_ERR_MQTT_CONNACK_BAD_USERDATA = -116,
    /// CONNACK code 5: not authorised.
    QCLOUD_ERR_MQTT_CONNACK_NOT_AUTHORIZED = -117,
    /// A received packet is malformed.
    QCLOUD_ERR_RX_MESSAGE_INVAL = -118,
    /// A buffer is too short.
    QCLOUD_ERR_BUF_TOO_SHORT = -119,
    /// This quality of service is not offered.
    QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT = -120,
    /// There is no such subscription.
    QCLOUD_ERR_MQTT_UNSUB_FAIL = -121,
    /// The JSON text is malformed.
    QCLOUD_ERR_JSON_PARSE = -132,
    /// The JSON text was cut.
    QCLOUD_ERR_JSON_BUFFER_TRUNCATED = -133,
    /// The buffer for the JSON text is too small.
    QCLOUD_ERR_JSON_BUFFER_TOO_SMALL = -134,
    /// The JSON text could not be made.
    QCLOUD_ERR_JSON = -135,
    /// The JSON text has too many tokens.
    QCLOUD_ERR_MAX_JSON_TOKEN = -136,
    /// Too many requests wait for an answer.
    QCLOUD_ERR_MAX_APPENDING_REQUEST = -137,
    /// The topic is too long.
    QCLOUD_ERR_MAX_TOPIC_LENGTH = -138,
    /// A CoAP parameter is NULL.
    QCLOUD_ERR_COAP_NULL = -150,
    /// The CoAP message is too long.
    QCLOUD_ERR_COAP_DATA_SIZE = -151,
    /// CoAP failed.
    QCLOUD_ERR_COAP_INTERNAL = -152,
    /// A CoAP message is malformed.
    QCLOUD_ERR_COAP_BADMSG = -153,
    /// The server closed the DTLS connection.
    QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY = -160,
    /// The property is registered already.
    QCLOUD_ERR_SHADOW_PROPERTY_EXIST = -201,
    /// The property is not registered.
    QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST = -202,
    /// No answer to a shadow update in time.
    QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT = -203,
    /// The shadow update was refused.
    QCLOUD_ERR_SHADOW_UPDATE_REJECTED = -204,
    /// No answer to a shadow query in time.
    QCLOUD_ERR_SHADOW_GET_TIMEOUT = -205,
    /// The shadow query was refused.
    QCLOUD_ERR_SHADOW_GET_REJECTED = -206,
    /// The session of a sub-device could not be made.
    QCLOUD_ERR_GATEWAY_CREATE_SESSION_FAIL = -221,
    /// The sub-device has no session.
    QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST = -222,
    /// No answer about a sub-device's session in time.
    QCLOUD_ERR_GATEWAY_SESSION_TIMEOUT = -223,
    /// The sub-device is online already.
    QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE = -224,
    /// The sub-device is offline already.
    QCLOUD_ERR_GATEWAY_SUBDEV_OFFLINE = -225,
    /// The answer to a call came too late.
    QCLOUD_ERR_RRPC_REPLY_TIMEOUT = -230,
    /// The answer to a call could not be sent.
    QCLOUD_ERR_RRPC_REPLY_ERR = -231,
    /// No socket could be made.
    QCLOUD_ERR_TCP_SOCKET_FAILED = -601,
    /// The host name has no address.
    QCLOUD_ERR_TCP_UNKNOWN_HOST = -602,
    /// The host could not be reached.
    QCLOUD_ERR_TCP_CONNECT = -603,
    /// Not everything came in time.
    QCLOUD_ERR_TCP_READ_TIMEOUT = -604,
    /// Not everything went out in time.
    QCLOUD_ERR_TCP_WRITE_TIMEOUT = -605,
    /// Reading failed.
    QCLOUD_ERR_TCP_READ_FAIL = -606,
    /// Writing failed.
    QCLOUD_ERR_TCP_WRITE_FAIL = -607,
    /// The peer closed the connection.
    QCLOUD_ERR_TCP_PEER_SHUTDOWN = -608,
    /// Nothing came in time.
    QCLOUD_ERR_TCP_NOTHING_TO_READ = -609,
    /// TLS could not be set up.
    QCLOUD_ERR_SSL_INIT = -701,
    /// A certificate is missing, broken or not trusted.
    QCLOUD_ERR_SSL_CERT = -702,
    /// The TLS handshake failed.
    QCLOUD_ERR_SSL_CONNECT = -703,
    /// The TLS handshake took too long.
    QCLOUD_ERR_SSL_CONNECT_TIMEOUT = -704,
    /// Not everything went out in time over TLS.
    QCLOUD_ERR_SSL_WRITE_TIMEOUT = -705,
    /// Writing over TLS failed.
    QCLOUD_ERR_SSL_WRITE = -706,
    /// Not everything came in time over TLS.
    QCLOUD_ERR_SSL_READ_TIMEOUT = -707,
    /// Reading over TLS failed, or the peer closed the connection.
    QCLOUD_ERR_SSL_READ = -708,
    /// Nothing came in time over TLS.
    QCLOUD_ERR_SSL_NOTHING_TO_READ = -709,
}

integers!(
    IoT_Return_Code as c_int:
    QCLOUD_RET_MQTT_ALREADY_CONNECTED,
    QCLOUD_RET_MQTT_CONNACK_CONNECTION_ACCEPTED,
    QCLOUD_RET_MQTT_MANUALLY_DISCONNECTED,
    QCLOUD_RET_MQTT_RECONNECTED,
    QCLOUD_RET_SUCCESS,
    QCLOUD_ERR_FAILURE,
    QCLOUD_ERR_INVAL,
    QCLOUD_ERR_DEV_INFO,
    QCLOUD_ERR_MALLOC,
    QCLOUD_ERR_HTTP_CLOSED,
    QCLOUD_ERR_HTTP,
    QCLOUD_ERR_HTTP_PRTCL,
    QCLOUD_ERR_HTTP_UNRESOLVED_DNS,
    QCLOUD_ERR_HTTP_PARSE,
    QCLOUD_ERR_HTTP_CONN,
    QCLOUD_ERR_HTTP_AUTH,
    QCLOUD_ERR_HTTP_NOT_FOUND,
    QCLOUD_ERR_HTTP_TIMEOUT,
    QCLOUD_ERR_MQTT_PUSH_TO_LIST_FAILED,
    QCLOUD_ERR_MQTT_NO_CONN,
    QCLOUD_ERR_MQTT_UNKNOWN,
    QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT,
    QCLOUD_ERR_MQTT_RECONNECT_TIMEOUT,
    QCLOUD_ERR_MQTT_MAX_SUBSCRIPTIONS,
    QCLOUD_ERR_MQTT_SUB,
    QCLOUD_ERR_MQTT_NOTHING_TO_READ,
    QCLOUD_ERR_MQTT_PACKET_READ,
    QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
    QCLOUD_ERR_MQTT_CONNACK_UNKNOWN,
    QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION,
    QCLOUD_ERR_MQTT_CONNACK_IDENTIFIER_REJECTED,
    QCLOUD_ERR_MQTT_CONNACK_SERVER_UNAVAILABLE,
    QCLOUD_ERR_MQTT_CONNACK_BAD_USERDATA,
    QCLOUD_ERR_MQTT_CONNACK_NOT_AUTHORIZED,
    QCLOUD_ERR_RX_MESSAGE_INVAL,
    QCLOUD_ERR_BUF_TOO_SHORT,
    QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT,
    QCLOUD_ERR_MQTT_UNSUB_FAIL,
    QCLOUD_ERR_JSON_PARSE,
    QCLOUD_ERR_JSON_BUFFER_TRUNCATED,
    QCLOUD_ERR_JSON_BUFFER_TOO_SMALL,
    QCLOUD_ERR_JSON,
    QCLOUD_ERR_MAX_JSON_TOKEN,
    QCLOUD_ERR_MAX_APPENDING_REQUEST,
    QCLOUD_ERR_MAX_TOPIC_LENGTH,
    QCLOUD_ERR_COAP_NULL,
    QCLOUD_ERR_COAP_DATA_SIZE,
    QCLOUD_ERR_COAP_INTERNAL,
    QCLOUD_ERR_COAP_BADMSG,
    QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY,
    QCLOUD_ERR_SHADOW_PROPERTY_EXIST,
    QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST,
    QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT,
    QCLOUD_ERR_SHADOW_UPDATE_REJECTED,
    QCLOUD_ERR_SHADOW_GET_TIMEOUT,
    QCLOUD_ERR_SHADOW_GET_REJECTED,
    QCLOUD_ERR_GATEWAY_CREATE_SESSION_FAIL,
    QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST,
    QCLOUD_ERR_GATEWAY_SESSION_TIMEOUT,
    QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE,
    QCLOUD_ERR_GATEWAY_SUBDEV_OFFLINE,
    QCLOUD_ERR_RRPC_REPLY_TIMEOUT,
    QCLOUD_ERR_RRPC_REPLY_ERR,
    QCLOUD_ERR_TCP_SOCKET_FAILED,
    QCLOUD_ERR_TCP_UNKNOWN_HOST,
    QCLOUD_ERR_TCP_CONNECT,
    QCLOUD_ERR_TCP_READ_TIMEOUT,
    QCLOUD_ERR_TCP_WRITE_TIMEOUT,
    QCLOUD_ERR_TCP_READ_FAIL,
    QCLOUD_ERR_TCP_WRITE_FAIL,
    QCLOUD_ERR_TCP_PEER_SHUTDOWN,
    QCLOUD_ERR_TCP_NOTHING_TO_READ,
    QCLOUD_ERR_SSL_INIT,
    QCLOUD_ERR_SSL_CERT,
    QCLOUD_ERR_SSL_CONNECT,
    QCLOUD_ERR_SSL_CONNECT_TIMEOUT,
    QCLOUD_ERR_SSL_WRITE_TIMEOUT,
    QCLOUD_ERR_SSL_WRITE,
    QCLOUD_ERR_SSL_READ_TIMEOUT,
    QCLOUD_ERR_SSL_READ,
    QCLOUD_ERR_SSL_NOTHING_TO_READ,
);
