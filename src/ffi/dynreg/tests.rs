use std::ptr;
#[cfg(not(feature = "auth-mode-cert"))]
use std::sync::atomic::Ordering;

use super::*;
#[cfg(any(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
use crate::drive::testing::web_server::{Answer, Traits, World};

const SECRET: &str = "0123456789abcdef01234567";

fn info(product_id: &str, device_name: &str, product_secret: &str) -> DeviceInfo {
    // SAFETY: DeviceInfo is arrays of char only.
    let mut info: DeviceInfo = unsafe { std::mem::zeroed() };
    set(&mut info.product_id, product_id);
    set(&mut info.device_name, device_name);
    set(&mut info.product_secret, product_secret);
    info
}

fn bytes(info: &DeviceInfo) -> &[u8] {
    // SAFETY: arrays of characters, with nothing between them.
    unsafe { std::slice::from_raw_parts(ptr::from_ref(info).cast(), size_of::<DeviceInfo>()) }
}

/// Cases 5, 6 and 21: what can't be asked for is not sent; there is no server in a test.
#[test]
fn what_is_no_use_is_refused() {
    assert_eq!(unsafe { IOT_DynReg_Device(ptr::null_mut()) }, QCLOUD_ERR_INVAL);
    for (product_id, device_name, secret, code) in [
        ("", "dev01", SECRET, QCLOUD_ERR_INVAL),
        ("C1PRODUCT1", "", SECRET, QCLOUD_ERR_INVAL),
        ("C1PRODUCT1", "a/b", SECRET, QCLOUD_ERR_INVAL),
        ("C1PRODUCT1", "..", SECRET, QCLOUD_ERR_INVAL),
        ("C1PRODUCT1", "dev01", &SECRET[..15], QCLOUD_ERR_FAILURE),
        ("C1PRODUCT1", "dev01", "", QCLOUD_ERR_FAILURE),
    ] {
        let mut info = info(product_id, device_name, secret);
        let before = bytes(&info).to_vec();
        assert_eq!(unsafe { IOT_DynReg_Device(&mut info) }, code, "{product_id}/{device_name}");
        assert_eq!(bytes(&info), before);
    }
    let mut endless = info("C1PRODUCT1", "dev01", SECRET);
    endless.product_secret.fill(b'x' as c_char);
    assert_eq!(unsafe { IOT_DynReg_Device(&mut endless) }, QCLOUD_ERR_INVAL);
    let mut latin = info("C1PRODUCT1", "dev01", SECRET);
    latin.device_name[0] = 0xFF_u8 as c_char;
    assert_eq!(unsafe { IOT_DynReg_Device(&mut latin) }, QCLOUD_ERR_INVAL);
}

