//! The compiled C samples.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Build, Device, Firmware, Process, Secrets};

/// How to run a sample.
pub struct Sample {
    program: PathBuf,
    folder: PathBuf,
    wrapper: Vec<String>,
    args: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Sample {
    /// The program `name` of a build, to be run in `folder`, which holds or gets its `device_info.json`.
    #[track_caller]
    pub fn new(build: Build, name: &str, folder: &Path) -> Sample {
        Sample {
            program: build.program(name),
            folder: folder.to_owned(),
            wrapper: emulator(),
            args: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Its MQTT server, `host:port`.
    pub fn endpoint(mut self, address: &str) -> Self {
        self.environment.push(("QCLOUD_IOT_MQTT_ENDPOINT", address.to_owned()));
        self
    }

    /// The roots it trusts.
    pub fn trusts(mut self, file: impl AsRef<Path>) -> Self {
        self.environment.push(("QCLOUD_IOT_CA_FILE", file.as_ref().to_string_lossy().into_owned()));
        self
    }

    /// More of its command line.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// One more variable of its environment.
    pub fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Runs it below another program, such as valgrind, which is of this machine.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Runs it below valgrind, which ends with "ERROR SUMMARY: 0 errors" where all is well. What is possibly lost is no error:
    /// a thread that ends when the process does leaves such memory of the system's.
    pub fn under_valgrind(self) -> Self {
        let leaks = "--errors-for-leak-kinds=definite,indirect";
        self.under(&["valgrind", "--error-exitcode=9", "--leak-check=full", leaks, "--track-origins=yes"])
    }

    /// Starts it. Whatever a test is about, a sample that shows a secret fails it.
    #[track_caller]
    pub fn start(&self) -> Process {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut command = match self.wrapper.split_first() {
            None => Command::new(&self.program),
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(&self.program);
                command
            }
        };
        // What the user of this machine may have set must not reach the sample.
        command.env_remove("QCLOUD_IOT_MQTT_ENDPOINT").env_remove("QCLOUD_IOT_CA_FILE");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let secrets = Secrets::of_device_in(&self.folder);
        Process::start_with_secrets(&name, command.args(&self.args).current_dir(&self.folder), secrets)
    }

    /// Where the OTA sample puts the firmware.
    pub fn bin_file(folder: &Path, device: &Device, version: &str) -> PathBuf {
        folder.join(format!("FW_{}_{version}.bin", device.client_id()))
    }

    /// Leaves the files of a download that came as far as `count` bytes.
    pub fn store(folder: &Path, device: &Device, firmware: &Firmware, count: usize) {
        let bin = Sample::bin_file(folder, device, &firmware.version);
        fs::write(bin, &firmware.bytes[..count]).expect("the firmware so far");
        Sample::store_state(folder, device, firmware, count);
    }

    /// Leaves a state file that says so.
    pub fn store_state(folder: &Path, device: &Device, firmware: &Firmware, count: usize) {
        let (version, md5, size) = (&firmware.version, firmware.md5(), firmware.size());
        let state = format!(r#"{{"version":"{version}","md5":"{md5}","size":{size},"downloaded":{count}}}"#);
        fs::write(Sample::state_file(folder, device), state).expect("the state file");
    }

    /// Where the OTA sample notes how far it is.
    pub fn state_file(folder: &Path, device: &Device) -> PathBuf {
        folder.join(format!("FW_{}.json", device.client_id()))
    }
}

/// What runs samples of another processor, `E2E_EMULATOR`: a program and its arguments (`tests/targets/run.sh`).
fn emulator() -> Vec<String> {
    let words = env::var("E2E_EMULATOR").unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
}
