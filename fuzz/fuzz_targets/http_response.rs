//! Any bytes from a web server, in any cuts, over as many connections as the transfer wants.
//!
//! Input: a head of [`HEAD`] bytes (see [`Input`]), then what the server says, one connection after the other,
//! separated by `~~~~`. Time is a number. The same answers in other pieces must lead to the same end.
#![no_main]

use iot_engine::download::{Note, Step, Transfer};
use iot_engine::http::Url;
use iot_engine::services::ota::Plan;
use iot_engine::time::Millis;
use iot_fuzz::Cuts;
use libfuzzer_sys::fuzz_target;

const HEAD: usize = 8;
const SEPARATOR: &[u8] = b"~~~~";
/// Where a caller's buffer ends.
const CANARY: u8 = 0xc5;

struct Input<'a> {
    offset: u32,
    end: u32,
    file_size: u32,
    tls: bool,
    /// The server stays silent at the end of its bytes, instead of closing.
    silent: bool,
    /// How long the caller's buffer is.
    buffer: usize,
    cuts: u8,
    answers: Vec<&'a [u8]>,
}

impl<'a> Input<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let (&[size_low, size_high, offset_low, offset_high, tail, flags, buffer, cuts], rest) =
            data.split_first_chunk::<HEAD>()?;
        let file_size = u32::from(u16::from_le_bytes([size_low, size_high])).max(1);
        let end = file_size.saturating_sub(u32::from(tail)).max(1);
        let offset = u32::from(u16::from_le_bytes([offset_low, offset_high])).min(end);
        Some(Input {
            offset,
            end,
            file_size,
            tls: flags & 1 != 0,
            silent: flags & 2 != 0,
            buffer: 1 + usize::from(buffer) * if flags & 4 != 0 { 257 } else { 1 },
            cuts,
            answers: answers(rest),
        })
    }
}

fn answers(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut answers = Vec::new();
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        answers.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    answers.push(rest);
    answers
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::read(data) else { return };
    let one = Run::new(&input, input.cuts, input.buffer).drive();
    let other = Run::new(&input, input.cuts.wrapping_add(1), 4096).drive();
    // Where the chunked coding breaks, how much of it still counts depends on where the bytes were cut.
    if !one.broken_chunk && !other.broken_chunk {
        assert_eq!(one, other);
    }

    let asked = (input.end - input.offset) as usize;
    match &one.step {
        Step::Finished => assert_eq!(one.got.len(), asked),
        Step::Failed(failure) => assert!(!failure.text.is_empty() && one.got.len() <= asked),
        other => panic!("{other:?} is no end"),
    }
    // An error page is never taken for firmware.
    let says_ok = |answer: &&[u8]| answer.windows(3).any(|window| window == b"200" || window == b"206");
    assert!(one.got.is_empty() || input.answers.iter().any(says_ok));
    assert!(is_in_order(&one.got, &input.answers));
});

/// Whether `got` is what is left of the answers when some of their bytes are taken away.
fn is_in_order(got: &[u8], answers: &[&[u8]]) -> bool {
    let mut source = answers.iter().flat_map(|answer| answer.iter());
    got.iter().all(|byte| source.any(|other| other == byte))
}

/// What a caller gets.
#[derive(Debug, PartialEq)]
struct Outcome {
    step: Step,
    got: Vec<u8>,
    requests: Vec<Vec<u8>>,
    redirects: Vec<String>,
    broken_chunk: bool,
}

/// The caller's side of one download.
struct Run<'a> {
    transfer: Transfer,
    answers: std::slice::Iter<'a, &'a [u8]>,
    /// What the present connection has yet to say.
    coming: &'a [u8],
    silent: bool,
    cuts: Cuts,
    buffer: Vec<u8>,
    now: Millis,
    outcome: Outcome,
    offset: u64,
    end: u64,
}

impl<'a> Run<'a> {
    fn new(input: &'a Input, cuts: u8, buffer: usize) -> Self {
        let url = Url::parse(if input.tls { "https://h:8443/f?sign=x" } else { "http://h/f" }).expect("a URL");
        let plan = Plan { url, offset: input.offset, end: input.end, file_size: input.file_size };
        Run {
            transfer: Transfer::new(plan, 5),
            answers: input.answers.iter(),
            coming: &[],
            silent: input.silent,
            cuts: Cuts::new(cuts),
            buffer: vec![CANARY; buffer + 1],
            now: Millis(1_000_000),
            outcome: Outcome {
                step: Step::Finished,
                got: Vec::new(),
                requests: Vec::new(),
                redirects: Vec::new(),
                broken_chunk: false,
            },
            offset: u64::from(input.offset),
            end: u64::from(input.end),
        }
    }

