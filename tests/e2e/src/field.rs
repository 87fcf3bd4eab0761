//! A device of the build without TLS between a scripted MQTT server and a scripted web server.

use std::fs;

use tempfile::TempDir;

use crate::{Answer, Broker, Build, Device, Finished, Firmware, Process, Request, Sample, Server};

/// Bytes of the firmware.
pub const FIRMWARE_SIZE: usize = 120_000;
/// Its place on a server.
pub const FIRMWARE_PATH: &str = "/firmware";

/// A device without TLS, and a firmware.
pub struct Field {
    /// Whose sample runs.
    pub device: Device,
    /// What is offered.
    pub firmware: Firmware,
    /// Where the sample runs.
    pub folder: TempDir,
}

impl Field {
    /// An empty device.
    #[track_caller]
    pub fn new() -> Field {
        let folder = TempDir::new().expect("a temporary folder");
        let device = Device::default();
        device.write_info(folder.path(), Build::NoTls);
        let firmware = Firmware::new(folder.path(), "2.0.0", FIRMWARE_SIZE);
        Field { device, firmware, folder }
    }

    /// A web server that offers the firmware and nothing else.
    pub fn good_server(&self) -> Server {
        let image = self.firmware.bytes.clone();
        Server::http(move |request| Answer::file(&image, request))
    }

    /// The sample gives up after one failure.
    pub fn sample(&self, broker: &Broker) -> Sample {
        Sample::new(Build::NoTls, "ota_mqtt_sample", self.folder.path())
            .endpoint(&broker.address())
            .args(&["-d", "-n", "1"])
    }

    /// Fails the test unless the sample ended well and has the firmware, byte for byte.
    #[track_caller]
    pub fn assert_upgraded(&self, finished: &Finished) {
        assert_eq!(finished.code(), 0, "exit code");
        let stored = Sample::bin_file(self.folder.path(), &self.device, &self.firmware.version);
        let stored = fs::read(stored).expect("the firmware on the device");
        assert!(stored == self.firmware.bytes, "the firmware on the device is not the one that was offered");
    }

    /// Waits for the end of a sample that must succeed, without a failure on the way.
    #[track_caller]
    pub fn expect_upgrade(&self, broker: &Broker, process: &mut Process) -> Finished {
        let finished = process.finish();
        self.assert_upgraded(&finished);
        broker.packets().wait(0, "the report of success", |packet| packet.says(r#""done""#));
        assert!(broker.failures(&self.device).is_empty());
        finished
    }

    /// A whole upgrade from this URL.
    #[track_caller]
    pub fn upgrade_from(&self, url: &str) -> Finished {
        self.upgrade_by(self.firmware.command(url).into_bytes())
    }

    /// A whole upgrade by this command.
    #[track_caller]
    pub fn upgrade_by(&self, command: Vec<u8>) -> Finished {
        let broker = Broker::orders(&self.device, command);
        self.expect_upgrade(&broker, &mut self.sample(&broker).start())
    }

    /// A whole upgrade from a server with this script.
    #[track_caller]
    pub fn upgrade(&self, script: impl Fn(&[u8], &Request) -> Answer + Send + Sync + 'static) -> Server {
        let image = self.firmware.bytes.clone();
        let server = Server::http(move |request| script(&image, request));
        self.upgrade_from(&server.url(FIRMWARE_PATH));
        server
    }
}

impl Default for Field {
    fn default() -> Field {
        Field::new()
    }
}
