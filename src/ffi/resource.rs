//! `qcloud_iot_export_resource.h`: files that the cloud and a device hand each other (resource.md).

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_HTTP_PARSE, QCLOUD_RET_SUCCESS};
use iot_abi::raw;
use iot_abi::resource::QCLOUD_IOT_RESOURCE_CMDTYPE_E;
use iot_engine::services::resource::{Direction, ResourceError};
use Direction::{Download, Upload};

use super::code::code;
use super::{handle, memory, required_str};
use crate::drive::error::{Error, StartFault};
use crate::drive::mqtt::Client;
use crate::drive::services::resource::{Resource, Unreported};

/// What a handle of these functions is, for the log.
const KIND: &str = "a resource handle";

/// An MD5 as text, with its NUL.
const MD5_ROOM: usize = 33;

export! {
    /// Opens the service on an MQTT client and returns the handle for all other functions; NULL on failure.
    ///
    /// Subscribes to the device's topic and waits up to 2 s for the server's answer. The subscription does not count among
    /// the client's ten. Both names are copied. The handle is ended with IOT_Resource_DeInit, before or after the client.
    ///
    /// # Safety
    /// `product_id` and `device_name` are NULL or strings.
    pub unsafe fn IOT_Resource_Init(
        product_id: *const c_char,
        device_name: *const c_char,
        mqtt_client: *mut c_void,
    ) -> *mut c_void {
        // SAFETY: the caller's promise.
        let names =
            unsafe { (required_str(NAME, "product_id", product_id), required_str(NAME, "device_name", device_name)) };
        let (Ok(product_id), Ok(device_name)) = names else {
            return ptr::null_mut();
        };
        let Some(client) = handle::required::<Client>(NAME, "mqtt_client", "an MQTT client", mqtt_client) else {
            return ptr::null_mut();
        };
        let make = || {
            Resource::new(product_id, device_name, client).map(Arc::new).map_err(|why| {
                log::error!(target: NAME, "{why}");
                QCLOUD_ERR_FAILURE
            })
        };
        memory::whole(NAME, make, |resource| resource.destroy()).map_or(ptr::null_mut(), handle::insert)
    }
}

export! {
    /// Closes the service: unsubscribes, closes both transfers, frees. Returns 0, or an error for an unknown handle.
    ///
    /// A call that runs on the handle in another thread ends soon. Nothing is reported.
    pub fn IOT_Resource_DeInit(handle: *mut c_void) -> c_int {
        match handle::remove::<Resource>(handle) {
            Some(resource) => {
                resource.destroy();
                QCLOUD_RET_SUCCESS
            }
            None => {
                handle::log_unknown(NAME, "handle", KIND, handle);
                ResourceError::InvalidParam.code()
            }
        }
    }
}

export! {
    /// Asks the cloud for a download that waits. Returns the packet id, or an error where it can't be sent.
    ///
    /// It is asked once more after a reconnect to a server that does not know the session any more.
    pub fn IOT_Resource_GetDownloadTask(handle: *mut c_void) -> c_int {
        with_resource_and_memory(NAME, Download, handle, |resource| asked(NAME, resource.ask_download()))
    }
}

export! {
    /// 1: there is something to download. Forgets an error that the cloud answered to a report.
    pub fn IOT_Resource_IsStartDownload(handle: *mut c_void) -> c_int {
        is_started(NAME, handle, Download)
    }
}

export! {
    /// Connects, and asks for the bytes that follow `offset`. `offset` 0 starts the MD5 over; to resume, feed it the bytes
    /// that are there with IOT_Resource_DownloadResetClientMD5 and IOT_Resource_UpdateDownloadClientMd5 before. `size` is
    /// not used: the task says how much there is.
    ///
    /// Returns 0, also where the server can't be reached yet: IOT_Resource_DownloadYield goes on trying. An error where
    /// there is no task to start, or for what no time mends.
    pub fn IOT_Resource_StartDownload(handle: *mut c_void, offset: u32, size: u32) -> c_int {
        let _ = size;
        with_resource_and_memory(NAME, Download, handle, |resource| started(resource.start_download(offset)))
    }
}

