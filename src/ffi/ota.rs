//! `qcloud_iot_export_ota.h`: firmware upgrades.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::ota::{
    IOT_OTAG_CHECK_FIRMWARE, IOT_OTAG_FETCHED_SIZE, IOT_OTAG_FILE_SIZE, IOT_OTAG_MD5SUM, IOT_OTAG_VERSION,
    IOT_OTA_ERR_INVALID_PARAM,
};
use iot_abi::raw;
use iot_engine::services::ota::OtaError;

use super::code::code;
use super::{handle, memory, required_str};
#[cfg(feature = "coap")]
use crate::drive::coap;
use crate::drive::error::Error;
use crate::drive::mqtt::Client;
use crate::drive::services::ota::Ota;

/// What a handle of these functions is, for the log.
const KIND: &str = "an OTA handle";
#[cfg(feature = "coap")]
const CLIENT: &str = "an MQTT or CoAP client";
#[cfg(not(feature = "coap"))]
const CLIENT: &str = "an MQTT client";

export! {
    /// Begins upgrades for a device and returns the handle for all other functions; NULL on failure.
    ///
    /// Subscribes to the device's update topic over the MQTT client `ch_signal` and waits up to 2 s for the server's answer.
    /// Asks once more where the server refuses. The subscription does not count among the client's ten. Over a CoAP client,
    /// where the library has one, nothing is sent and waited for: a command comes as the answer to IOT_OTA_ReportVersion.
    /// Both names are copied. The handle is ended with IOT_OTA_Destroy, before or after the client.
    ///
    /// # Safety
    /// `product_id` and `device_name` are NULL or strings.
    pub unsafe fn IOT_OTA_Init(
        product_id: *const c_char,
        device_name: *const c_char,
        ch_signal: *mut c_void,
    ) -> *mut c_void {
        // SAFETY: the caller's promise.
        let names =
            unsafe { (required_str(NAME, "product_id", product_id), required_str(NAME, "device_name", device_name)) };
        let (Ok(product_id), Ok(device_name)) = names else {
            return ptr::null_mut();
        };
        let make = || init(NAME, product_id, device_name, ch_signal).map(Arc::new);
        memory::whole(NAME, make, |ota| ota.destroy()).map_or(ptr::null_mut(), handle::insert)
    }
}

/// Upgrades over the client that `ch_signal` names.
fn init(name: &'static str, product_id: &str, device_name: &str, ch_signal: *mut c_void) -> Result<Ota, c_int> {
    let refused = |why: String| {
        log::error!(target: name, "{why}");
        QCLOUD_ERR_FAILURE
    };
    #[cfg(feature = "coap")]
    if let Some(client) = handle::get::<coap::Client>(ch_signal) {
        return Ota::over_coap(product_id, device_name, client).map_err(refused);
    }
    let client = handle::required::<Client>(name, "ch_signal", CLIENT, ch_signal).ok_or(QCLOUD_ERR_INVAL)?;
    Ota::new(product_id, device_name, client).map_err(refused)
}

export! {
    /// Ends upgrades: unsubscribes, closes a download, frees. Returns 0; IOT_OTA_ERR_INVALID_PARAM for an unknown handle.
    ///
    /// A call that runs on the handle in another thread ends soon.
    pub fn IOT_OTA_Destroy(handle: *mut c_void) -> c_int {
        match handle::remove::<Ota>(handle) {
            Some(ota) => {
                ota.destroy();
                QCLOUD_RET_SUCCESS
            }
            None => {
                handle::log_unknown(NAME, "handle", KIND, handle);
                IOT_OTA_ERR_INVALID_PARAM
            }
        }
    }
}

export! {
    /// Starts fetching the firmware's bytes from `offset` up to and without `size`, the size that IOT_OTA_Ioctl told.
    ///
    /// Connects and sends the request; an earlier download is closed. `offset` 0 starts the MD5 over; to resume, feed it
    /// the bytes that are there with IOT_OTA_ResetClientMD5 and IOT_OTA_UpdateClientMd5 before. With `offset` equal to
    /// `size` nothing is fetched, the next IOT_OTA_FetchYield returns 0 and the firmware is complete.
    ///
    /// Returns 0, also where the server can't be reached yet: IOT_OTA_FetchYield goes on trying. IOT_OTA_ERR_INVALID_STATE
    /// unless an update command is being followed; IOT_OTA_ERR_INVALID_PARAM for an offset beyond the size; QCLOUD_ERR_HTTP_*
    /// or QCLOUD_ERR_FAILURE for what no time mends, such as a certificate for another host.
    pub fn IOT_OTA_StartDownload(handle: *mut c_void, offset: u32, size: u32) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| {
            ota.start_download(offset, size).map_or_else(|error| code(&error), |()| QCLOUD_RET_SUCCESS)
        })
    }
}

