use std::sync::Mutex as StdMutex;

use iot_engine::services::resource::message::{create_upload_task, GET_DOWNLOAD_TASK};
use iot_engine::services::resource::ResultCode;

use super::*;
use crate::drive::error::StartFault;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Grant, Machine};

const UP: &str = "$resource/up/service/PRODUCTIDX/device";
const DOWN: &str = "$resource/down/service/PRODUCTIDX/device";
const MD5: &str = "E8DC4081B13434B45189A720B77B6818";
const OTHER_MD5: &str = "00000000000000000000000000000000";
const FILE: &[u8] = b"abcdefgh";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A device with its client, its resources and the servers they reach.
pub(crate) struct Device {
    machine: Arc<Machine>,
    client: Arc<Client>,
    pub(crate) resource: Arc<Resource>,
}

impl Device {
    fn with_server(responder: impl FnMut(usize, &str) -> Answer + Send + 'static) -> Self {
        let machine = Machine::new(responder);
        let client = machine.client();
        let resource = Arc::new(Resource::new("PRODUCTIDX", "device", client.clone()).unwrap());
        Device { machine, client, resource }
    }

    /// A device whose web server has [`FILE`], and takes any.
    pub(crate) fn new() -> Self {
        Self::with_server(|_, request| match request.starts_with("PUT") {
            true => Answer::new(OK).then_silent(),
            false => Answer::range(FILE, request),
        })
    }

    /// A device whose web server answers so.
    fn answering(answer: &'static str) -> Self {
        Self::with_server(move |_, _| Answer::new(answer).then_silent())
    }

    pub(crate) fn send(&self, payload: &str) {
        self.machine.send(&self.client, DOWN, payload.as_bytes());
    }

    pub(crate) fn give(&self, direction: Direction, md5: &str) {
        let kind = match direction {
            Direction::Download => "download",
            Direction::Upload => "create_upload_task_rsp",
        };
        let size = FILE.len();
        self.send(&format!(
            r#"{{"type":"{kind}","size":{size},"name":"n","md5sum":"{md5}","url":"http://h/f?sign=1"}}"#
        ));
        assert!(self.resource.is_started(direction));
    }

    /// What was published since the last call: QoS and payload.
    fn published(&self) -> Vec<(u8, String)> {
        self.machine.take_published(UP)
    }