export! {
    /// Fetches up to `buf_len` bytes, for at most `timeout_s` seconds. Returns how many bytes came, 0 when none did, or an
    /// error below 0. A lost connection, a busy server and a silent one are no errors at first: the next calls go on where
    /// it stopped.
    ///
    /// # Safety
    /// `buf` is NULL or writable for `buf_len` bytes.
    pub unsafe fn IOT_Resource_DownloadYield(
        handle: *mut c_void,
        buf: *mut c_char,
        buf_len: u32,
        timeout_s: u32,
    ) -> c_int {
        with_resource_and_memory(NAME, Download, handle, |resource| {
            let Some(len) = transferable(NAME, resource, Download, buf.cast(), buf_len) else {
                return ResourceError::InvalidParam.code();
            };
            // SAFETY: the caller's promise.
            let buf = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), len) };
            counted(resource.fetch(buf, u64::from(timeout_s) * 1000))
        })
    }
}

export! {
    /// 1: the download is complete or has failed for good.
    pub fn IOT_Resource_IsDownloadFinish(handle: *mut c_void) -> c_int {
        with_resource(NAME, handle, |resource| c_int::from(resource.is_finished(Download)))
    }
}

export! {
    /// Adds `size` bytes that are stored already to the MD5.
    ///
    /// # Safety
    /// `buff` is NULL or readable for `size` bytes.
    pub unsafe fn IOT_Resource_UpdateDownloadClientMd5(handle: *mut c_void, buff: *mut c_char, size: u32) {
        with_resource(NAME, handle, |resource| {
            // SAFETY: the caller's promise.
            unsafe { update_md5(NAME, resource, Download, buff, size as usize) }
        });
    }
}

export! {
    /// Starts the MD5 of the download over. Returns 0.
    pub fn IOT_Resource_DownloadResetClientMD5(handle: *mut c_void) -> c_int {
        reset_md5(NAME, handle, Download)
    }
}

