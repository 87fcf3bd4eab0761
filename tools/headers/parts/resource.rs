//! Functions of `qcloud_iot_export_resource.h` without a Rust definition.

extern "C" {
    /// Opens the service on an MQTT client. NULL on failure.
    pub fn IOT_Resource_Init(
        product_id: *const c_char,
        device_name: *const c_char,
        mqtt_client: *mut c_void,
    ) -> *mut c_void;
    /// Closes the service. Returns 0 or an error code.
    pub fn IOT_Resource_DeInit(handle: *mut c_void) -> c_int;
    /// Asks the cloud for a download that waits. Returns the packet id or an error code.
    pub fn IOT_Resource_GetDownloadTask(handle: *mut c_void) -> c_int;
    /// 1: there is something to download.
    pub fn IOT_Resource_IsStartDownload(handle: *mut c_void) -> c_int;
    /// Connects, and asks for what follows offset. Returns 0 or an error code.
    pub fn IOT_Resource_StartDownload(handle: *mut c_void, offset: u32, size: u32) -> c_int;
    /// Writes what was downloaded next to buf. Returns the bytes, 0 when none came in timeout_s seconds, or an error code.
    pub fn IOT_Resource_DownloadYield(
        handle: *mut c_void,
        buf: *mut c_char,
        buf_len: u32,
        timeout_s: u32,
    ) -> c_int;
    /// 1: the download is over.
    pub fn IOT_Resource_IsDownloadFinish(handle: *mut c_void) -> c_int;
    /// Adds what is on the disk already to the MD5.
    pub fn IOT_Resource_UpdateDownloadClientMd5(handle: *mut c_void, buff: *mut c_char, size: u32);
    /// Begins the MD5 anew. Returns 0 or an error code.
    pub fn IOT_Resource_DownloadResetClientMD5(handle: *mut c_void) -> c_int;
    /// Tells about the download. Returns 0 or an error code.
    pub fn IOT_Resource_DownloadIoctl(
        handle: *mut c_void,
        r#type: raw::QCLOUD_IOT_RESOURCE_CMDTYPE_E,
        buf: *mut c_void,
        buf_len: usize,
    ) -> c_int;
    /// Tells the cloud that the download succeeded; resource_name NULL: the one that the cloud named.
    pub fn IOT_Resource_ReportDownloadSuccess(handle: *mut c_void, resource_name: *mut c_char) -> c_int;
    /// Tells the cloud that the download failed; resource_name NULL: the one that the cloud named.
    pub fn IOT_Resource_ReportDownloadFail(handle: *mut c_void, resource_name: *mut c_char) -> c_int;
    /// Last error of the download.
    pub fn QCLOUD_IOT_RESOURCE_DownloadGetLastError(handle: *mut c_void) -> c_int;
    /// Asks the cloud for a place to upload to. Returns the packet id or an error code.
    pub fn IOT_Resource_Upload_Request(
        handle: *mut c_void,
        resource_name: *mut c_char,
        resource_size: c_int,
        md5sum: *mut c_char,
    ) -> c_int;
    /// 1: the cloud gave leave to upload.
    pub fn IOT_Resource_IsStartUpload(handle: *mut c_void) -> c_int;
    /// Connects, and begins the upload. buf is not used. Returns 0 or an error code.
    pub fn IOT_Resource_StartUpload(handle: *mut c_void, buf: *mut c_char) -> c_int;
    /// Uploads the next buf_len bytes. Returns their number or an error code.
    pub fn IOT_Resource_UploadYield(
        handle: *mut c_void,
        buf: *mut c_char,
        buf_len: u32,
        timeout_s: u32,
    ) -> c_int;
    /// 1: all is uploaded.
    pub fn IOT_Resource_IsUploadFinish(handle: *mut c_void) -> c_int;
    /// Adds what will be uploaded to the MD5.
    pub fn IOT_Resource_UploadMd5Update(handle: *mut c_void, buf: *mut c_char, buf_len: c_int);
    /// Writes the MD5, 32 hexadecimal digits and a NUL, to md5_str.
    pub fn IOT_Resource_Upload_Md5_Finish(handle: *mut c_void, md5_str: *mut c_char);
    /// Begins the MD5 anew. Returns 0 or an error code.
    pub fn IOT_Resource_UploadResetClientMD5(handle: *mut c_void) -> c_int;
    /// Tells about the upload. Returns 0 or an error code.
    pub fn IOT_Resource_UploadIoctl(
        handle: *mut c_void,
        r#type: raw::QCLOUD_IOT_RESOURCE_CMDTYPE_E,
        buf: *mut c_void,
        buf_len: usize,
    ) -> c_int;
    /// Tells the cloud that the upload succeeded.
    pub fn IOT_Resource_ReportUploadSuccess(handle: *mut c_void, resource_name: *mut c_char) -> c_int;
    /// Tells the cloud that the upload failed.
    pub fn IOT_Resource_ReportUploadFail(handle: *mut c_void, resource_name: *mut c_char) -> c_int;
    /// Last error of the upload.
    pub fn IOT_Resource_UploadGetLastError(handle: *mut c_void) -> c_int;
}