    /// Answers every report of an upload with these codes, and then with 0.
    fn answer_uploads_with(&self, codes: &'static [i32]) {
        let codes = StdMutex::new(codes.iter());
        self.machine.mqtt.world().cloud = crate::drive::testing::Cloud::default().answer_with(move |topic, payload| {
            let payload = std::str::from_utf8(payload).unwrap();
            if topic != UP || !payload.contains("report_upload_progress") {
                return None;
            }
            let code = codes.lock().unwrap().next().unwrap_or(&0);
            let text = format!(r#"{{"type":"report_upload_progress_rsp","result_code":{code},"result_msg":"m"}}"#);
            Some((DOWN.to_owned(), text.into_bytes()))
        });
    }

    /// Cuts the MQTT connection and lets the client connect again.
    fn reconnect(&self) {
        self.machine.mqtt.world().closed = true;
        let _ = self.client.yield_for(1);
        for _ in 0..1000 {
            // While a transfer runs, driving waits for nothing.
            self.machine.http.pass(10);
            let _ = self.client.yield_for(1);
        }
        assert!(self.client.is_connected());
    }

    fn is_lost(&self) {
        self.machine.mqtt.world().unreachable = true;
        self.machine.mqtt.world().closed = true;
        let _ = self.client.yield_for(100);
        assert!(!self.client.is_connected());
    }

    /// Whether the client has been told that a transfer runs: it waits for nothing then.
    fn hurries(&self) -> bool {
        let began = self.machine.ms();
        let _ = self.client.yield_for(50);
        self.machine.ms() == began
    }

    fn open(&self) -> usize {
        self.machine.http.open.load(Ordering::Relaxed)
    }

    fn fetch_all(&self) -> Result<Vec<u8>, ResourceError> {
        let mut got: Vec<u8> = Vec::new();
        let mut buf = [0; 3];
        while !self.resource.is_finished(Direction::Download) {
            let count = self.resource.fetch(&mut buf, 1000)?;
            got.extend(&buf[..count]);
        }
        Ok(got)
    }

    fn last_error(&self, direction: Direction) -> ResourceError {
        self.resource.last_error(direction)
    }
}

fn sent(report: Report) -> (u8, String) {
    (u8::from(report.delivery != iot_engine::services::ota::Delivery::AtMostOnce), report.payload)
}

/// Case 26.
#[test]
fn init_ends_at_once_where_it_is_refused() {
    for (grant, error) in [(Grant::Refused, "the server refused it"), (Grant::Silent, "no answer in time")] {
        let machine = Machine::new(|_, _| Answer::new(""));
        let client = machine.client();
        machine.mqtt.world().grants(&[grant]);
        let began = machine.ms();
        let resource = Resource::new("PRODUCTIDX", "device", client).map(drop);
        assert_eq!(resource, Err(format!("{DOWN} not subscribed: {error}")));
        let limit = if grant == Grant::Silent { 2_000..2_100 } else { 0..100 };
        assert!(limit.contains(&(machine.ms() - began)));
    }
    let client = Machine::new(|_, _| Answer::new("")).client();
    assert_eq!(Resource::new("", "d", client).map(drop), Err("product id must have 1 to 10 characters".to_owned()));
}

/// Cases 1 and 2.
#[test]
fn a_whole_download_tells_the_story_of_the_contract() {
    const WAY: Direction = Direction::Download;
    let device = Device::new();
    let resource = &device.resource;
    assert!(resource.ask_download().unwrap() > 0);
    assert_eq!(device.published(), [(1, GET_DOWNLOAD_TASK.to_owned())]);
    assert!(!resource.is_started(WAY));
    device.give(WAY, MD5);
    assert!(!device.hurries());
    resource.start_download(0).unwrap();
    assert!(device.hurries());
    assert_eq!(device.fetch_all().unwrap(), FILE);
    assert!(!device.hurries());
    assert_eq!((resource.count(WAY), device.open()), (8, 0));
    assert_eq!((resource.check(WAY), resource.check(WAY)), (Ok(true), Ok(true)));
    assert!(resource.report_download(None, true).unwrap() > 0);
    let story = [Report::progress(WAY, "n", 0), Report::progress(WAY, "n", 100), Report::done(WAY, "n")];
    assert_eq!(device.published(), story.map(sent));
    assert_eq!(resource.fetch(&mut [0; 1], 0), Err(ResourceError::InvalidState));
}

/// Case 15.
#[test]
fn a_whole_upload_tells_the_story_of_the_contract() {
    const WAY: Direction = Direction::Upload;
    let device = Device::new();
    device.answer_uploads_with(&[]);
    let resource = &device.resource;
    resource.update_md5(WAY, FILE);
    assert_eq!(resource.take_upload_md5(), MD5.to_lowercase());
    assert_eq!(resource.take_upload_md5(), "d41d8cd98f00b204e9800998ecf8427e");
    assert!(resource.ask_upload("n", 8, MD5).unwrap() > 0);
    assert_eq!(device.published(), [(1, create_upload_task("n", 8, MD5))]);
    device.give(WAY, MD5);
    resource.start_upload().unwrap();
    assert!(device.hurries());
    assert_eq!(resource.send(&FILE[..5], 5000), Ok(5));
    assert_eq!((resource.count(WAY), resource.is_finished(WAY)), (5, false));
    assert_eq!(resource.upload_answer(), Err(ResourceError::InvalidState));
    assert_eq!(resource.send(&FILE[5..], 5000), Ok(0));
    assert_eq!((resource.count(WAY), resource.is_finished(WAY), device.open()), (8, true, 0));
    assert_eq!(resource.upload_answer(), Ok(()));
    assert!(!device.hurries());
    assert_eq!(resource.check(WAY), Ok(true));
    assert_eq!(resource.report_upload(None, true), Ok(0));
    let story = [Report::progress(WAY, "n", 0), Report::progress(WAY, "n", 100), Report::done(WAY, "n")];
    assert_eq!(device.published(), story.map(sent));
}

/// Case 4.
#[test]
fn a_download_goes_on_from_what_is_there() {
    const WAY: Direction = Direction::Download;
    let device = Device::new();
    device.give(WAY, MD5);
    device.resource.reset_md5(WAY);
    device.resource.update_md5(WAY, &FILE[..5]);
    device.resource.start_download(5).unwrap();
    assert_eq!(device.fetch_all().unwrap(), &FILE[5..]);
    assert_eq!(device.resource.check(WAY), Ok(true));
    assert_eq!(device.published(), [sent(Report::progress(WAY, "n", 100))]);
    device.resource.report_download(None, true).unwrap();

    device.give(WAY, MD5);
    device.resource.start_download(8).unwrap();
    assert_eq!(device.fetch_all().unwrap(), b"");
    device.resource.report_download(None, true).unwrap();

    device.give(WAY, MD5);
    assert_eq!(device.resource.start_download(9), Err(Error::Resource(ResourceError::InvalidParam)));
}

/// Cases 5, 11 and 16.
#[test]
fn a_refused_transfer_is_told_to_the_cloud() {
    for direction in [Direction::Download, Direction::Upload] {
        for (answer, error, code) in [
            ("HTTP/1.1 403 F\r\n\r\n", ResourceError::FetchAuthFail, Some(ResultCode::SignInvalid)),
            ("HTTP/1.1 404 N\r\n\r\n", ResourceError::FetchNotExist, Some(ResultCode::NotExist)),
            ("HTTP/1.1 400 B\r\n\r\n", ResourceError::FetchFailed, None),
        ] {
            let device = Device::answering(answer);
            device.give(direction, MD5);
            let result = match direction {
                Direction::Download => {
                    device.resource.start_download(0).unwrap();
                    device.fetch_all().map(|_| 0)
                }
                Direction::Upload => {
                    device.resource.start_upload().unwrap();
                    device.resource.send(FILE, 1000)
                }
            };
            assert_eq!((result, device.last_error(direction)), (Err(error), error));
            assert_eq!((device.open(), device.hurries()), (0, false));
            assert_eq!(device.resource.is_finished(direction), code.is_none());
            let failed = code.map(|code| sent(Report::failed_by_itself(direction, "n", code)));
            assert_eq!(device.published().pop().filter(|(qos, _)| *qos == 1), failed);
            if direction == Direction::Download {
                device.resource.report_download(Some("n"), false).unwrap();
                let code = code.unwrap_or(ResultCode::Timeout);
                assert_eq!(device.published(), [sent(Report::failed(direction, "n", code))]);
            } else {
                assert_eq!(device.resource.upload_answer(), Err(error));
            }
        }
        let device = Device::new();
        device.give(direction, OTHER_MD5);
        match direction {
            Direction::Download => {
                device.resource.start_download(0).unwrap();
                device.fetch_all().unwrap();
            }
            Direction::Upload => {
                device.resource.start_upload().unwrap();
                device.resource.send(FILE, 1000).unwrap();
            }
        }
        assert_eq!(device.resource.check(direction), Ok(false));
        let failed = Report::failed_by_itself(direction, "n", ResultCode::Md5Mismatch);
        assert_eq!(device.published().pop(), Some(sent(failed)));
        assert_eq!(device.resource.check(direction), Err(ResourceError::InvalidState));
    }
}

/// Case 25.
#[test]
fn what_can_not_be_started_waits_for_a_report() {
    for direction in [Direction::Download, Direction::Upload] {
        let start = |device: &Device| match direction {
            Direction::Download => device.resource.start_download(0),
            Direction::Upload => device.resource.start_upload(),
        };
        let device = Device::new();
        assert_eq!(start(&device), Err(Error::Resource(ResourceError::InvalidState)));
        device.give(direction, MD5);
        device.machine.http.refuse.store(true, Ordering::Relaxed);
        device.machine.http.lasting.store(true, Ordering::Relaxed);
        assert!(matches!(start(&device), Err(Error::Start(StartFault::Unreachable(_)))));
        assert_eq!(device.last_error(direction), ResourceError::FetchFailed);
        assert_eq!(start(&device), Err(Error::Resource(ResourceError::InvalidState)));
        assert!(device.resource.task(direction).is_ok() && !device.hurries());
        device.resource.destroy();

        let device = Device::new();
        device.give(direction, MD5);
        start(&device).unwrap();
        start(&device).unwrap();
        assert_eq!(device.open(), 1, "the earlier one is closed");
        device.resource.destroy();
        assert_eq!((device.open(), device.hurries()), (0, false));
    }
}

/// Case 18.
#[test]
fn the_clouds_answer_to_an_upload_comes_back() {
    for (codes, answer) in [(&[0][..], 0), (&[7], 7), (&[-1], -1)] {
        let device = Device::new();
        device.answer_uploads_with(codes);
        assert_eq!(device.resource.report_upload(Some("n"), true), Ok(answer));
    }
    let device = Device::new();
    let began = device.machine.ms();
    assert_eq!(device.resource.report_upload(Some("n"), true), Err(Unreported::NoAnswer));
    assert!((5_000..5_100).contains(&(device.machine.ms() - began)));
    assert_eq!(device.resource.report_upload(None, true), Err(Unreported::NoName));
    device.is_lost();
    assert!(matches!(device.resource.report_upload(Some("n"), true), Err(Unreported::NotSent(_))));
    assert!(matches!(device.resource.report_download(Some("n"), true), Err(Unreported::NotSent(_))));
    assert!(device.resource.ask_download().is_err());
    assert_eq!(device.last_error(Direction::Download), ResourceError::NotPublished);
}

/// Case 13.
#[test]
fn an_error_of_the_cloud_stops_a_download_until_the_program_looks() {
    const WAY: Direction = Direction::Download;
    let device = Device::new();
    device.give(WAY, MD5);
    device.resource.start_download(0).unwrap();
    device.send(r#"{"type":"report_download_progress_rsp","result_code":5,"result_msg":"no"}"#);
    assert_eq!(device.resource.fetch(&mut [0; 3], 1000), Err(ResourceError::InvalidState));
    assert!(device.resource.is_started(WAY));
    assert_eq!(device.fetch_all().unwrap(), FILE);
}

/// Case 14.
#[test]
fn a_lost_link_does_not_stop_a_download() {
    const WAY: Direction = Direction::Download;
    let device = Device::new();
    device.give(WAY, MD5);
    device.resource.start_download(0).unwrap();
    assert!(device.resource.fetch(&mut [0; 3], 1000).unwrap() > 0);
    device.reconnect();
    device.published();
    device.fetch_all().unwrap();
    assert_eq!(device.resource.check(WAY), Ok(true));
    assert!(device.resource.report_download(None, true).is_ok());
    let story = [Report::progress(WAY, "n", 75), Report::progress(WAY, "n", 100), Report::done(WAY, "n")];
    assert_eq!(device.published(), story.map(sent));
}

#[test]
fn what_was_lost_with_the_link_is_asked_again() {
    let device = Device::new();
    device.resource.ask_download().unwrap();
    device.resource.ask_upload("n", 8, MD5).unwrap();
    let asked = device.published();
    let _ = device.client.yield_for(1);
    device.reconnect();
    assert_eq!(device.published(), asked);
}

#[test]
fn a_task_that_can_not_be_followed_is_reported() {
    let device = Device::new();
    device.send(r#"{"type":"download","size":0,"name":"n","md5sum":"x","url":"http://h/"}"#);
    let failed = Report::failed_by_itself(Direction::Download, "n", ResultCode::Timeout);
    assert_eq!(device.published(), [sent(failed)]);
    assert!(!device.resource.is_started(Direction::Download));
}

/// Case 27.
#[test]
fn a_hundred_transfers_leave_no_connection() {
    let device = Device::new();
    device.answer_uploads_with(&[]);
    for _ in 0..50 {
        device.give(Direction::Download, MD5);
        device.resource.start_download(0).unwrap();
        device.fetch_all().unwrap();
        device.resource.report_download(None, true).unwrap();
        device.give(Direction::Upload, MD5);
        device.resource.start_upload().unwrap();
        assert_eq!(device.resource.send(FILE, 1000), Ok(0));
        assert_eq!(device.resource.report_upload(None, true), Ok(0));
        assert_eq!((device.open(), device.hurries()), (0, false));
    }
}

/// A report ends a fetch that runs on another thread.
#[test]
fn reporting_ends_a_download() {
    let device = Device::with_server(|_, _| Answer::new("").then_silent());
    device.give(Direction::Download, MD5);
    device.resource.start_download(0).unwrap();
    let before = device.resource.download.epoch();
    let (resource, reporting) = (device.resource.clone(), Arc::new(StdMutex::new(None)));
    let begun = reporting.clone();
    *device.machine.http.on_read.lock().unwrap() = Some(Box::new(move || {
        let other = resource.clone();
        let mut begun = begun.lock().unwrap();
        begun.get_or_insert_with(|| std::thread::spawn(move || other.report_download(Some("n"), false)));
        // It waits for the fetch, having told it to stop.
        while resource.download.epoch() == before {
            std::thread::yield_now();
        }
    }));
    assert_eq!(device.resource.fetch(&mut [0; 3], 60_000), Err(ResourceError::InvalidState));
    let reported = reporting.lock().unwrap().take().unwrap().join().unwrap();
    assert!(reported.is_ok());
    assert_eq!(device.open(), 0);
}

/// Case 28: whoever is inside when the service is closed comes out.
#[test]
fn closing_ends_the_calls_that_run() {
    let device = Device::with_server(|_, _| Answer::new("").then_silent());
    device.give(Direction::Download, MD5);
    device.resource.start_download(0).unwrap();
    let resource = device.resource.clone();
    *device.machine.http.on_read.lock().unwrap() = Some(Box::new(move || {
        let mut session = resource.session().lock();
        resource.download.end(&mut session);
        resource.upload.end(&mut session);
    }));
    assert_eq!(device.resource.fetch(&mut [0; 3], 60_000), Err(ResourceError::InvalidState));
    device.give(Direction::Upload, MD5);
    device.resource.start_upload().unwrap();
    assert_eq!(device.resource.send(FILE, 60_000), Err(ResourceError::InvalidState));
    *device.machine.http.on_read.lock().unwrap() = None;
    device.resource.is_closed.store(true, Ordering::Relaxed);
    assert_eq!(device.resource.report_upload(Some("n"), true), Err(Unreported::Closed));
}
