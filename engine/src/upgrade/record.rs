//! What is kept over a restart (docs/upgrade.md section 4): one record in two places, written in turn, of which the one
//! with the right checksum and the higher number holds.

use super::signed::{Refusal, HEADER_LEN};
use crate::services::ota::{FailureCode, OtaError};

/// Bytes of a record.
pub const RECORD_LEN: usize = 512;
const MAGIC: [u8; 4] = *b"IOTU";
const FORMAT: u8 = 1;
const CHECKED_LEN: usize = RECORD_LEN - 4;
/// Bytes of a reason.
const MAX_REASON_LEN: usize = 176;

/// Where an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// No order is followed.
    #[default]
    Idle,
    /// The target slot is being written.
    Fetching,
    /// The target slot holds a verified image; it is being made the next to start.
    Installing,
    /// The target slot is the next to start.
    Installed,
    /// The target slot runs, and has not been confirmed.
    Trial,
    /// The former slot is being made the next to start.
    Returning,
    /// The result is to be told to the cloud.
    Result,
}

const PHASES: [Phase; 7] =
    [Phase::Idle, Phase::Fetching, Phase::Installing, Phase::Installed, Phase::Trial, Phase::Returning, Phase::Result];

/// Why an upgrade failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Cause {
    /// It did not.
    #[default]
    None,
    /// The program does not want it.
    Cancelled,
    /// The download failed for good, in another way than those below.
    Download,
    /// The MD5 is not the announced one.
    Md5,
    /// The store failed.
    Store,
    /// The firmware does not fit into the slot.
    TooLarge,
    /// The slot was never started, or not for long enough to say so.
    NotStarted,
    /// It was started and not confirmed.
    NotConfirmed,
    /// It was started, and the boot loader went back.
    FellBack,
    /// It is not what this device takes.
    Refused(Refusal),
    /// The server does not have it.
    NoSuchFile,
    /// The server does not let the device have it.
    NotAllowed,
    /// The server was silent for too long.
    TimeOut,
}

const CAUSES: [Cause; 22] = [
    Cause::None,
    Cause::Cancelled,
    Cause::Download,
    Cause::Md5,
    Cause::Store,
    Cause::TooLarge,
    Cause::NotStarted,
    Cause::NotConfirmed,
    Cause::FellBack,
    Cause::Refused(Refusal::Unsigned),
    Cause::Refused(Refusal::BadHeader),
    Cause::Refused(Refusal::UnknownKey),
    Cause::Refused(Refusal::BadSignature),
    Cause::Refused(Refusal::OtherProduct),
    Cause::Refused(Refusal::OtherVersion),
    Cause::Refused(Refusal::TooOld),
    Cause::Refused(Refusal::WrongSize),
    Cause::Refused(Refusal::WrongImage),
    Cause::NoSuchFile,
    Cause::NotAllowed,
    Cause::TimeOut,
    Cause::Refused(Refusal::NotChecked),
];

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        Cause::Refused(refusal)
    }
}

impl From<OtaError> for Cause {
    /// What a download's end is.
    fn from(error: OtaError) -> Self {
        match error {
            OtaError::FetchNotExist => Cause::NoSuchFile,
            OtaError::FetchAuthFail => Cause::NotAllowed,
            OtaError::FetchTimeout => Cause::TimeOut,
            _ => Cause::Download,
        }
    }
}

impl Cause {
    /// The number that records and C programs know it by.
    #[must_use]
    pub fn number(self) -> u8 {
        position(&CAUSES, self)
    }

    /// The result code that the cloud knows it by.
    #[must_use]
    pub fn code(self) -> FailureCode {
        match self {
            Cause::NoSuchFile => FailureCode::NotExist,
            Cause::NotAllowed => FailureCode::Auth,
            Cause::TimeOut => FailureCode::Timeout,
            Cause::Md5 => FailureCode::Md5Mismatch,
            _ => FailureCode::Upgrade,
        }
    }

    /// What the cloud is told, where nothing more is known.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Cause::None => "",
            Cause::Cancelled => "the program has cancelled the upgrade",
            Cause::Download => "the download failed",
            Cause::Md5 => "the firmware's MD5 is not the announced one",
            Cause::Store => "the firmware could not be stored",
            Cause::TooLarge => "the firmware does not fit into the slot",
            Cause::NotStarted => "the firmware was installed, but never came up",
            Cause::NotConfirmed => "the firmware did not confirm that it works: the former one runs again",
            Cause::FellBack => "the firmware did not come up: the former one runs again",
            Cause::Refused(refusal) => refusal.text(),
            Cause::NoSuchFile => "the server does not have the firmware",
            Cause::NotAllowed => "the server does not give the firmware to this device",
            Cause::TimeOut => "the download has timed out",
        }
    }
}

