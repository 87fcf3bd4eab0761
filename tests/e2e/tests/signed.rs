//! Signed upgrades into the other slot (docs/upgrade.md), with the sample as firmware, and a symbolic link as what a boot
//! loader starts.

use std::fs::{self, Permissions};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{each_row, ends, reports, Answer, Build, Device, Firmware, Gate, Hub, HubSetup, Process, Secrets, Server};
use serde_json::Value;
use tempfile::TempDir;

const BUILD: Build = Build::LogUpload;
const SIZE: usize = 1_000_000;
const HEADER: usize = 256;
/// The sample's exit code where the device is to be started again.
const RESTART: i32 = 3;
/// `IOT_Upgrade_Cause`.
const NOT_CONFIRMED: &str = "cause  7";

/// A device with two slots, and who signs its firmware.
struct Board {
    device: Device,
    home: PathBuf,
    /// Of the maker: images, keys.
    desk: PathBuf,
    public_key: String,
    folder: TempDir,
}

impl Board {
    /// Runs 1.0.0 from slot a; b has something else in it.
    fn new() -> Board {
        let folder = TempDir::new().expect("a temporary folder");
        let (home, desk) = (folder.path().join("device"), folder.path().join("desk"));
        fs::create_dir(&home).expect("the device's folder");
        fs::create_dir(&desk).expect("the maker's folder");
        let device = Device::default();
        device.write_info(&home, BUILD);
        let mut board = Board { device, home, desk, public_key: String::new(), folder };
        board.keygen("maker");
        board.public_key = fs::read_to_string(board.desk.join("maker.pub")).expect("a key").trim().to_owned();
        for (slot, image) in [("a", board.image("1.0.0", "")), ("b", b"nothing that runs".to_vec())] {
            fs::write(board.home.join(slot), image).expect("a slot");
            fs::set_permissions(board.home.join(slot), Permissions::from_mode(0o755)).expect("a slot that runs");
        }
        symlink("a", board.home.join("current")).expect("the link");
        board
    }

    /// Firmware that runs the sample: what begins so is run by the shell as far as it replaces itself.
    fn image(&self, version: &str, does: &str) -> Vec<u8> {
        let program = BUILD.program("upgrade_sample");
        let mut image =
            format!("#!/bin/sh\nexec {} {version} {} {does}\n", program.display(), self.public_key).into_bytes();
        image.extend(Firmware::image(SIZE - image.len()));
        image
    }

    fn cloud(&self) -> HubSetup {
        HubSetup::new(self.folder.path(), &self.device).args(&["--scheme", "http"])
    }

    /// The hub's command line; it must succeed.
    #[track_caller]
    fn hub(&self, args: &[&str]) -> Vec<String> {
        let finished = self.cloud().ask(args);
        assert_eq!(finished.code(), 0, "{args:?}");
        finished.lines.clone()
    }

    fn file(&self, name: &str) -> String {
        self.desk.join(name).to_string_lossy().into_owned()
    }

    fn keygen(&self, name: &str) {
        self.hub(&["firmware", "keygen", &self.file(name)]);
    }

    /// Writes the image and signs it. Returns the signed file.
    fn sign(&self, image: &[u8], version: &str, product: &str, key: &str) -> PathBuf {
        let (plain, signed) = (self.file(&format!("image-{version}")), self.file(&format!("signed-{version}")));
        fs::write(&plain, image).expect("an image");
        let by = ["--product", product, "--version", version, "--key", &self.file(key), "--output", &signed];
        self.hub(&[&["firmware", "sign", &plain][..], &by].concat());
        signed.into()
    }

    /// Uploads the image, signed as it should be, and orders the upgrade of every device. Returns the order's number.
    fn order(&self, image: &[u8], version: &str) -> String {
        let product = &self.device.product_id;
        let signed = self.sign(image, version, product, "maker");
        self.hub(&["firmware", "add", &signed.to_string_lossy(), "--product", product, "--version", version]);
        let upgrade = self.hub(&["upgrade", "--firmware", &format!("{product}:{version}"), "--all", "--json"]);
        let upgrade: Value = serde_json::from_str(upgrade.last().expect("an answer")).expect("JSON");
        upgrade["id"].to_string()
    }

    /// What came of the device's part of an order: state and text.
    fn outcome(&self, order: &str) -> (String, String) {
        let shown = self.hub(&["upgrade", "show", order, "--json"]);
        let shown: Value = serde_json::from_str(shown.last().expect("an answer")).expect("JSON");
        let jobs = shown["jobs"].as_array().expect("jobs");
        assert_eq!(jobs.len(), 1, "{shown}");
        let text = |key: &str| jobs[0][key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("result_msg"))
    }

    /// What a boot loader does.
    #[track_caller]
    fn start(&self, hub: &Hub) -> Process {
        let mut command = Command::new(self.home.join("current"));
        command.current_dir(&self.home).env("QCLOUD_IOT_MQTT_ENDPOINT", hub.ready("mqtt"));
        Process::start_with_secrets("firmware", &mut command, Secrets::of_device_in(&self.home))
    }

