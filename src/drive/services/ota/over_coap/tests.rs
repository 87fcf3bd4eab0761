use iot_engine::coap::packet::{Kind, Packet, Request, MAX_SEND};
use iot_engine::coap::Event;
use iot_engine::services::ota::{FailureCode, OtaError};

use super::*;
use crate::drive::coap::tests::{acknowledge, answer, Cloud, Heard};
use crate::drive::services::ota::Ota;
use crate::drive::testing::web_server::{self, Answer as WebAnswer, Traits};
use crate::hal::TransportError;

const TOPIC: &str = "$ota/report/PRODUCTIDX/device";
const FIRMWARE: &[u8] = b"abcdefgh";
const MD5: &str = "e8dc4081b13434b45189a720b77b6818";
const CONTENT: u8 = 0x45;
/// The kinds of messages, with the version of the protocol.
const ACK: u8 = 0x60;
const CON: u8 = 0x40;
const NON: u8 = 0x50;
/// This cloud's empty acknowledgement.
const VALID: u8 = 0x43;

fn update() -> String {
    format!(
        r#"{{"file_size":{},"md5sum":"{MD5}","type":"update_firmware","url":"http://h/f?s=1","version":"1.3.0"}}"#,
        FIRMWARE.len()
    )
}

struct Device {
    cloud: Cloud,
    client: Arc<Client>,
    /// What the client's event handler has heard.
    heard: Heard,
    web: Arc<web_server::World>,
    ota: Arc<Ota>,
}

