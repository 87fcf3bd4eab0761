use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Mutex as StdMutex, Weak};

use iot_engine::services::ota::{Delivery, FailureCode};
use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::error::StartFault;
use crate::drive::mqtt::Client;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Grant, Machine};
use crate::hal::ConnectError;

const UPDATE_TOPIC: &str = "$ota/update/PRODUCTIDX/device";
const REPORT_TOPIC: &str = "$ota/report/PRODUCTIDX/device";
const INVALID_STATE: Error = Error::Ota(OtaError::InvalidState);
const MD5: &str = "E8DC4081B13434B45189A720B77B6818";
const FIRMWARE: &[u8] = b"abcdefgh";

/// A device with its client, its upgrades and the servers they reach.
struct Device {
    machine: Arc<Machine>,
    client: Arc<Client>,
    ota: Arc<Ota>,
}

impl Device {
    /// A device whose web server answers with `responder`.
    fn with_server(responder: impl FnMut(usize, &str) -> Answer + Send + 'static) -> Self {
        let machine = Machine::new(responder);
        let client = machine.client();
        let ota = Arc::new(Ota::new("PRODUCTIDX", "device", client.clone()).unwrap());
        Device { machine, client, ota }
    }

    /// A device whose web server has [`FIRMWARE`].
    fn new() -> Self {
        Self::with_server(|_, request| Answer::range(FIRMWARE, request))
    }

    /// A device that has its update command, and a server for [`FIRMWARE`].
    fn fetching(md5: &str) -> Self {
        let device = Self::new();
        device.send(&update(md5));
        assert!(device.ota.is_fetching());
        device
    }

    fn send(&self, payload: &str) {
        self.machine.send(&self.client, UPDATE_TOPIC, payload.as_bytes());
    }

    /// What was reported since the last call: QoS and payload.
    fn reports(&self) -> Vec<(u8, String)> {
        self.machine.take_published(REPORT_TOPIC)
    }

    /// Open connections to the web server.
    fn open(&self) -> usize {
        self.machine.http.open.load(Ordering::Relaxed)
    }

    /// Whether the client has been told that a download runs: it waits for nothing then.
    fn hurries(&self) -> bool {
        let began = self.machine.ms();
        let _ = self.client.yield_for(50);
        self.machine.ms() == began
    }

    /// Cuts the MQTT connection and lets the client connect again.
    fn reconnect(&self, session_present: bool) {
        self.machine.mqtt.world().cloud.session_present = session_present;
        self.machine.mqtt.world().closed = true;
        let _ = self.client.yield_for(10_000);
        assert!(self.client.is_connected());
    }
}

fn update(md5: &str) -> String {
    let size = FIRMWARE.len();
    format!(
        r#"{{"type":"update_firmware","url":"http://h/f?s=1","version":"1.3.0","md5sum":"{md5}","file_size":{size}}}"#
    )
}

/// An upgrade that waits for its download, for the tests of the C surface.
pub(crate) fn fetching_ota() -> Arc<Ota> {
    Device::fetching(MD5).ota
}

fn fetch_all(ota: &Ota) -> Result<Vec<u8>, Error> {
    let mut got: Vec<u8> = Vec::new();
    let mut buf = [0; 3];
    while ota.is_fetching() {
        let count = ota.fetch(&mut buf, 1000)?;
        got.extend(&buf[..count]);
    }
    Ok(got)
}

fn reported(report: Report) -> (u8, String) {
    (u8::from(report.delivery != Delivery::AtMostOnce), report.payload)
}

fn progress(percent: u8) -> (u8, String) {
    reported(Report::downloading("1.3.0", percent))
}

#[test]
fn init_asks_once_more_where_it_is_refused() {
    use Grant::{Granted, Refused, Silent};
    for (grants, error) in [
        (&[Granted][..], None),
        (&[Refused, Granted], None),
        (&[Refused, Refused], Some("not subscribed: the server refused it")),
        (&[Silent], Some("not subscribed: no answer in time")),
    ] {
        let machine = Machine::new(|_, _| Answer::new(""));
        let client = machine.client();
        machine.mqtt.world().grants(grants);
        let ota = Ota::new("PRODUCTIDX", "device", client).map(drop);
        assert_eq!(ota.err(), error.map(|error| format!("{UPDATE_TOPIC} {error}")), "{grants:?}");
    }
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = machine.client();
    assert_eq!(Ota::new("", "d", client.clone()).map(drop), Err("product id must have 1 to 10 characters".to_owned()));
    client.destroy();
    assert!(Ota::new("P", "d", client).map(drop).unwrap_err().ends_with("not connected"));
}

