//! One device, one firmware and one hub: what most tests start from.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Build, Device, Finished, Firmware, Hub, HubSetup, Process, Sample};

/// The pieces; dropped in this order, the folder last.
///
/// ```no_run
/// use e2e::{Build, Desk};
///
/// let desk = Desk::new(Build::Key, 100_000);
/// desk.expect_upgrade(&mut desk.sample().start());
/// ```
pub struct Desk {
    /// The cloud.
    pub hub: Hub,
    /// Whose samples run.
    pub build: Build,
    /// The hub's only device.
    pub device: Device,
    /// What the hub offers.
    pub firmware: Firmware,
    /// The folder the sample runs in.
    pub home: PathBuf,
    /// The roots the sample trusts.
    pub ca_file: PathBuf,
    /// The rest.
    pub folder: TempDir,
}

/// The firmware's version where a test does not care.
const VERSION: &str = "2.0.0";

impl Desk {
    /// A hub that orders the upgrade as soon as the device reports, to a firmware of `size` bytes on its own server:
    /// HTTP for the build without TLS, else HTTPS.
    #[track_caller]
    pub fn new(build: Build, size: usize) -> Desk {
        Desk::with_args(build, size, |_| {
            vec!["--upgrade-on-report".to_owned(), "--scheme".to_owned(), build.scheme().to_owned()]
        })
    }

    /// A hub that orders the upgrade as soon as the device reports, from a URL made for the firmware.
    #[track_caller]
    pub fn with_url(build: Build, size: usize, url: impl FnOnce(&Firmware) -> String) -> Desk {
        Desk::with_args(build, size, |firmware| {
            vec!["--upgrade-on-report".to_owned(), "--firmware-url".to_owned(), url(firmware)]
        })
    }

    /// A hub with these arguments besides its device and firmware.
    #[track_caller]
    pub fn with_args(build: Build, size: usize, args: impl FnOnce(&Firmware) -> Vec<String>) -> Desk {
        let folder = TempDir::new().expect("a temporary folder");
        let home = folder.path().join("device");
        fs::create_dir(&home).expect("the device's folder");
        let firmware = Firmware::new(folder.path(), VERSION, size);
        let device = Device::default();
        device.write_info(&home, build);
        let args = args(&firmware);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut setup = HubSetup::new(folder.path(), &device).firmware(&firmware).args(&args);
        if build == Build::WebSocketCert {
            setup = setup.with_rsa_keys();
        }
        let hub = setup.start();
        if build.is_cert() {
            let (cert, key) = hub.client_cert(&device);
            device.write_cert(&home, &cert, &key);
        }
        let ca_file = PathBuf::from(hub.ready("ca_file"));
        Desk { hub, build, device, firmware, home, ca_file, folder }
    }

    /// The hub's listener for this build.
    #[track_caller]
    pub fn endpoint(&self) -> String {
        self.hub.ready(self.build.listener())
    }

    /// The OTA sample, to be started. It gives up after one failure.
    #[track_caller]
    pub fn sample(&self) -> Sample {
        self.sample_with_attempts(1)
    }

    /// The OTA sample, to be started. It gives up after so many failures.
    #[track_caller]
    pub fn sample_with_attempts(&self, attempts: u32) -> Sample {
        self.program("ota_mqtt_sample").args(&["-d", "-n", &attempts.to_string()])
    }

    /// Any sample, to be started with the hub's broker.
    #[track_caller]
    pub fn program(&self, name: &str) -> Sample {
        Sample::new(self.build, name, &self.home).endpoint(&self.endpoint()).trusts(&self.ca_file)
    }

    /// Asks the hub by its command line.
    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> Finished {
        HubSetup::new(self.folder.path(), &self.device).ask(args)
    }

    /// Waits until the sample has ended and all it said has reached the hub.
    #[track_caller]
    pub fn finish(&self, process: &mut Process) -> Finished {
        let finished = process.finish();
        self.hub.settle();
        finished
    }

    /// Leaves the files of a download that came as far as `count` bytes.
    pub fn store(&self, count: usize) {
        Sample::store(&self.home, &self.device, &self.firmware, count);
    }

    /// Leaves a state file that says so.
    pub fn store_state(&self, count: usize) {
        Sample::store_state(&self.home, &self.device, &self.firmware, count);
    }

    /// Where the sample puts the firmware.
    pub fn bin_file(&self) -> PathBuf {
        Sample::bin_file(&self.home, &self.device, &self.firmware.version)
    }

    /// Where the sample notes how far it is.
    pub fn state_file(&self) -> PathBuf {
        Sample::state_file(&self.home, &self.device)
    }

    /// Fails the test unless the firmware is in the device's folder, byte for byte, and no state file is left.
    #[track_caller]
    pub fn assert_upgraded(&self) {
        let stored = fs::read(self.bin_file()).expect("the firmware on the device");
        assert!(stored == self.firmware.bytes, "the firmware on the device is not the one that was offered");
        assert!(!self.state_file().exists(), "the state file is still there");
    }

    /// Waits for the end of a sample that must succeed, and checks the firmware it leaves.
    #[track_caller]
    pub fn expect_upgrade(&self, process: &mut Process) -> Finished {
        let finished = self.finish(process);
        assert_eq!(finished.code(), 0, "exit code");
        self.assert_upgraded();
        finished
    }
}
