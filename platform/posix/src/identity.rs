//! The device's identity as a JSON file (behaviour.md section 6).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(not(feature = "auth-mode-cert"))]
use iot_abi::export::MAX_SIZE_OF_DEVICE_SECRET;
#[cfg(feature = "abi-3-3")]
use iot_abi::export::MAX_SIZE_OF_REGION;
#[cfg(feature = "auth-mode-cert")]
use iot_abi::export::{MAX_SIZE_OF_DEVICE_CERT_FILE_NAME, MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME};
use iot_abi::export::{MAX_SIZE_OF_DEVICE_NAME, MAX_SIZE_OF_PRODUCT_ID, MAX_SIZE_OF_PRODUCT_SECRET};
#[cfg(feature = "abi-3-3")]
use iot_abi::variables::QCLOUD_IOT_DEFAULT_REGION;
use iot_engine::helpers::json::{self, Kind, Value};
use zeroize::Zeroizing;

use crate::descriptors;
use crate::net::io_text;

/// Largest file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 64 * 1024;

/// The `auth_mode` this platform is built for.
const AUTH_MODE: &str = if cfg!(feature = "auth-mode-cert") { "CERT" } else { "KEY" };

/// The other one.
const OTHER_AUTH_MODE: &str = if cfg!(feature = "auth-mode-cert") { "KEY" } else { "CERT" };

/// A text that is cleared when it is dropped.
pub type Secret = Zeroizing<String>;

/// What a device is known by. Each text fits its field in `DeviceInfo`.
pub struct Identity {
    pub product_id: String,
    pub device_name: String,
    #[cfg(not(feature = "auth-mode-cert"))]
    pub device_secret: Secret,
    #[cfg(feature = "auth-mode-cert")]
    pub cert_file: String,
    #[cfg(feature = "auth-mode-cert")]
    pub key_file: String,
    /// Empty where there is none.
    pub product_secret: Secret,
    #[cfg(feature = "abi-3-3")]
    pub region: String,
}

/// Product id and device name of a device behind a gateway.
#[cfg(feature = "gateway")]
pub struct SubDevice {
    pub product_id: String,
    pub device_name: String,
}

/// Where a value stands in the file, and how long it may be in bytes.
struct Key {
    path: &'static [&'static str],
    max: usize,
}

const PRODUCT_ID: Key = Key { path: &["productId"], max: MAX_SIZE_OF_PRODUCT_ID };
const DEVICE_NAME: Key = Key { path: &["deviceName"], max: MAX_SIZE_OF_DEVICE_NAME };
#[cfg(feature = "abi-3-3")]
const REGION: Key = Key { path: &["region"], max: MAX_SIZE_OF_REGION - 1 };
const PRODUCT_SECRET: Key = Key { path: &["productSecret"], max: MAX_SIZE_OF_PRODUCT_SECRET };
#[cfg(not(feature = "auth-mode-cert"))]
const DEVICE_SECRET: Key = Key { path: &["key_deviceinfo", "deviceSecret"], max: MAX_SIZE_OF_DEVICE_SECRET };
#[cfg(feature = "auth-mode-cert")]
const CERT_FILE: Key = Key { path: &["cert_deviceinfo", "devCertFile"], max: MAX_SIZE_OF_DEVICE_CERT_FILE_NAME };
#[cfg(feature = "auth-mode-cert")]
const KEY_FILE: Key = Key { path: &["cert_deviceinfo", "devPrivateKeyFile"], max: MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME };
#[cfg(feature = "gateway")]
const SUB_PRODUCT_ID: Key = Key { path: &["subDev", "sub_productId"], max: MAX_SIZE_OF_PRODUCT_ID };
#[cfg(feature = "gateway")]
const SUB_DEVICE_NAME: Key = Key { path: &["subDev", "sub_devName"], max: MAX_SIZE_OF_DEVICE_NAME };

/// A file that holds a JSON object.
pub struct Document {
    file: PathBuf,
    text: Zeroizing<Vec<u8>>,
}

impl Document {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// A text for the log.
    pub fn read(file: &Path) -> Result<Self, String> {
        let fail = |error: io::Error| format!("can't read {}: {}", file.display(), io_text(&error));
        let mut text = Zeroizing::new(Vec::new());
        let _hold = descriptors::hold();
        File::open(file).and_then(|open| open.take(MAX_FILE_SIZE + 1).read_to_end(&mut text)).map_err(fail)?;
        if text.len() as u64 > MAX_FILE_SIZE {
            return Err(format!("{} is larger than {} kB", file.display(), MAX_FILE_SIZE / 1024));
        }
        check(&text).map_err(|what| format!("{} is {what}", file.display()))?;
        Ok(Self { file: file.to_owned(), text })
    }

