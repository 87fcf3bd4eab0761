//! Functions of `qcloud_iot_export_gateway.h` without a Rust definition.

extern "C" {
    /// Connects a gateway. Returns its handle, NULL on failure.
    pub fn IOT_Gateway_Construct(init_param: *mut GatewayInitParam) -> *mut c_void;
    /// Closes a gateway and frees it. Returns 0 or an error code.
    pub fn IOT_Gateway_Destroy(client: *mut c_void) -> c_int;
    /// Tells the cloud that a device is online. Returns 0 or an error code.
    pub fn IOT_Gateway_Subdev_Online(client: *mut c_void, param: *mut GatewayParam) -> c_int;
    /// Tells the cloud that a device is offline. Returns 0 or an error code.
    pub fn IOT_Gateway_Subdev_Offline(client: *mut c_void, param: *mut GatewayParam) -> c_int;
    /// Binds a device to the gateway. Returns 0 or an error code.
    pub fn IOT_Gateway_Subdev_Bind(
        client: *mut c_void,
        param: *mut GatewayParam,
        pBindSubDevInfo: *mut DeviceInfo,
    ) -> c_int;
    /// Ends the binding of a device. Returns 0 or an error code.
    pub fn IOT_Gateway_Subdev_Unbind(
        client: *mut c_void,
        param: *mut GatewayParam,
        pSubDevInfo: *mut DeviceInfo,
    ) -> c_int;
    /// As IOT_MQTT_Publish, for a device behind the gateway.
    pub fn IOT_Gateway_Publish(client: *mut c_void, topic_name: *mut c_char, params: *mut PublishParams) -> c_int;
    /// As IOT_MQTT_Subscribe, for a device behind the gateway.
    pub fn IOT_Gateway_Subscribe(client: *mut c_void, topic_filter: *mut c_char, params: *mut SubscribeParams)
        -> c_int;
    /// As IOT_MQTT_Unsubscribe, for a device behind the gateway.
    pub fn IOT_Gateway_Unsubscribe(client: *mut c_void, topic_filter: *mut c_char) -> c_int;
    /// Whether the server granted a subscription.
    pub fn IOT_Gateway_IsSubReady(client: *mut c_void, topic_filter: *mut c_char) -> c_int;
    /// As IOT_MQTT_Yield.
    pub fn IOT_Gateway_Yield(client: *mut c_void, timeout_ms: u32) -> c_int;
    /// The gateway's MQTT client; belongs to the gateway.
    pub fn IOT_Gateway_Get_Mqtt_Client(handle: *mut c_void) -> *mut c_void;
    /// Asks for the bound devices. Returns 0 or an error code. Free the list with
    /// IOT_Gateway_Subdev_DestoryBindList.
    pub fn IOT_Gateway_Subdev_GetBindList(
        client: *mut c_void,
        param: *mut GatewayParam,
        subdev_bindlist: *mut SubdevBindList,
    ) -> c_int;
    /// Frees the list of bound devices.
    pub fn IOT_Gateway_Subdev_DestoryBindList(subdev_bindlist: *mut SubdevBindList);
}
