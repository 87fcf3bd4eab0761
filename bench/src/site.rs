//! The peers on loopback: the hub for MQTT over pre-shared keys, nginx for the firmware.

use std::path::PathBuf;

use e2e::{Authority, Build, Desk, Nginx, ReservedPort, Validity};
use tempfile::TempDir;

/// The pieces; dropped in this order, the folder last.
pub struct Site {
    /// Orders the upgrade as soon as the device reports.
    pub desk: Desk,
    /// Where the firmware is.
    pub url: String,
    /// Who signed nginx's certificate.
    pub roots: PathBuf,
    _nginx: Nginx,
    _http_port: ReservedPort,
    _folder: TempDir,
}

impl Site {
    /// Firmware of `size` bytes at an address with this scheme; `https` is TLS 1.3 for who knows it.
    pub fn new(scheme: &str, size: usize) -> Site {
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Authority::new(folder.path());
        let mut started = None;
        let desk = Desk::with_url(Build::Key, size, |firmware| {
            let content = firmware.path.parent().expect("its folder");
            let name = firmware.path.file_name().expect("its name").to_string_lossy().into_owned();
            let identity = authority.server("localhost", Validity::Now);
            let http_port = ReservedPort::new();
            let more =
                format!("listen 127.0.0.1:{http_port}; ssl_protocols TLSv1.2 TLSv1.3; sendfile on; tcp_nopush on;");
            let nginx = Nginx::start_with(folder.path(), content, &identity, &more);
            let url = match scheme {
                "https" => nginx.url(&name),
                _ => format!("http://localhost:{http_port}/{name}"),
            };
            started = Some((nginx, http_port, url.clone()));
            url
        });
        let (nginx, http_port, url) = started.expect("nginx was started");
        Site { desk, url, roots: authority.file(), _nginx: nginx, _http_port: http_port, _folder: folder }
    }

    /// Bytes of firmware.
    pub fn size(&self) -> usize {
        self.desk.firmware.size()
    }
}
