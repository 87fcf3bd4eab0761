use super::*;
use crate::drive::services::resource::tests::Device;

const NULL: *mut c_void = ptr::null_mut();
const MD5: &str = "E8DC4081B13434B45189A720B77B6818";
const INVALID: c_int = -2;
const STATE: c_int = -3;

/// A handle, and the device behind it.
struct Handle(*mut c_void, Device);

impl Handle {
    fn new() -> Self {
        let device = Device::new();
        Handle(handle::insert(device.resource.clone()), device)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        IOT_Resource_DeInit(self.0);
    }
}

/// Case 23.
#[test]
fn unknown_handles_are_told() {
    let mut local = 5_i32;
    for handle in [NULL, ptr::from_mut(&mut local).cast()] {
        let mut buf: [c_char; 40] = [0; 40];
        let text = c"n".as_ptr().cast_mut();
        // SAFETY: the pointers are valid.
        let codes = unsafe {
            IOT_Resource_UpdateDownloadClientMd5(handle, buf.as_mut_ptr(), 1);
            IOT_Resource_UploadMd5Update(handle, buf.as_mut_ptr(), 1);
            IOT_Resource_Upload_Md5_Finish(handle, buf.as_mut_ptr());
            [
                IOT_Resource_DeInit(handle),
                IOT_Resource_GetDownloadTask(handle),
                IOT_Resource_StartDownload(handle, 0, 1),
                IOT_Resource_DownloadYield(handle, buf.as_mut_ptr(), 1, 0),
                IOT_Resource_IsDownloadFinish(handle),
                IOT_Resource_DownloadResetClientMD5(handle),
                IOT_Resource_DownloadIoctl(handle, 1, buf.as_mut_ptr().cast(), 4),
                IOT_Resource_ReportDownloadSuccess(handle, text),
                IOT_Resource_ReportDownloadFail(handle, text),
                IOT_Resource_DownloadGetLastError(handle),
                QCLOUD_IOT_RESOURCE_DownloadGetLastError(handle),
                IOT_Resource_Upload_Request(handle, text, 1, text),
                IOT_Resource_StartUpload(handle, buf.as_mut_ptr()),
                IOT_Resource_UploadYield(handle, buf.as_mut_ptr(), 1, 0),
                IOT_Resource_IsUploadFinish(handle),
                IOT_Resource_UploadResetClientMD5(handle),
                IOT_Resource_UploadIoctl(handle, 1, buf.as_mut_ptr().cast(), 4),
                IOT_Resource_ReportUploadSuccess(handle, text),
                IOT_Resource_ReportUploadFail(handle, text),
                IOT_Resource_UploadGetLastError(handle),
                crate::ffi::undeclared::IOT_Resource_UploadRecvResult(handle, buf.as_mut_ptr(), 1),
            ]
        };
        assert_eq!(codes, [INVALID; 21]);
        assert_eq!((IOT_Resource_IsStartDownload(handle), IOT_Resource_IsStartUpload(handle)), (0, 0));
        assert_eq!(buf, [0; 40]);
    }
    assert_eq!(local, 5);
}

