use std::ffi::CString;
use std::fs;

use serde_json::{json, Value};
use tempfile::TempDir;

use super::*;
use crate::log_double;

fn good() -> Value {
    json!({
        "auth_mode": if cfg!(feature = "auth-mode-cert") { "CERT" } else { "KEY" },
        "productId": "0123456789",
        "productSecret": "",
        "deviceName": "dev",
        "key_deviceinfo": { "deviceSecret": "c2VjcmV0" },
        "cert_deviceinfo": { "devCertFile": "dev_cert.crt", "devPrivateKeyFile": "dev_private.key" },
        "subDev": { "sub_productId": "SUBPRODUCT", "sub_devName": "sub" },
        "other": [1, 2]
    })
}

/// The code and the log lines, with the file's path as FILE.
fn load_text(text: &[u8]) -> (c_int, Vec<String>, DeviceInfo) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("device_info.json");
    fs::write(&file, text).unwrap();
    let mut info = empty();
    let path = file.to_str().unwrap();
    let name = CString::new(path).unwrap();
    // SAFETY: a NUL-terminated name and a DeviceInfo.
    let code = unsafe { iot_platform_get_dev_info_from_file(name.as_ptr(), (&raw mut info).cast()) };
    (code, log_double::take().into_iter().map(|line| line.replace(path, "FILE")).collect(), info)
}

fn field(field: &[c_char]) -> String {
    text(field, "field").unwrap()
}

#[test]
fn good_file_fills_every_field() {
    let (code, lines, info) = load_text(good().to_string().as_bytes());
    assert_eq!((code, lines), (0, vec![]));
    assert_eq!(field(&info.product_id), "0123456789");
    assert_eq!(field(&info.device_name), "dev");
    assert_eq!(field(&info.client_id), "0123456789dev");
    #[cfg(not(feature = "auth-mode-cert"))]
    assert_eq!(field(&info.device_secret), "c2VjcmV0");
    #[cfg(feature = "auth-mode-cert")]
    {
        assert_eq!(field(&info.dev_cert_file_name), "dev_cert.crt");
        assert_eq!(field(&info.dev_key_file_name), "dev_private.key");
    }
}

#[test]
fn values_as_long_as_their_fields_fit() {
    let mut value = good();
    value["deviceName"] = "n".repeat(48).into();
    value["productSecret"] = "s".repeat(32).into();
    let (code, _, info) = load_text(value.to_string().as_bytes());
    assert_eq!(code, 0);
    assert_eq!(field(&info.client_id).len(), 58);
    #[cfg(feature = "dev-dyn-reg")]
    assert_eq!(field(&info.product_secret).len(), 32);
}

/// The struct of 3.1.2 and 3.1.3 in their default switches, and what lies behind it.
#[cfg(all(feature = "dev-dyn-reg", not(feature = "abi-3-3")))]
#[test]
fn nothing_is_written_where_older_objects_have_no_product_secret() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("device_info.json");
    let name = CString::new(file.to_str().unwrap()).unwrap();
    let filled = |secret: Option<&str>| {
        let mut value = good();
        match secret {
            Some(secret) => value["productSecret"] = secret.into(),
            None => drop(value.as_object_mut().unwrap().remove("productSecret")),
        }
        fs::write(&file, value.to_string()).unwrap();
        let mut info = [0x5a_u8; size_of::<DeviceInfo>()];
        // SAFETY: a NUL-terminated name, and room for a DeviceInfo.
        assert_eq!(unsafe { iot_platform_get_dev_info_from_file(name.as_ptr(), info.as_mut_ptr().cast()) }, 0);
        assert_eq!(log_double::take(), Vec::<String>::new());
        let (before, behind) = info.split_at(std::mem::offset_of!(DeviceInfo, product_secret));
        assert!(!before.contains(&0x5a));
        behind.to_owned()
    };
    for secret in [None, Some(""), Some("YOUR_PRODUCT_SECRET")] {
        assert_eq!(filled(secret), [0x5a; 33], "{secret:?}");
    }
    let mut written = [0; 33];
    written[..24].copy_from_slice(b"0123456789abcdef01234567");
    assert_eq!(filled(Some("0123456789abcdef01234567")), written);
}

