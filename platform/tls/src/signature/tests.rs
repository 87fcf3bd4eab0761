//! Keys, and the signature that openssl makes with them, are in the folder of this name.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use super::*;
use crate::log_double;

const TEXT: &[u8] = b"PRODUCTID0lamp;12010126;abcde;4294967295";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/signature/tests").join(name)
}

fn load_key(path: &Path) -> *mut c_void {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the text ends with a NUL.
    unsafe { iot_platform_tls_load_key(path.as_ptr()) }
}

/// What is said about a file that holds `pem`.
fn refused(pem: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.key");
    std::fs::write(&path, pem).unwrap();
    assert!(load_key(&path).is_null());
    let lines = log_double::take();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    line.replace(&path.display().to_string(), "FILE")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_key_signs_as_openssl_does() {
    let expected = include_str!("tests/signature.hex").trim_end();
    for name in ["pkcs8.pem", "pkcs1.pem"] {
        let key = load_key(&file(name));
        assert!(!key.is_null(), "{:?}", log_double::take());
        // SAFETY: the key is from above, and the buffer has a byte more than a signature.
        let (len, out) = unsafe {
            let len = iot_platform_tls_signature_len(key);
            let mut out = [0x55; 257];
            let rc = iot_platform_tls_sign(key, TEXT.as_ptr().cast(), TEXT.len() as c_int, out.as_mut_ptr().cast());
            assert_eq!(rc, QCLOUD_RET_SUCCESS);
            iot_platform_tls_free_key(key);
            (len, out)
        };
        assert_eq!((len, out[256]), (256, 0x55), "{name}");
        assert_eq!(hex(&out[..256]), expected, "{name}");
    }
}

#[test]
fn a_text_may_be_empty() {
    let key = load_key(&file("pkcs8.pem"));
    let mut out = [0; 256];
    // SAFETY: the key is from above, and the buffer as long as a signature.
    unsafe {
        assert_eq!(iot_platform_tls_sign(key, c"".as_ptr(), 0, out.as_mut_ptr().cast()), QCLOUD_RET_SUCCESS);
        iot_platform_tls_free_key(key);
    }
    // openssl dgst -sha256 -sign, of nothing.
    assert_eq!(hex(&out[..8]), "4df58c1bc317c0cb");
}

#[test]
fn what_is_no_rsa_key_that_can_sign_is_refused_by_name() {
    let pkcs8 = include_str!("tests/pkcs8.pem");
    let unusable = "ERR no usable private key (unencrypted PEM) in FILE";
    for pem in ["", "no PEM", &pkcs8[..pkcs8.len() / 2]] {
        assert_eq!(refused(pem), unusable);
    }
    let other = "ERR the private key in FILE is not RSA of 2048 to 4096 bits";
    assert_eq!(refused(include_str!("tests/short.pem")), other);
    assert_eq!(refused(&rcgen::KeyPair::generate().unwrap().serialize_pem()), other);
    // A length of the outermost sequence that is another.
    assert_eq!(refused(&pkcs8.replacen("MIIE", "MIID", 1)), other);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = Path::new("/nonexistent/device.key");
    assert!(load_key(path).is_null());
    assert_eq!(log_double::take(), ["ERR can't read private key /nonexistent/device.key: No such file or directory"]);
}

#[test]
fn null_is_refused_and_nothing_is_written() {
    let key = load_key(&file("pkcs8.pem"));
    let mut out = [0x55_u8; 256];
    let (text, room) = (TEXT.as_ptr().cast(), out.as_mut_ptr().cast());
    // SAFETY: NULL is allowed everywhere.
    unsafe {
        assert!(iot_platform_tls_load_key(ptr::null()).is_null());
        assert_eq!(iot_platform_tls_signature_len(ptr::null_mut()), 0);
        assert_eq!(iot_platform_tls_sign(ptr::null_mut(), text, 1, room), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_tls_sign(key, ptr::null(), 1, room), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_tls_sign(key, text, 1, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_tls_sign(key, text, -1, room), QCLOUD_ERR_INVAL);
        iot_platform_tls_sha256(ptr::null(), 0, out.as_mut_ptr());
        iot_platform_tls_sha256(TEXT.as_ptr(), 1, ptr::null_mut());
        assert_eq!(log_double::take().len(), 8);
        iot_platform_tls_free_key(ptr::null_mut());
        iot_platform_tls_free_key(key);
    }
    assert_eq!(out, [0x55; 256]);
    assert!(log_double::take().is_empty());
}

#[test]
fn hashes_are_those_of_fips_180_4() {
    for (text, expected) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        let mut out = [0x55; 33];
        // SAFETY: the text has as many bytes, and the buffer one more than a hash.
        unsafe { iot_platform_tls_sha256(text.as_ptr(), text.len(), out.as_mut_ptr()) };
        assert_eq!((hex(&out[..32]).as_str(), out[32]), (expected, 0x55));
    }
}