    /// The device's identity.
    ///
    /// # Errors
    /// A text for the log that names the key and the file.
    pub fn identity(&self) -> Result<Identity, String> {
        self.check_auth_mode()?;
        Ok(Identity {
            product_id: self.required(&PRODUCT_ID)?,
            device_name: self.required(&DEVICE_NAME)?,
            #[cfg(not(feature = "auth-mode-cert"))]
            device_secret: self.required(&DEVICE_SECRET)?.into(),
            #[cfg(feature = "auth-mode-cert")]
            cert_file: self.required(&CERT_FILE)?,
            #[cfg(feature = "auth-mode-cert")]
            key_file: self.required(&KEY_FILE)?,
            product_secret: self.optional(&PRODUCT_SECRET)?.unwrap_or_default().into(),
            #[cfg(feature = "abi-3-3")]
            region: self.optional(&REGION)?.unwrap_or_else(|| QCLOUD_IOT_DEFAULT_REGION.to_owned()),
        })
    }

    /// The device behind the gateway.
    ///
    /// # Errors
    /// A text for the log that names the key and the file.
    #[cfg(feature = "gateway")]
    pub fn sub_device(&self) -> Result<SubDevice, String> {
        Ok(SubDevice { product_id: self.required(&SUB_PRODUCT_ID)?, device_name: self.required(&SUB_DEVICE_NAME)? })
    }

    fn check_auth_mode(&self) -> Result<(), String> {
        let file = self.file.display();
        match self.find(&["auth_mode"]) {
            None => Ok(()),
            Some(mode) if mode.text().is_some_and(|mode| mode.is(AUTH_MODE.as_bytes())) => Ok(()),
            Some(mode) if mode.text().is_some_and(|mode| mode.is(OTHER_AUTH_MODE.as_bytes())) => Err(format!(
                "\"auth_mode\" in {file} is \"{OTHER_AUTH_MODE}\", but this program is built for \"{AUTH_MODE}\""
            )),
            Some(_) => Err(format!("\"auth_mode\" in {file} is neither \"KEY\" nor \"CERT\"")),
        }
    }

    fn required(&self, key: &Key) -> Result<String, String> {
        match self.optional(key)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.complain(key, "is empty")),
            None => Err(self.complain(key, "is missing")),
        }
    }

    fn optional(&self, key: &Key) -> Result<Option<String>, String> {
        let Some(value) = self.find(key.path).filter(|value| value.kind() != Kind::Null) else {
            return Ok(None);
        };
        let text = value.text().ok_or_else(|| self.complain(key, "is not a string"))?;
        let text = Zeroizing::new(text.to_str().map_err(|what| self.complain(key, what))?.into_owned());
        if text.len() > key.max {
            return Err(self.complain(key, &format!("is longer than {} characters", key.max)));
        }
        if text.contains('\0') {
            return Err(self.complain(key, "contains a NUL"));
        }
        Ok(Some(text.to_string()))
    }

    fn find(&self, path: &[&str]) -> Option<Value<'_>> {
        find(&self.text, path)
    }

    fn complain(&self, key: &Key, what: &str) -> String {
        format!("\"{}\" in {} {what}", key.path.join("."), self.file.display())
    }
}

/// The value at `path`; of a key that comes twice, the first. The text has been checked.
fn find<'a>(text: &'a [u8], path: &[&str]) -> Option<Value<'a>> {
    json::find(without_mark(text), path.join(".").as_bytes()).ok().flatten()
}

/// The text without a byte order mark, which editors put in front.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Whether `text` is a JSON object. What stands behind it is nobody's business.
///
/// # Errors
/// What else it is, and where that shows.
fn check(text: &[u8]) -> Result<(), String> {
    let text = without_mark(text);
    match json::values(text, []) {
        Ok([]) => Ok(()),
        Err(json::Error::Syntax(_, at)) if text.get(at) == Some(&b'[') && text[..at].trim_ascii().is_empty() => {
            Err("not a JSON object".to_owned())
        }
        Err(json::Error::Syntax(what, at)) => {
            let before = &text[..at.min(text.len())];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            Err(format!("not valid JSON: {what} at line {line} column {column}"))
        }
        Err(error) => Err(format!("not valid JSON: {error}")),
    }
}

