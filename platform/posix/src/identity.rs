//! The device's identity as a JSON file (behaviour.md section 6).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(not(feature = "auth-mode-cert"))]
use iot_abi::export::MAX_SIZE_OF_DEVICE_SECRET;
#[cfg(feature = "auth-mode-cert")]
use iot_abi::export::{MAX_SIZE_OF_DEVICE_CERT_FILE_NAME, MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME};
use iot_abi::export::{MAX_SIZE_OF_DEVICE_NAME, MAX_SIZE_OF_PRODUCT_ID, MAX_SIZE_OF_PRODUCT_SECRET};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::descriptors;
use crate::net::io_text;

/// Largest file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 64 * 1024;

/// The `auth_mode` this platform is built for.
const AUTH_MODE: &str = if cfg!(feature = "auth-mode-cert") { "CERT" } else { "KEY" };

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

/// A parsed file.
pub struct Document {
    file: PathBuf,
    root: Map<String, Value>,
}

impl Document {
    /// Reads and parses `file`.
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
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        match serde_json::from_slice(text) {
            Ok(Value::Object(root)) => Ok(Self { file: file.to_owned(), root }),
            Ok(_) => Err(format!("{} is not a JSON object", file.display())),
            Err(error) => Err(format!("{} is not valid JSON: {error}", file.display())),
        }
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
        match self.root.get("auth_mode") {
            None => Ok(()),
            Some(Value::String(mode)) if mode == AUTH_MODE => Ok(()),
            Some(Value::String(mode)) if mode == "KEY" || mode == "CERT" => Err(format!(
                "\"auth_mode\" in {} is \"{mode}\", but this program is built for \"{AUTH_MODE}\"",
                self.file.display()
            )),
            Some(_) => Err(format!("\"auth_mode\" in {} is neither \"KEY\" nor \"CERT\"", self.file.display())),
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
        let mut found: Option<&Value> = None;
        for (depth, name) in key.path.iter().enumerate() {
            let object = match found {
                None if depth == 0 => Some(&self.root),
                None => None,
                Some(value) => value.as_object(),
            };
            found = object.and_then(|object| object.get(*name));
        }
        match found {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > key.max => {
                Err(self.complain(key, &format!("is longer than {} characters", key.max)))
            }
            Some(Value::String(text)) if text.contains('\0') => Err(self.complain(key, "contains a NUL")),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.complain(key, "is not a string")),
        }
    }

    fn complain(&self, key: &Key, what: &str) -> String {
        format!("\"{}\" in {} {what}", key.path.join("."), self.file.display())
    }
}

/// Stores `identity` in `file` in one step: a reader, or a start after a power cut, sees all of it or none. Other keys
/// and the file's permissions stay. Empty secrets and file names leave what is there.
///
/// # Errors
/// A text for the log; the file is as before.
pub fn store(file: &Path, identity: &Identity) -> Result<(), String> {
    // A link stays a link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let (mut root, mode) = match fs::metadata(&target) {
        Ok(metadata) => (Document::read(&target)?.root, metadata.permissions().mode() & 0o777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (Map::from_iter([("auth_mode".to_owned(), Value::from(AUTH_MODE))]), 0o600)
        }
        Err(error) => return Err(format!("can't read {}: {}", file.display(), io_text(&error))),
    };
    let mut put = |key: &Key, value: &str| {
        if value.is_empty() {
            Ok(())
        } else {
            insert(&mut root, key.path, value)
                .ok_or_else(|| format!("\"{}\" in {} has no place to stand", key.path.join("."), file.display()))
        }
    };
    put(&PRODUCT_ID, &identity.product_id)?;
    put(&DEVICE_NAME, &identity.device_name)?;
    put(&PRODUCT_SECRET, &identity.product_secret)?;
    #[cfg(not(feature = "auth-mode-cert"))]
    put(&DEVICE_SECRET, &identity.device_secret)?;
    #[cfg(feature = "auth-mode-cert")]
    {
        put(&CERT_FILE, &identity.cert_file)?;
        put(&KEY_FILE, &identity.key_file)?;
    }
    let text = serde_json::to_vec_pretty(&root).map_err(|error| error.to_string())?;
    replace(&target, &Zeroizing::new(text), mode)
        .map_err(|error| format!("can't write {}: {}", file.display(), io_text(&error)))
}

/// `None` where something that is no object stands in the way.
fn insert(object: &mut Map<String, Value>, path: &[&str], value: &str) -> Option<()> {
    let (name, rest) = path.split_first()?;
    if rest.is_empty() {
        object.insert((*name).to_owned(), Value::from(value));
        return Some(());
    }
    let inner = object.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    insert(inner.as_object_mut()?, rest, value)
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
    open.write_all(b"\n")?;
    open.set_permissions(fs::Permissions::from_mode(mode))?;
    open.sync_all()
}
