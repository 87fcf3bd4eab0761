//! Random schedules of faults against a whole download: session, transfer and checksum, in virtual time.
//!
//! What must hold (behaviour.md section 5): the file is right or the failure is reported, never both, never neither;
//! nothing fails that could have gone on; a lost connection is given up after five retries and a minute, not before; and
//! a cut costs less than one buffer of bytes fetched twice.

use iot_engine::download::{Step, Transfer};
use iot_engine::http::READ_AHEAD;
use iot_engine::services::ota::{Checksum, Failure, Received, Session, State};
use iot_engine::time::Millis;
use proptest::collection::vec;
use proptest::prelude::*;

/// Retries in a row without progress that may end a download.
const ENOUGH: usize = 5;
/// Retries in a row without progress that end one where connections fail at once: the waits take a minute by then.
const MOST: usize = 7;

/// A lost connection is tried again for as long at least.
const MINUTE_MS: u64 = 60_000;

/// What becomes of one connection.
#[derive(Debug, Clone)]
enum Fate {
    /// It is refused.
    Refused,
    /// The attempt to make it never ends.
    Unreachable,
    /// An answer, as much of it as `cut` lets through, and then the end or silence.
    Answered { answer: Answer, cut: Option<usize>, silent: bool },
}

#[derive(Debug, Clone)]
enum Answer {
    /// 206 with what was asked for, or only so many bytes of it.
    Range {
        at_most: Option<usize>,
    },
    /// 200 with the whole file.
    Whole(Framing),
    /// 200 in chunks, of which the second is malformed.
    BadChunk {
        first: usize,
    },
    /// 206 with another place, an earlier one of which is fine, or another size than asked for.
    Wrong {
        shift: i64,
        total: i64,
    },
    /// The file is another one by now. Nobody can tell before the MD5 does.
    Changed {
        tagged: bool,
    },
    Status(u16),
    Busy {
        after_s: u64,
    },
    Redirect,
    Garbage(Vec<u8>),
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length,
    Chunked(usize),
    Close,
}

/// How the device reads.
#[derive(Debug, Clone, Copy)]
struct Habits {
    /// The caller's buffer.
    len: usize,
    /// Most bytes that one read brings.
    chunk: usize,
    /// How long a read waits.
    wait_ms: u64,
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Length), (1..700_usize).prop_map(Framing::Chunked), Just(Framing::Close)]
}

fn answer() -> impl Strategy<Value = Answer> {
    let wrong = (-3..=3_i64, -3..=3_i64).prop_filter("wrong in one way at least", |wrong| *wrong != (0, 0));
    let block = prop_oneof![Just(-1_000_000), -300..0_i64];
    prop_oneof![
        8 => Just(Answer::Range { at_most: None }),
        2 => (1..500_usize).prop_map(|count| Answer::Range { at_most: Some(count) }),
        4 => framing().prop_map(Answer::Whole),
        1 => (0..500_usize).prop_map(|first| Answer::BadChunk { first }),
        1 => wrong.prop_map(|(shift, total)| Answer::Wrong { shift, total }),
        2 => block.prop_map(|shift| Answer::Wrong { shift, total: 0 }),
        1 => any::<bool>().prop_map(|tagged| Answer::Changed { tagged }),
        1 => prop::sample::select(vec![204, 304, 400, 401, 403, 404, 410, 416, 451]).prop_map(Answer::Status),
        2 => prop::sample::select(vec![408, 429, 500, 502, 503, 504]).prop_map(Answer::Status),
        1 => (0..100_u64).prop_map(|after_s| Answer::Busy { after_s }),
        2 => Just(Answer::Redirect),
        1 => vec(any::<u8>(), 0..200).prop_map(Answer::Garbage),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    let cut = prop_oneof![1 => Just(None), 4 => (0..3000_usize).prop_map(Some)];
    prop_oneof![
        1 => Just(Fate::Refused),
        1 => Just(Fate::Unreachable),
        8 => (answer(), cut, any::<bool>()).prop_map(|(answer, cut, silent)| Fate::Answered { answer, cut, silent }),
    ]
}

fn habits() -> impl Strategy<Value = Habits> {
    let len = prop_oneof![1..64_usize, 64..5001_usize, Just(65_536)];
    let chunk = prop_oneof![1..64_usize, 64..5000_usize];
    let wait_ms = prop_oneof![Just(10_u64), Just(500), Just(31_000)];
    (len, chunk, wait_ms).prop_map(|(len, chunk, wait_ms)| Habits { len, chunk, wait_ms })
}

fn image(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8 ^ seed).collect()
}