/// Stores `identity` in `file` in one step: a reader, or a start after a power cut, sees all of it or none. Everything
/// else in the file stays as it stands, and so do its permissions. Empty secrets and file names leave what is there.
///
/// # Errors
/// A text for the log; the file is as before.
pub fn store(file: &Path, identity: &Identity) -> Result<(), String> {
    // A link stays a link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let (mut text, mode) = match fs::metadata(&target) {
        Ok(metadata) => (Document::read(&target)?.text, metadata.permissions().mode() & 0o777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Zeroizing::new(blank(identity)), 0o600),
        Err(error) => return Err(format!("can't read {}: {}", file.display(), io_text(&error))),
    };
    let mut put = |path: &[&str], value: &str| -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let changed = with(&text, path, value)
            .ok_or_else(|| format!("\"{}\" in {} has no place to stand", path.join("."), file.display()))?;
        text = Zeroizing::new(changed);
        Ok(())
    };
    // What is added goes in front of the rest.
    #[cfg(not(feature = "auth-mode-cert"))]
    put(DEVICE_SECRET.path, &identity.device_secret)?;
    #[cfg(feature = "auth-mode-cert")]
    {
        put(KEY_FILE.path, &identity.key_file)?;
        put(CERT_FILE.path, &identity.cert_file)?;
    }
    put(DEVICE_NAME.path, &identity.device_name)?;
    put(PRODUCT_SECRET.path, &identity.product_secret)?;
    put(PRODUCT_ID.path, &identity.product_id)?;
    if text.len() as u64 > MAX_FILE_SIZE {
        return Err(format!("{} would become larger than {} kB", file.display(), MAX_FILE_SIZE / 1024));
    }
    replace(&target, &text, mode).map_err(|error| format!("can't write {}: {}", file.display(), io_text(&error)))
}

/// A file for `identity` with empty values, laid out as the C SDK does it: programs compare or patch these lines.
fn blank(identity: &Identity) -> Vec<u8> {
    let product_secret = if identity.product_secret.is_empty() { "" } else { "\"productSecret\":\"\",\n" };
    let proof = if cfg!(feature = "auth-mode-cert") {
        "\"cert_deviceinfo\":{\n\"devCertFile\":\"\",\n\"devPrivateKeyFile\":\"\"\n}"
    } else {
        "\"key_deviceinfo\":{\n\"deviceSecret\":\"\"\n}"
    };
    let device = "\"productId\":\"\",\n\"deviceName\":\"\",\n";
    format!("{{\n\"auth_mode\":\"{AUTH_MODE}\",\n{device}{product_secret}{proof}\n}}").into_bytes()
}

/// `text` with `value` at `path`, in place of what stands there or in front of the other members. `None` where something
/// that is no object stands in the way.
fn with(text: &[u8], path: &[&str], value: &str) -> Option<Vec<u8>> {
    let quoted = Zeroizing::new(json::quoted(value));
    if let Some(found) = find(text, path) {
        let mut place = place_of(text, found.source());
        if found.kind() == Kind::Text {
            // The quotes are no part of it.
            place = place.start - 1..place.end + 1;
        }
        return Some([&text[..place.start], quoted.as_bytes(), &text[place.end..]].concat());
    }
    let (name, parents) = path.split_last()?;
    let mut member = Zeroizing::new(format!("{}: {}", json::quoted(name), *quoted));
    let mut parents = parents;
    let inside = loop {
        let Some((parent, above)) = parents.split_last() else {
            break text.iter().position(|byte| *byte == b'{')?;
        };
        match find(text, parents) {
            Some(object) if object.kind() == Kind::Object => break place_of(text, object.source()).start,
            Some(_) => return None,
            None => *member = format!("{}: {{\n    {}\n  }}", json::quoted(parent), *member),
        }
        parents = above;
    };
    let (before, after) = text.split_at(inside + 1);
    let comma = if after.trim_ascii_start().first() == Some(&b'}') { "" } else { "," };
    let indent = if parents.is_empty() { "\n  " } else { "\n    " };
    Some([before, indent.as_bytes(), member.as_bytes(), comma.as_bytes(), after].concat())
}

/// Where `piece` of `text` lies in it.
fn place_of(text: &[u8], piece: &[u8]) -> std::ops::Range<usize> {
    let start = piece.as_ptr() as usize - text.as_ptr() as usize;
    start..start + piece.len()
}

