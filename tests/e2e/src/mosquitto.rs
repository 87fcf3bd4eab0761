//! Mosquitto: a broker that is not ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{missing, Authority, Device, Process, ReservedPort, Validity};

/// A mosquitto with listeners on loopback: TLS with pre-shared keys, mutual TLS, TLS with a password, and plain; and, where it
/// was built with WebSocket, mutual TLS and plain with that.
pub struct Mosquitto {
    process: Process,
    config: PathBuf,
    psk_port: ReservedPort,
    cert_port: ReservedPort,
    password_port: ReservedPort,
    plain_port: ReservedPort,
    websocket_port: ReservedPort,
    websocket_cert_port: ReservedPort,
}

/// The only user of the listener that wants a password.
const USER: &str = "hub";
const PASSWORD: &str = "swordfish and chips";

impl Mosquitto {
    /// Starts it with one device's key. TLS has a certificate for `localhost`; the mutual one takes ChaCha20 only.
    #[track_caller]
    pub fn start(folder: &Path, device: &Device, authority: &Authority) -> Mosquitto {
        Mosquitto::start_with(folder, std::slice::from_ref(device), authority)
    }

    /// The same with several devices' keys.
    #[track_caller]
    pub fn start_with(folder: &Path, devices: &[Device], authority: &Authority) -> Mosquitto {
        let folder = folder.join("mosquitto");
        fs::create_dir_all(&folder).expect("mosquitto's folder");
        let keys = folder.join("keys");
        fs::write(&keys, devices.iter().map(Device::psk_line).collect::<String>()).expect("mosquitto's keys");
        let passwords = folder.join("passwords");
        make_password(&passwords);
        let server = authority.server("localhost", Validity::Now);
        let config = folder.join("mosquitto.conf");
        let [psk_port, cert_port, password_port, plain_port, websocket_port, websocket_cert_port] =
            [(); 6].map(|()| ReservedPort::new());
        // As root it would become a user who can't read the keys.
        let mut text = format!(
            "user root\nper_listener_settings true\nlog_dest stderr\nlog_type all\n\
             listener {psk_port} 127.0.0.1\nallow_anonymous true\npsk_hint e2e\npsk_file {}\n\
             listener {cert_port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\n\
             cafile {}\ncertfile {}\nkeyfile {}\nciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256\n\
             listener {password_port} 127.0.0.1\nallow_anonymous false\npassword_file {}\ncertfile {}\nkeyfile {}\n\
             listener {plain_port} 127.0.0.1\nallow_anonymous true\n",
            keys.display(),
            authority.file().display(),
            server.cert.display(),
            server.key.display(),
            passwords.display(),
            server.cert.display(),
            server.key.display()
        );
        if Mosquitto::speaks_websocket() {
            text += &format!(
                "listener {websocket_port} 127.0.0.1\nallow_anonymous true\nprotocol websockets\n\
                 listener {websocket_cert_port} 127.0.0.1\nallow_anonymous true\nprotocol websockets\n\
                 require_certificate true\ncafile {}\ncertfile {}\nkeyfile {}\n",
                authority.file().display(),
                server.cert.display(),
                server.key.display()
            );
        }
        fs::write(&config, text).expect("mosquitto's configuration");
        let process = launch(&config);
        Mosquitto {
            process,
            config,
            psk_port,
            cert_port,
            password_port,
            plain_port,
            websocket_port,
            websocket_cert_port,
        }
    }

    /// Whether it was built with WebSocket: one that was not has words for that.
    #[track_caller]
    pub fn speaks_websocket() -> bool {
        const REFUSAL: &[u8] = b"Websockets support not available";
        let bytes = fs::read(program()).expect("mosquitto's program");
        !bytes.windows(REFUSAL.len()).any(|words| words == REFUSAL)
    }

    /// Ends it and starts it again on the same ports.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.config);
    }

    /// Where a device in KEY mode connects.
    pub fn psk_address(&self) -> String {
        self.psk_port.address()
    }

    /// Where a device in CERT mode connects.
    pub fn cert_address(&self) -> String {
        format!("localhost:{}", self.cert_port)
    }

    /// Where a device connects that speaks WebSocket without TLS.
    pub fn websocket_address(&self) -> String {
        self.websocket_port.address()
    }

    /// Where a device in CERT mode connects that speaks WebSocket.
    pub fn websocket_cert_address(&self) -> String {
        format!("localhost:{}", self.websocket_cert_port)
    }

    /// Where a hub with a client certificate connects.
    pub fn cert_url(&self) -> String {
        format!("mqtts://localhost:{}", self.cert_port)
    }

    /// Where a hub with a user name and password connects.
    pub fn password_url(&self) -> String {
        format!("mqtts://localhost:{}", self.password_port)
    }

    /// The user there, and the password.
    pub fn login() -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    /// Where the hub connects.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.plain_port.address())
    }
}

#[track_caller]
fn make_password(file: &Path) {
    let made = Command::new("mosquitto_passwd").arg("-b").arg("-c").arg(file).args([USER, PASSWORD]).output();
    assert!(made.is_ok_and(|made| made.status.success()), "{}", missing("mosquitto_passwd", "mosquitto"));
}

#[track_caller]
fn program() -> &'static str {
    let programs = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let program = programs.into_iter().find(|path| Path::new(path).exists());
    program.unwrap_or_else(|| panic!("{}", missing("mosquitto", "mosquitto nginx-light")))
}

#[track_caller]
fn launch(config: &Path) -> Process {
    let process = Process::start("mosquitto", Command::new(program()).arg("-c").arg(config));
    let up = process.lines().find(0, |line| line.contains("mosquitto version") && line.contains("running"));
    assert!(up.is_some(), "mosquitto does not start");
    process
}