impl Answer {
    /// The bytes that answer `request`, and where in them the bytes that were asked for begin, if they do.
    fn bytes(&self, file: &[u8], tagged: bool, request: &str) -> (Vec<u8>, Option<usize>) {
        let (_, range) = request.split_once("Range: bytes=").expect("no range");
        let begin: usize = range.split_once('-').unwrap().0.parse().unwrap();
        let size = file.len();
        let tag = if tagged { "ETag: \"first\"\r\n" } else { "" };
        let part = |tag: &str, body: &[u8], shift: i64, total: i64| {
            let first = begin as i64 + shift;
            let (last, total, length) = (first + body.len() as i64 - 1, size as i64 + total, body.len());
            let range = format!("Content-Range: bytes {first}-{last}/{total}\r\nContent-Length: {length}\r\n");
            let head = format!("HTTP/1.1 206 Partial Content\r\n{tag}{range}\r\n");
            ([head.as_bytes(), body].concat(), Some(head.len()))
        };
        let whole = |framing: &str, body: &[u8]| {
            ([format!("HTTP/1.1 200 OK\r\n{tag}{framing}\r\n").as_bytes(), body].concat(), None)
        };
        let chunk = |data: &[u8]| [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        let plain = |text: String| (text.into_bytes(), None);
        match self {
            Answer::Range { at_most } => {
                let end = at_most.map_or(size, |count| (begin + count).min(size));
                part(tag, &file[begin..end], 0, 0)
            }
            Answer::Whole(Framing::Length) => whole(&format!("Content-Length: {size}\r\n"), file),
            Answer::Whole(Framing::Close) => whole("", file),
            Answer::Whole(Framing::Chunked(length)) => {
                let chunks: Vec<u8> = file.chunks(*length).flat_map(chunk).chain(*b"0\r\n\r\n").collect();
                whole("Transfer-Encoding: chunked\r\n", &chunks)
            }
            Answer::BadChunk { first } => {
                let good = &file[..(*first).min(size)];
                let good = if good.is_empty() { Vec::new() } else { chunk(good) };
                whole("Transfer-Encoding: chunked\r\n", &[good.as_slice(), b"zz\r\n"].concat())
            }
            Answer::Wrong { shift, total } => {
                let from = begin.saturating_add_signed(*shift as isize).min(size - 1);
                let (bytes, body) = part(tag, &file[from..], from as i64 - begin as i64, *total);
                // What is there already is skipped.
                (bytes, body.map(|body| body + begin.saturating_sub(from)))
            }
            Answer::Changed { tagged } => {
                let tag = if *tagged { "ETag: \"second\"\r\n" } else { "" };
                part(tag, &image(size, 0x55)[begin..], 0, 0)
            }
            Answer::Status(status) => plain(format!("HTTP/1.1 {status} X\r\nContent-Length: 4\r\n\r\npage")),
            Answer::Busy { after_s } => plain(format!("HTTP/1.1 503 X\r\nRetry-After: {after_s}\r\n\r\n")),
            Answer::Redirect => plain("HTTP/1.1 302 Found\r\nLocation: http://other/f?sign=2\r\n\r\n".to_owned()),
            Answer::Garbage(bytes) => (bytes.clone(), None),
        }
    }

    /// Whether it may end a download by itself.
    fn may_be_fatal(&self) -> bool {
        match self {
            Answer::Range { .. } | Answer::Whole(_) | Answer::BadChunk { .. } | Answer::Busy { .. } => false,
            Answer::Status(status) => !matches!(status, 408 | 429 | 500..=599),
            // More than five in a row are.
            Answer::Redirect => true,
            Answer::Wrong { shift, total } => *shift > 0 || *total != 0,
            Answer::Changed { .. } | Answer::Garbage(_) => true,
        }
    }
}

impl Fate {
    fn may_be_fatal(&self) -> bool {
        matches!(self, Fate::Answered { answer, .. } if answer.may_be_fatal())
    }
}

/// The server's end of a connection.
#[derive(Default)]
struct Connection {
    request: Vec<u8>,
    bytes: Vec<u8>,
    sent: usize,
    /// Where in `bytes` what was asked for begins.
    body_begins: Option<usize>,
}

/// The cloud and the network.
struct World {
    file: Vec<u8>,
    tagged: bool,
    schedule: std::vec::IntoIter<Fate>,
    /// After the schedule: a good server, or none.
    ends_well: bool,
}

impl World {
    fn next_fate(&mut self) -> Fate {
        let good = Fate::Answered { answer: Answer::Range { at_most: None }, cut: None, silent: false };
        self.schedule.next().unwrap_or(if self.ends_well { good } else { Fate::Refused })
    }
}

/// The device, and what its download came to.
struct Device {
    session: Session,
    checksum: Checksum,
    now: Millis,
    got: Vec<u8>,
    reports: Vec<String>,
    failure: Option<Failure>,
    /// Bytes it had when the present connection began.
    had: usize,
    connections: usize,
    /// Retries in a row that brought nothing, and the longest such row.
    barren: usize,
    most_barren: usize,
    /// It was sent another file. The MD5 tells it apart, ETags do not.
    mixed: bool,
    /// When the last byte came, or the download began.
    moved: Millis,
}

impl Device {
    /// A device that was told to fetch `file`, and its transfer.
    fn ordered(file: &[u8], seed: u32) -> (Device, Transfer) {
        let mut checksum = Checksum::default();
        checksum.update(file);
        let (digest, size) = (checksum.hex(), file.len());
        checksum.reset();
        let mut session = Session::default();
        let order = format!(
            r#"{{"type":"update_firmware","url":"http://h/f?sign=1","version":"2","md5sum":"{digest}","file_size":{size}}}"#
        );
        assert!(matches!(session.receive(order.as_bytes()), Received::Update { .. }));
        let plan = session.plan_download(0, size as u32).unwrap();
        session.download_started(&plan);
        let device = Device {
            session,
            checksum,
            now: Millis(1_000_000),
            got: Vec::new(),
            reports: Vec::new(),
            failure: None,
            had: 0,
            connections: 0,
            barren: 0,
            most_barren: 0,
            mixed: false,
            moved: Millis(1_000_000),
        };
        (device, Transfer::new(plan, seed))
    }

