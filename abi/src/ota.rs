//! `qcloud_iot_export_ota.h`: states, errors and queries of a firmware upgrade.

use std::ffi::c_int;

use crate::raw;

/// Errors of the OTA functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_OTA_Error_Code {
    /// Failed without a closer reason.
    IOT_OTA_ERR_FAIL = -1,
    /// A parameter is NULL or out of range.
    IOT_OTA_ERR_INVALID_PARAM = -2,
    /// The call does not fit the present state.
    IOT_OTA_ERR_INVALID_STATE = -3,
    /// A text is too long.
    IOT_OTA_ERR_STR_TOO_LONG = -4,
    /// The download failed.
    IOT_OTA_ERR_FETCH_FAILED = -5,
    /// The firmware does not exist on the server.
    IOT_OTA_ERR_FETCH_NOT_EXIST = -6,
    /// The server refused the URL's signature.
    IOT_OTA_ERR_FETCH_AUTH_FAIL = -7,
    /// The server stayed silent.
    IOT_OTA_ERR_FETCH_TIMEOUT = -8,
    /// Out of memory.
    IOT_OTA_ERR_NOMEM = -9,
    /// The signal channel (MQTT) failed.
    IOT_OTA_ERR_OSC_FAILED = -10,
    /// The cloud refused the version report.
    IOT_OTA_ERR_REPORT_VERSION = -11,
    /// No error.
    IOT_OTA_ERR_NONE = 0,
}

integers!(
    IOT_OTA_Error_Code as c_int: IOT_OTA_ERR_FAIL, IOT_OTA_ERR_INVALID_PARAM, IOT_OTA_ERR_INVALID_STATE,
    IOT_OTA_ERR_STR_TOO_LONG, IOT_OTA_ERR_FETCH_FAILED, IOT_OTA_ERR_FETCH_NOT_EXIST, IOT_OTA_ERR_FETCH_AUTH_FAIL,
    IOT_OTA_ERR_FETCH_TIMEOUT, IOT_OTA_ERR_NOMEM, IOT_OTA_ERR_OSC_FAILED, IOT_OTA_ERR_REPORT_VERSION,
    IOT_OTA_ERR_NONE,
);

/// Where an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_OTA_State_Code {
    /// Not initialised.
    IOT_OTAS_UNINITED = 0,
    /// Waiting for an update command.
    IOT_OTAS_INITED = 1,
    /// An update command is there, the firmware is not complete.
    IOT_OTAS_FETCHING = 2,
    /// The firmware is complete, or the download failed for good.
    IOT_OTAS_FETCHED = 3,
    /// The download server could not be reached.
    IOT_OTAS_DISCONNECTED = 4,
}

/// Progress of an upgrade: a percentage, or a negative code for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_OTA_Progress_Code {
    /// Writing the firmware failed.
    IOT_OTAP_BURN_FAILED = -4,
    /// The firmware's check failed.
    IOT_OTAP_CHECK_FALIED = -3,
    /// The download failed.
    IOT_OTAP_FETCH_FAILED = -2,
    /// Failed without a closer reason.
    IOT_OTAP_GENERAL_FAILED = -1,
    /// Nothing downloaded yet.
    IOT_OTAP_FETCH_PERCENTAGE_MIN = 0,
    /// All downloaded.
    IOT_OTAP_FETCH_PERCENTAGE_MAX = 100,
}

/// Queries for IOT_OTA_Ioctl. The comment says what the buffer receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_OTA_CmdType {
    /// Bytes fetched so far: uint32_t, length 4, aligned to 4.
    IOT_OTAG_FETCHED_SIZE = 0,
    /// Size of the firmware in bytes: uint32_t, length 4, aligned to 4.
    IOT_OTAG_FILE_SIZE = 1,
    /// MD5 that the cloud announced: text of 32 hexadecimal digits, cut to the buffer.
    IOT_OTAG_MD5SUM = 2,
    /// Version that the cloud announced: text, cut to the buffer.
    IOT_OTAG_VERSION = 3,
    /// Whether what was fetched has the announced MD5: uint32_t, 1 or 0.
    IOT_OTAG_CHECK_FIRMWARE = 4,
}

integers!(
    IOT_OTA_CmdType as raw::IOT_OTA_CmdType: IOT_OTAG_FETCHED_SIZE, IOT_OTAG_FILE_SIZE, IOT_OTAG_MD5SUM,
    IOT_OTAG_VERSION, IOT_OTAG_CHECK_FIRMWARE,
);

/// What a device reports about an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_OTAReportType {
    /// The download took too long.
    IOT_OTAR_DOWNLOAD_TIMEOUT = -1,
    /// The firmware does not exist on the server.
    IOT_OTAR_FILE_NOT_EXIST = -2,
    /// The server refused the URL's signature.
    IOT_OTAR_AUTH_FAIL = -3,
    /// The firmware's MD5 is not the announced one.
    IOT_OTAR_MD5_NOT_MATCH = -4,
    /// The upgrade failed.
    IOT_OTAR_UPGRADE_FAIL = -5,
    /// Nothing.
    IOT_OTAR_NONE = 0,
    /// The download begins.
    IOT_OTAR_DOWNLOAD_BEGIN = 1,
    /// The download goes on.
    IOT_OTAR_DOWNLOADING = 2,
    /// The firmware is being written.
    IOT_OTAR_UPGRADE_BEGIN = 3,
    /// The upgrade is done.
    IOT_OTAR_UPGRADE_SUCCESS = 4,
}

integers!(
    IOT_OTAReportType as c_int: IOT_OTAR_DOWNLOAD_TIMEOUT, IOT_OTAR_FILE_NOT_EXIST, IOT_OTAR_AUTH_FAIL,
    IOT_OTAR_MD5_NOT_MATCH, IOT_OTAR_UPGRADE_FAIL, IOT_OTAR_NONE, IOT_OTAR_DOWNLOAD_BEGIN, IOT_OTAR_DOWNLOADING,
    IOT_OTAR_UPGRADE_BEGIN, IOT_OTAR_UPGRADE_SUCCESS,
);
