//! Runs one of the engine's hot paths so many times: `instructions PATH COUNT`, or `instructions` for their names.
//! check.sh runs it below callgrind. No path computes an MD5.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use iot_engine::download::{Step, Transfer};
use iot_engine::http::{Url, READ_AHEAD};
use iot_engine::mqtt::{Config, Event, LinkState, Login, QoS, Session};
use iot_engine::services::ota::{Plan, Received, Session as OtaSession};
use iot_engine::time::Millis;

/// A path by name, and what is run so many times.
type Path = (&'static str, fn(u32));

const PATHS: [Path; 8] = [
    ("mqtt_publish", mqtt_publish),
    ("mqtt_message", mqtt_message),
    ("body_64k_block", body_64k_block),
    ("body_5000_block", body_5000_block),
    ("body_chunked_block", body_chunked_block),
    ("download_request", download_request),
    ("ota_command", ota_command),
    ("ota_progress", ota_progress),
];

const NOW: Millis = Millis(1_000_000);
const TOPIC: &str = "$ota/update/ABCDEFGHIJ/device";
const COMMAND: &str = r#"{"file_size":4294967295,"md5sum":"ad4615b866c13afb8b293a679bfa5dc4","type":"update_firmware","url":"https://ota-1255858890.cos.ap-guangzhou.myqcloud.com/100008768029_ABCDEFGHIJ_1.3.0?sign=q-sign-algorithm%3Dsha1%26q-ak%3DAKIDdO8ldrUa0Uts4H5Gzx6FZ9nfedjpiCd7%26q-sign-time%3D1595901537%3B1595987937%26q-key-time%3D1595901537%3B1595987937%26q-header-list%3D%26q-url-param-list%3D%26q-signature%3D2e4dfd0a2d2b1f0ab1b1b1a2d2b1f0ab1b1b1a2d%00","version":"1.3.0"}"#;
/// What the file is in every path: longer than all that is read of it.
const FILE_SIZE: u32 = u32::MAX;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {
            for (name, _) in PATHS {
                println!("{name}");
            }
            ExitCode::SUCCESS
        }
        [name, count] => {
            let path = PATHS.iter().find(|(known, _)| known == name);
            match (path, count.parse()) {
                (Some((_, run)), Ok(count)) => {
                    run(count);
                    ExitCode::SUCCESS
                }
                _ => usage(),
            }
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("Usage: instructions [PATH COUNT]");
    ExitCode::from(2)
}

// ---- MQTT ----

/// Connected and subscribed to update commands.
fn session() -> Session<u32> {
    let config = Config {
        client_id: "ABCDEFGHIJdevice".to_owned(),
        keep_alive_s: 240,
        clean_session: true,
        command_timeout_ms: 5_000,
        auto_connect: true,
    };
    let mut session = Session::new(config, 0);
    session.open(NOW, Login { user_name: "ABCDEFGHIJdevice;21010406;abcde;0".to_owned(), password: String::new() });
    receive(&mut session, &[0x20, 2, 0, 0]);
    let id = session.subscribe(NOW, TOPIC, QoS::AtLeastOnce, 1, |one, other| one == other).expect("a subscription");
    let [high, low] = id.to_be_bytes();
    receive(&mut session, &[0x90, 3, high, low, 1]);
    while session.next_event().is_some() {}
    session.take_output();
    assert_eq!(session.link(), LinkState::Up);
    session
}

fn receive(session: &mut Session<u32>, data: &[u8]) {
    session.received(NOW, data).expect("well-formed packets");
}

/// A report, its acknowledgement, and what the caller's loop does between them.
fn mqtt_publish(count: u32) {
    let mut session = session();
    let payload = [b'x'; 150];
    for _ in 0..count {
        let id = session.publish(NOW, "$ota/report/ABCDEFGHIJ/device", &payload, QoS::AtLeastOnce, false);
        let [high, low] = id.expect("room for it").to_be_bytes();
        black_box(session.take_output());
        session.tick(NOW).expect("a good link");
        receive(&mut session, &[0x40, 2, high, low]);
        assert!(matches!(session.next_event(), Some(Event::Published(_))));
        black_box(session.deadline());
    }
}

/// A message of the size of an update command, with QoS 1.
fn mqtt_message(count: u32) {
    let mut session = session();
    let length = 2 + TOPIC.len() + 2 + COMMAND.len();
    let (low, high) = ((length % 128) as u8 | 0x80, (length / 128) as u8);
    for number in 0..count {
        let mut packet = vec![0x32, low, high, 0, TOPIC.len() as u8];
        packet.extend_from_slice(TOPIC.as_bytes());
        packet.extend_from_slice(&(number as u16 % 1000 + 1).to_be_bytes());
        packet.extend_from_slice(COMMAND.as_bytes());
        receive(&mut session, &packet);
        let Some(Event::Message(message)) = session.next_event() else { panic!("the message is not there") };
        assert_eq!(session.recipients(&message.topic, |_| true).len(), 1);
        session.delivered(&message);
        black_box(session.take_output());
    }
}

// ---- Download ----

fn transfer() -> Transfer {
    let url = Url::parse("http://localhost/firmware?sign=x").expect("a URL");
    Transfer::new(Plan { url, offset: 0, end: FILE_SIZE, file_size: FILE_SIZE }, 5)
}

/// Up to the body, whose framing the head tells.
fn begin(transfer: &mut Transfer, framing: &str) {
    assert_eq!(transfer.next(NOW), Step::Connect);
    transfer.connecting();
    transfer.connected();
    assert_eq!(transfer.next(NOW), Step::Write);
    transfer.wrote(transfer.outgoing().len());
    assert_eq!(transfer.next(NOW), Step::ReadHead);
    let last = FILE_SIZE - 1;
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nServer: nginx\r\nETag: \"5f1f8c2a-2ad4c\"\r\n\
         Content-Range: bytes 0-{last}/{FILE_SIZE}\r\n{framing}\r\n\r\n"
    );
    bring(transfer, head.as_bytes());
}

