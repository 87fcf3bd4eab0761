//! The hub: this project's stand-in for the cloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{json, Value};

use crate::build::hub_program;
use crate::pki::RSA_KEY;
use crate::{Device, Finished, Firmware, Log, Process, Secrets};

/// How to start a hub.
pub struct HubSetup {
    folder: PathBuf,
    devices: Vec<Device>,
    args: Vec<String>,
    environment: Vec<(&'static str, String)>,
    secrets: Secrets,
}

impl HubSetup {
    /// A hub that keeps its files in a folder of its own below `folder`, and knows one device.
    pub fn new(folder: &Path, device: &Device) -> HubSetup {
        let folder = folder.join("hub");
        let args = vec!["--state".to_owned(), folder.join("state").to_string_lossy().into_owned()];
        HubSetup { folder, devices: vec![device.clone()], args, environment: Vec::new(), secrets: Secrets::default() }
    }

    /// Knows these devices, too.
    pub fn devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices.extend(devices);
        self
    }

    /// Offers this firmware.
    pub fn firmware(self, firmware: &Firmware) -> Self {
        let path = firmware.path.to_string_lossy().into_owned();
        self.args(&["--firmware", &path, "--version", &firmware.version])
    }

    /// More of the hub's command line.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Its devices have keys of RSA, which sign what devices sign since 3.3.0.
    #[track_caller]
    pub fn with_rsa_keys(self) -> Self {
        let folder = self.state().join("clients");
        fs::create_dir_all(&folder).expect("the folder of keys");
        for device in &self.devices {
            fs::write(folder.join(format!("{}.key", device.client_id())), RSA_KEY).expect("a key");
        }
        self
    }

    /// One more variable of its environment.
    pub fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// What it must never say.
    pub fn secret(mut self, text: &str) -> Self {
        self.secrets.add(text);
        self
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start(&self) -> Hub {
        let process = self.launch();
        let event = |line: &String| serde_json::from_str::<Value>(line).ok();
        let line = process.out().wait(0, "the hub listens", |line| is(&event(line), "ready"));
        let ready = event(&line).unwrap_or_default();
        Hub { process, ready }
    }

    /// Starts it though it can't run; returns how it ended.
    #[track_caller]
    pub fn fail(&self) -> Finished {
        self.launch().finish()
    }

    /// Where it keeps what outlives it.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The command line of the hub that runs.
    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> Finished {
        let mut command = Command::new(hub_program());
        command.args(args).arg("--state").arg(self.state());
        Process::start_with_secrets("hub client", &mut command, self.secrets.clone()).finish()
    }

    #[track_caller]
    fn launch(&self) -> Process {
        fs::create_dir_all(&self.folder).expect("the hub's folder");
        let list = self.folder.join("devices.json");
        let devices: Vec<Value> = self.devices.iter().map(Device::hub_entry).collect();
        fs::write(&list, json!({ "devices": devices }).to_string()).expect("the device list");
        let mut command = Command::new(hub_program());
        command.arg("run").arg("--json").arg("--devices").arg(&list).args(&self.args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::start_with_secrets("hub", &mut command, self.secrets.clone())
    }
}

fn is(event: &Option<Value>, kind: &str) -> bool {
    event.as_ref().is_some_and(|event| event["event"] == kind)
}

/// A running hub.
pub struct Hub {
    process: Process,
    ready: Value,
}

impl Hub {
    /// A text of the ready event, such as `mqtt_psk` or `ca_file`.
    #[track_caller]
    pub fn ready(&self, key: &str) -> String {
        self.ready[key].as_str().unwrap_or_else(|| panic!("the hub has no {key}: {}", self.ready)).to_owned()
    }

    /// The client certificate of a device and its key.
    #[track_caller]
    pub fn client_cert(&self, device: &Device) -> (PathBuf, PathBuf) {
        let paths = &self.ready["client_certs"][device.client_id()];
        let path = |key: &str| PathBuf::from(paths[key].as_str().unwrap_or_else(|| panic!("no {key}: {paths}")));
        (path("cert"), path("key"))
    }

    /// A command on its standard input.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The raw lines of JSON.
    pub fn out(&self) -> &Log<String> {
        self.process.out()
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<Value> {
        self.out().all().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Every event of one kind so far.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Blocks until an event of this kind matches, from a place that `out().mark()` gave.
    #[track_caller]
    pub fn wait_from(&self, from: usize, kind: &str, mut matches: impl FnMut(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        self.out().wait(from, &format!("the hub's event {kind}"), |line| {
            let event = serde_json::from_str(line).ok();
            let hit = is(&event, kind) && event.as_ref().is_some_and(&mut matches);
            if hit {
                found = event.unwrap_or_default();
            }
            hit
        });
        found
    }

    /// Blocks until an event of this kind matches.
    #[track_caller]
    pub fn wait(&self, kind: &str, matches: impl FnMut(&Value) -> bool) -> Value {
        self.wait_from(0, kind, matches)
    }

    /// Blocks until a device has reported this state of its upgrade.
    #[track_caller]
    pub fn wait_state(&self, state: &str) -> Value {
        self.wait("upgrade", |event| event["state"] == state)
    }

    /// Blocks until every device that connected has gone, and so every message of theirs is here.
    #[track_caller]
    pub fn settle(&self) {
        let so_far = self.out().mark();
        let (mut seen, mut online) = (0, 0);
        self.out().wait(0, "all devices have gone", |line| {
            let event = serde_json::from_str(line).ok();
            online += i32::from(is(&event, "connected")) - i32::from(is(&event, "disconnected"));
            seen += 1;
            seen >= so_far && online == 0
        });
    }
}