#[test]
fn a_whole_upgrade_tells_the_story_of_the_wire_contract() {
    let device = Device::new();
    let ota = &device.ota;
    assert!(ota.report_version("1.0.0").unwrap() > 0);
    device.send(r#"{"type":"report_version_rsp","result_code":0}"#);
    device.send(&(update(MD5) + "\0"));
    device.send(&update(MD5));
    assert_eq!((ota.file_size(), ota.fetched_size()), (Ok(8), Ok(0)));
    assert!(!device.hurries());
    assert_eq!(ota.start_download(0, 8), Ok(()));
    assert!(device.hurries());
    assert_eq!(fetch_all(ota).unwrap(), FIRMWARE);
    assert!(!device.hurries());
    assert_eq!(device.open(), 0);
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.fetched_size(), Ok(8));
    assert_eq!((ota.check_firmware(), ota.check_firmware()), (Ok(true), Ok(true)));
    assert!(ota.report_upgrade_begin().unwrap() > 0);
    assert!(ota.report_upgrade_success(None).unwrap() > 0);
    assert_eq!((ota.is_fetching(), ota.is_fetch_finished()), (false, false));
    let expected = [
        reported(Report::version("1.0.0")),
        progress(0),
        progress(100),
        reported(Report::upgrade_begin("1.3.0")),
        reported(Report::upgrade_done("1.3.0")),
    ];
    assert_eq!(device.reports(), expected);
    assert_eq!(ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
}

#[test]
fn after_a_reconnect_to_a_server_that_has_forgotten_us_the_version_is_reported_again() {
    let device = Device::new();
    device.reconnect(false);
    assert_eq!(device.reports(), []);
    device.ota.report_version("1.0.0").unwrap();
    let version = reported(Report::version("1.0.0"));
    assert_eq!(device.reports(), std::slice::from_ref(&version));
    device.reconnect(false);
    assert_eq!(device.reports(), [version]);
    device.ota.destroy();
    device.reconnect(false);
    assert_eq!(device.reports(), []);
}

#[test]
fn a_wrong_md5_is_told_and_reported_once() {
    let device = Device::fetching("00000000000000000000000000000000");
    device.ota.start_download(0, 8).unwrap();
    assert_eq!(device.ota.check_firmware(), Err(OtaError::InvalidState));
    assert!(fetch_all(&device.ota).is_ok());
    let _ = device.reports();
    assert_eq!((device.ota.check_firmware(), device.ota.check_firmware()), (Ok(false), Ok(false)));
    let reports = device.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].1.contains(r#""result_code":"-4""#), "{reports:?}");
}

#[test]
fn a_resumed_download_begins_where_it_stopped() {
    let device = Device::fetching(MD5);
    let ota = &device.ota;
    ota.start_download(0, 8).unwrap();
    let mut buf = [0; 3];
    assert_eq!(ota.fetch(&mut buf, 1000), Ok(3));
    ota.reset_md5();
    ota.update_md5(&FIRMWARE[..5]);
    ota.start_download(5, 8).unwrap();
    assert_eq!(device.open(), 1);
    assert_eq!(ota.fetched_size(), Ok(5));
    assert_eq!(fetch_all(ota).unwrap(), &FIRMWARE[5..]);
    assert_eq!(ota.check_firmware(), Ok(true));
    assert!(device.machine.http.requests.lock().unwrap()[1].to_ascii_lowercase().contains("range: bytes=5-7\r\n"));

    let device = Device::fetching(MD5);
    let ota = &device.ota;
    ota.update_md5(FIRMWARE);
    ota.start_download(8, 8).unwrap();
    assert!(ota.is_fetching());
    assert_eq!(ota.fetch(&mut buf, 1000), Ok(0));
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.check_firmware(), Ok(true));
    assert!(device.machine.http.attempts.lock().unwrap().is_empty());
}

#[test]
fn a_fetch_begins_the_download_where_nobody_has() {
    let device = Device::fetching(MD5);
    device.ota.update_md5(b"something else");
    assert_eq!(fetch_all(&device.ota).unwrap(), FIRMWARE);
    assert_eq!(device.ota.check_firmware(), Ok(true));
    assert_eq!(device.reports(), [progress(0), progress(100)]);

    let device = Device::fetching(MD5);
    device.machine.http.refuse.store(true, Ordering::Relaxed);
    device.machine.http.lasting.store(true, Ordering::Relaxed);
    assert!(matches!(fetch_all(&device.ota), Err(Error::Start(StartFault::Unreachable(_)))));
    assert_eq!((device.ota.is_fetching(), device.ota.last_error()), (false, OtaError::FetchFailed));
}