export! {
    /// Answers the query `type` about the download into `buf`: see QCLOUD_IOT_RESOURCE_CMDTYPE_E. Returns 0 or an error.
    ///
    /// # Safety
    /// `buf` is NULL or writable for `buf_len` bytes.
    pub unsafe fn IOT_Resource_DownloadIoctl(
        handle: *mut c_void,
        r#type: raw::QCLOUD_IOT_RESOURCE_CMDTYPE_E,
        buf: *mut c_void,
        buf_len: usize,
    ) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { ioctl(NAME, handle, Download, r#type, buf, buf_len) }
    }
}

export! {
    /// Tells the cloud that the download succeeded; `resource_name` NULL: the task's. The task is over. Returns the packet
    /// id, or an error where it can't be sent.
    ///
    /// # Safety
    /// `resource_name` is NULL or a string.
    pub unsafe fn IOT_Resource_ReportDownloadSuccess(handle: *mut c_void, resource_name: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { report(NAME, Download, handle, resource_name, |resource, name| resource.report_download(name, true).map(c_int::from)) }
    }
}

export! {
    /// Tells the cloud that the download failed; otherwise as IOT_Resource_ReportDownloadSuccess. Where the library has
    /// reported a failure itself, this repeats its cause.
    ///
    /// # Safety
    /// `resource_name` is NULL or a string.
    pub unsafe fn IOT_Resource_ReportDownloadFail(handle: *mut c_void, resource_name: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { report(NAME, Download, handle, resource_name, |resource, name| resource.report_download(name, false).map(c_int::from)) }
    }
}

export! {
    /// Last error of the download, a QCLOUD_RESOURCE_ERR_CODE_E.
    pub fn QCLOUD_IOT_RESOURCE_DownloadGetLastError(handle: *mut c_void) -> c_int {
        last_error(NAME, handle, Download)
    }
}

export! {
    /// The same under the name that the C SDK's library has for it.
    pub fn IOT_Resource_DownloadGetLastError(handle: *mut c_void) -> c_int {
        last_error(NAME, handle, Download)
    }
}

export! {
    /// Asks the cloud for a place to upload a file to: its name, 1 to 64 characters, its size, and its MD5 of 32
    /// hexadecimal digits. Returns the packet id, or an error where it can't be sent.
    ///
    /// # Safety
    /// `resource_name` and `md5sum` are NULL or strings.
    pub unsafe fn IOT_Resource_Upload_Request(
        handle: *mut c_void,
        resource_name: *mut c_char,
        resource_size: c_int,
        md5sum: *mut c_char,
    ) -> c_int {
        with_resource_and_memory(NAME, Upload, handle, |resource| {
            // SAFETY: the caller's promise.
            let texts = unsafe {
                (required_str(NAME, "resource_name", resource_name), required_str(NAME, "md5sum", md5sum))
            };
            match texts {
                (Ok(name), Ok(md5sum)) => asked(NAME, resource.ask_upload(name, resource_size, md5sum)),
                _ => resource.note(Upload, ResourceError::InvalidParam).code(),
            }
        })
    }
}

export! {
    /// 1: the cloud gave leave to upload. Forgets an error that the cloud answered to a report.
    pub fn IOT_Resource_IsStartUpload(handle: *mut c_void) -> c_int {
        is_started(NAME, handle, Upload)
    }
}

export! {
    /// Connects, and begins the upload. `buf` is not used. Returns 0 or an error.
    pub fn IOT_Resource_StartUpload(handle: *mut c_void, buf: *mut c_char) -> c_int {
        let _ = buf;
        with_resource_and_memory(NAME, Upload, handle, |resource| started(resource.start_upload()))
    }
}

export! {
    /// Uploads the next `buf_len` bytes, and after the last ones waits for the server's answer. Returns `buf_len`; 0 when
    /// the server has the file, which IOT_Resource_IsUploadFinish tells, or when none of the bytes went in `timeout_s`
    /// seconds: then call again with the same ones; or an error below 0.
    ///
    /// # Safety
    /// `buf` is NULL or readable for `buf_len` bytes.
    pub unsafe fn IOT_Resource_UploadYield(
        handle: *mut c_void,
        buf: *mut c_char,
        buf_len: u32,
        timeout_s: u32,
    ) -> c_int {
        with_resource_and_memory(NAME, Upload, handle, |resource| {
            let Some(len) = transferable(NAME, resource, Upload, buf.cast(), buf_len) else {
                return ResourceError::InvalidParam.code();
            };
            // SAFETY: the caller's promise.
            let piece = unsafe { slice::from_raw_parts(buf.cast::<u8>(), len) };
            counted(resource.send(piece, u64::from(timeout_s) * 1000))
        })
    }
}

export! {
    /// 1: all is uploaded, or the upload has failed for good.
    pub fn IOT_Resource_IsUploadFinish(handle: *mut c_void) -> c_int {
        with_resource(NAME, handle, |resource| c_int::from(resource.is_finished(Upload)))
    }
}

export! {
    /// Adds what will be uploaded to the MD5. It is that of the upload itself: not between IOT_Resource_StartUpload and the
    /// end.
    ///
    /// # Safety
    /// `buf` is NULL or readable for `buf_len` bytes.
    pub unsafe fn IOT_Resource_UploadMd5Update(handle: *mut c_void, buf: *mut c_char, buf_len: c_int) {
        with_resource(NAME, handle, |resource| {
            let Ok(len) = usize::try_from(buf_len) else {
                return invalid(NAME, resource, Upload, "buf_len is negative");
            };
            // SAFETY: the caller's promise.
            unsafe { update_md5(NAME, resource, Upload, buf, len) }
        });
    }
}

export! {
    /// Writes the MD5, 32 hexadecimal digits and a NUL, to `md5_str`, and starts it over.
    ///
    /// # Safety
    /// `md5_str` is NULL or writable for 33 bytes.
    pub unsafe fn IOT_Resource_Upload_Md5_Finish(handle: *mut c_void, md5_str: *mut c_char) {
        with_resource(NAME, handle, |resource| {
            if md5_str.is_null() {
                return invalid(NAME, resource, Upload, "md5_str is NULL");
            }
            // SAFETY: the caller's promise.
            unsafe { memory::write_text(md5_str, MD5_ROOM, resource.take_upload_md5().as_bytes()) };
            QCLOUD_RET_SUCCESS
        });
    }
}

export! {
    /// Starts the MD5 of the upload over. Returns 0.
    pub fn IOT_Resource_UploadResetClientMD5(handle: *mut c_void) -> c_int {
        reset_md5(NAME, handle, Upload)
    }
}

export! {
    /// Answers the query `type` about the upload into `buf`: see QCLOUD_IOT_RESOURCE_CMDTYPE_E. Returns 0 or an error.
    ///
    /// # Safety
    /// `buf` is NULL or writable for `buf_len` bytes.
    pub unsafe fn IOT_Resource_UploadIoctl(
        handle: *mut c_void,
        r#type: raw::QCLOUD_IOT_RESOURCE_CMDTYPE_E,
        buf: *mut c_void,
        buf_len: usize,
    ) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { ioctl(NAME, handle, Upload, r#type, buf, buf_len) }
    }
}

export! {
    /// Tells the cloud that the upload succeeded; `resource_name` NULL: the task's. The task is over. Waits up to 5 s for
    /// the cloud's answer and returns its result_code, 0 for success; an error where there is none.
    ///
    /// # Safety
    /// `resource_name` is NULL or a string.
    pub unsafe fn IOT_Resource_ReportUploadSuccess(handle: *mut c_void, resource_name: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { report(NAME, Upload, handle, resource_name, |resource, name| resource.report_upload(name, true)) }
    }
}

export! {
    /// Tells the cloud that the upload failed; otherwise as IOT_Resource_ReportUploadSuccess. Where the library has reported
    /// a failure itself, this repeats its cause.
    ///
    /// # Safety
    /// `resource_name` is NULL or a string.
    pub unsafe fn IOT_Resource_ReportUploadFail(handle: *mut c_void, resource_name: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { report(NAME, Upload, handle, resource_name, |resource, name| resource.report_upload(name, false)) }
    }
}

export! {
    /// Last error of the upload, a QCLOUD_RESOURCE_ERR_CODE_E.
    pub fn IOT_Resource_UploadGetLastError(handle: *mut c_void) -> c_int {
        last_error(NAME, handle, Upload)
    }
}

/// Runs `body` with the object behind `handle`.
pub(super) fn with_resource(name: &'static str, handle: *mut c_void, body: impl FnOnce(&Resource) -> c_int) -> c_int {
    handle::required::<Resource>(name, "handle", KIND, handle)
        .map_or(ResourceError::InvalidParam.code(), |resource| body(&resource))
}

/// As [`with_resource`], for what needs memory.
fn with_resource_and_memory(
    name: &'static str,
    direction: Direction,
    handle: *mut c_void,
    body: impl FnOnce(&Resource) -> c_int,
) -> c_int {
    with_resource(name, handle, |resource| {
        if memory::is_exhausted(name) {
            return resource.note(direction, ResourceError::NoMemory).code();
        }
        body(resource)
    })
}

fn invalid(name: &'static str, resource: &Resource, direction: Direction, what: &str) -> c_int {
    log::error!(target: name, "{what}");
    resource.note(direction, ResourceError::InvalidParam).code()
}

fn is_started(name: &'static str, handle: *mut c_void, direction: Direction) -> c_int {
    handle::required::<Resource>(name, "handle", KIND, handle)
        .map_or(0, |resource| c_int::from(resource.is_started(direction)))
}

fn last_error(name: &'static str, handle: *mut c_void, direction: Direction) -> c_int {
    with_resource(name, handle, |resource| resource.last_error(direction).code())
}

fn reset_md5(name: &'static str, handle: *mut c_void, direction: Direction) -> c_int {
    with_resource(name, handle, |resource| {
        resource.reset_md5(direction);
        QCLOUD_RET_SUCCESS
    })
}

/// # Safety
/// `buf` is NULL or readable for `len` bytes.
unsafe fn update_md5(
    name: &'static str,
    resource: &Resource,
    direction: Direction,
    buf: *const c_char,
    len: usize,
) -> c_int {
    if buf.is_null() {
        return invalid(name, resource, direction, "the buffer is NULL");
    }
    // SAFETY: the caller's promise.
    resource.update_md5(direction, unsafe { slice::from_raw_parts(buf.cast::<u8>(), len) });
    QCLOUD_RET_SUCCESS
}

/// How many bytes a call may transfer; `None`, with an `ERR` line, where the buffer is none.
fn transferable(
    name: &'static str,
    resource: &Resource,
    direction: Direction,
    buf: *const c_void,
    len: u32,
) -> Option<usize> {
    if buf.is_null() {
        invalid(name, resource, direction, "buf is NULL");
        return None;
    }
    if len == 0 {
        invalid(name, resource, direction, "buf_len is 0");
        return None;
    }
    // The count that is returned has 31 bits.
    Some(len.min(c_int::MAX.unsigned_abs()) as usize)
}

fn counted(result: Result<usize, ResourceError>) -> c_int {
    result.map_or_else(ResourceError::code, |count| c_int::try_from(count).unwrap_or(c_int::MAX))
}

/// What a question to the cloud returns.
fn asked(name: &'static str, result: Result<u16, Error>) -> c_int {
    result.map_or_else(
        |error| {
            log::error!(target: name, "not asked: {error}");
            match error {
                Error::Resource(error) => error.code(),
                _ => ResourceError::NotPublished.code(),
            }
        },
        c_int::from,
    )
}

fn started(result: Result<(), Error>) -> c_int {
    result.map_or_else(
        |error| match error {
            // As the C SDK calls a URL that it can't follow.
            Error::Start(StartFault::NoHttps) => QCLOUD_ERR_HTTP_PARSE,
            error => code(&error),
        },
        |()| QCLOUD_RET_SUCCESS,
    )
}

/// Reports a result under the name that the caller gave.
///
/// # Safety
/// `resource_name` is NULL or a string.
unsafe fn report(
    name: &'static str,
    direction: Direction,
    handle: *mut c_void,
    resource_name: *const c_char,
    report: impl FnOnce(&Resource, Option<&str>) -> Result<c_int, Unreported>,
) -> c_int {
    with_resource_and_memory(name, direction, handle, |resource| {
        let resource_name = match resource_name.is_null() {
            true => None,
            // One that is no text is no name, which the service says. SAFETY: the caller's promise.
            false => Some(unsafe { required_str(name, "resource_name", resource_name) }.unwrap_or_default()),
        };
        report(resource, resource_name).unwrap_or_else(|why| {
            log::error!(target: name, "not reported: {why}");
            match why {
                Unreported::Closed => ResourceError::InvalidState.code(),
                Unreported::NoName | Unreported::NotSent(_) | Unreported::NoAnswer => QCLOUD_ERR_FAILURE,
            }
        })
    })
}

/// # Safety
/// `buf` is NULL or writable for `len` bytes.
unsafe fn ioctl(
    name: &'static str,
    handle: *mut c_void,
    direction: Direction,
    query: raw::QCLOUD_IOT_RESOURCE_CMDTYPE_E,
    buf: *mut c_void,
    len: usize,
) -> c_int {
    use QCLOUD_IOT_RESOURCE_CMDTYPE_E::{
        QCLOUD_IOT_RESOURCE_FETCHED_SIZE_E, QCLOUD_IOT_RESOURCE_MD5CHECK_E, QCLOUD_IOT_RESOURCE_MD5SUM_E,
        QCLOUD_IOT_RESOURCE_NAME_E, QCLOUD_IOT_RESOURCE_SIZE_E, QCLOUD_IOT_RESOURCE_UPLOADED_SIZE_E,
    };
    const FETCHED_SIZE: u32 = QCLOUD_IOT_RESOURCE_FETCHED_SIZE_E as u32;
    const SIZE: u32 = QCLOUD_IOT_RESOURCE_SIZE_E as u32;
    const MD5SUM: u32 = QCLOUD_IOT_RESOURCE_MD5SUM_E as u32;
    const NAME: u32 = QCLOUD_IOT_RESOURCE_NAME_E as u32;
    const MD5CHECK: u32 = QCLOUD_IOT_RESOURCE_MD5CHECK_E as u32;
    const UPLOADED_SIZE: u32 = QCLOUD_IOT_RESOURCE_UPLOADED_SIZE_E as u32;

    with_resource(name, handle, |resource| {
        if buf.is_null() {
            return invalid(name, resource, direction, "buf is NULL");
        }
        if len == 0 {
            return invalid(name, resource, direction, "buf_len is 0");
        }
        let Ok(task) = resource.task(direction) else {
            log::error!(target: name, "there is no {} task", direction.word());
            return ResourceError::InvalidState.code();
        };
        let refused = |what: &str| {
            invalid(name, resource, direction, what);
            QCLOUD_ERR_FAILURE
        };
        const NO_NUMBER: &str = "buf must be an aligned uint32_t, buf_len 4";
        let number = |value| {
            // SAFETY: the caller's promise.
            match unsafe { memory::write_number(buf, len, value) } {
                true => QCLOUD_RET_SUCCESS,
                false => refused(NO_NUMBER),
            }
        };
        let text = |value: &str| {
            // SAFETY: the caller's promise.
            unsafe { memory::write_text(buf.cast(), len, value.as_bytes()) };
            QCLOUD_RET_SUCCESS
        };
        match (query, direction) {
            // Of the download in both, as in the C SDK.
            (FETCHED_SIZE, _) => number(resource.count(Download)),
            (UPLOADED_SIZE, Upload) => number(resource.count(Upload)),
            (SIZE, _) => number(task.size),
            (MD5SUM, _) => text(&task.md5sum),
            (NAME, _) => text(&task.name),
            (MD5CHECK, _) if !memory::is_number(buf, len) => refused(NO_NUMBER),
            (MD5CHECK, _) => resource.check(direction).map_or_else(
                |_| {
                    log::error!(target: name, "not all is transferred");
                    QCLOUD_ERR_FAILURE
                },
                |matches| number(u32::from(matches)),
            ),
            (other, _) => refused(&format!("type {other} is unknown")),
        }
    })
}

#[cfg(test)]
mod tests;
