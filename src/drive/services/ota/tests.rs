use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicUsize};
use std::sync::{mpsc, Mutex as StdMutex, OnceLock, Weak};

use iot_engine::mqtt::Refusal;
use iot_engine::services::ota::FailureCode;

use super::*;
use crate::drive::download::simulation::{Answer, Traits, World};
use crate::drive::error::StartFault;

const UPDATE_TOPIC: &str = "$ota/update/PRODUCT/dev";
const REPORT_TOPIC: &str = "$ota/report/PRODUCT/dev";
const INVALID_STATE: Error = Error::Ota(OtaError::InvalidState);
const MD5: &str = "E8DC4081B13434B45189A720B77B6818";
const FIRMWARE: &[u8] = b"abcdefgh";

/// What the broker does with the subscription.
#[derive(Clone, Copy, PartialEq)]
enum Grant {
    After(usize),
    Refused,
    Never,
}

/// An MQTT client that writes down what it is asked for.
struct Broker {
    world: Arc<World>,
    grant: Grant,
    drives: AtomicUsize,
    inbox: StdMutex<Option<Arc<Inbox>>>,
    published: StdMutex<VecDeque<(Delivery, String)>>,
    downloads: AtomicI32,
    /// What every call returns instead of working is an error.
    down: AtomicBool,
    on_publish: OnceLock<Box<dyn Fn() + Send + Sync>>,
    on_unsubscribe: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Broker {
    fn new(world: &Arc<World>, grant: Grant) -> Arc<Self> {
        Arc::new(Broker {
            world: world.clone(),
            grant,
            drives: AtomicUsize::new(0),
            inbox: StdMutex::default(),
            published: StdMutex::default(),
            downloads: AtomicI32::new(0),
            down: AtomicBool::new(false),
            on_publish: OnceLock::new(),
            on_unsubscribe: OnceLock::new(),
        })
    }

    fn check(&self) -> Result<(), Error> {
        match self.down.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Error::NotConnected),
        }
    }

    fn reports(&self) -> Vec<(Delivery, String)> {
        self.published.lock().unwrap().drain(..).collect()
    }

    fn downloads(&self) -> i32 {
        self.downloads.load(Ordering::Relaxed)
    }

    /// Delivers a message as the client does, if somebody is subscribed.
    fn send(self: &Arc<Self>, payload: &str) {
        let inbox = self.inbox.lock().unwrap().clone();
        if let Some(inbox) = inbox {
            inbox.message(self, payload.as_bytes());
        }
    }
}

impl Link for Arc<Broker> {
    fn publish(&self, topic: &str, delivery: Delivery, payload: &[u8]) -> Result<u16, Error> {
        assert_eq!(topic, REPORT_TOPIC);
        self.check()?;
        self.published.lock().unwrap().push_back((delivery, String::from_utf8(payload.to_vec()).unwrap()));
        if let Some(hook) = self.on_publish.get() {
            hook();
        }
        Ok(7)
    }

    fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error> {
        assert_eq!(filter, UPDATE_TOPIC);
        self.check()?;
        if self.grant == Grant::Refused {
            inbox.refused.store(true, Ordering::Relaxed);
        }
        *self.inbox.lock().unwrap() = Some(inbox);
        Ok(1)
    }

    fn unsubscribe(&self, filter: &str) -> Result<u16, Error> {
        assert_eq!(filter, UPDATE_TOPIC);
        if let Some(hook) = self.on_unsubscribe.get() {
            hook();
        }
        self.check()?;
        self.inbox.lock().unwrap().take().map(|_| 2).ok_or(Error::Request(Refusal::UnknownTopic))
    }

    fn is_subscribed(&self, _filter: &str) -> bool {
        matches!(self.grant, Grant::After(drives) if self.drives.load(Ordering::Relaxed) >= drives)
    }

    fn drive(&self, ms: u32) -> Result<Driven, Error> {
        self.world.pass(ms.into());
        self.drives.fetch_add(1, Ordering::Relaxed);
        Ok(Driven::Done)
    }

    fn set_download_running(&self, running: bool) {
        self.downloads.fetch_add(if running { 1 } else { -1 }, Ordering::Relaxed);
    }
}

fn open(broker: &Arc<Broker>) -> Result<Arc<Ota>, String> {
    Ota::over("PRODUCT", "dev", Box::new(broker.clone()), broker.world.platform()).map(Arc::new)
}