    fn drive(mut self) -> Outcome {
        let all: usize = self.answers.as_slice().iter().map(|answer| answer.len()).sum();
        // Every byte may come alone, and each connection may end in a long silence.
        let enough = 10_000 + 10 * all + 200 * self.answers.len();
        for _ in 0..enough {
            let step = self.transfer.next(self.now);
            while let Some(note) = self.transfer.take_note() {
                match note {
                    Note::Redirected(text) => self.outcome.redirects.push(text),
                    Note::Interrupted(text) => self.outcome.broken_chunk |= text.starts_with("malformed chunk"),
                    Note::Changed(_) | Note::FetchedTwice(_) => {}
                }
            }
            match step {
                Step::Connect => self.connect(),
                Step::Await => self.transfer.connected(),
                Step::Write => self.write(),
                Step::ReadHead => {
                    let count = self.arriving(4096);
                    self.read(count);
                }
                Step::ReadBody { left, direct } => {
                    assert!(left > 0);
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    if direct {
                        self.read_direct(left);
                    } else {
                        let count = self.arriving(left.min(16 * 1024));
                        self.read(count);
                    }
                }
                Step::Data => self.take(),
                Step::Wait(until) => {
                    assert!(until > self.now);
                    self.now = until;
                }
                end @ (Step::Finished | Step::Failed(_)) => {
                    assert_eq!(self.transfer.next(self.now), end, "the end is not the end");
                    if let Step::Failed(failure) = &end {
                        self.outcome.broken_chunk |= failure.text.starts_with("malformed chunk");
                    }
                    self.outcome.step = end;
                    return self.outcome;
                }
            }
            assert_eq!(self.transfer.position(), self.offset + self.outcome.got.len() as u64);
        }
        panic!("no end");
    }

    fn connect(&mut self) {
        match self.answers.next() {
            Some(answer) => {
                self.coming = answer;
                self.outcome.requests.push(Vec::new());
                self.transfer.connecting();
            }
            None => self.transfer.connect_failed(self.now, "refused", false),
        }
    }

    fn write(&mut self) {
        let outgoing = self.transfer.outgoing();
        assert!(!outgoing.is_empty());
        let count = self.cuts.next(outgoing.len());
        let request = self.outcome.requests.last_mut().expect("connected");
        request.extend_from_slice(&outgoing[..count]);
        self.transfer.wrote(count);
        if self.transfer.outgoing().is_empty() {
            let request = self.outcome.requests.last().expect("connected");
            assert!(request.starts_with(b"GET /") && request.ends_with(b"\r\n\r\n"));
            let ends = request.windows(4).filter(|window| window == b"\r\n\r\n").count();
            assert_eq!(ends, 1, "an answer has put a line of its own into the request");
        }
    }

    /// How many bytes the next read brings; 0 at the end of a connection.
    fn arriving(&mut self, most: usize) -> usize {
        match most.min(self.coming.len()) {
            0 => 0,
            most => self.cuts.next(most),
        }
    }

    fn read(&mut self, count: usize) {
        let (now, later) = self.coming.split_at(count);
        self.coming = later;
        if count == 0 {
            return self.nothing();
        }
        self.transfer.room(count)[..count].copy_from_slice(now);
        self.transfer.received(count);
    }

    fn read_direct(&mut self, left: usize) {
        let count = self.arriving(left.min(self.buffer.len() - 1));
        let (now, later) = self.coming.split_at(count);
        self.coming = later;
        if count == 0 {
            return self.nothing();
        }
        self.transfer.took(count);
        self.outcome.got.extend_from_slice(now);
    }

    fn nothing(&mut self) {
        if self.silent {
            self.now = self.now + 500;
            self.transfer.nothing(self.now, 500);
        } else {
            self.transfer.closed("connection closed by the peer");
        }
    }

    fn take(&mut self) {
        let last = self.buffer.len() - 1;
        let wanted = usize::try_from(self.end - self.transfer.position()).unwrap_or(usize::MAX).min(last);
        let count = self.transfer.take(&mut self.buffer[..last]);
        assert!(count <= wanted);
        assert!(self.buffer[wanted..].iter().all(|byte| *byte == CANARY), "more was written than asked for");
        self.outcome.got.extend_from_slice(&self.buffer[..count]);
        self.buffer.fill(CANARY);
    }
}
