//! nginx: a web server that is not ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{missing, Identity, Process, ReservedPort};

/// An nginx that serves a folder over HTTPS on loopback.
pub struct Nginx {
    _process: Process,
    port: ReservedPort,
    log: std::path::PathBuf,
}

impl Nginx {
    /// Serves `content`; its own files go below `folder`.
    #[track_caller]
    pub fn start(folder: &Path, content: &Path, identity: &Identity) -> Nginx {
        Nginx::start_with(folder, content, identity, "")
    }

    /// The same with more lines in its `server` section.
    #[track_caller]
    pub fn start_with(folder: &Path, content: &Path, identity: &Identity, more: &str) -> Nginx {
        let prefix = folder.join("nginx");
        fs::create_dir_all(&prefix).expect("nginx's folder");
        let (config, log) = (prefix.join("nginx.conf"), prefix.join("access.log"));
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let program = program.iter().find(|path| Path::new(path).exists());
        let program = program.unwrap_or_else(|| panic!("{}", missing("nginx", "mosquitto nginx-light")));
        let port = ReservedPort::new();
        fs::write(&config, text(&prefix, content, identity, &port, more)).expect("nginx's configuration");
        let mut command = Command::new(program);
        let process = Process::start("nginx", command.arg("-p").arg(&prefix).arg("-c").arg(&config));
        // Said after the sockets were opened.
        let up = process.lines().find(0, |line| line.contains("nginx/"));
        assert!(up.is_some(), "nginx does not start");
        Nginx { _process: process, port, log }
    }

    /// The URL of a file in its folder.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.port)
    }

    /// Its access log: request line, status, range.
    pub fn access_log(&self) -> String {
        fs::read_to_string(&self.log).expect("nginx's access log")
    }
}

/// One process in the foreground, nothing outside the prefix.
fn text(prefix: &Path, content: &Path, identity: &Identity, port: &ReservedPort, more: &str) -> String {
    let temp = prefix.display();
    format!(
        "daemon off; master_process off; pid {temp}/pid; error_log stderr notice;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
         log_format e2e '$request|$status|$http_range'; access_log {temp}/access.log e2e;\n\
         client_body_temp_path {temp}/body; proxy_temp_path {temp}/proxy; fastcgi_temp_path {temp}/fastcgi;\n\
         uwsgi_temp_path {temp}/uwsgi; scgi_temp_path {temp}/scgi;\n\
         server {{\n\
         listen 127.0.0.1:{port} ssl; server_name localhost; root {};\n\
         ssl_certificate {}; ssl_certificate_key {};\n\
         {more}\n\
         }}\n\
         }}\n",
        content.display(),
        identity.cert.display(),
        identity.key.display()
    )
}