export! {
    /// Adds `size` bytes of firmware that are stored already to the MD5.
    ///
    /// # Safety
    /// `buff` is NULL or readable for `size` bytes.
    pub unsafe fn IOT_OTA_UpdateClientMd5(handle: *mut c_void, buff: *mut c_char, size: u32) {
        with_ota(NAME, handle, |ota| {
            if buff.is_null() {
                return invalid(NAME, ota, "buff is NULL");
            }
            // SAFETY: the caller's promise.
            ota.update_md5(unsafe { slice::from_raw_parts(buff.cast::<u8>(), size as usize) });
            QCLOUD_RET_SUCCESS
        });
    }
}

export! {
    /// Starts the MD5 over. Returns 0.
    pub fn IOT_OTA_ResetClientMD5(handle: *mut c_void) -> c_int {
        with_ota(NAME, handle, |ota| {
            ota.reset_md5();
            QCLOUD_RET_SUCCESS
        })
    }
}

export! {
    /// Tells the cloud which version runs, 1 to 32 characters, and waits for an update command from now on: whatever was
    /// going on is dropped. Returns the packet id or an error.
    ///
    /// While no command has come, the library reports the version again after each reconnect to a server that does not
    /// know the session any more: the cloud then sends again a command that was lost with the link.
    ///
    /// # Safety
    /// `version` is NULL or a string.
    pub unsafe fn IOT_OTA_ReportVersion(handle: *mut c_void, version: *const c_char) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| {
            // SAFETY: the caller's promise.
            match unsafe { required_str(NAME, "version", version) } {
                Ok(version) => packet_id(NAME, ota, ota.report_version(version)),
                Err(_) => ota.note(OtaError::InvalidParam).code(),
            }
        })
    }
}

export! {
    /// Tells the cloud that the new firmware is being written. Returns the packet id or an error.
    pub fn IOT_OTA_ReportUpgradeBegin(handle: *mut c_void) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| packet_id(NAME, ota, ota.report_upgrade_begin()))
    }
}

export! {
    /// Tells the cloud that the upgrade is done; `version` NULL means the version of the update command. Returns the packet
    /// id or an error.
    ///
    /// # Safety
    /// `version` is NULL or a string.
    pub unsafe fn IOT_OTA_ReportUpgradeSuccess(handle: *mut c_void, version: *const c_char) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| {
            // SAFETY: the caller's promise.
            match unsafe { optional_version(NAME, version) } {
                Ok(version) => packet_id(NAME, ota, ota.report_upgrade_success(version)),
                Err(_) => ota.note(OtaError::InvalidParam).code(),
            }
        })
    }
}

export! {
    /// Tells the cloud that the upgrade failed; `version` NULL means the version of the update command. Returns the packet
    /// id or an error.
    ///
    /// The report says what last went wrong, as far as the library knows it, else "upgrade failed".
    ///
    /// # Safety
    /// `version` is NULL or a string.
    pub unsafe fn IOT_OTA_ReportUpgradeFail(handle: *mut c_void, version: *const c_char) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| {
            // SAFETY: the caller's promise.
            match unsafe { optional_version(NAME, version) } {
                Ok(version) => packet_id(NAME, ota, ota.report_upgrade_fail(version)),
                Err(_) => ota.note(OtaError::InvalidParam).code(),
            }
        })
    }
}

export! {
    /// 1 while an update command is being followed and the firmware is not complete, else 0.
    pub fn IOT_OTA_IsFetching(handle: *mut c_void) -> c_int {
        with_ota(NAME, handle, |ota| c_int::from(ota.is_fetching()))
    }
}

export! {
    /// 1 when the firmware is complete or the download has failed for good, else 0.
    pub fn IOT_OTA_IsFetchFinish(handle: *mut c_void) -> c_int {
        with_ota(NAME, handle, |ota| c_int::from(ota.is_fetch_finished()))
    }
}