/// A device whose messages are answered by `respond`, and whose web server has [`FIRMWARE`].
fn device(respond: impl FnMut(&Packet<'_>) -> Vec<Vec<u8>> + Send + 'static) -> Device {
    let web = web_server::World::new(Traits::default(), |_, request| WebAnswer::range(FIRMWARE, request));
    let cloud = Cloud::new(respond).beside(&web);
    let heard = Heard::default();
    let client = cloud.connect(Some(Box::new(heard.clone()))).unwrap();
    cloud.take_sent();
    let ota = Arc::new(Ota::over_coap("PRODUCTIDX", "device", client.clone()).unwrap());
    assert!(cloud.take_sent().is_empty(), "nothing is sent before the first report");
    Device { cloud, client, heard, web, ota }
}

/// A device whose version report is answered by `respond`; all else is acknowledged.
fn reporting(mut respond: impl FnMut(&Packet<'_>) -> Vec<Vec<u8>> + Send + 'static) -> Device {
    let device = device(move |packet| match packet.payload.starts_with(br#"{"type": "report_version""#) {
        true => respond(packet),
        false => vec![acknowledge(packet, b"")],
    });
    assert!(device.ota.report_version("1.0.0").unwrap() > 0);
    device
}

/// A device that has its update command.
fn fetching() -> Device {
    let device = reporting(|packet| vec![acknowledge(packet, update().as_bytes())]);
    device.run();
    assert!(device.ota.is_fetching());
    device.cloud.take_sent();
    device
}

impl Device {
    /// Handles what is there.
    fn run(&self) {
        for _ in 0..4 {
            assert_eq!(self.client.yield_for(1), Ok(()));
        }
    }

    fn state(&self) -> (bool, bool, OtaError) {
        (self.ota.is_fetching(), self.ota.is_fetch_finished(), self.ota.last_error())
    }

    /// The reports since the last call, which were sent with `needs_answer`: their payloads.
    fn reports(&self, needs_answer: bool) -> Vec<String> {
        let told = |datagram: &Vec<u8>| {
            let packet = Packet::parse(datagram).unwrap();
            let token = packet.token.try_into().unwrap();
            let request = Request {
                id: packet.id,
                token,
                path: TOPIC,
                auth_token: Some(b"TOKEN"),
                needs_answer,
                payload: packet.payload,
            };
            assert_eq!(request.encode().as_ref(), Some(datagram));
            String::from_utf8(packet.payload.to_vec()).unwrap()
        };
        self.cloud.take_sent().iter().map(told).collect()
    }
}

const INITED: (bool, bool, OtaError) = (false, false, OtaError::None);
const FETCHING: (bool, bool, OtaError) = (true, false, OtaError::None);
const REFUSED: (bool, bool, OtaError) = (false, true, OtaError::ReportVersion);

/// Kind, code and payload of each datagram that answers.
type Answers<'a> = &'a [(u8, u8, &'a [u8])];

#[test]
fn case_31_each_answer_to_a_version_report_has_its_effect() {
    let accepted: &[u8] = br#"{"type":"report_version_rsp","result_code":0}"#;
    let refused: &[u8] = br#"{"type":"report_version_rsp","result_code":1,"result_msg":"no"}"#;
    let refused_by_text: &[u8] = br#"{"type":"report_version_rsp","result_code":"1","result_msg":"no"}"#;
    let update = update();
    let update = update.as_bytes();
    let rows: [(&str, Answers<'_>, _); 14] = [
        ("acknowledgement", &[(ACK, CONTENT, update)], FETCHING),
        ("2.03, then CON", &[(ACK, VALID, b""), (CON, CONTENT, update)], FETCHING),
        ("empty acknowledgement, then CON", &[(ACK, 0, b""), (CON, CONTENT, update)], FETCHING),
        ("NON", &[(NON, CONTENT, update)], FETCHING),
        ("NON before the acknowledgement", &[(NON, CONTENT, update), (ACK, VALID, b"")], FETCHING),
        ("the command as the second answer", &[(ACK, CONTENT, accepted), (CON, CONTENT, update)], FETCHING),
        ("no command", &[(ACK, CONTENT, accepted)], INITED),
        ("refused", &[(ACK, CONTENT, refused)], REFUSED),
        ("refused, as a string", &[(ACK, CONTENT, refused_by_text)], REFUSED),
        ("empty", &[(ACK, CONTENT, b"")], INITED),
        ("4.01", &[(ACK, 0x81, b"")], INITED),
        ("5.00", &[(ACK, 0xa0, b"")], INITED),
        ("garbage", &[(ACK, CONTENT, b"{\"type\":")], INITED),
        ("silence", &[], INITED),
    ];
    for (name, answers, state) in rows {
        let answers: Vec<_> = answers.iter().map(|(kind, code, payload)| (*kind, *code, payload.to_vec())).collect();
        let device = reporting(move |packet| {
            let separate = |kind| if kind == ACK { packet.id } else { u16::from(kind) };
            answers.iter().map(|(kind, code, payload)| answer(packet, *kind, *code, separate(*kind), payload)).collect()
        });
        device.run();
        device.client.yield_for(5000).unwrap();
        assert_eq!(device.state(), state, "{name}");
        assert!(device.heard.take().is_empty(), "{name}: the report has a receiver of its own");
        // A refusal ends the attempt, not the handle.
        assert!(device.ota.report_version("1.0.0").unwrap() > 0, "{name}");
    }
}

#[test]
fn case_32_a_command_longer_than_a_packet_arrives_and_a_bad_one_is_told() {
    let url = format!("http://h/f?sign={}", "x".repeat(2000));
    let long = update().replace("http://h/f?s=1", &url).replace(":8,", ":\"8\",");
    let device = reporting(move |packet| vec![acknowledge(packet, long.as_bytes())]);
    device.run();
    assert_eq!(device.state(), FETCHING);
    assert_eq!(device.ota.file_size(), Ok(8));

    let bad = update().replace(MD5, &MD5[1..]);
    let device = reporting(move |packet| vec![acknowledge(packet, bad.as_bytes())]);
    assert_eq!(device.reports(true).len(), 1);
    device.run();
    assert_eq!(device.state(), INITED);
    let report = Report::failure("1.3.0", FailureCode::Upgrade, "md5sum is not 32 hex digits");
    assert_eq!(device.reports(false), [report.payload]);
}

#[test]
fn case_33_a_whole_upgrade_says_what_it_says_over_mqtt() {
    let device = reporting(|packet| vec![acknowledge(packet, update().as_bytes())]);
    assert_eq!(device.reports(true), [Report::version("1.0.0").payload]);
    device.run();
    let ota = &device.ota;
    ota.start_download(0, 8).unwrap();
    let began = device.web.ms();
    device.client.yield_for(5000).unwrap();
    assert!(device.web.ms() - began <= 1, "a program's yield does not hold up its download");
    let mut got = Vec::new();
    let mut buf = [0; 3];
    while ota.is_fetching() {
        let count = ota.fetch(&mut buf, 1000).unwrap();
        got.extend(&buf[..count]);
    }
    assert_eq!((got.as_slice(), ota.check_firmware(), ota.last_error()), (FIRMWARE, Ok(true), OtaError::None));
    let progress = [0, 100].map(|percent| Report::downloading("1.3.0", percent).payload);
    assert_eq!(device.reports(false), progress);
    device.run();
    device.heard.take();
    let ids = [ota.report_upgrade_begin().unwrap(), ota.report_upgrade_success(None).unwrap()];
    device.run();
    assert_eq!(device.heard.take(), ids.map(|id| (id, Event::Acknowledged)));
    assert_eq!(device.reports(false), [Report::upgrade_begin("1.3.0").payload, Report::upgrade_done("1.3.0").payload]);
    let began = device.web.ms();
    device.client.yield_for(5000).unwrap();
    assert_eq!(device.web.ms() - began, 5000, "the download is over");
}

#[test]
fn case_34_a_program_that_starts_no_download_gets_its_firmware() {
    let device = fetching();
    let mut buf = [0; 8];
    while device.ota.is_fetching() {
        device.ota.fetch(&mut buf, 1000).unwrap();
    }
    assert_eq!((&buf[..], device.ota.check_firmware()), (FIRMWARE, Ok(true)));
}

#[test]
fn case_35_an_answer_after_the_end_of_upgrades_is_dropped() {
    let device = reporting(|packet| vec![acknowledge(packet, update().as_bytes())]);
    device.ota.destroy();
    let Device { client, heard, ota, .. } = device;
    drop(ota);
    client.yield_for(100).unwrap();
    client.yield_for(100).unwrap();
    assert!(heard.take().is_empty());

    let device = fetching();
    device.client.destroy();
    assert_eq!(device.ota.report_upgrade_begin(), Err(Error::NotReported));
    assert_eq!(device.ota.last_error(), OtaError::SignalChannel);
    device.ota.destroy();
}

#[test]
fn case_36_the_longest_names_are_taken() {
    let Device { cloud, client, .. } = device(|packet| vec![acknowledge(packet, b"")]);
    let ota = Ota::over_coap("PRODUCTIDX", &"d".repeat(48), client.clone()).unwrap();
    ota.report_version(&"v".repeat(32)).unwrap();
    assert_eq!(cloud.take_sent().len(), 1);
    assert!(Ota::over_coap("PRODUCTIDX", &"d".repeat(49), client).is_err());
}

#[test]
fn a_failure_is_told_in_as_many_words_as_fit() {
    let device = fetching();
    for (text, whole) in [("\u{1}".repeat(200), false), ("short".to_owned(), true)] {
        device.ota.set_failure_reason(&text);
        device.ota.report_upgrade_fail(Some("1.3.0")).unwrap();
        let sent = device.cloud.take_sent();
        assert!(sent[0].len() <= MAX_SEND && (whole || sent[0].len() > MAX_SEND - 6));
        let packet = Packet::parse(&sent[0]).unwrap();
        assert_eq!(packet.kind, Kind::Confirmable);
        let [report] = iot_engine::helpers::json::values(packet.payload, ["report"]).unwrap();
        assert!(report.is_some());
        assert!(packet.payload.ends_with(br#""}, "version": "1.3.0"}}"#));
    }
}

#[test]
fn a_report_that_can_not_go_out_is_the_callers_business() {
    let device = fetching();
    device.cloud.world().write_fails = Some(TransportError::Failed(-706));
    assert_eq!(device.ota.report_version("1.0.0"), Err(Error::NotReported));
    assert_eq!(device.ota.last_error(), OtaError::SignalChannel);
    assert_eq!(device.ota.report_version(""), Err(Error::BadVersion));
}