/// Case 2: the secret as given, everything else untouched, also where a longer one stood there.
#[cfg(not(feature = "auth-mode-cert"))]
#[test]
fn the_secret_is_all_that_changes() {
    let payload = "utkU+JMoQ9Xlnldd66IE8jX1ThSWJUimWVzONyOmip6Mckx123WzeEnaD4ekkPo5IdsAgQlPgZ8kEfMyXdkcRQ==";
    let body = if cfg!(feature = "abi-3-3") {
        format!(r#"{{"Response":{{"Len":53,"Payload":"{payload}","RequestId":"1"}}}}"#)
    } else {
        format!(r#"{{"code":0,"payload":"{payload}"}}"#)
    };
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let world = World::new(Traits::default(), move |_, _| Answer::new(answer.clone()));
    let mut device = info("C1PRODUCT1", "dev01", SECRET);
    set(&mut device.client_id, "mine");
    set(&mut device.device_secret, &"x".repeat(64));
    let mut expected = device;
    set(&mut expected.device_secret, "MTIzNDU2Nzg5MGFiY2RlZg==");
    assert_eq!(register("IOT_DynReg_Device", &world.platform(), &mut device, Path::new("unused")), QCLOUD_RET_SUCCESS);
    assert_eq!(bytes(&device), bytes(&expected));
}

/// The table of dynreg.md section 1, each with `info` as it was.
#[cfg(not(feature = "auth-mode-cert"))]
#[test]
fn each_failure_has_its_code_and_changes_nothing() {
    let with_length = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for (answer, code) in [
        #[cfg(not(feature = "abi-3-3"))]
        (with_length(r#"{"code":1005,"message":"why"}"#), 1005),
        #[cfg(not(feature = "abi-3-3"))]
        (with_length(r#"{"code":0}"#), -1001),
        #[cfg(feature = "abi-3-3")]
        (with_length(r#"{"Response":{"Error":{"Code":"X","Message":"why"}}}"#), -1001),
        #[cfg(feature = "abi-3-3")]
        (with_length(r#"{"Response":{}}"#), -1001),
        (with_length("no JSON"), -1),
        (with_length(""), -1),
        (with_length(&"x".repeat(70_000)), -1001),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n".to_owned(), -4),
        ("HTTP/1.1 401 X\r\n\r\n".to_owned(), -9),
        ("HTTP/1.1 403 X\r\n\r\n".to_owned(), -9),
        ("HTTP/1.1 404 X\r\n\r\n".to_owned(), -10),
        ("HTTP/1.1 500 X\r\n\r\n".to_owned(), -4),
        ("SSH-2.0-x\r\n\r\n".to_owned(), -4),
        (String::new(), -608),
    ] {
        let sent = answer.clone();
        let world = World::new(Traits::default(), move |_, _| Answer::new(sent.clone()));
        let mut device = info("C1PRODUCT1", "dev01", SECRET);
        set(&mut device.device_secret, "YOUR_IOT_PSK");
        let before = bytes(&device).to_vec();
        assert_eq!(
            register("IOT_DynReg_Device", &world.platform(), &mut device, Path::new("unused")),
            code,
            "{answer}"
        );
        assert_eq!(bytes(&device), before);
    }
    let mut device = info("C1PRODUCT1", "dev01", SECRET);
    let silent = World::new(Traits::default(), |_, _| Answer::new("").then_silent());
    assert_eq!(register("IOT_DynReg_Device", &silent.platform(), &mut device, Path::new("unused")), -11);
    silent.refuse.store(true, Ordering::Relaxed);
    assert_eq!(register("IOT_DynReg_Device", &silent.platform(), &mut device, Path::new("unused")), -8);
}

/// Case 27: a private certificate. `payload` is `{"encryptionType":1}`, encrypted by `openssl enc -aes-128-cbc -nopad`.
#[cfg(all(feature = "auth-mode-cert", feature = "abi-3-3"))]
#[test]
fn a_device_with_a_certificate_of_its_own_keeps_everything() {
    let folder = std::env::temp_dir().join(format!("iot-own-certificate-{}", std::process::id()));
    let file = folder.join("dev01_cert.crt");
    std::fs::create_dir_all(&folder).unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    std::fs::write(&file, pem).unwrap();
    let body = r#"{"Response":{"Len":20,"Payload":"utkU+JMoQ9Xlnldd66IE8q0ofXjBlQpdnh89noPKTWw=","RequestId":"1"}}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let world = World::new(Traits::default(), move |_, _| Answer::new(answer.clone()));
    let mut device = info("C1PRODUCT1", "dev01", SECRET);
    set(&mut device.dev_cert_file_name, "mine.crt");
    let before = bytes(&device).to_vec();
    let rc = register("IOT_DynReg_Device", &world.platform(), &mut device, &folder);
    assert_eq!((rc, bytes(&device)), (QCLOUD_RET_SUCCESS, &before[..]));
    assert!(world.requests.lock().unwrap()[0].contains(r#""clientCert":"-----BEGIN CERTIFICATE-----\nAAEC\n"#));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), pem);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // A file that holds none is told of before anything is sent.
    std::fs::write(&file, "no PEM").unwrap();
    assert_eq!(register("IOT_DynReg_Device", &world.platform(), &mut device, &folder), QCLOUD_ERR_FAILURE);
    assert_eq!(world.requests.lock().unwrap().len(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
