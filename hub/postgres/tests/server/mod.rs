//! A PostgreSQL server of a test's own, in a temporary folder, on a Unix socket. Without PostgreSQL the test fails.

#![allow(dead_code)] // Each test program uses a part of this.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{chown, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// PostgreSQL refuses root; this user owns nothing.
const NOBODY: u32 = 65534;

pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    /// Options beyond those of every server.
    options: String,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("temporary folder");
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
        }
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("permissions");
        let server = Server { folder, programs: programs(), options: "-c listen_addresses=".to_owned() };
        let data = server.data();
        server.run("initdb", &["-D", &data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
        server.begin();
        server
    }

    fn data(&self) -> String {
        self.path("data").display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A URL of its database, where tables without a schema are in this one.
    pub fn url(&self, schema: &str) -> String {
        let host = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://hub@{host}/postgres?options=-c%20search_path%3D{schema}")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        let text = std::fs::read_to_string(self.path("data/postmaster.pid")).expect("it runs");
        text.lines().next().and_then(|line| line.parse().ok()).expect("its process")
    }

    /// Runs statements.
    pub fn sql(&self, sql: &str) -> String {
        self.run("psql", &["-h", &self.folder.path().display().to_string(), "-U", "hub", "-qAt", "-c", sql, "postgres"])
    }

    fn begin(&self) {
        assert!(
            self.try_begin(),
            "no PostgreSQL server: {}",
            std::fs::read_to_string(self.path("log")).unwrap_or_default()
        );
    }

    fn try_begin(&self) -> bool {
        let options = format!("-k {} {} -c fsync=off", self.folder.path().display(), self.options);
        let log = self.path("log").display().to_string();
        let mut command = self.command("pg_ctl");
        let command = command.args(["start", "-w", "-s", "-D", &self.data(), "-l", &log, "-o", &options]);
        command.status().is_ok_and(|status| status.success())
    }

    /// Also listens on a port of 127.0.0.1, which it returns, for TLS only; certificate and key are in PEM.
    pub fn with_tls(mut self, certificate: &str, key: &str) -> (Self, u16) {
        for (name, content) in [
            ("server.crt", certificate),
            ("server.key", key),
            ("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 trust\n"),
        ] {
            let path = self.path("data").join(name);
            std::fs::write(&path, content).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
            if rustix::process::geteuid().is_root() {
                chown(&path, Some(NOBODY), Some(NOBODY)).expect("an owner");
            }
        }
        self.end("fast");
        // It takes no "any free port", and another program may take the one that was free.
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = free.expect("a free port").port();
            self.options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on");
            if self.try_begin() {
                // The socket's name has the port in it.
                return (self, port);
            }
        }
        panic!("no port for the PostgreSQL server");
    }

    /// Stops it (`fast` ends every connection, `immediate` is as if it had crashed) and starts it again.
    pub fn restart(&self, how: &str) {
        self.end(how);
        self.begin();
    }

    fn end(&self, how: &str) {
        self.run("pg_ctl", &["stop", "-w", "-s", "-D", &self.data(), "-m", how]);
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.command(program);
        let output = command.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{program}: {}{}", said(&output.stdout), said(&output.stderr));
        said(&output.stdout)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // The server must not hold the pipe that psql's answer comes by: pg_ctl gives it a log.
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.command("pg_ctl").args(["stop", "-s", "-D", &self.data(), "-m", "immediate"]).status();
    }
}

/// Where Debian has them, else in the PATH.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.retain(|folder| folder.join("initdb").exists());
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = || std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.pop().or_else(elsewhere).expect("no initdb: install PostgreSQL (Debian: postgresql)")
}
