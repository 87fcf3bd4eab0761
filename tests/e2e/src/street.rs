//! A device among strangers: mosquitto for a broker, any web server, and the hub only as a service on the broker.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Authority, Build, Device, Firmware, Hub, HubSetup, Mosquitto, Process, Sample};

/// The pieces; dropped in this order, the folder last.
pub struct Street {
    /// Serves the device over the broker.
    pub hub: Hub,
    /// The broker.
    pub mosquitto: Mosquitto,
    /// Whose samples run.
    pub build: Build,
    /// The hub's only device.
    pub device: Device,
    /// What the hub offers.
    pub firmware: Firmware,
    /// Signed the broker's certificate.
    pub authority: Authority,
    /// The folder the sample runs in.
    pub home: PathBuf,
    _folder: TempDir,
}

/// What the web server needs to know.
pub struct Site<'a> {
    /// Where it may keep its files.
    pub folder: &'a std::path::Path,
    /// The firmware to serve.
    pub firmware: &'a Firmware,
    /// Whom the device trusts.
    pub authority: &'a Authority,
}

impl Street {
    /// The hub orders the upgrade as soon as the device reports, to a firmware of `size` bytes at the URL that `serve`
    /// gives.
    #[track_caller]
    pub fn new(build: Build, size: usize, serve: impl FnOnce(&Site<'_>) -> String) -> Street {
        let folder = TempDir::new().expect("a temporary folder");
        let (home, content) = (folder.path().join("device"), folder.path().join("content"));
        for path in [&home, &content] {
            fs::create_dir(path).expect("a folder");
        }
        let device = Device::default();
        device.write_info(&home, build);
        let firmware = Firmware::new(&content, "1.3.0", size);
        let authority = Authority::new(folder.path());
        let client = authority.client(&device.client_id(), build);
        device.write_cert(&home, &client.cert, &client.key);
        let mosquitto = Mosquitto::start(folder.path(), &device, &authority);
        let url = serve(&Site { folder: folder.path(), firmware: &firmware, authority: &authority });
        let args = ["--broker", &mosquitto.url(), "--upgrade-on-report", "--firmware-url", &url];
        let hub = HubSetup::new(folder.path(), &device).firmware(&firmware).args(&args).start();
        Street { hub, mosquitto, build, device, firmware, authority, home, _folder: folder }
    }

    /// The OTA sample, to be started. It gives up after one failure.
    #[track_caller]
    pub fn sample(&self) -> Sample {
        let endpoint = match self.build {
            Build::Key | Build::Coap => self.mosquitto.psk_address(),
            Build::Cert => self.mosquitto.cert_address(),
            Build::WebSocket => self.mosquitto.websocket_address(),
            Build::WebSocketCert => self.mosquitto.websocket_cert_address(),
            Build::NoTls | Build::LogUpload => panic!("mosquitto's plain listener checks no passwords"),
        };
        Sample::new(self.build, "ota_mqtt_sample", &self.home)
            .endpoint(&endpoint)
            .trusts(self.authority.file())
            .args(&["-d", "-n", "1"])
    }

    /// Waits for the end of a sample that must succeed, and checks the firmware it leaves.
    #[track_caller]
    pub fn expect_upgrade(&self, process: &mut Process) -> crate::Finished {
        let finished = process.finish();
        assert_eq!(finished.code(), 0, "exit code");
        self.hub.wait_state("done");
        let bin = Sample::bin_file(&self.home, &self.device, &self.firmware.version);
        let stored = fs::read(bin).expect("the firmware on the device");
        assert!(stored == self.firmware.bytes, "the firmware on the device is not the one that was offered");
        assert!(!Sample::state_file(&self.home, &self.device).exists(), "the state file is still there");
        finished
    }
}
