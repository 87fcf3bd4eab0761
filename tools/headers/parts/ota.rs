//! Functions of `qcloud_iot_export_ota.h` without a Rust definition.

extern "C" {
    pub fn IOT_OTA_Init(product_id: *const c_char, device_name: *const c_char, ch_signal: *mut c_void) -> *mut c_void;
    pub fn IOT_OTA_Destroy(handle: *mut c_void) -> c_int;
    pub fn IOT_OTA_StartDownload(handle: *mut c_void, offset: u32, size: u32) -> c_int;
    pub fn IOT_OTA_UpdateClientMd5(handle: *mut c_void, buff: *mut c_char, size: u32);
    pub fn IOT_OTA_ResetClientMD5(handle: *mut c_void) -> c_int;
    pub fn IOT_OTA_ReportVersion(handle: *mut c_void, version: *const c_char) -> c_int;
    pub fn IOT_OTA_ReportUpgradeBegin(handle: *mut c_void) -> c_int;
    pub fn IOT_OTA_ReportUpgradeSuccess(handle: *mut c_void, version: *const c_char) -> c_int;
    pub fn IOT_OTA_ReportUpgradeFail(handle: *mut c_void, version: *const c_char) -> c_int;
    pub fn IOT_OTA_IsFetching(handle: *mut c_void) -> c_int;
    pub fn IOT_OTA_IsFetchFinish(handle: *mut c_void) -> c_int;
    pub fn IOT_OTA_FetchYield(handle: *mut c_void, buf: *mut c_char, buf_len: u32, timeout_s: u32) -> c_int;
    pub fn IOT_OTA_Ioctl(handle: *mut c_void, type_: IOT_OTA_CmdType, buf: *mut c_void, buf_len: usize) -> c_int;
    pub fn IOT_OTA_GetLastError(handle: *mut c_void) -> c_int;
}
