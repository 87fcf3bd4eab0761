//! Any content of the device's identity file, through the platform's C functions.
#![no_main]

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use iot_abi::export::{DeviceInfo, GatewayDeviceInfo};
use iot_engine::helpers::json::keys_of;
use iot_platform_posix::devinfo::{
    iot_platform_get_dev_info, iot_platform_get_dev_info_from_file, iot_platform_get_gw_dev_info,
    iot_platform_set_dev_info, iot_platform_set_dev_info_file,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const QCLOUD_ERR_DEV_INFO: c_int = iot_abi::error::QCLOUD_ERR_DEV_INFO;

/// The file of this process, in memory where the system has a folder for that.
struct Desk {
    path: PathBuf,
    name: CString,
}

fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let path = folder.join(format!("iot-fuzz-device-info-{}.json", std::process::id()));
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the name ends with a NUL.
        assert_eq!(unsafe { iot_platform_set_dev_info_file(name.as_ptr()) }, 0);
        extern "C" fn remove() {
            let _ = std::fs::remove_file(&desk().path);
        }
        // SAFETY: a function without a precondition.
        unsafe { libc::atexit(remove) };
        Desk { path, name }
    })
}

fuzz_target!(init: iot_fuzz::silence(), |content: &[u8]| {
    let desk = desk();
    std::fs::write(&desk.path, content).expect("the file can be written");
    let mut info = zeroed();
    // SAFETY: a name and a place of the right type.
    let code = unsafe { iot_platform_get_dev_info_from_file(desk.name.as_ptr(), (&raw mut info).cast()) };
    match code {
        0 => {
            // What serde_json does not read, or reads otherwise, is only stored.
            let Some(json) = comparable(content) else {
                renamed(&info);
                return;
            };
            assert!(json["auth_mode"].is_null() || json["auth_mode"] == "KEY");
            check(&info, &json);
            gateway(&info, &json);
            store(&info, &json);
        }
        QCLOUD_ERR_DEV_INFO => assert_eq!(text(&info.product_id), "", "a refused file leaves nothing behind"),
        other => panic!("code {other}"),
    }
});

fn without_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)
}

/// As serde_json reads it. `None` where it does not, and where a key comes twice: serde_json takes the last one.
fn comparable(content: &[u8]) -> Option<Value> {
    let mut paths = keys_of(without_mark(content), b"").ok()?;
    let count = paths.len();
    paths.sort_unstable();
    paths.dedup();
    let value = serde_json::from_slice(without_mark(content)).ok()?;
    // A dot in a key makes one path of two.
    (paths.len() == count && !paths.iter().any(|path| path.contains(&b'.') && !is_known(path))).then_some(value)
}

fn is_known(path: &[u8]) -> bool {
    [b"key_deviceinfo.deviceSecret".as_slice(), b"subDev.sub_productId", b"subDev.sub_devName"].contains(&path)
}

fn zeroed() -> DeviceInfo {
    // SAFETY: arrays of characters.
    unsafe { std::mem::zeroed() }
}

fn text(field: &[c_char]) -> &str {
    // SAFETY: the same bytes.
    let bytes = unsafe { std::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    CStr::from_bytes_until_nul(bytes).expect("a NUL").to_str().expect("UTF-8")
}

fn check(info: &DeviceInfo, json: &Value) {
    let (product_id, device_name) = (text(&info.product_id), text(&info.device_name));
    assert_eq!(json["productId"], product_id);
    assert_eq!(json["deviceName"], device_name);
    assert_eq!(json["key_deviceinfo"]["deviceSecret"], text(&info.device_secret));
    assert_eq!(json["productSecret"].as_str().unwrap_or_default(), text(&info.product_secret));
    assert_eq!(text(&info.client_id), format!("{product_id}{device_name}"));
    assert!(!product_id.is_empty() && !device_name.is_empty());
}

/// Memory for one device.
unsafe extern "C" fn allocate(size: u32) -> *mut c_void {
    assert_eq!(size as usize, size_of::<DeviceInfo>());
    Box::into_raw(Box::new(zeroed())).cast()
}

fn gateway(info: &DeviceInfo, json: &Value) {
    let mut gateway = GatewayDeviceInfo { gw_info: zeroed(), sub_dev_info: std::ptr::null_mut(), sub_dev_num: 0 };
    // SAFETY: the struct is valid.
    let code = unsafe { iot_platform_get_gw_dev_info((&raw mut gateway).cast(), Some(allocate)) };
    // The gateway's part was read before.
    assert!(code == 0 || code == QCLOUD_ERR_DEV_INFO);
    assert_eq!(gateway.sub_dev_num, 1);
    assert_eq!(text(&gateway.gw_info.product_id), text(&info.product_id));
    // SAFETY: made by `allocate`, and freed once.
    let sub_device = unsafe { Box::from_raw(gateway.sub_dev_info) };
    if code == 0 {
        assert_eq!(json["subDev"]["sub_productId"], text(&sub_device.product_id));
        assert_eq!(json["subDev"]["sub_devName"], text(&sub_device.device_name));
    } else {
        assert_eq!(
            (text(&sub_device.product_id), text(&sub_device.device_name)),
            (text(&zeroed().product_id), text(&zeroed().device_name))
        );
    }
}

/// Stores another name, and returns what is read then.
fn renamed(info: &DeviceInfo) -> DeviceInfo {
    let mut other = zeroed();
    for (to, from) in other.device_name.iter_mut().zip(b"another") {
        *to = *from as c_char;
    }
    other.product_id = info.product_id;
    // SAFETY: places of the right type.
    unsafe {
        assert_eq!(iot_platform_set_dev_info((&raw mut other).cast()), 0);
        assert_eq!(iot_platform_get_dev_info((&raw mut other).cast()), 0);
    }
    assert_eq!(text(&other.device_name), "another");
    other
}

/// Storing what was read changes nothing; storing another name changes that only.
fn store(info: &DeviceInfo, json: &Value) {
    let other = renamed(info);
    let mut expected = json.clone();
    expected["deviceName"] = Value::from("another");
    check(&other, &expected);
    let content = std::fs::read(&desk().path).expect("the file");
    let stored: Value = serde_json::from_slice(without_mark(&content)).expect("JSON");
    assert_eq!(stored, expected);
}
