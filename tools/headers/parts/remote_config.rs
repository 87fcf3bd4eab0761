//! Functions of `qcloud_iot_export_remote_config.h` without a Rust definition.

extern "C" {
    /// Receives configurations when the cloud sends them; waits subscribe_timeout seconds. Returns 0 or an error code.
    pub fn IOT_Subscribe_Config(
        client: *mut c_void,
        config_sub_userdata: *mut ConfigSubscirbeUserData,
        subscribe_timeout: c_int,
    ) -> c_int;
    /// Asks for the configuration; waits reply_timeout seconds. Returns 0 or an error code.
    pub fn IOT_Get_Config(
        client: *mut c_void,
        json_buffer: *mut c_char,
        buffer_size: c_int,
        reply_timeout: c_int,
    ) -> c_int;
}