/// What an order is known by. Its URL changes each time that the cloud sends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Order {
    /// Version, at most 32 bytes.
    pub version: String,
    /// MD5 of the file.
    pub md5: [u8; 16],
    /// Bytes of the file.
    pub size: u32,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Record {
    /// Where the upgrade stands.
    pub phase: Phase,
    /// The slot that is written or was: 0 or 1.
    pub target: u8,
    /// How often a program was started in this phase.
    pub starts: u8,
    /// Why it failed.
    pub cause: Cause,
    /// What is known of it beyond that, at most 176 bytes.
    pub reason: String,
    /// The order that is followed.
    pub order: Order,
    /// So many bytes of the image are in the target slot, whatever happens.
    pub synced: u32,
    /// The image's header.
    pub header: Option<Box<[u8; HEADER_LEN]>>,
}

/// The place of a variant, which is the number it has outside.
fn position<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|each| *each == one).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// As much of `text` as fits into `len` bytes, in whole characters.
fn within(text: &str, len: usize) -> &str {
    let end = (0..=len.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

impl Record {
    /// How it failed, in words. The same whenever it is asked, also after a restart: the cloud gets one result.
    #[must_use]
    pub fn failure(&self) -> &str {
        if self.reason.is_empty() {
            self.cause.text()
        } else {
            within(&self.reason, MAX_REASON_LEN)
        }
    }

    /// The bytes of this record as number `sequence`.
    #[must_use]
    pub fn encode(&self, sequence: u32) -> [u8; RECORD_LEN] {
        let version = self.order.version.as_bytes();
        let version = &version[..version.len().min(32)];
        let reason = within(&self.reason, MAX_REASON_LEN).as_bytes();
        let mut record = [0; RECORD_LEN];
        put(&mut record, 0, &MAGIC);
        put(&mut record, 4, &[FORMAT, position(&PHASES, self.phase), self.target, self.starts]);
        put(&mut record, 8, &sequence.to_be_bytes());
        put(&mut record, 12, &self.synced.to_be_bytes());
        put(&mut record, 16, &self.order.size.to_be_bytes());
        put(
            &mut record,
            20,
            &[self.cause.number(), u8::from(self.header.is_some()), version.len() as u8, reason.len() as u8],
        );
        put(&mut record, 24, &self.order.md5);
        put(&mut record, 40, version);
        put(&mut record, 72, self.header.as_ref().map_or(&[], |header| header.as_slice()));
        put(&mut record, 72 + HEADER_LEN, reason);
        let checksum = crc32(record.get(..CHECKED_LEN).unwrap_or_default());
        put(&mut record, CHECKED_LEN, &checksum.to_be_bytes());
        record
    }

    /// The record and its number; `None` for what is none, or not whole.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes: &[u8; RECORD_LEN] = bytes.try_into().ok()?;
        let (checked, checksum) = bytes.split_at(CHECKED_LEN);
        if crc32(checked).to_be_bytes() != checksum {
            return None;
        }
        let mut rest = checked;
        let [magic @ .., format, phase, target, starts]: [u8; 8] = take(&mut rest)?;
        let sequence = u32::from_be_bytes(take(&mut rest)?);
        let synced = u32::from_be_bytes(take(&mut rest)?);
        let size = u32::from_be_bytes(take(&mut rest)?);
        let [cause, has_header, version_len, reason_len]: [u8; 4] = take(&mut rest)?;
        let md5 = take(&mut rest)?;
        let version: [u8; 32] = take(&mut rest)?;
        let header: [u8; HEADER_LEN] = take(&mut rest)?;
        let reason: [u8; MAX_REASON_LEN] = take(&mut rest)?;
        if magic != MAGIC || format != FORMAT || target > 1 || has_header > 1 {
            return None;
        }
        let version = std::str::from_utf8(version.get(..usize::from(version_len))?).ok()?;
        let reason = std::str::from_utf8(reason.get(..usize::from(reason_len))?).ok()?;
        let record = Record {
            phase: *PHASES.get(usize::from(phase))?,
            target,
            starts,
            cause: *CAUSES.get(usize::from(cause))?,
            reason: reason.to_owned(),
            order: Order { version: version.to_owned(), md5, size },
            synced,
            header: (has_header == 1).then(|| Box::new(header)),
        };
        Some((record, sequence))
    }

    /// Of the two places the record that holds, its number, and the place it is in. The next one goes into the other.
    #[must_use]
    pub fn newest(places: [&[u8]; 2]) -> Option<(Self, u32, usize)> {
        let [first, second] = places.map(Self::decode);
        match (first, second) {
            // Numbers start over after 2^32 records.
            (Some((_, a)), Some((record, b))) if b.wrapping_sub(a) as i32 > 0 => Some((record, b, 1)),
            (Some((record, number)), _) => Some((record, number, 0)),
            (None, Some((record, number))) => Some((record, number, 1)),
            (None, None) => None,
        }
    }
}

/// Puts `bytes` into their place. Out of line, as each field is put by it.
#[inline(never)]
fn put(record: &mut [u8; RECORD_LEN], at: usize, bytes: &[u8]) {
    for (place, byte) in record.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// CRC-32 as in Ethernet and zip. Without a table: 512 bytes now and then.
fn crc32(data: &[u8]) -> u32 {
    let crc = data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            phase: Phase::Fetching,
            target: 1,
            starts: 3,
            cause: Cause::Md5,
            reason: "MD5 of the firmware is 00".to_owned(),
            order: Order { version: "1.3.0".to_owned(), md5: [7; 16], size: 1 << 20 },
            synced: 262_144,
            header: Some(Box::new([9; HEADER_LEN])),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for phase in PHASES {
            for cause in CAUSES {
                for header in [None, Some(Box::new([1; HEADER_LEN]))] {
                    let record = Record { phase, cause, header, ..record() };
                    assert_eq!(Record::decode(&record.encode(77)), Some((record, 77)));
                }
            }
        }
        let long = Record { order: Order { version: "v".repeat(32), ..Order::default() }, ..record() };
        assert_eq!(Record::decode(&long.encode(0)), Some((long, 0)));
        // 59 characters of 3 bytes do not fit.
        let wordy = Record { reason: "连".repeat(59), ..record() };
        let (kept, _) = Record::decode(&wordy.encode(0)).unwrap();
        assert_eq!((kept.reason.as_str(), kept.failure()), ("连".repeat(58).as_str(), wordy.failure()));
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_is_not_whole_is_no_record() {
        let bytes = record().encode(5);
        for bit in 0..RECORD_LEN * 8 {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&wrong), None, "bit {bit}");
        }
        assert_eq!(Record::decode(&bytes[1..]), None);
        assert_eq!(Record::decode(&[0; RECORD_LEN]), None);
        assert_eq!(Record::decode(&[0xFF; RECORD_LEN]), None);
    }

    #[test]
    fn what_is_whole_but_from_elsewhere_is_no_record() {
        for (at, value) in
            [(0, b'X'), (4, 2), (5, 7), (6, 2), (20, 22), (21, 2), (22, 33), (23, 177), (40, 0xFF), (328, 0xFF)]
        {
            let mut bytes = record().encode(5);
            bytes[at] = value;
            let checksum = crc32(&bytes[..CHECKED_LEN]);
            bytes[CHECKED_LEN..].copy_from_slice(&checksum.to_be_bytes());
            assert_eq!(Record::decode(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn the_newer_of_two_whole_records_holds() {
        let (early, late) = (record(), Record { starts: 4, ..record() });
        let none = [0; RECORD_LEN];
        for (a, b) in [(1, 2), (u32::MAX, 0), (u32::MAX - 3, 5)] {
            let (first, second) = (early.encode(a), late.encode(b));
            assert_eq!(Record::newest([&first, &second]), Some((late.clone(), b, 1)));
            assert_eq!(Record::newest([&second, &first]), Some((late.clone(), b, 0)));
            assert_eq!(Record::newest([&first, &none]), Some((early.clone(), a, 0)));
            assert_eq!(Record::newest([&none, &second]), Some((late.clone(), b, 1)));
        }
        assert_eq!(Record::newest([&none, &none]), None);
    }

    #[test]
    fn every_cause_tells_its_own_story() {
        let texts: std::collections::HashSet<&str> = CAUSES.iter().map(|cause| cause.text()).collect();
        assert_eq!(texts.len(), CAUSES.len());
        let refusals = [
            Refusal::Unsigned,
            Refusal::BadHeader,
            Refusal::UnknownKey,
            Refusal::BadSignature,
            Refusal::OtherProduct,
            Refusal::OtherVersion,
            Refusal::TooOld,
            Refusal::WrongSize,
            Refusal::WrongImage,
            Refusal::NotChecked,
        ];
        for refusal in refusals {
            assert_eq!(Cause::from(refusal).text(), refusal.text());
        }
        let silent = Record { reason: String::new(), ..record() };
        assert_eq!((silent.failure(), record().failure()), (Cause::Md5.text(), "MD5 of the firmware is 00"));
    }

    #[test]
    fn a_download_ends_as_the_cloud_knows_it() {
        let ends = [
            (OtaError::FetchNotExist, Cause::NoSuchFile, FailureCode::NotExist),
            (OtaError::FetchAuthFail, Cause::NotAllowed, FailureCode::Auth),
            (OtaError::FetchTimeout, Cause::TimeOut, FailureCode::Timeout),
            (OtaError::FetchFailed, Cause::Download, FailureCode::Upgrade),
        ];
        for (error, cause, code) in ends {
            assert_eq!((Cause::from(error), cause.code()), (cause, code));
        }
        assert_eq!(Cause::Md5.code(), FailureCode::Md5Mismatch);
    }
}