#[test]
fn offset_0_starts_the_md5_over() {
    let ota = fetching_ota();
    ota.update_md5(b"something else");
    ota.start_download(0, 8).unwrap();
    assert!(fetch_all(&ota).is_ok());
    assert_eq!(ota.check_firmware(), Ok(true));
}

#[test]
fn a_failed_download_is_reported_once() {
    let device = Device::with_server(|_, _| Answer::new("HTTP/1.1 404 Not Found\r\n\r\n"));
    let ota = &device.ota;
    device.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    assert_eq!(fetch_all(ota), Err(Error::Ota(OtaError::FetchNotExist)));
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.last_error(), OtaError::FetchNotExist);
    assert!(!device.hurries());
    let report = Report::failure("1.3.0", FailureCode::NotExist, "the server answered 404");
    assert_eq!(device.reports(), [reported(report)]);
    assert_eq!(ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
    assert_eq!(device.reports(), []);
    // What the program reports then has the cause, too.
    ota.report_upgrade_fail(None).unwrap();
    let report = Report::failure("1.3.0", FailureCode::Upgrade, "the server answered 404");
    assert_eq!(device.reports(), [reported(report)]);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let device = Device::fetching(MD5);
    device.machine.http.refuse.store(true, Ordering::Relaxed);
    device.ota.start_download(0, 8).unwrap();
    assert!(device.hurries());
    assert_eq!(device.ota.fetch(&mut [0; 3], 3_000), Ok(0));
    device.machine.http.refuse.store(false, Ordering::Relaxed);
    assert_eq!(fetch_all(&device.ota).unwrap(), FIRMWARE);
}

#[test]
fn a_server_of_no_use_disconnects_until_the_next_version_report() {
    let device = Device::fetching(MD5);
    let ota = &device.ota;
    device.machine.http.refuse.store(true, Ordering::Relaxed);
    device.machine.http.lasting.store(true, Ordering::Relaxed);
    let error = ConnectError { is_lasting: true, ..ConnectError::unexplained(-603) };
    let unreachable = Error::Start(StartFault::Unreachable(error));
    assert_eq!(ota.start_download(0, 8), Err(unreachable));
    assert_eq!((ota.is_fetching(), ota.is_fetch_finished()), (false, false));
    assert!(!device.hurries());
    assert_eq!(ota.file_size(), Ok(8));
    assert_eq!(ota.start_download(0, 8), Err(INVALID_STATE));
    device.machine.http.refuse.store(false, Ordering::Relaxed);
    ota.report_version("1.0.0").unwrap();
    device.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    assert_eq!(fetch_all(ota).unwrap(), FIRMWARE);
}