    /// The slot that starts next.
    fn next(&self) -> PathBuf {
        fs::read_link(self.home.join("current")).expect("the link")
    }

    fn slot(&self, slot: &str) -> Vec<u8> {
        fs::read(self.home.join(slot)).expect("a slot")
    }
}

/// Starts the device and waits until it asks for orders: whatever else it had to tell the cloud was acknowledged before.
fn start(board: &Board, hub: &Hub) -> Process {
    let mark = hub.out().mark();
    let running = board.start(hub);
    hub.wait_from(mark, "version", |_| true);
    running
}

#[test]
fn a_good_one_stays_and_a_bad_one_goes_back_by_itself() {
    let board = Board::new();
    let hub = board.cloud().start();
    let mut running = start(&board, &hub);

    let good = board.image("2.0.0", "");
    let order = board.order(&good, "2.0.0");
    let first = running.finish();
    assert_eq!(first.code(), RESTART);
    first.assert_says(&["found", "2.0.0"]);
    assert!(board.next() == Path::new("b") && board.slot("b") == good);
    assert!(ends(&hub, &board.device).is_empty(), "nobody knows yet how it ends");

    start(&board, &hub).wait_for(&["confirmed"]);
    // Another start has nothing more to tell.
    let mut running = start(&board, &hub);
    assert_eq!(ends(&hub, &board.device), ["done"]);
    assert_eq!(board.outcome(&order).0, "done");

    let order = board.order(&board.image("3.0.0", "-"), "3.0.0");
    assert_eq!(running.finish().code(), RESTART);
    assert_eq!(board.next(), Path::new("a"));
    // It ends on trial. Its next start is one too many.
    let trial = board.start(&hub).finish();
    assert_eq!(trial.code(), 1);
    trial.assert_says(&["on trial"]);
    let back = board.start(&hub).finish();
    assert_eq!(back.code(), RESTART);
    back.assert_says(&["restart", NOT_CONFIRMED]);
    assert_eq!(board.next(), Path::new("b"));

    start(&board, &hub).wait_for(&["failed", NOT_CONFIRMED]);
    let _running = start(&board, &hub);
    assert_eq!(ends(&hub, &board.device), ["done", "fail"]);
    let (state, text) = board.outcome(&order);
    assert_eq!(state, "failed");
    assert!(text.contains("confirm"), "{text}");
    assert!(board.slot("b") == good);
}

#[test]
fn what_is_not_signed_for_this_device_touches_no_slot() {
    let rows = [("unsigned", "cause  9"), ("another key", "cause 11"), ("another product", "cause 13")];
    each_row(&rows, |(what, cause)| {
        let board = Board::new();
        let image = board.image("2.0.0", "");
        let product = &board.device.product_id;
        let file = match *what {
            "unsigned" => {
                fs::write(board.desk.join("unsigned"), &image).expect("an image");
                board.desk.join("unsigned")
            }
            "another key" => {
                board.keygen("somebody");
                board.sign(&image, "2.0.0", product, "somebody")
            }
            _ => board.sign(&image, "2.0.0", "OTHERPRODU", "maker"),
        };
        let offer = ["--firmware", &file.to_string_lossy(), "--version", "2.0.0", "--upgrade-on-report"];
        let hub = board.cloud().args(&offer).start();
        let running = board.start(&hub);
        running.wait_for(&["failed", cause]);
        hub.wait_state("fail");
        let told = reports(&hub, &board.device).into_iter().find(|report| report.state.as_deref() == Some("fail"));
        assert!(told.and_then(|report| report.text).is_some_and(|text| text.contains("firmware")), "no cause");
        assert_eq!(board.next(), Path::new("a"));
        assert_eq!(board.slot("b"), b"nothing that runs");
    });
}

#[test]
fn a_download_goes_on_after_a_kill() {
    let board = Board::new();
    let image = board.image("2.0.0", "");
    let file = board.sign(&image, "2.0.0", &board.device.product_id, "maker");
    let bytes = fs::read(&file).expect("the signed file");
    let server = Server::http(move |request| {
        let answer = Answer::file(&bytes, request).header("ETag", "\"2\"");
        // The first answer stops there.
        if request.number == 1 {
            answer.stall_after(700_000, &Gate::default())
        } else {
            answer
        }
    });
    let url = server.url("/firmware");
    let path = file.to_string_lossy();
    let offer = ["--firmware", &path, "--version", "2.0.0", "--upgrade-on-report", "--firmware-url", &url];
    let hub = board.cloud().args(&offer).start();
    let mut running = board.start(&hub);
    running.wait_for(&["stored", " 60 %"]);
    running.kill();
    assert_eq!(board.next(), Path::new("a"));

    assert_eq!(board.start(&hub).finish().code(), RESTART);
    // The record was written for each 256 kB.
    let (first, _) = server.ranges()[1].expect("a range");
    assert_eq!(first, HEADER + 2 * 262_144);
    assert!(board.next() == Path::new("b") && board.slot("b") == image);
}