    fn take(&mut self, data: &[u8]) {
        self.got.extend(data);
        self.moved = self.now;
        self.checksum.update(data);
        let reports = self.session.fetched(data.len() as u32, self.now);
        self.reports.extend(reports.into_iter().map(|report| report.payload));
    }

    /// An attempt is over.
    fn count_attempt(&mut self) {
        let is_retry = self.connections > 1;
        self.barren = if self.got.len() > self.had { 0 } else { self.barren + usize::from(is_retry) };
        self.most_barren = self.most_barren.max(self.barren);
        self.had = self.got.len();
    }

    fn download(&mut self, transfer: &mut Transfer, world: &mut World, habits: Habits) -> Result<(), TestCaseError> {
        let mut connection = Connection::default();
        let mut fate = Fate::Refused;
        let mut buf = vec![0; habits.len];
        loop {
            let step = transfer.next(self.now);
            match step {
                Step::Connect => {
                    let is_redirected = matches!(&fate, Fate::Answered { answer: Answer::Redirect, .. });
                    if self.connections > 0 && !(is_redirected && transfer.url().host() == "other") {
                        self.check_waste(&connection)?;
                        self.count_attempt();
                    }
                    self.connections += 1;
                    connection = Connection::default();
                    fate = world.next_fate();
                    match &fate {
                        Fate::Refused => transfer.connect_failed(self.now, "refused", false),
                        Fate::Unreachable => transfer.connecting(),
                        Fate::Answered { .. } => transfer.connected(),
                    }
                }
                Step::Await => self.wait(transfer, habits),
                Step::Write => {
                    let count = transfer.outgoing().len().min(habits.chunk);
                    connection.request.extend(&transfer.outgoing()[..count]);
                    transfer.wrote(count);
                    if let (true, Fate::Answered { answer, cut, .. }) = (transfer.outgoing().is_empty(), &fate) {
                        let request = String::from_utf8(connection.request.clone()).unwrap();
                        (connection.bytes, connection.body_begins) = answer.bytes(&world.file, world.tagged, &request);
                        connection.bytes.truncate(cut.unwrap_or(usize::MAX));
                    }
                }
                Step::ReadHead | Step::ReadBody { .. } => {
                    let (left, direct) = match step {
                        Step::ReadBody { left, direct } => (usize::try_from(left).unwrap(), direct),
                        _ => (usize::MAX, false),
                    };
                    let limit = habits.chunk.min(left);
                    let direct = direct && habits.len >= limit;
                    let rest = &connection.bytes[connection.sent..];
                    let data = rest[..rest.len().min(limit)].to_vec();
                    connection.sent += data.len();
                    match (data.is_empty(), &fate) {
                        (true, Fate::Answered { silent: true, .. }) => self.wait(transfer, habits),
                        (true, _) => transfer.closed("closed by the peer"),
                        (false, _) if direct => {
                            transfer.took(data.len());
                            self.take(&data);
                        }
                        (false, _) => {
                            transfer.room(data.len()).copy_from_slice(&data);
                            transfer.received(data.len());
                        }
                    }
                    if let Fate::Answered { answer: Answer::Changed { .. }, .. } = fate {
                        self.mixed = true;
                    }
                }
                Step::Data => {
                    let count = transfer.take(&mut buf);
                    self.take(&buf[..count]);
                }
                Step::Wait(until) => {
                    prop_assert!(until > self.now && until.since(self.now) <= 60_000);
                    self.now = until;
                }
                Step::Finished => return Ok(()),
                Step::Failed(failure) => {
                    self.check_waste(&connection)?;
                    self.count_attempt();
                    let report = self.session.fetch_failed(&failure);
                    self.reports.extend(report.map(|report| report.payload));
                    self.failure = Some(failure);
                    return Ok(());
                }
            }
        }
    }

