//! `qcloud_iot_export_resource.h`: files that the cloud and a device hand each other. Interface of the C SDK 3.3.0 only.

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QCLOUD_RESOURCE_ERR_CODE_E {
    /// Failed.
    QCLOUD_RESOURCE_ERRCODE_FAIL_E = -1,
    /// An argument is wrong.
    QCLOUD_RESOURCE_ERRCODE_INVALID_PARAM_E = -2,
    /// Not now.
    QCLOUD_RESOURCE_ERRCODE_INVALID_STATE_E = -3,
    /// A text is too long.
    QCLOUD_RESOURCE_ERRCODE_STR_TOO_LONG_ = -4,
    /// The transfer failed.
    QCLOUD_RESOURCE_ERRCODE_FETCH_FAILED_E = -5,
    /// The server has no such file.
    QCLOUD_RESOURCE_ERRCODE_FETCH_NOT_EXIST_E = -6,
    /// The server refused.
    QCLOUD_RESOURCE_ERRCODE_FETCH_AUTH_FAIL_E = -7,
    /// Too late.
    QCLOUD_RESOURCE_ERRCODE_FETCH_TIMEOUT_E = -8,
    /// No memory.
    QCLOUD_RESOURCE_ERRCODE_NOMEM_E = -9,
    /// No connection.
    QCLOUD_RESOURCE_ERRCODE_OSC_FAILED_E = -10,
    /// A report failed.
    QCLOUD_RESOURCE_ERRCODE_REPORT_VERSION_E = -11,
    /// Nothing.
    QCLOUD_RESOURCE_ERRCODE_NONE_E = 0,
}

/// Where a resource service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QCLOUD_RESOURCE_STATE_CODE_E {
    /// Not opened.
    QCLOUD_RESOURCE_STATE_UNINITED_E = 0,
    /// Opened.
    QCLOUD_RESOURCE_STATE_INITED_E = 1,
    /// A transfer is under way.
    QCLOUD_RESOURCE_STATE_START_E = 2,
    /// A transfer is over.
    QCLOUD_RESOURCE_STATE_END_E = 3,
    /// The connection is lost.
    QCLOUD_RESOURCE_STATE_DISCONNECTED_E = 4,
}

/// Outcome of a transfer, for the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QCLOUD_RESOURCE_RESULTCODE_E {
    /// Succeeded.
    QCLOUD_RESOURCE_RESULTCODE_SUCCESS_E = 0,
    /// Took too long.
    QCLOUD_RESOURCE_RESULTCODE_TIMEOUT_E = -1,
    /// There is no such file.
    QCLOUD_RESOURCE_RESULTCODE_FILE_NOTEXIST_E = -2,
    /// The signature is not valid.
    QCLOUD_RESOURCE_RESULTCODE_SIGN_INVALID_E = -3,
    /// The MD5 does not match.
    QCLOUD_RESOURCE_RESULTCODE_MD5_NOTMATCH_E = -4,
    /// After the last one.
    QCLOUD_RESOURCE_RESULTCODE_END = -5,
}

/// Kind of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QCLOUD_RESOURCE_REPORT_E {
    /// Progress of an upload.
    QCLOUD_RESOURCE_REPORT_UPLOADING_E = 0,
    /// Progress of a download.
    QCLOUD_RESOURCE_REPORT_DOWNLOADING_E = 1,
    /// Succeeded.
    QCLOUD_RESOURCE_REPORT_SUCCESS_E = 2,
    /// Failed.
    QCLOUD_RESOURCE_REPORT_FAILED_E = 3,
}

/// What the Ioctl functions tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum QCLOUD_IOT_RESOURCE_CMDTYPE_E {
    /// Bytes downloaded, uint32_t.
    QCLOUD_IOT_RESOURCE_FETCHED_SIZE_E = 0,
    /// Size in bytes, uint32_t.
    QCLOUD_IOT_RESOURCE_SIZE_E = 1,
    /// MD5 as the cloud told it, text.
    QCLOUD_IOT_RESOURCE_MD5SUM_E = 2,
    /// Name, text.
    QCLOUD_IOT_RESOURCE_NAME_E = 3,
    /// Whether the MD5 matches, uint32_t.
    QCLOUD_IOT_RESOURCE_MD5CHECK_E = 4,
    /// Bytes uploaded, uint32_t.
    QCLOUD_IOT_RESOURCE_UPLOADED_SIZE_E = 5,
    /// MD5 as it was reckoned, text.
    QCLOUD_IOT_RESOURCE_CALCMD5_E = 6,
}