export! {
    /// Fetches up to `buf_len` bytes of firmware, for at most `timeout_s` seconds. Where an update command is there and no download
    /// was started, it first does what IOT_OTA_StartDownload does, from byte 0.
    ///
    /// Returns how many bytes came, 0 when none did, or an error below 0, after which the download is over. A lost
    /// connection, a busy server and a silent one are no errors at first: the next calls reconnect and go on where it
    /// stopped.
    ///
    /// # Safety
    /// `buf` is NULL or writable for `buf_len` bytes.
    pub unsafe fn IOT_OTA_FetchYield(
        handle: *mut c_void,
        buf: *mut c_char,
        buf_len: u32,
        timeout_s: u32,
    ) -> c_int {
        with_ota_and_memory(NAME, handle, |ota| {
            if buf.is_null() {
                return invalid(NAME, ota, "buf is NULL");
            }
            if buf_len == 0 {
                return invalid(NAME, ota, "buf_len is 0");
            }
            // The count that is returned has 31 bits.
            let len = buf_len.min(c_int::MAX.unsigned_abs()) as usize;
            // SAFETY: the caller's promise.
            let buf = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), len) };
            match ota.fetch(buf, u64::from(timeout_s) * 1000) {
                Ok(count) => c_int::try_from(count).unwrap_or(c_int::MAX),
                Err(error) => code(&error),
            }
        })
    }
}

export! {
    /// Answers the query `type` about the update into `buf`: see IOT_OTA_CmdType.
    ///
    /// Returns 0; IOT_OTA_ERR_INVALID_STATE before an update command; QCLOUD_ERR_FAILURE for a buffer that is not right, and
    /// for IOT_OTAG_CHECK_FIRMWARE while the firmware is not complete.
    ///
    /// # Safety
    /// `buf` is NULL or writable for `buf_len` bytes.
    pub unsafe fn IOT_OTA_Ioctl(
        handle: *mut c_void,
        r#type: raw::IOT_OTA_CmdType,
        buf: *mut c_void,
        buf_len: usize,
    ) -> c_int {
        with_ota(NAME, handle, |ota| {
            if buf.is_null() {
                return invalid(NAME, ota, "buf is NULL");
            }
            if buf_len == 0 {
                return invalid(NAME, ota, "buf_len is 0");
            }
            let no_number = || {
                invalid(NAME, ota, &format!("buf for type {} must be an aligned uint32_t, buf_len 4", r#type));
                QCLOUD_ERR_FAILURE
            };
            // SAFETY: the caller's promise.
            let number = |value| match unsafe { memory::write_number(buf, buf_len, value) } {
                true => QCLOUD_RET_SUCCESS,
                false => no_number(),
            };
            let text = |value: String| {
                // SAFETY: the caller's promise.
                unsafe { memory::write_text(buf.cast(), buf_len, value.as_bytes()) };
                QCLOUD_RET_SUCCESS
            };
            let answer = ota.has_command().and_then(|()| match r#type {
                IOT_OTAG_FETCHED_SIZE => ota.fetched_size().map(number),
                IOT_OTAG_FILE_SIZE => ota.file_size().map(number),
                IOT_OTAG_MD5SUM => ota.md5sum().map(text),
                IOT_OTAG_VERSION => ota.version().map(text),
                IOT_OTAG_CHECK_FIRMWARE if !memory::is_number(buf, buf_len) => Ok(no_number()),
                IOT_OTAG_CHECK_FIRMWARE => Ok(ota.check_firmware().map_or_else(
                    |_| {
                        log::error!(target: NAME, "the firmware is not complete");
                        QCLOUD_ERR_FAILURE
                    },
                    |matches| number(u32::from(matches)),
                )),
                other => {
                    invalid(NAME, ota, &format!("type {other} is unknown"));
                    Ok(QCLOUD_ERR_FAILURE)
                }
            });
            answer.unwrap_or_else(|error| {
                log::error!(target: NAME, "there is no update command");
                error.code()
            })
        })
    }
}

export! {
    /// The last error of the handle, an IOT_OTA_Error_Code.
    pub fn IOT_OTA_GetLastError(handle: *mut c_void) -> c_int {
        with_ota(NAME, handle, |ota| ota.last_error().code())
    }
}

/// Runs `body` with the object behind `handle`.
pub(super) fn with_ota(name: &'static str, handle: *mut c_void, body: impl FnOnce(&Ota) -> c_int) -> c_int {
    handle::required::<Ota>(name, "handle", KIND, handle).map_or(IOT_OTA_ERR_INVALID_PARAM, |ota| body(&ota))
}

/// As [`with_ota`], for what needs memory.
fn with_ota_and_memory(name: &'static str, handle: *mut c_void, body: impl FnOnce(&Ota) -> c_int) -> c_int {
    with_ota(name, handle, |ota| {
        if memory::is_exhausted(name) {
            return ota.note(OtaError::NoMemory).code();
        }
        body(ota)
    })
}

fn invalid(name: &'static str, ota: &Ota, what: &str) -> c_int {
    log::error!(target: name, "{what}");
    ota.note(OtaError::InvalidParam).code()
}

/// The version that the caller named, `None` for NULL.
///
/// # Safety
/// `version` is NULL or a string that outlives `'a`.
unsafe fn optional_version<'a>(name: &'static str, version: *const c_char) -> Result<Option<&'a str>, c_int> {
    if version.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { required_str(name, "version", version) }.map(Some)
}