    fn wait(&mut self, transfer: &mut Transfer, habits: Habits) {
        self.now = self.now + habits.wait_ms;
        transfer.nothing(self.now, habits.wait_ms);
    }

    /// Of a connection that is given up, less than a buffer was read and not handed out.
    fn check_waste(&self, connection: &Connection) -> Result<(), TestCaseError> {
        let read = connection.body_begins.map_or(0, |begins| connection.sent.saturating_sub(begins));
        prop_assert!(read <= self.got.len() - self.had + READ_AHEAD, "{read} bytes read");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12_000) })]

    #[test]
    fn the_file_is_right_or_the_failure_is_reported(
        size in 1..2500_usize,
        schedule in vec(fate(), 0..14),
        ends_well in prop::bool::weighted(0.8),
        tagged in any::<bool>(),
        habits in habits(),
        seed in any::<u32>(),
    ) {
        let file = image(size, 0);
        let mut world = World { file: file.clone(), tagged, schedule: schedule.clone().into_iter(), ends_well };
        let (mut device, mut transfer) = Device::ordered(&file, seed);
        device.download(&mut transfer, &mut world, habits)?;
        prop_assert_eq!(device.session.state(), State::Fetched);
        prop_assert!(device.connections <= schedule.len() + MOST + 1);

        let digest = device.checksum.hex();
        let (matches, mismatch) = device.session.check_firmware(&digest).unwrap();
        if device.failure.is_none() {
            device.reports.extend(mismatch.map(|report| report.payload));
        }
        let failures = device.reports.iter().filter(|report| report.contains("\"fail\"")).count();

        // Never both, never neither.
        let right = device.failure.is_none() && matches;
        prop_assert_eq!(right, device.got == file);
        prop_assert_eq!(failures, usize::from(!right));
        let may_fail = device.most_barren >= ENOUGH || schedule.iter().any(Fate::may_be_fatal);
        prop_assert!(right || may_fail, "failed where it could have gone on: {:?}", device.failure);
        match &device.failure {
            None => {
                prop_assert_eq!(device.got.len(), size);
                prop_assert!(matches || device.mixed, "wrong bytes of the right file");
                prop_assert!(device.reports.iter().any(|report| report.contains("\"percent\":\"100\"")));
            }
            Some(failure) => {
                prop_assert!(device.got.len() < size);
                let lost = ["refused", "lost: ", "nothing came"].iter().any(|words| failure.text.contains(words));
                let patience = device.now.since(device.moved);
                prop_assert!(!lost || patience >= MINUTE_MS, "{} after {patience} ms", failure.text);
                prop_assert!(device.mixed || file.starts_with(&device.got));
                prop_assert!(!failure.text.contains("sign="), "{}", failure.text);
            }
        }
    }
}