#[test]
fn null_arguments_are_told() {
    let Handle(resource, _) = &Handle::new();
    let (resource, name) = (*resource, c"n".as_ptr().cast_mut());
    let mut buf: [c_char; 4] = [0; 4];
    // SAFETY: the pointers are NULL or valid.
    unsafe {
        assert!(IOT_Resource_Init(ptr::null(), c"d".as_ptr(), NULL).is_null());
        assert!(IOT_Resource_Init(c"P".as_ptr(), ptr::null(), NULL).is_null());
        assert!(IOT_Resource_Init(c"P".as_ptr(), c"d".as_ptr(), NULL).is_null());
        IOT_Resource_UpdateDownloadClientMd5(resource, ptr::null_mut(), 4);
        IOT_Resource_UploadMd5Update(resource, ptr::null_mut(), 4);
        IOT_Resource_UploadMd5Update(resource, buf.as_mut_ptr(), -1);
        IOT_Resource_Upload_Md5_Finish(resource, ptr::null_mut());
        for code in [
            IOT_Resource_DownloadYield(resource, ptr::null_mut(), 4, 0),
            IOT_Resource_DownloadYield(resource, buf.as_mut_ptr(), 0, 0),
            IOT_Resource_UploadYield(resource, ptr::null_mut(), 4, 0),
            IOT_Resource_UploadYield(resource, buf.as_mut_ptr(), 0, 0),
            IOT_Resource_DownloadIoctl(resource, 1, NULL, 4),
            IOT_Resource_UploadIoctl(resource, 1, buf.as_mut_ptr().cast(), 0),
            IOT_Resource_Upload_Request(resource, ptr::null_mut(), 4, name),
            IOT_Resource_Upload_Request(resource, name, 4, ptr::null_mut()),
            IOT_Resource_Upload_Request(resource, name, -5, c"E8DC4081B13434B45189A720B77B6818".as_ptr().cast_mut()),
        ] {
            assert_eq!(code, INVALID);
        }
    }
    assert_eq!(IOT_Resource_DownloadGetLastError(resource), INVALID);
    assert_eq!(QCLOUD_IOT_RESOURCE_DownloadGetLastError(resource), INVALID);
    assert_eq!(IOT_Resource_UploadGetLastError(resource), INVALID);
}

/// Case 22.
#[test]
fn a_report_without_a_name_fails() {
    let Handle(resource, _) = &Handle::new();
    let long = std::ffi::CString::new("n".repeat(65)).unwrap();
    for name in [ptr::null(), c"".as_ptr(), long.as_ptr(), c"\xff".as_ptr()] {
        // SAFETY: NULL or a string.
        let codes = unsafe {
            [
                IOT_Resource_ReportDownloadSuccess(*resource, name.cast_mut()),
                IOT_Resource_ReportUploadFail(*resource, name.cast_mut()),
            ]
        };
        assert_eq!(codes, [QCLOUD_ERR_FAILURE; 2]);
        let errors = [IOT_Resource_DownloadGetLastError(*resource), IOT_Resource_UploadGetLastError(*resource)];
        assert_eq!(errors, [INVALID; 2]);
    }
}

/// Case 24.
#[test]
fn ioctl_tells_about_each_way() {
    let Handle(resource, device) = &Handle::new();
    let mut number = [7_u32; 2];
    let mut text = [b'x'; 40];
    for direction in [Download, Upload] {
        let ioctl = |query: u32, buf: *mut c_void, len| {
            // SAFETY: writable for `len` bytes.
            unsafe {
                match direction {
                    Download => IOT_Resource_DownloadIoctl(*resource, query, buf, len),
                    Upload => IOT_Resource_UploadIoctl(*resource, query, buf, len),
                }
            }
        };
        for query in 0..8 {
            assert_eq!(ioctl(query, number.as_mut_ptr().cast(), 4), STATE);
        }
        device.give(direction, MD5);
        assert_eq!((ioctl(1, number.as_mut_ptr().cast(), 4), number), (0, [8, 7]));
        assert_eq!((ioctl(0, number.as_mut_ptr().cast(), 4), number), (0, [0, 7]));
        for (offset, len) in [(1, 4), (0, 3), (0, 8)] {
            let at = number.as_mut_ptr().cast::<u8>().wrapping_add(offset).cast();
            assert_eq!(ioctl(1, at, len), QCLOUD_ERR_FAILURE);
            assert_eq!(ioctl(4, at, len), QCLOUD_ERR_FAILURE);
        }
        assert_eq!((ioctl(3, text.as_mut_ptr().cast(), 40), &text[..3]), (0, &b"n\0x"[..]));
        assert_eq!((ioctl(2, text.as_mut_ptr().cast(), 5), &text[..6]), (0, &b"E8DC\0x"[..]));
        assert_eq!(ioctl(5, number.as_mut_ptr().cast(), 4), if direction == Upload { 0 } else { QCLOUD_ERR_FAILURE });
        for query in [4, 6, 7] {
            assert_eq!(ioctl(query, number.as_mut_ptr().cast(), 4), QCLOUD_ERR_FAILURE);
        }
        number = [7; 2];
        text = [b'x'; 40];
        device.resource.note(direction, ResourceError::None);
        if direction == Download {
            // SAFETY: NULL is allowed.
            unsafe { assert!(IOT_Resource_ReportDownloadSuccess(*resource, ptr::null_mut()) > 0) };
        }
    }
}