fn bring(transfer: &mut Transfer, data: &[u8]) {
    transfer.room(data.len())[..data.len()].copy_from_slice(data);
    transfer.received(data.len());
}

fn length() -> String {
    format!("Content-Length: {FILE_SIZE}")
}

/// A block that is read straight into the caller's buffer.
fn body_64k_block(count: u32) {
    let mut transfer = transfer();
    begin(&mut transfer, &length());
    for _ in 0..count {
        assert!(matches!(transfer.next(NOW), Step::ReadBody { direct: true, .. }));
        transfer.took(65_536);
    }
}

/// A block out of what was read ahead.
fn body_5000_block(count: u32) {
    let mut transfer = transfer();
    begin(&mut transfer, &length());
    let mut block = [0; 5_000];
    let ahead = READ_AHEAD - READ_AHEAD % block.len();
    for _ in 0..count {
        while !matches!(transfer.next(NOW), Step::Data) {
            black_box(transfer.room(ahead));
            transfer.received(ahead);
        }
        assert_eq!(transfer.take(&mut block), block.len());
    }
}

/// The same from a body in chunks of 5,000 bytes.
fn body_chunked_block(count: u32) {
    let mut transfer = transfer();
    begin(&mut transfer, "Transfer-Encoding: chunked");
    let mut chunk = b"1388\r\n".to_vec();
    chunk.extend_from_slice(&[0xa5; 5_000]);
    chunk.extend_from_slice(b"\r\n");
    let mut block = [0; 5_000];
    for _ in 0..count {
        bring(&mut transfer, &chunk);
        let mut got = 0;
        while got < block.len() {
            assert_eq!(transfer.next(NOW), Step::Data);
            got += transfer.take(&mut block[got..]);
        }
        // Takes in the chunk's end.
        while transfer.next(NOW) == Step::Data {
            assert_eq!(transfer.take(&mut block), 0);
        }
    }
}

/// One request and the head of its answer.
fn download_request(count: u32) {
    for _ in 0..count {
        let mut transfer = transfer();
        begin(&mut transfer, &length());
        assert!(matches!(transfer.next(NOW), Step::ReadBody { .. }));
    }
}

// ---- OTA ----

/// A version report and the update command that answers it.
fn ota_command(count: u32) {
    let mut session = OtaSession::default();
    for _ in 0..count {
        black_box(session.report_version("1.2.3").expect("a version"));
        assert!(matches!(session.receive(COMMAND.as_bytes()), Received::Update { .. }));
        black_box(session.plan_download(0, FILE_SIZE).expect("a plan"));
    }
}

/// What is due for each block, a report a second among it.
fn ota_progress(count: u32) {
    let mut session = OtaSession::default();
    session.report_version("1.2.3").expect("a version");
    session.receive(COMMAND.as_bytes());
    let plan = session.plan_download(0, FILE_SIZE).expect("a plan");
    session.download_started(&plan);
    for number in 0..count {
        session.may_fetch().expect("a download under way");
        black_box(session.fetched(5_000, NOW + u64::from(number) * 10));
    }
}
