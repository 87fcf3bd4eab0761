//! A device's identity.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::Build;

/// The key every test device shares with the cloud.
const KEY: &[u8] = b"1234567890abcdef";
const SECRET: &str = "MTIzNDU2Nzg5MGFiY2RlZg==";

/// Where the CERT build looks for the files named in `device_info.json`: below the folder it runs in.
const CERT_FILE: &str = "certs/dev_cert.crt";
const KEY_FILE: &str = "certs/dev_private.key";

/// A device as the cloud's list and `device_info.json` know it.
#[derive(Clone, Debug)]
pub struct Device {
    /// 10 characters.
    pub product_id: String,
    /// Up to 48 characters.
    pub name: String,
    /// Base64.
    pub secret: String,
}

impl Default for Device {
    fn default() -> Self {
        Device { product_id: "E2EPRODUCT".to_owned(), name: "dev1".to_owned(), secret: SECRET.to_owned() }
    }
}

impl Device {
    /// The same device with a secret the cloud does not know.
    pub fn with_wrong_secret(&self) -> Device {
        Device { secret: "d3Jvbmctd3Jvbmctd3Jvbmc=".to_owned(), ..self.clone() }
    }

    /// Product id and name, without anything between.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.name)
    }

    /// The topic it reports on.
    pub fn report_topic(&self) -> String {
        format!("$ota/report/{}/{}", self.product_id, self.name)
    }

    /// The topic it gets its commands on.
    pub fn update_topic(&self) -> String {
        format!("$ota/update/{}/{}", self.product_id, self.name)
    }

    /// Its line in mosquitto's list of keys.
    pub(crate) fn psk_line(&self) -> String {
        assert_eq!(self.secret, SECRET, "only the shared key's bytes are known here");
        format!("{}:{}\n", self.client_id(), hex::encode(KEY))
    }

    /// Its entry in the hub's list.
    pub(crate) fn hub_entry(&self) -> serde_json::Value {
        json!({"productId": self.product_id, "deviceName": self.name, "deviceSecret": self.secret})
    }

    /// The text of `device_info.json`.
    pub fn info(&self, build: Build) -> String {
        let info = json!({
            "auth_mode": if build.is_cert() { "CERT" } else { "KEY" },
            "productId": self.product_id,
            "productSecret": "UFJPRFVDVFNFQ1JFVA==",
            "deviceName": self.name,
            "key_deviceinfo": {"deviceSecret": self.secret},
            "cert_deviceinfo": {
                "devCertFile": Path::new(CERT_FILE).file_name().and_then(|name| name.to_str()),
                "devPrivateKeyFile": Path::new(KEY_FILE).file_name().and_then(|name| name.to_str()),
            },
            "subDev": {"sub_productId": "", "sub_devName": ""},
        });
        format!("{info:#}\n")
    }

    /// Writes `device_info.json` into the folder the sample runs in.
    pub fn write_info(&self, folder: &Path, build: Build) {
        fs::write(folder.join("device_info.json"), self.info(build)).expect("device_info.json");
    }

    /// Puts a client certificate and its key where the CERT build looks for them.
    pub fn write_cert(&self, folder: &Path, cert: &Path, key: &Path) {
        fs::create_dir_all(folder.join("certs")).expect("certs");
        fs::copy(cert, folder.join(CERT_FILE)).expect("certificate");
        fs::copy(key, folder.join(KEY_FILE)).expect("key");
    }

    /// The private key's place in the folder the sample runs in.
    pub fn key_file(folder: &Path) -> std::path::PathBuf {
        folder.join(KEY_FILE)
    }
}
