//! The broker mosquitto, on ports of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use e2e::{Authority, ReservedPort, Validity};

use super::Desk;

/// A broker, which ends with this.
pub struct Mosquitto {
    child: Child,
    /// Host and port.
    pub address: String,
    /// The same for TLS, with a certificate for `localhost`.
    pub tls_address: String,
    _ports: [ReservedPort; 2],
}

impl Mosquitto {
    /// Starts it, with room for what many devices say at once.
    pub fn start(desk: &Desk, authority: &Authority) -> Self {
        let ports = [ReservedPort::new(), ReservedPort::new()];
        let identity = authority.server("localhost", Validity::Now);
        // As root it would become a user who can't read the key.
        let config = format!(
            "user root\nallow_anonymous true\nmax_queued_messages 0\nlistener {} 127.0.0.1\nlistener {} 127.0.0.1\n\
             certfile {}\nkeyfile {}\n",
            ports[0],
            ports[1],
            identity.cert.display(),
            identity.key.display()
        );
        desk.write("mosquitto.conf", config.as_bytes());
        let mut command = Command::new("mosquitto");
        let child = command.arg("-c").arg(desk.path("mosquitto.conf")).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("no mosquitto: install it (Debian: mosquitto)");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let runs = lines.by_ref().map_while(Result::ok).any(|line| line.contains("running"));
        assert!(runs, "mosquitto does not start");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let [address, tls_address] = [ports[0].address(), ports[1].address()];
        Mosquitto { child, address, tls_address, _ports: ports }
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
