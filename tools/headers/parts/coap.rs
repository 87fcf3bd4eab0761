//! Functions of `qcloud_iot_export_coap.h` without a Rust definition.

extern "C" {
    /// Connects a CoAP client. Returns its handle, NULL on failure.
    pub fn IOT_COAP_Construct(pParams: *mut CoAPInitParams) -> *mut c_void;
    /// Closes a client, frees it and sets the pointer to NULL.
    pub fn IOT_COAP_Destroy(pClient: *mut *mut c_void);
    /// Reads and handles messages for timeout_ms milliseconds. Returns 0 or an error code.
    pub fn IOT_COAP_Yield(pClient: *mut c_void, timeout_ms: u32) -> c_int;
    /// Sends a message. Returns its id, or an error code.
    pub fn IOT_COAP_SendMessage(pClient: *mut c_void, topicName: *mut c_char, sendParams: *mut SendMsgParams) -> c_int;
    /// Id of a message; negative on failure.
    pub fn IOT_COAP_GetMessageId(pMessage: *mut c_void) -> c_int;
    /// Points payload at the payload of a message, valid during the callback. Returns 0 or an error code.
    pub fn IOT_COAP_GetMessagePayload(
        pMessage: *mut c_void,
        payload: *mut *mut c_char,
        payloadLen: *mut c_int,
    ) -> c_int;
    /// Code of a message; negative on failure.
    pub fn IOT_COAP_GetMessageCode(pMessage: *mut c_void) -> c_int;
    /// The client's identity; belongs to the client.
    pub fn IOT_COAP_GetDeviceInfo(pClient: *mut c_void) -> *mut DeviceInfo;
}
