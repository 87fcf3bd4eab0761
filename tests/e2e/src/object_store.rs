//! An S3 server that is not ours: moto, which `s3_server.py` makes as strict as Amazon's.

use std::path::Path;
use std::process::Command;

use crate::build::moto_folder;
use crate::{HubSetup, Log, Process};

/// What may do all, and what may only fetch: a key and its secret.
const ALL: (&str, &str) = ("AKIAALL", "swordfish-and-chips");
const READER: (&str, &str) = ("AKIAREADER", "reading-glasses");

/// A server with one empty bucket, in memory.
pub struct ObjectStore {
    process: Process,
    url: String,
}

impl ObjectStore {
    /// Starts one on loopback.
    #[track_caller]
    pub fn start() -> ObjectStore {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("s3_server.py");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).env("PYTHONPATH", moto_folder());
        let process = Process::start("s3_server.py", &mut command);
        let line = process.wait_for(&["listening at"]);
        let url = line.rsplit(' ').next().unwrap_or_default().to_owned();
        ObjectStore { process, url }
    }

    /// A hub that keeps firmware here.
    pub fn serves(&self, setup: HubSetup) -> HubSetup {
        self.serves_as(setup, ALL)
    }

    /// The same with a key that may not write.
    pub fn denies(&self, setup: HubSetup) -> HubSetup {
        self.serves_as(setup, READER)
    }

    fn serves_as(&self, setup: HubSetup, (key, secret): (&str, &str)) -> HubSetup {
        setup
            .args(&["--firmware-store", "s3://firmware-bucket/lab", "--http", "off", "--https", "off"])
            .environment("AWS_ENDPOINT_URL", &self.url)
            .environment("AWS_REGION", "eu-test-1")
            .environment("AWS_ACCESS_KEY_ID", key)
            .environment("AWS_SECRET_ACCESS_KEY", secret)
            .secret(ALL.1)
            .secret(READER.1)
    }

    /// From now on no URL opens that was signed before.
    #[track_caller]
    pub fn expire(&mut self) {
        let from = self.process.lines().mark();
        self.process.say("expire");
        self.process.wait_from(from, &["expired"]);
    }

    /// The next answer that has an object in it stops after so many bytes.
    #[track_caller]
    pub fn stall(&mut self, count: usize) {
        self.process.say(&format!("stall {count}"));
    }

    /// Ends it: from now on nobody listens there.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A line for each request: method, path, range and status.
    pub fn requests(&self) -> &Log<String> {
        self.process.out()
    }
}