#[test]
fn a_download_and_an_upload_through_the_c_surface() {
    let Handle(resource, device) = &Handle::new();
    let resource = *resource;
    let mut matches = 7_u32;
    assert!(IOT_Resource_GetDownloadTask(resource) > 0);
    device.give(Download, MD5);
    assert_eq!(IOT_Resource_IsStartDownload(resource), 1);
    assert_eq!(IOT_Resource_StartDownload(resource, 0, 8), 0);
    let mut got = Vec::new();
    while IOT_Resource_IsDownloadFinish(resource) == 0 {
        let mut buf: [c_char; 5] = [0; 5];
        // SAFETY: writable for 5 bytes.
        let count = unsafe { IOT_Resource_DownloadYield(resource, buf.as_mut_ptr(), 5, 1) };
        got.extend(buf[..usize::try_from(count).unwrap()].iter().map(|byte| *byte as u8));
    }
    assert_eq!(got, b"abcdefgh");
    // SAFETY: an aligned number, NULL, and strings.
    unsafe {
        assert_eq!(IOT_Resource_DownloadIoctl(resource, 4, ptr::from_mut(&mut matches).cast(), 4), 0);
        assert_eq!(matches, 1);
        assert!(IOT_Resource_ReportDownloadSuccess(resource, ptr::null_mut()) > 0);

        let mut md5: [c_char; 33] = [0; 33];
        assert_eq!(IOT_Resource_UploadResetClientMD5(resource), 0);
        IOT_Resource_UploadMd5Update(resource, got.as_mut_ptr().cast(), 8);
        IOT_Resource_Upload_Md5_Finish(resource, md5.as_mut_ptr());
        assert!(IOT_Resource_Upload_Request(resource, c"n".as_ptr().cast_mut(), 8, md5.as_mut_ptr()) > 0);
    }
    device.give(Upload, MD5);
    assert_eq!(IOT_Resource_IsStartUpload(resource), 1);
    assert_eq!(IOT_Resource_StartUpload(resource, ptr::null_mut()), 0);
    // SAFETY: readable for so many bytes.
    unsafe {
        assert_eq!(IOT_Resource_UploadYield(resource, got.as_mut_ptr().cast(), 5, 5), 5);
        assert_eq!(IOT_Resource_UploadYield(resource, got[5..].as_mut_ptr().cast(), 3, 5), 0);
    }
    assert_eq!(IOT_Resource_IsUploadFinish(resource), 1);
    assert_eq!(crate::ffi::undeclared::IOT_Resource_UploadRecvResult(resource, ptr::null_mut(), 0), 0);
    assert_eq!(got, b"abcdefgh", "the caller's buffer is left alone");
    // What was fetched is the download's, also here.
    for (query, bytes) in [(5, 8), (0, 0)] {
        // SAFETY: an aligned number.
        let code = unsafe { IOT_Resource_UploadIoctl(resource, query, ptr::from_mut(&mut matches).cast(), 4) };
        assert_eq!((code, matches), (0, bytes), "{query}");
    }
}

/// Case 30.
#[test]
fn https_is_refused_where_it_is_off() {
    assert_eq!(started(Err(Error::Start(StartFault::NoHttps))), -7);
}