fn packet_id(name: &'static str, ota: &Ota, result: Result<u16, Error>) -> c_int {
    match result {
        Ok(id) => c_int::from(id),
        Err(error) => {
            log::error!(target: name, "not reported: {error}; last error {}", ota.last_error().code());
            code(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::services::ota::tests::fetching_ota;

    const NULL: *mut c_void = ptr::null_mut();

    /// A handle to an upgrade that waits for its download.
    struct Handle(*mut c_void);

    impl Handle {
        fn new() -> Self {
            Handle(handle::insert(fetching_ota()))
        }
    }

    impl Drop for Handle {
        fn drop(&mut self) {
            assert_eq!(IOT_OTA_Destroy(self.0), QCLOUD_RET_SUCCESS);
            assert_eq!(IOT_OTA_Destroy(self.0), IOT_OTA_ERR_INVALID_PARAM);
        }
    }

    #[cfg(feature = "coap")]
    #[test]
    fn a_coap_client_announces_upgrades_too() {
        let cloud = coap::tests::Cloud::new(|packet| vec![coap::tests::acknowledge(packet, b"")]);
        let client = cloud.connect(None).unwrap();
        let handle = handle::insert(client.clone());
        // SAFETY: strings and NULL.
        let (ota, unnamed) = unsafe {
            (IOT_OTA_Init(c"P".as_ptr(), c"d".as_ptr(), handle), IOT_OTA_Init(c"".as_ptr(), c"d".as_ptr(), handle))
        };
        assert!(unnamed.is_null());
        // SAFETY: a string.
        assert!(unsafe { IOT_OTA_ReportVersion(ota, c"1.0.0".as_ptr()) } > 0);
        // Over CoAP every failed send has one number.
        client.destroy();
        // SAFETY: a string.
        assert_eq!(unsafe { IOT_OTA_ReportVersion(ota, c"1.0.0".as_ptr()) }, QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_OTA_GetLastError(ota), OtaError::SignalChannel.code());
        assert_eq!(IOT_OTA_Destroy(ota), QCLOUD_RET_SUCCESS);
        handle::remove::<coap::Client>(handle);
    }

    #[test]
    fn no_handle_is_an_invalid_parameter_everywhere() {
        let mut local = 5_u32;
        let mut buf: [c_char; 4] = [0; 4];
        for handle in [NULL, ptr::from_mut(&mut local).cast(), ptr::dangling_mut()] {
            // SAFETY: strings and buffers are valid, handles may be anything.
            let codes = unsafe {
                IOT_OTA_UpdateClientMd5(handle, buf.as_mut_ptr(), 4);
                assert!(IOT_OTA_Init(c"P".as_ptr(), c"d".as_ptr(), handle).is_null());
                [
                    IOT_OTA_Destroy(handle),
                    IOT_OTA_StartDownload(handle, 0, 1),
                    IOT_OTA_ResetClientMD5(handle),
                    IOT_OTA_ReportVersion(handle, c"1".as_ptr()),
                    IOT_OTA_ReportUpgradeBegin(handle),
                    IOT_OTA_ReportUpgradeSuccess(handle, c"1".as_ptr()),
                    IOT_OTA_ReportUpgradeFail(handle, c"1".as_ptr()),
                    IOT_OTA_IsFetching(handle),
                    IOT_OTA_IsFetchFinish(handle),
                    IOT_OTA_FetchYield(handle, buf.as_mut_ptr(), 4, 0),
                    IOT_OTA_Ioctl(handle, IOT_OTAG_FILE_SIZE, buf.as_mut_ptr().cast(), 4),
                    IOT_OTA_GetLastError(handle),
                ]
            };
            assert_eq!(codes, [IOT_OTA_ERR_INVALID_PARAM; 12]);
        }
        assert_eq!(local, 5);
    }

    #[test]
    fn null_arguments_are_told() {
        let ota = Handle::new();
        // SAFETY: the pointers are NULL or valid.
        unsafe {
            assert!(IOT_OTA_Init(ptr::null(), c"d".as_ptr(), NULL).is_null());
            assert!(IOT_OTA_Init(c"P".as_ptr(), ptr::null(), NULL).is_null());
            IOT_OTA_UpdateClientMd5(ota.0, ptr::null_mut(), 4);
            assert_eq!(IOT_OTA_ReportVersion(ota.0, ptr::null()), IOT_OTA_ERR_INVALID_PARAM);
            assert_eq!(IOT_OTA_FetchYield(ota.0, ptr::null_mut(), 4, 0), IOT_OTA_ERR_INVALID_PARAM);
            assert_eq!(IOT_OTA_FetchYield(ota.0, [0].as_mut_ptr(), 0, 0), IOT_OTA_ERR_INVALID_PARAM);
            assert_eq!(IOT_OTA_Ioctl(ota.0, IOT_OTAG_FILE_SIZE, NULL, 4), IOT_OTA_ERR_INVALID_PARAM);
        }
        assert_eq!(IOT_OTA_GetLastError(ota.0), IOT_OTA_ERR_INVALID_PARAM);
        assert_eq!(IOT_OTA_IsFetching(ota.0), 1);
    }

    #[test]
    fn ioctl_writes_numbers_whole_and_texts_cut() {
        let ota = Handle::new();
        let ioctl = |query, buf: &mut [u8]| {
            // SAFETY: `buf` is writable for its length.
            unsafe { IOT_OTA_Ioctl(ota.0, query, buf.as_mut_ptr().cast(), buf.len()) }
        };
        let mut size = [0_u32; 2];
        // SAFETY: `size` is writable for 8 bytes.
        let number = |at: *mut u32, offset, len| unsafe {
            IOT_OTA_Ioctl(ota.0, IOT_OTAG_FILE_SIZE, at.cast::<u8>().add(offset).cast(), len)
        };
        assert_eq!(number(size.as_mut_ptr(), 0, 4), QCLOUD_RET_SUCCESS);
        assert_eq!(size, [8, 0]);
        for (offset, len) in [(1, 4), (0, 3), (0, 8)] {
            assert_eq!(number(size.as_mut_ptr(), offset, len), QCLOUD_ERR_FAILURE, "{offset} {len}");
            assert_eq!(IOT_OTA_GetLastError(ota.0), IOT_OTA_ERR_INVALID_PARAM);
        }
        assert_eq!(size, [8, 0]);

        let mut text = [b'x'; 8];
        assert_eq!(ioctl(IOT_OTAG_VERSION, &mut text), QCLOUD_RET_SUCCESS);
        assert_eq!(&text, b"1.3.0\0xx");
        assert_eq!(ioctl(IOT_OTAG_VERSION, &mut text[..4]), QCLOUD_RET_SUCCESS);
        assert_eq!(&text, b"1.3\x000\0xx");
        assert_eq!(ioctl(IOT_OTAG_MD5SUM, &mut text[..1]), QCLOUD_RET_SUCCESS);
        assert_eq!(text[0], 0);
        let mut md5 = [b'x'; 40];
        assert_eq!(ioctl(IOT_OTAG_MD5SUM, &mut md5), QCLOUD_RET_SUCCESS);
        assert_eq!(&md5[..34], b"E8DC4081B13434B45189A720B77B6818\0x");

        assert_eq!(ioctl(99, &mut text), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_OTA_GetLastError(ota.0), IOT_OTA_ERR_INVALID_PARAM);
    }

    #[test]
    fn what_was_fetched_so_far_is_a_number_of_bytes() {
        let ota = Handle::new();
        let fetched = || {
            let mut size = 7_u32;
            // SAFETY: an aligned number of 4 bytes.
            let code = unsafe { IOT_OTA_Ioctl(ota.0, IOT_OTAG_FETCHED_SIZE, ptr::from_mut(&mut size).cast(), 4) };
            (code, size)
        };
        assert_eq!(fetched(), (QCLOUD_RET_SUCCESS, 0));
        assert_eq!(IOT_OTA_StartDownload(ota.0, 0, 8), QCLOUD_RET_SUCCESS);
        let mut buf: [c_char; 5] = [0; 5];
        // SAFETY: writable for 5 bytes.
        let count = unsafe { IOT_OTA_FetchYield(ota.0, buf.as_mut_ptr(), 5, 1) };
        assert_eq!(fetched(), (QCLOUD_RET_SUCCESS, u32::try_from(count).unwrap()));
    }

    #[test]
    fn without_an_update_command_there_is_nothing_to_tell() {
        let ota = Handle::new();
        let mut size = 7_u32;
        // SAFETY: strings, and a number of 4 bytes.
        unsafe {
            assert_eq!(
                IOT_OTA_Ioctl(ota.0, IOT_OTAG_FILE_SIZE, ptr::from_mut(&mut size).cast(), 0),
                IOT_OTA_ERR_INVALID_PARAM
            );
            assert_eq!(IOT_OTA_ReportVersion(ota.0, c"123456789012345678901234567890123".as_ptr()), QCLOUD_ERR_FAILURE);
            assert_eq!(IOT_OTA_GetLastError(ota.0), IOT_OTA_ERR_INVALID_PARAM);
            assert_eq!(IOT_OTA_IsFetching(ota.0), 1);

            assert!(IOT_OTA_ReportVersion(ota.0, c"1.0.0".as_ptr()) > 0);
            assert_eq!((IOT_OTA_IsFetching(ota.0), IOT_OTA_GetLastError(ota.0)), (0, 0));
            let code = IOT_OTA_Ioctl(ota.0, IOT_OTAG_FILE_SIZE, ptr::from_mut(&mut size).cast(), 4);
            assert_eq!((code, size), (OtaError::InvalidState.code(), 7));
            for query in [IOT_OTAG_CHECK_FIRMWARE, IOT_OTAG_VERSION, 99] {
                let code = IOT_OTA_Ioctl(ota.0, query, ptr::from_mut(&mut size).cast(), 3);
                assert_eq!((code, size), (OtaError::InvalidState.code(), 7), "{query}");
            }
            assert!(IOT_OTA_ReportUpgradeFail(ota.0, ptr::null()) < 0);
            assert_eq!(IOT_OTA_GetLastError(ota.0), OtaError::InvalidState.code());
        }
    }

    #[test]
    fn a_version_that_is_no_text_is_not_reported() {
        let ota = Handle::new();
        let bad = c"\xff".as_ptr();
        // SAFETY: strings.
        unsafe {
            for code in [
                IOT_OTA_ReportVersion(ota.0, bad),
                IOT_OTA_ReportUpgradeSuccess(ota.0, bad),
                IOT_OTA_ReportUpgradeFail(ota.0, bad),
            ] {
                assert_eq!(code, IOT_OTA_ERR_INVALID_PARAM);
            }
        }
        assert_eq!(IOT_OTA_GetLastError(ota.0), IOT_OTA_ERR_INVALID_PARAM);
        assert_eq!(IOT_OTA_IsFetching(ota.0), 1);
    }

    #[test]
    fn a_download_through_the_c_surface() {
        let ota = Handle::new();
        let mut valid = 7_u32;
        let mut check = || {
            // SAFETY: an aligned number of 4 bytes.
            let code = unsafe { IOT_OTA_Ioctl(ota.0, IOT_OTAG_CHECK_FIRMWARE, ptr::from_mut(&mut valid).cast(), 4) };
            (code, valid)
        };
        assert_eq!(check(), (QCLOUD_ERR_FAILURE, 7));
        assert_eq!(IOT_OTA_GetLastError(ota.0), OtaError::InvalidState.code());
        assert_eq!(IOT_OTA_StartDownload(ota.0, 0, 8), QCLOUD_RET_SUCCESS);
        let mut got = Vec::new();
        while IOT_OTA_IsFetchFinish(ota.0) == 0 {
            let mut buf: [c_char; 5] = [0; 5];
            // SAFETY: writable for 5 bytes.
            let count = unsafe { IOT_OTA_FetchYield(ota.0, buf.as_mut_ptr(), 5, 1) };
            got.extend(buf[..usize::try_from(count).unwrap()].iter().map(|byte| *byte as u8));
        }
        assert_eq!(got, b"abcdefgh");
        assert_eq!(check(), (QCLOUD_RET_SUCCESS, 1));
        // SAFETY: NULL is allowed.
        unsafe { assert!(IOT_OTA_ReportUpgradeSuccess(ota.0, ptr::null()) > 0) };
    }
}
