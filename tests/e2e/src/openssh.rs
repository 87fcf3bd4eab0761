//! OpenSSH's server, whose program `E2E_SSHD` names, and its client, as any user of this machine can run them.

use std::env;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// An SSH server on a port of loopback: a process of the server's for each connection, as inetd runs it.
pub struct OpenSsh {
    folder: PathBuf,
    address: String,
    children: Arc<Mutex<Vec<Child>>>,
}

impl OpenSsh {
    /// Starts it; its keys and settings go into `folder`.
    #[track_caller]
    pub fn start(folder: &Path) -> OpenSsh {
        let folder = folder.join("ssh");
        fs::create_dir(&folder).expect("the server's folder");
        for name in ["host", "user"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(name));
            assert!(command.status().expect("ssh-keygen, of openssh-client").success());
        }
        let path = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n\
             PermitRootLogin yes\nLogLevel VERBOSE\n",
            path("host"),
            path("user.pub")
        );
        fs::write(folder.join("config"), settings).expect("the server's settings");
        // A server that root runs wants it; where another user runs it, it can't be made, and is not missed.
        let _ = fs::create_dir_all("/run/sshd");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let children = Arc::<Mutex<Vec<Child>>>::default();
        let (config, log, known) = (folder.join("config"), folder.join("log"), children.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                known.lock().expect("no panic").push(serve(stream, &config, &log));
            }
        });
        OpenSsh { folder, address, children }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// kill -9 to what serves connections. Returns how many there were.
    #[track_caller]
    pub fn kill(&self) -> usize {
        let mut killed = 0;
        for child in self.children.lock().expect("no panic").iter_mut() {
            if child.try_wait().expect("a child of ours").is_none() {
                // What it has forked for the session goes with its connection.
                let _ = child.kill();
                let _ = child.wait();
                killed += 1;
            }
        }
        killed
    }

    /// The client, by another port that leads here; what it is to run is still to be added.
    pub fn client(&self, port: u16) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-F", "/dev/null", "-p", &port.to_string(), "-i"]).arg(self.folder.join("user"));
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            command.args(["-o", option]);
        }
        command.arg("127.0.0.1");
        command
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            eprintln!("---- sshd ----\n{log}");
            return;
        }
        self.kill();
    }
}

fn serve(stream: TcpStream, config: &Path, log: &Path) -> Child {
    let stream: std::os::fd::OwnedFd = stream.into();
    let other = stream.try_clone().expect("the connection");
    // It is to be called by its whole path.
    let mut command = Command::new(env::var_os("E2E_SSHD").unwrap_or_else(|| "/usr/sbin/sshd".into()));
    command.arg("-i").arg("-f").arg(config).arg("-E").arg(log);
    command.stdin(Stdio::from(stream)).stdout(Stdio::from(other)).stderr(Stdio::null());
    command.spawn().expect("sshd, of openssh-server")
}
