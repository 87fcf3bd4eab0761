//! What `./test.sh` has built, by the environment it sets.

use std::env;
use std::fs;
use std::path::PathBuf;

/// One build of the library with its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// KEY mode over TLS with a pre-shared key; firmware over HTTP and HTTPS.
    Key,
    /// KEY mode over plain TCP; firmware over HTTP only.
    NoTls,
    /// CERT mode; firmware over HTTP and HTTPS.
    Cert,
    /// As `NoTls`, with CoAP, and lines of the log are uploaded.
    LogUpload,
    /// As `Key`, of the 3.3 interface: CoAP announces upgrades, and MQTT goes through WebSocket.
    Coap,
    /// As `NoTls`, of the 3.3 interface: MQTT over WebSocket, and lines of the log are uploaded.
    WebSocket,
    /// As `Cert`, of the 3.3 interface: MQTT over WebSocket, and lines of the log are uploaded.
    WebSocketCert,
}

impl Build {
    /// Whether its devices have certificates.
    pub fn is_cert(self) -> bool {
        matches!(self, Build::Cert | Build::WebSocketCert)
    }

    /// Whether its lines of the log go to the cloud.
    pub fn uploads_log(self) -> bool {
        matches!(self, Build::LogUpload | Build::WebSocket | Build::WebSocketCert)
    }

    /// Where it fetches firmware from: `http`, where it has no TLS.
    pub fn scheme(self) -> &'static str {
        match self {
            Build::Key | Build::Cert | Build::Coap | Build::WebSocketCert => "https",
            Build::NoTls | Build::LogUpload | Build::WebSocket => "http",
        }
    }

    /// The name of the hub's listener for it.
    pub fn listener(self) -> &'static str {
        match self {
            Build::Key | Build::Coap => "mqtt_psk",
            Build::NoTls | Build::LogUpload | Build::WebSocket => "mqtt",
            Build::Cert | Build::WebSocketCert => "mqtt_cert",
        }
    }

    /// The program `name` of this build.
    #[track_caller]
    pub fn program(self, name: &str) -> PathBuf {
        self.folder().join("bin").join(name)
    }

    /// Whether it was built with `IOT_ABI=3.3`, by its headers.
    #[track_caller]
    pub fn has_regions(self) -> bool {
        let header = self.folder().join("include/qcloud_iot_export.h");
        let text = fs::read_to_string(&header).unwrap_or_else(|error| panic!("{}: {error}", header.display()));
        text.contains("MAX_SIZE_OF_REGION")
    }

    #[track_caller]
    fn folder(self) -> PathBuf {
        let variable = match self {
            Build::Key => "E2E_KEY_DIR",
            Build::NoTls => "E2E_NOTLS_DIR",
            Build::Cert => "E2E_CERT_DIR",
            Build::LogUpload => "E2E_LOG_DIR",
            Build::Coap => "E2E_COAP_DIR",
            Build::WebSocket => "E2E_WEBSOCKET_DIR",
            Build::WebSocketCert => "E2E_WEBSOCKET_CERT_DIR",
        };
        path(variable)
    }
}

/// The hub's program.
#[track_caller]
pub(crate) fn hub_program() -> PathBuf {
    path("E2E_HUB")
}

/// Where Python finds moto.
#[track_caller]
pub(crate) fn moto_folder() -> PathBuf {
    path("E2E_MOTO")
}

#[track_caller]
fn path(variable: &str) -> PathBuf {
    match env::var_os(variable) {
        Some(value) if PathBuf::from(&value).exists() => PathBuf::from(value),
        Some(value) => panic!("{variable} names {}, which is not there: run ./test.sh", value.to_string_lossy()),
        None => panic!("{variable} is not set: run ./test.sh, which builds what these tests run"),
    }
}

/// The message for a program that a test needs and the machine has not got.
pub fn missing(program: &str, package: &str) -> String {
    format!("{program} is not installed: apt-get install {package}")
}