#[test]
fn byte_order_mark_and_absent_optional_keys_are_fine() {
    let mut value = good();
    for key in ["auth_mode", "productSecret", "subDev", "other"] {
        value.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(load_text(format!("\u{feff}{value}").as_bytes()).0, 0);
}

#[test]
fn bad_files_name_the_key_and_the_file() {
    let (parent, child) = if cfg!(feature = "auth-mode-cert") {
        ("cert_deviceinfo", "devCertFile")
    } else {
        ("key_deviceinfo", "deviceSecret")
    };
    let path = format!("{parent}.{child}");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = good();
        change(&mut value);
        value.to_string().into_bytes()
    };
    let remove = |key: &str| {
        with(&|value| {
            value.as_object_mut().unwrap().remove(key);
        })
    };
    let set = |key: &str, to: Value| with(&|value| value[key] = to.clone());
    let set_child = |to: Value| with(&|value| value[parent][child] = to.clone());
    let other_mode = if cfg!(feature = "auth-mode-cert") { "KEY" } else { "CERT" };
    let own_mode = if cfg!(feature = "auth-mode-cert") { "CERT" } else { "KEY" };
    let table: Vec<(Vec<u8>, String)> = vec![
        (b"".to_vec(), "FILE is not valid JSON: it ends too early at line 1 column 1".into()),
        (b"{\n\"a\" 1}".to_vec(), "FILE is not valid JSON: no colon behind a key at line 2 column 5".into()),
        (b"\xff".to_vec(), "FILE is not valid JSON: no opening brace at line 1 column 1".into()),
        (b"[]".to_vec(), "FILE is not a JSON object".into()),
        (vec![b' '; 65_537], "FILE is larger than 64 kB".into()),
        (
            [b"{\"a\":".as_slice(), &[b'['; 60_000]].concat(),
            "FILE is not valid JSON: it ends too early at line 1 column 60006".into(),
        ),
        (vec![b'['; 60_000], "FILE is not a JSON object".into()),
        (remove("productId"), "\"productId\" in FILE is missing".into()),
        (remove("deviceName"), "\"deviceName\" in FILE is missing".into()),
        (remove(parent), format!("\"{path}\" in FILE is missing")),
        (set(parent, json!("text")), format!("\"{path}\" in FILE is missing")),
        (set("productId", json!("")), "\"productId\" in FILE is empty".into()),
        (set("productId", json!(1)), "\"productId\" in FILE is not a string".into()),
        (set("productId", json!("0123456789A")), "\"productId\" in FILE is longer than 10 characters".into()),
        (set("deviceName", json!("n".repeat(49))), "\"deviceName\" in FILE is longer than 48 characters".into()),
        (set("deviceName", json!("a\0b")), "\"deviceName\" in FILE contains a NUL".into()),
        (set("productSecret", json!("s".repeat(33))), "\"productSecret\" in FILE is longer than 32 characters".into()),
        (set_child(json!("")), format!("\"{path}\" in FILE is empty")),
        (
            set("auth_mode", json!(other_mode)),
            format!("\"auth_mode\" in FILE is \"{other_mode}\", but this program is built for \"{own_mode}\""),
        ),
        (set("auth_mode", json!("PSK")), "\"auth_mode\" in FILE is neither \"KEY\" nor \"CERT\"".into()),
    ];
    for (content, expected) in table {
        let (code, lines, _) = load_text(&content);
        assert_eq!(lines, [format!("ERR {expected}")]);
        assert_eq!(code, QCLOUD_ERR_DEV_INFO, "{expected}");
    }
}

