//! Functions of `qcloud_iot_export_shadow.h` without a Rust definition.

extern "C" {
    /// Connects a shadow client. Returns its handle, NULL on failure.
    pub fn IOT_Shadow_Construct(pParams: *mut ShadowInitParams) -> *mut c_void;
    /// The shadow's MQTT client; belongs to the shadow client.
    pub fn IOT_Shadow_Get_Mqtt_Client(handle: *mut c_void) -> *mut c_void;
    /// As IOT_MQTT_Publish.
    pub fn IOT_Shadow_Publish(pClient: *mut c_void, topicName: *mut c_char, pParams: *mut PublishParams) -> c_int;
    /// As IOT_MQTT_Subscribe.
    pub fn IOT_Shadow_Subscribe(pClient: *mut c_void, topicFilter: *mut c_char, pParams: *mut SubscribeParams)
        -> c_int;
    /// As IOT_MQTT_Unsubscribe.
    pub fn IOT_Shadow_Unsubscribe(pClient: *mut c_void, topicFilter: *mut c_char) -> c_int;
    /// Whether the connection is up.
    pub fn IOT_Shadow_IsConnected(pClient: *mut c_void) -> bool;
    /// Closes a client and frees it. Returns 0 or an error code.
    pub fn IOT_Shadow_Destroy(pClient: *mut c_void) -> c_int;
    /// As IOT_MQTT_Yield.
    pub fn IOT_Shadow_Yield(pClient: *mut c_void, timeout_ms: u32) -> c_int;
    /// Changes the shadow; callback receives the outcome within timeout_ms milliseconds. Returns 0 or an error code.
    pub fn IOT_Shadow_Update(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        callback: OnRequestCallback,
        userContext: *mut c_void,
        timeout_ms: u32,
    ) -> c_int;
    /// As IOT_Shadow_Update, and waits for the outcome.
    pub fn IOT_Shadow_Update_Sync(
        pClient: *mut c_void,
        pJsonDoc: *mut c_char,
        sizeOfBuffer: usize,
        timeout_ms: u32,
    ) -> c_int;
    /// Asks for the shadow; callback receives the outcome within timeout_ms milliseconds. Returns 0 or an error code.
    pub fn IOT_Shadow_Get(
        pClient: *mut c_void,
        callback: OnRequestCallback,
        userContext: *mut c_void,
        timeout_ms: u32,
    ) -> c_int;
    /// As IOT_Shadow_Get, and waits for the outcome.
    pub fn IOT_Shadow_Get_Sync(pClient: *mut c_void, timeout_ms: u32) -> c_int;
    /// Watches a property; callback is told when the cloud wants another value. Returns 0 or an error code.
    pub fn IOT_Shadow_Register_Property(
        pClient: *mut c_void,
        pProperty: *mut DeviceProperty,
        callback: OnPropRegCallback,
    ) -> c_int;
    /// Stops watching a property. Returns 0 or an error code.
    pub fn IOT_Shadow_UnRegister_Property(pClient: *mut c_void, pProperty: *mut DeviceProperty) -> c_int;
    /// Writes the text of a report of count properties into jsonBuffer. Returns 0 or an error code.
    pub fn IOT_Shadow_JSON_ConstructReportArray(
        pClient: *mut c_void,
        jsonBuffer: *mut c_char,
        sizeOfBuffer: usize,
        count: u8,
        pDeviceProperties: *mut *mut DeviceProperty,
    ) -> c_int;
    /// Writes the text that clears what was desired into jsonBuffer. Returns 0 or an error code.
    pub fn IOT_Shadow_JSON_ConstructDesireAllNull(
        handle: *mut c_void,
        jsonBuffer: *mut c_char,
        sizeOfBuffer: usize,
    ) -> c_int;
}
