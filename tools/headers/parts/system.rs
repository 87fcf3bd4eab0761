//! Functions of `qcloud_iot_export_system.h` without a Rust definition.

extern "C" {
    pub fn IOT_Get_SysTime(pClient: *mut c_void, time: *mut c_long) -> c_int;
    pub fn IOT_Sync_NTPTime(pClient: *mut c_void) -> c_int;
}
