//! Firmware in an object store: the hub puts it there by parts, and devices fetch it by URLs that the store checks.

use std::fs;
use std::path::PathBuf;

use e2e::{Build, Device, Finished, Firmware, Hub, HubSetup, ObjectStore, Process, Sample};
use tempfile::TempDir;

/// Two whole parts, and a third that is not.
const SIZE: usize = (16 << 20) + 4321;
const VERSION: &str = "2.0.0";

struct Scene {
    store: ObjectStore,
    setup: HubSetup,
    device: Device,
    firmware: Firmware,
    home: PathBuf,
    folder: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let folder = TempDir::new().expect("a temporary folder");
        let home = folder.path().join("device");
        fs::create_dir(&home).expect("the device's folder");
        let device = Device::default();
        device.write_info(&home, Build::Key);
        let store = ObjectStore::start();
        let setup = store.serves(HubSetup::new(folder.path(), &device));
        let firmware = Firmware::new(folder.path(), VERSION, SIZE);
        Scene { store, setup, device, firmware, home, folder }
    }

    fn add(&self) -> Finished {
        let path = self.firmware.path.to_string_lossy();
        self.setup.ask(&["firmware", "add", &path, "--product", &self.device.product_id, "--version", VERSION])
    }

    fn order(&self) -> Finished {
        self.setup.ask(&["upgrade", "--firmware", &self.name(), "--device", &self.device.client_id()])
    }

    fn name(&self) -> String {
        format!("{}:{VERSION}", self.device.product_id)
    }

    fn sample(&self, hub: &Hub) -> Process {
        Sample::new(Build::Key, "ota_mqtt_sample", &self.home)
            .endpoint(&hub.ready("mqtt_psk"))
            .args(&["-d", "-n", "1"])
            .start()
    }

    /// The requests so far that begin so.
    fn requests(&self, begin: &str) -> Vec<String> {
        self.store.requests().all().into_iter().filter(|line| line.starts_with(begin)).collect()
    }
}

#[test]
fn a_device_upgrades_from_the_store_and_goes_on_with_a_fresh_url() {
    let mut scene = Scene::new();
    let hub = scene.setup.start();
    assert_eq!(scene.add().code(), 0, "exit code");
    let parts = scene.requests("PUT /firmware-bucket/lab/");
    assert_eq!(parts.len(), 3, "{parts:?}");
    let folder = fs::read_dir(scene.setup.state().join("firmware")).expect("the folder");
    assert_eq!(folder.count(), 0, "nothing is in the data folder");

    scene.store.stall(300_000);
    let mut sample = scene.sample(&hub);
    sample.wait_for(&["waiting for an update command"]);
    assert_eq!(scene.order().code(), 0, "exit code");
    hub.wait_state("downloading");
    sample.wait_for(&["downloaded 300000 of"]);
    sample.kill();
    scene.store.expire();
    let finished = scene.sample(&hub).finish();
    assert_eq!(finished.code(), 0, "exit code");
    finished.assert_says(&["resuming at 300000"]);
    hub.wait_state("done");
    let bin = Sample::bin_file(&scene.home, &scene.device, VERSION);
    assert!(fs::read(bin).expect("the firmware on the device") == scene.firmware.bytes);
    let fetched = scene.requests("GET /firmware-bucket/lab/");
    assert_eq!(fetched.len(), 2, "{fetched:?}");
    assert!(fetched[1].ends_with(&format!("bytes=300000-{} 206", SIZE - 1)), "{fetched:?}");

    // What is removed is gone from the store, too.
    let removed = scene.setup.ask(&["firmware", "remove", &scene.name()]);
    assert_eq!(removed.code(), 0, "exit code");
    assert_eq!(scene.requests("DELETE /firmware-bucket/lab/").len(), 1);
}

#[test]
fn who_asks_hears_what_is_wrong_with_the_store() {
    let mut scene = Scene::new();
    let mut hub = scene.store.denies(HubSetup::new(scene.folder.path(), &scene.device)).start();
    let denied = scene.add();
    assert_ne!(denied.code(), 0, "exit code");
    denied.assert_says(&["denies access", "s3:PutObject", "AccessDenied"]);
    hub.kill();
    // With the right key; then the store goes away.
    let mut hub = scene.setup.start();
    assert_eq!(scene.add().code(), 0, "exit code");
    scene.store.kill();
    let outcome = scene.order();
    assert_ne!(outcome.code(), 0, "exit code");
    outcome.assert_says(&["firmware store", "cannot be reached"]);
    hub.kill();
    // A hub that was started without it.
    let _hub = HubSetup::new(scene.folder.path(), &scene.device).start();
    let outcome = scene.order();
    assert_ne!(outcome.code(), 0, "exit code");
    outcome.assert_says(&["started without it", "--firmware-store"]);
}