#[test]
fn bad_ranges_and_wrong_moments_are_told() {
    let device = Device::new();
    assert_eq!(device.ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
    let ota = fetching_ota();
    assert_eq!(ota.start_download(9, 8), Err(Error::Ota(OtaError::InvalidParam)));
    assert_eq!(ota.last_error(), OtaError::InvalidParam);
    assert_eq!(ota.report_version(""), Err(Error::BadVersion));
    assert_eq!(ota.last_error(), OtaError::InvalidParam);
    assert!(ota.is_fetching());
    ota.report_version("1").unwrap();
    assert_eq!(ota.start_download(0, 8), Err(INVALID_STATE));
    assert_eq!(ota.report_upgrade_begin(), Err(INVALID_STATE));
    assert_eq!((ota.fetched_size(), ota.has_command()), (Err(OtaError::InvalidState), Err(OtaError::InvalidState)));
}

#[test]
fn a_bad_command_is_reported() {
    let device = Device::new();
    device.send(r#"{"type":"update_firmware","version":"2"}"#);
    device.send("{");
    assert!(!device.ota.is_fetching());
    let report = Report::failure("2", FailureCode::Upgrade, "url is missing");
    assert_eq!(device.reports(), [reported(report)]);
}

#[test]
fn the_programs_own_reason_is_reported() {
    let device = Device::fetching(MD5);
    device.ota.set_failure_reason("disk full after 400000 bytes");
    device.ota.report_upgrade_fail(None).unwrap();
    let report = Report::failure("1.3.0", FailureCode::Upgrade, "disk full after 400000 bytes");
    assert_eq!(device.reports(), [reported(report)]);
}

#[test]
fn a_report_that_can_not_go_out_is_the_callers_business() {
    let device = Device::new();
    device.machine.mqtt.world().closed = true;
    assert!(device.ota.report_version("1.0.0").is_err());
    assert_eq!(device.ota.last_error(), OtaError::SignalChannel);

    let device = Device::fetching(MD5);
    device.ota.start_download(0, 8).unwrap();
    // Progress that is lost does not hurt the download.
    device.machine.mqtt.world().closed = true;
    assert_eq!(fetch_all(&device.ota).unwrap(), FIRMWARE);
    // A result is kept until the link is back.
    assert!(device.ota.report_upgrade_success(None).is_ok());
    device.reconnect(false);
    assert_eq!(device.reports(), [reported(Report::upgrade_done("1.3.0"))]);
}

#[test]
fn reporting_a_version_ends_a_download() {
    let device = Device::fetching(MD5);
    device.ota.start_download(0, 8).unwrap();
    assert_eq!(device.open(), 1);
    device.ota.report_version("1").unwrap();
    assert_eq!(device.open(), 0);
    assert!(!device.hurries());
}

#[test]
fn what_is_called_inside_a_publish_may_call_everything() {
    let device = Device::fetching(MD5);
    let weak: Weak<Ota> = Arc::downgrade(&device.ota);
    let depth = AtomicUsize::new(0);
    let hook = move |packet: &Packet| {
        let is_report = matches!(packet, Packet::Publish(publish) if publish.topic == REPORT_TOPIC);
        if is_report && depth.fetch_add(1, Ordering::Relaxed) == 0 {
            if let Some(ota) = weak.upgrade() {
                let _ = ota.fetch(&mut [0; 1], 1000);
                let _ = ota.check_firmware();
                ota.update_md5(b"");
                let _ = ota.report_version("1");
            }
        }
    };
    device.machine.mqtt.world().on_packet = Some(Arc::new(hook));
    device.ota.start_download(0, 8).unwrap();
    // The progress report of this fetch ends in the hook.
    assert_eq!(device.ota.fetch(&mut [0; 3], 1000), Ok(3));
    assert!(!device.ota.is_fetching());
}

#[test]
fn destroy_ends_a_fetch_on_another_thread() {
    let device = Device::with_server(|_, _| Answer::new("").then_silent());
    let machine = &device.machine;
    device.send(&update(MD5));
    device.ota.start_download(0, 8).unwrap();
    let (reading, is_reading) = mpsc::channel();
    let (ending, is_ending) = mpsc::channel::<()>();
    let (reading, is_ending) = (StdMutex::new(reading), StdMutex::new(is_ending));
    // The first read waits until the other thread is destroying.
    *machine.http.on_read.lock().unwrap() = Some(Box::new(move || {
        let _ = reading.lock().unwrap().send(());
        let _ = is_ending.lock().unwrap().recv();
    }));
    let ending = StdMutex::new(Some(ending));
    machine.mqtt.world().on_packet = Some(Arc::new(move |packet| {
        if matches!(packet, Packet::Unsubscribe(_)) {
            drop(ending.lock().unwrap().take());
        }
    }));
    let fetching = {
        let ota = device.ota.clone();
        std::thread::spawn(move || ota.fetch(&mut [0; 3], 3_600_000))
    };
    is_reading.recv().unwrap();
    let began = machine.ms();
    device.ota.destroy();
    assert_eq!(fetching.join().unwrap(), Err(INVALID_STATE));
    assert!(machine.ms() - began <= 500);
    assert_eq!(device.open(), 0);
    assert!(!device.hurries());
}

#[test]
fn destroy_ends_messages_before_or_after_the_client() {
    let device = Device::new();
    device.ota.destroy();
    device.send(&update(MD5));
    assert!(!device.ota.is_fetching());

    let device = Device::new();
    device.client.destroy();
    device.ota.destroy();
    device.send(&update(MD5));
    assert!(!device.ota.is_fetching());
    let upgrade = Arc::downgrade(&device.ota.upgrade);
    drop(device.ota);
    assert!(upgrade.upgrade().is_none(), "the client still holds it");
}

/// Two upgrades, of a gateway and its sub-device or of one device twice, share a client and do not end each other.
#[test]
fn two_upgrades_on_one_client_do_not_end_each_other() {
    let device = Device::new();
    let other = Ota::new("PRODUCTIDX", "device", device.client.clone()).unwrap();
    other.destroy();
    device.send(&update(MD5));
    assert!(device.ota.is_fetching() && !other.is_fetching());
}