#[test]
fn null_and_missing_file() {
    let mut info = empty();
    let name = c"/nonexistent/device_info.json";
    // SAFETY: NULL is allowed; the rest is valid.
    unsafe {
        assert_eq!(iot_platform_get_dev_info(std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_set_dev_info(std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_get_gw_dev_info(std::ptr::null_mut(), None), QCLOUD_ERR_DEV_INFO);
        assert_eq!(iot_platform_set_dev_info_file(std::ptr::null()), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_get_dev_info_from_file(name.as_ptr(), std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_get_dev_info_from_file(std::ptr::null(), (&raw mut info).cast()), QCLOUD_ERR_INVAL);
        log_double::take();
        assert_eq!(iot_platform_get_dev_info_from_file(name.as_ptr(), (&raw mut info).cast()), QCLOUD_ERR_DEV_INFO);
    }
    assert_eq!(log_double::take(), ["ERR can't read /nonexistent/device_info.json: No such file or directory"]);
}

#[cfg(feature = "debug-dev-info")]
#[test]
fn compiled_in_identity_needs_no_file() {
    let mut info = empty();
    // SAFETY: valid arguments.
    assert_eq!(unsafe { iot_platform_get_dev_info((&raw mut info).cast()) }, 0);
    assert_eq!(field(&info.client_id), format!("{}{}", field(&info.product_id), field(&info.device_name)));
    set(&mut info.device_name, "changed in memory");
    // SAFETY: valid arguments.
    unsafe {
        assert_eq!(iot_platform_set_dev_info((&raw mut info).cast()), 0);
        assert_eq!(iot_platform_get_dev_info((&raw mut info).cast()), 0);
    }
    assert!(field(&info.device_name).starts_with("changed in memory"));
}

/// The one test that changes which file is in use, since that is shared by all threads.
#[cfg(not(feature = "debug-dev-info"))]
#[test]
fn stored_identity_is_read_back_and_other_keys_stay() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("identity.json");
    let name = CString::new(file.to_str().unwrap()).unwrap();
    let mut info = empty();
    set(&mut info.product_id, "ABCDEFGHIJ");
    set(&mut info.device_name, "stored");
    // SAFETY: valid arguments throughout.
    unsafe {
        assert_eq!(iot_platform_set_dev_info_file(name.as_ptr()), 0);
        fs::write(&file, "not JSON").unwrap();
        assert_eq!(iot_platform_set_dev_info((&raw mut info).cast()), QCLOUD_ERR_DEV_INFO);
        assert_eq!(fs::read(&file).unwrap(), b"not JSON");
        fs::write(&file, good().to_string()).unwrap();
        log_double::take();
        assert_eq!(iot_platform_set_dev_info((&raw mut info).cast()), 0);
        let mut back = empty();
        assert_eq!(iot_platform_get_dev_info((&raw mut back).cast()), 0);
        assert_eq!(field(&back.client_id), "ABCDEFGHIJstored");

        let stored: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let mut expected = good();
        expected["productId"] = "ABCDEFGHIJ".into();
        expected["deviceName"] = "stored".into();
        assert_eq!(stored, expected);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");

        // A new file holds the identity alone.
        fs::remove_file(&file).unwrap();
        assert_eq!(iot_platform_set_dev_info((&raw mut back).cast()), 0);
        let mut again = empty();
        assert_eq!(iot_platform_get_dev_info((&raw mut again).cast()), 0);
        assert_eq!(field(&again.device_name), "stored");

        // Dynamic registration's case 24: no half result where nothing can be written.
        let before = fs::read(&file).unwrap();
        fs::create_dir(dir.path().join("identity.json.tmp")).unwrap();
        assert_eq!(iot_platform_set_dev_info((&raw mut info).cast()), QCLOUD_ERR_DEV_INFO);
        assert_eq!(fs::read(&file).unwrap(), before);
        assert!(log_double::take()[0].contains("can't write"));

        back.product_id = [b'x' as c_char; 11];
        assert_eq!(iot_platform_set_dev_info((&raw mut back).cast()), QCLOUD_ERR_DEV_INFO);
        assert_eq!(log_double::take(), ["ERR product_id has no terminating NUL"]);

        #[cfg(feature = "gateway")]
        {
            fs::write(&file, good().to_string()).unwrap();
            let mut gateway = std::mem::MaybeUninit::<GatewayDeviceInfo>::uninit();
            assert_eq!(iot_platform_get_gw_dev_info(gateway.as_mut_ptr().cast(), Some(lend)), 0);
            let info = gateway.assume_init_ref();
            assert_eq!((info.sub_dev_num, field(&info.gw_info.client_id).as_str()), (1, "0123456789dev"));
            let sub = Box::from_raw(info.sub_dev_info);
            assert_eq!((field(&sub.product_id).as_str(), field(&sub.device_name).as_str()), ("SUBPRODUCT", "sub"));
            assert_eq!(field(&sub.client_id), "");

            // The gateway's part is there whatever becomes of the device's.
            let mut bad = good();
            bad["subDev"]["sub_devName"] = "x".repeat(49).into();
            fs::write(&file, bad.to_string()).unwrap();
            assert_eq!(iot_platform_get_gw_dev_info(gateway.as_mut_ptr().cast(), Some(lend)), QCLOUD_ERR_DEV_INFO);
            let sub = Box::from_raw(gateway.assume_init_ref().sub_dev_info);
            assert_eq!(field(&sub.device_name), "");
            assert_eq!(iot_platform_get_gw_dev_info(gateway.as_mut_ptr().cast(), None), QCLOUD_ERR_DEV_INFO);
            let info = gateway.assume_init_ref();
            assert!(info.sub_dev_info.is_null() && info.sub_dev_num == 0);
            assert_eq!(field(&info.gw_info.client_id), "0123456789dev");
            fs::write(&file, "{}").unwrap();
            assert_eq!(iot_platform_get_gw_dev_info(gateway.as_mut_ptr().cast(), Some(lend)), QCLOUD_ERR_FAILURE);
        }
    }
}

/// Memory for one device, which the test gives back as a box.
#[cfg(feature = "gateway")]
unsafe extern "C" fn lend(size: u32) -> *mut c_void {
    assert_eq!(size as usize, size_of::<DeviceInfo>());
    Box::into_raw(Box::new(empty())).cast()
}

#[cfg(feature = "abi-3-3")]
#[test]
fn a_region_is_taken_from_the_file_and_is_china_where_it_has_none() {
    let with = |region: &str| {
        let mut value = good();
        value["region"] = region.into();
        load_text(value.to_string().as_bytes())
    };
    let long = "r".repeat(63);
    for region in ["china", "us-east", "europe", "ap-bangkok", "mars", "", &long] {
        let (code, lines, info) = with(region);
        assert_eq!((code, lines, field(&info.region)), (0, vec![], region.to_owned()));
    }
    let (code, lines, _) = with(&"r".repeat(64));
    assert_ne!(code, 0);
    assert_eq!(lines, ["ERR \"region\" in FILE is longer than 63 characters"]);
    let (code, lines, info) = load_text(good().to_string().as_bytes());
    assert_eq!((code, lines, field(&info.region)), (0, vec![], "china".to_owned()));
}