fn update(md5: &str) -> String {
    let size = FIRMWARE.len();
    format!(
        r#"{{"type":"update_firmware","url":"http://h/f?s=1","version":"1.3.0","md5sum":"{md5}","file_size":{size}}}"#
    )
}

/// A device that has its update command, and a server for [`FIRMWARE`].
fn fetching(md5: &str) -> (Arc<World>, Arc<Broker>, Arc<Ota>) {
    let world = World::new(Traits::default(), |_, request| Answer::range(FIRMWARE, request));
    let broker = Broker::new(&world, Grant::After(0));
    let ota = open(&broker).unwrap();
    broker.send(&update(md5));
    assert!(ota.is_fetching());
    (world, broker, ota)
}

/// An upgrade that waits for its download, for the tests of the C surface.
pub(crate) fn fetching_ota() -> Arc<Ota> {
    fetching(MD5).2
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

fn progress(percent: u8) -> (Delivery, String) {
    (Delivery::AtMostOnce, Report::downloading("1.3.0", percent).payload)
}

#[test]
fn init_waits_for_the_suback() {
    for (grant, waited) in [(Grant::After(0), 0), (Grant::After(5), 100)] {
        let world = World::new(Traits::default(), |_, _| Answer::new(""));
        let began = world.ms();
        assert!(open(&Broker::new(&world, grant)).is_ok());
        assert_eq!(world.ms() - began, waited);
    }
}

#[test]
fn init_fails_where_the_subscription_is_refused_or_late() {
    for (grant, limit) in [(Grant::Refused, 0), (Grant::Never, 2000)] {
        let world = World::new(Traits::default(), |_, _| Answer::new(""));
        let began = world.ms();
        let broker = Broker::new(&world, grant);
        let error = open(&broker).map(drop).unwrap_err();
        assert!(error.contains(UPDATE_TOPIC), "{error}");
        assert_eq!(world.ms() - began, limit);
        assert!(broker.inbox.lock().unwrap().is_none(), "the subscription was left");
    }
    let world = World::new(Traits::default(), |_, _| Answer::new(""));
    let broker = Broker::new(&world, Grant::After(0));
    broker.down.store(true, Ordering::Relaxed);
    assert!(open(&broker).map(drop).unwrap_err().contains("not connected"));
    assert!(Ota::over("", "dev", Box::new(broker.clone()), world.platform()).is_err());
}

#[test]
fn a_whole_upgrade_tells_the_story_of_the_wire_contract() {
    let (world, broker, ota) = fetching(MD5);
    assert_eq!(ota.report_version("1.0.0"), Ok(7));
    broker.send(r#"{"type":"report_version_rsp","result_code":0}"#);
    broker.send(&update(MD5));
    broker.send(&update(MD5));
    assert_eq!((ota.file_size(), ota.fetched_size()), (Ok(8), Ok(0)));
    assert_eq!(ota.start_download(0, 8), Ok(()));
    assert_eq!(broker.downloads(), 1);
    assert_eq!(fetch_all(&ota).unwrap(), FIRMWARE);
    assert_eq!((broker.downloads(), world.open.load(Ordering::Relaxed)), (0, 0));
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.fetched_size(), Ok(8));
    assert_eq!((ota.check_firmware(), ota.check_firmware()), (Ok(true), Ok(true)));
    assert_eq!(ota.report_upgrade_begin(), Ok(7));
    assert_eq!(ota.report_upgrade_success(None), Ok(7));
    assert_eq!((ota.is_fetching(), ota.is_fetch_finished()), (false, false));
    let message = |report: Report| (report.delivery, report.payload);
    let expected = [
        message(Report::version("1.0.0")),
        progress(0),
        progress(100),
        message(Report::upgrade_begin("1.3.0")),
        message(Report::upgrade_done("1.3.0")),
    ];
    assert_eq!(broker.reports(), expected);
    assert_eq!(ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
}

#[test]
fn a_wrong_md5_is_told_and_reported_once() {
    let (_, broker, ota) = fetching("00000000000000000000000000000000");
    ota.start_download(0, 8).unwrap();
    assert_eq!(ota.check_firmware(), Err(OtaError::InvalidState));
    assert!(fetch_all(&ota).is_ok());
    let _ = broker.reports();
    assert_eq!((ota.check_firmware(), ota.check_firmware()), (Ok(false), Ok(false)));
    let reports = broker.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].1.contains(r#""result_code":"-4""#), "{reports:?}");
}

#[test]
fn a_resumed_download_begins_where_it_stopped() {
    let (world, broker, ota) = fetching(MD5);
    ota.start_download(0, 8).unwrap();
    let mut buf = [0; 3];
    assert_eq!(ota.fetch(&mut buf, 1000), Ok(3));
    ota.reset_md5();
    ota.update_md5(&FIRMWARE[..5]);
    ota.start_download(5, 8).unwrap();
    assert_eq!((broker.downloads(), world.open.load(Ordering::Relaxed)), (1, 1));
    assert_eq!(ota.fetched_size(), Ok(5));
    assert_eq!(fetch_all(&ota).unwrap(), &FIRMWARE[5..]);
    assert_eq!(ota.check_firmware(), Ok(true));
    assert!(world.requests.lock().unwrap()[1].contains("range: bytes=5-7\r\n"));

    let (world, _, ota) = fetching(MD5);
    ota.update_md5(FIRMWARE);
    ota.start_download(8, 8).unwrap();
    assert!(ota.is_fetching());
    assert_eq!(ota.fetch(&mut buf, 1000), Ok(0));
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.check_firmware(), Ok(true));
    assert!(world.attempts.lock().unwrap().is_empty());
}

#[test]
fn offset_0_starts_the_md5_over() {
    let (_, _, ota) = fetching(MD5);
    ota.update_md5(b"something else");
    ota.start_download(0, 8).unwrap();
    assert!(fetch_all(&ota).is_ok());
    assert_eq!(ota.check_firmware(), Ok(true));
}

#[test]
fn a_failed_download_is_reported_once() {
    let world = World::new(Traits::default(), |_, _| Answer::new("HTTP/1.1 404 Not Found\r\n\r\n"));
    let broker = Broker::new(&world, Grant::After(0));
    let ota = open(&broker).unwrap();
    broker.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    assert_eq!(fetch_all(&ota), Err(Error::Ota(OtaError::FetchNotExist)));
    assert!(ota.is_fetch_finished());
    assert_eq!(ota.last_error(), OtaError::FetchNotExist);
    assert_eq!(broker.downloads(), 0);
    let report = Report::failure("1.3.0", FailureCode::NotExist, "the server answered 404");
    assert_eq!(broker.reports(), [(Delivery::Kept, report.payload)]);
    assert_eq!(ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
    assert_eq!(broker.reports(), []);
}

#[test]
fn an_unreachable_server_disconnects_until_the_next_version_report() {
    let (world, broker, ota) = fetching(MD5);
    world.refuse.store(true, Ordering::Relaxed);
    assert!(matches!(ota.start_download(0, 8), Err(Error::Start(StartFault::Unreachable(_)))));
    assert_eq!((ota.is_fetching(), ota.is_fetch_finished()), (false, false));
    assert_eq!((broker.downloads(), ota.file_size()), (0, Ok(8)));
    assert_eq!(ota.start_download(0, 8), Err(INVALID_STATE));
    world.refuse.store(false, Ordering::Relaxed);
    ota.report_version("1.0.0").unwrap();
    broker.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    assert_eq!(fetch_all(&ota).unwrap(), FIRMWARE);
}

#[test]
fn bad_ranges_and_wrong_moments_are_told() {
    let (_, _, ota) = fetching(MD5);
    assert_eq!(ota.fetch(&mut [0; 3], 0), Err(INVALID_STATE));
    assert!(ota.is_fetching());
    assert_eq!(ota.start_download(9, 8), Err(Error::Ota(OtaError::InvalidParam)));
    assert_eq!(ota.last_error(), OtaError::InvalidParam);
    assert_eq!(ota.report_version(""), Err(Error::BadVersion));
    assert_eq!(ota.last_error(), OtaError::InvalidParam);
    assert!(ota.is_fetching());
    ota.report_version("1").unwrap();
    assert_eq!(ota.start_download(0, 8), Err(INVALID_STATE));
    assert_eq!(ota.report_upgrade_begin(), Err(INVALID_STATE));
    assert_eq!(ota.fetched_size(), Err(OtaError::InvalidState));
}

#[test]
fn a_bad_command_is_reported() {
    let world = World::new(Traits::default(), |_, _| Answer::new(""));
    let broker = Broker::new(&world, Grant::After(0));
    let ota = open(&broker).unwrap();
    broker.send(r#"{"type":"update_firmware","version":"2"}"#);
    broker.send("{");
    assert!(!ota.is_fetching());
    let report = Report::failure("2", FailureCode::Upgrade, "url is missing");
    assert_eq!(broker.reports(), [(Delivery::Kept, report.payload)]);
}

#[test]
fn a_report_that_can_not_go_out_is_the_callers_business() {
    let (_, broker, ota) = fetching(MD5);
    broker.down.store(true, Ordering::Relaxed);
    assert_eq!(ota.report_upgrade_fail(None), Err(Error::NotConnected));
    assert_eq!(ota.last_error(), OtaError::SignalChannel);
    broker.down.store(false, Ordering::Relaxed);
    assert_eq!(ota.report_upgrade_fail(None), Ok(7));
    broker.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    // Progress that is lost does not hurt the download.
    broker.down.store(true, Ordering::Relaxed);
    assert_eq!(fetch_all(&ota).unwrap(), FIRMWARE);
}

#[test]
fn reporting_a_version_ends_a_download() {
    let (world, broker, ota) = fetching(MD5);
    ota.start_download(0, 8).unwrap();
    assert_eq!(world.open.load(Ordering::Relaxed), 1);
    ota.report_version("1").unwrap();
    assert_eq!((world.open.load(Ordering::Relaxed), broker.downloads()), (0, 0));
}

#[test]
fn a_callback_inside_a_publish_may_call_everything() {
    let (_, broker, ota) = fetching(MD5);
    let weak: Weak<Ota> = Arc::downgrade(&ota);
    let depth = AtomicUsize::new(0);
    let hook = move || {
        if depth.fetch_add(1, Ordering::Relaxed) == 0 {
            if let Some(ota) = weak.upgrade() {
                let _ = ota.fetch(&mut [0; 1], 1000);
                let _ = ota.check_firmware();
                ota.update_md5(b"");
                assert_eq!(ota.report_version("1"), Ok(7));
            }
        }
    };
    assert!(broker.on_publish.set(Box::new(hook)).is_ok());
    ota.start_download(0, 8).unwrap();
    // The progress report of this fetch ends in the callback.
    assert_eq!(ota.fetch(&mut [0; 3], 1000), Ok(3));
    assert!(!ota.is_fetching());
}

#[test]
fn destroy_ends_a_fetch_on_another_thread() {
    let world = World::new(Traits::default(), |_, _| Answer::new("").then_silent());
    let broker = Broker::new(&world, Grant::After(0));
    let ota = open(&broker).unwrap();
    broker.send(&update(MD5));
    ota.start_download(0, 8).unwrap();
    let (reading, is_reading) = mpsc::channel();
    let (ending, is_ending) = mpsc::channel::<()>();
    let (reading, is_ending) = (StdMutex::new(reading), StdMutex::new(is_ending));
    // The first read waits until the other thread is destroying.
    *world.on_read.lock().unwrap() = Some(Box::new(move || {
        let _ = reading.lock().unwrap().send(());
        let _ = is_ending.lock().unwrap().recv();
    }));
    let ending = StdMutex::new(Some(ending));
    assert!(broker.on_unsubscribe.set(Box::new(move || drop(ending.lock().unwrap().take()))).is_ok());
    let fetching = {
        let ota = ota.clone();
        std::thread::spawn(move || ota.fetch(&mut [0; 3], 3_600_000))
    };
    is_reading.recv().unwrap();
    let began = world.ms();
    ota.destroy();
    assert_eq!(fetching.join().unwrap(), Err(INVALID_STATE));
    assert!(world.ms() - began <= 500);
    assert_eq!((world.open.load(Ordering::Relaxed), broker.downloads()), (0, 0));
}

#[test]
fn destroy_works_without_a_client_and_ends_messages() {
    let (_, broker, ota) = fetching(MD5);
    ota.report_version("1").unwrap();
    broker.down.store(true, Ordering::Relaxed);
    ota.destroy();
    // The client could not unsubscribe; what still arrives is not for anybody.
    broker.send(&update(MD5));
    assert!(!ota.is_fetching());
    assert_eq!(Arc::strong_count(&ota.inbox), 2);
    drop(broker);
}