fn replace(file: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    // What is printed meanwhile must not get into the file.
    let _hold = descriptors::hold();
    let result = write_and_sync(&temporary, text, mode).and_then(|()| fs::rename(&temporary, file));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    // The rename itself reaches the disk with the folder.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write_and_sync(file: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    open.write_all(text)?;
    open.set_permissions(fs::Permissions::from_mode(mode))?;
    open.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, path: &[&str], value: &str) -> Option<String> {
        with(text.as_bytes(), path, value).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_value_takes_the_place_of_what_stood_there() {
        for (text, expected) in [
            (r#"{"a": "x", "b": [1]}"#, r#"{"a": "new", "b": [1]}"#),
            (r#"{"b": {"a": 1}, "a":""}"#, r#"{"b": {"a": 1}, "a":"new"}"#),
            (r#"{"a": null}"#, r#"{"a": "new"}"#),
            (r#"{"a": {"b": 1} , "c": 2}"#, r#"{"a": "new" , "c": 2}"#),
            // The first is the one that is read.
            (r#"{"a": "1", "a": "2"}"#, r#"{"a": "new", "a": "2"}"#),
            ("\u{feff}{\"a\": \"x\\\"y\"} ", "\u{feff}{\"a\": \"new\"} "),
        ] {
            assert_eq!(changed(text, &["a"], "new").as_deref(), Some(expected));
        }
        assert_eq!(changed(r#"{"a": {"b": "x"}}"#, &["a", "b"], "q\"\n").unwrap(), r#"{"a": {"b": "q\"\n"}}"#);
    }

    #[test]
    fn what_is_missing_goes_in_front() {
        assert_eq!(changed("{}", &["a"], "v").unwrap(), "{\n  \"a\": \"v\"}");
        assert_eq!(changed("{ \"b\": 1 }", &["a"], "v").unwrap(), "{\n  \"a\": \"v\", \"b\": 1 }");
        assert_eq!(changed("{\n  \"b\": {}\n}", &["b", "a"], "v").unwrap(), "{\n  \"b\": {\n    \"a\": \"v\"}\n}");
        assert_eq!(changed("{\"c\": 1}", &["b", "a"], "v").unwrap(), "{\n  \"b\": {\n    \"a\": \"v\"\n  },\"c\": 1}");
        for text in ["{\"b\": 1}", "{\"b\": \"text\"}", "{\"b\": null}", "{\"b\": [{}]}"] {
            assert_eq!(changed(text, &["b", "a"], "v"), None, "{text}");
        }
    }

    #[test]
    fn what_was_changed_is_checked_and_found_again() {
        let texts = ["{}", "{\"x\":1}", "{\"b\":{}}", "{\"b\":{\"y\":[1,{}]}}", "{\"b\":{\"a\":true}}", " {\r\n}\n"];
        for text in texts {
            for path in [&["a"][..], &["b", "a"]] {
                let text = changed(text, path, "v\u{1}\u{4f60}").unwrap();
                assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
                let found = find(text.as_bytes(), path).unwrap().text().unwrap();
                assert_eq!(found.to_str().unwrap(), "v\u{1}\u{4f60}", "{text}");
                assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
            }
        }
    }

    /// Dynamic registration's case 23: the bytes of dynreg.md, 4.
    #[test]
    fn case_23_a_file_that_is_made_has_the_contract_s_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("identity.json");
        let identity = Identity {
            product_id: "C1PRODUCT1".to_owned(),
            device_name: "dev01".to_owned(),
            #[cfg(not(feature = "auth-mode-cert"))]
            device_secret: "MTIzNDU2Nzg5MGFiY2RlZg==".to_owned().into(),
            #[cfg(feature = "auth-mode-cert")]
            cert_file: "dev01_cert.crt".to_owned(),
            #[cfg(feature = "auth-mode-cert")]
            key_file: "dev01_private.key".to_owned(),
            product_secret: "0123456789abcdef01234567".to_owned().into(),
            #[cfg(feature = "abi-3-3")]
            region: "china".to_owned(),
        };
        store(&file, &identity).unwrap();
        #[cfg(not(feature = "auth-mode-cert"))]
        let (mode, proof) = ("KEY", "\"key_deviceinfo\":{\n\"deviceSecret\":\"MTIzNDU2Nzg5MGFiY2RlZg==\"\n}");
        #[cfg(feature = "auth-mode-cert")]
        let (mode, proof) = (
            "CERT",
            "\"cert_deviceinfo\":{\n\"devCertFile\":\"dev01_cert.crt\",\n\"devPrivateKeyFile\":\"dev01_private.key\"\n}",
        );
        let expected = format!(
            "{{\n\"auth_mode\":\"{mode}\",\n\"productId\":\"C1PRODUCT1\",\n\"deviceName\":\"dev01\",\n\
             \"productSecret\":\"0123456789abcdef01234567\",\n{proof}\n}}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        // And they stay, with other values.
        let renamed = Identity { device_name: "dev02".to_owned(), ..identity };
        store(&file, &renamed).unwrap();
        let expected = expected.replace("\"deviceName\":\"dev01\"", "\"deviceName\":\"dev02\"");
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    }
}
