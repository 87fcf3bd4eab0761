//! The broker mosquitto, on a free port.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::Desk;

/// A broker, which ends with this.
pub struct Mosquitto {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Mosquitto {
    /// Starts it, with room for what many devices say at once.
    pub fn start(desk: &Desk) -> Self {
        // It cannot choose a port itself, and another program may take the one that was free.
        for _ in 0..20 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
            let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n");
            desk.write("mosquitto.conf", config.as_bytes());
            let mut command = Command::new("mosquitto");
            let child = command.arg("-c").arg(desk.path("mosquitto.conf")).stderr(Stdio::piped()).spawn();
            let mut child = child.expect("no mosquitto: install it (Debian: mosquitto)");
            let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
            if lines.by_ref().map_while(Result::ok).any(|line| line.contains("running")) {
                std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
                return Mosquitto { child, address: format!("127.0.0.1:{port}") };
            }
            let _ = child.wait();
        }
        panic!("no port for mosquitto");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
