//! `device_info.json`, as the device's program reads it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{json, Value};
use tempfile::NamedTempFile;

use super::trouble::Trouble;
use crate::state_file::write_whole;
use hub_core::devices::is_client_id;
use hub_core::model::{Device, NewDevice};

/// Where a device's program looks for the files that `device_info.json` names: below the folder it runs in.
const CERTS: &str = "certs";

/// A place for the file.
pub struct DeviceInfo {
    path: PathBuf,
    folder: PathBuf,
}

impl DeviceInfo {
    /// Makes sure that the file can be written: what goes in is shown only once.
    pub fn prepare(path: &Path) -> Result<Self, Trouble> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let refuse = |text: String| Trouble::failed(format!("--device-info {}: {text}", path.display()));
        NamedTempFile::new_in(folder).map_err(|error| refuse(error.to_string()))?;
        if fs::symlink_metadata(path).is_ok_and(|there| there.is_dir()) {
            return Err(refuse("this is a folder".to_owned()));
        }
        Ok(DeviceInfo { path: path.to_owned(), folder: folder.to_owned() })
    }

    /// Writes the file, and certificate and key where the device's program looks for them. Returns what was written.
    pub fn write(&self, new: &NewDevice) -> Result<Vec<String>, Trouble> {
        let mut files = Vec::new();
        let mut write = |path: &Path, content: &str| {
            files.push(path.display().to_string());
            write_whole(path, content.as_bytes()).map_err(|fatal| Trouble::failed(fatal.to_string()))
        };
        let mut info = identity(&new.device);
        if let Some(certificate) = &new.certificate {
            let (cert_name, key_name) = file_names(&new.device)?;
            let certs = self.folder.join(CERTS);
            fs::create_dir_all(&certs).map_err(|error| Trouble::failed(format!("{}: {error}", certs.display())))?;
            write(&certs.join(&cert_name), &certificate.certificate)?;
            write(&certs.join(&key_name), &certificate.private_key)?;
            info["auth_mode"] = "CERT".into();
            info["cert_deviceinfo"] = json!({ "devCertFile": cert_name, "devPrivateKeyFile": key_name });
        } else {
            info["auth_mode"] = "KEY".into();
            info["key_deviceinfo"] = json!({ "deviceSecret": new.secret });
        }
        write(&self.path, &format!("{info:#}\n"))?;
        Ok(files)
    }
}

fn identity(device: &Device) -> Value {
    json!({ "productId": device.product_id, "deviceName": device.device_name })
}

/// Names from the hub become names of files only where they are nothing else.
fn file_names(device: &Device) -> Result<(String, String), Trouble> {
    let id = &device.client_id;
    if !is_client_id(id) {
        return Err(Trouble::failed(format!("{id:?} cannot be the name of a file")));
    }
    Ok((format!("{id}_cert.crt"), format!("{id}_private.key")))
}
