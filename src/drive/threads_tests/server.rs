//! The servers: each serves one connection and hangs up in the middle of things.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;

use crate::drive::testing::Cloud;

/// Packets the MQTT server takes on one connection before it hangs up.
const PACKETS: usize = 60;
/// Bytes of a body the web server sends on one connection before it hangs up.
const BODY: usize = 40_000;
/// Size of the firmware.
pub const SIZE: usize = 100_000;

pub fn firmware_byte(index: usize) -> u8 {
    u8::try_from(index % 251).unwrap()
}

/// Its MD5.
#[cfg(feature = "resource")]
pub const MD5: &str = "28cb595c158e9b74e34ae9e8da710fff";

/// The beginning of a version report.
const VERSION_REPORT: &[u8] = br#"{"type": "report_version""#;
/// Orders the upgrade to the firmware that [`http`] serves.
const COMMAND: &str = concat!(
    r#"{"type":"update_firmware","url":"http://firmware/f?sign=x","version":"2.0.0","file_size":100000,"#,
    r#""md5sum":"28cb595c158e9b74e34ae9e8da710fff"}"#
);

/// A server that grants everything, sends each message on `echo` back, and hangs up after some packets.
pub fn mqtt(mut stream: UnixStream) {
    let (mut cloud, mut bytes, mut packets, mut chunk) = (cloud(), BytesMut::new(), 0, [0; 1024]);
    while packets < PACKETS {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        let mut answers = BytesMut::new();
        while let Ok(packet) = Packet::read(&mut bytes, usize::MAX) {
            packets += 1;
            for answer in cloud.answers_to(&packet) {
                answer.write(&mut answers, usize::MAX).unwrap();
            }
        }
        if stream.write_all(&answers).is_err() {
            return;
        }
    }
}

/// It knows the time, sends each message on `echo` back, orders an upgrade for each version report, has a configuration, and
/// asks for what is published on `ask`: the answer comes on `answered`, behind its id. Of the devices behind a gateway it refuses
/// `refused` only.
fn cloud() -> Cloud {
    let echo = |topic: &str, payload: &[u8]| (topic == "echo").then(|| (topic.to_owned(), payload.to_vec()));
    let order = |topic: &str, payload: &[u8]| {
        let is_report = topic == "$ota/report/PRODUCTIDX/device" && payload.starts_with(VERSION_REPORT);
        is_report.then(|| ("$ota/update/PRODUCTIDX/device".to_owned(), COMMAND.as_bytes().to_vec()))
    };
    let configure = |topic: &str, _: &[u8]| {
        let reply = br#"{"type":"reply","result":0,"payload":{"a":1}}"#;
        let result = "$config/operation/result/PRODUCTIDX/device";
        (topic == "$config/operation/PRODUCTIDX/device").then(|| (result.to_owned(), reply.to_vec()))
    };
    let ask = |topic: &str, id: &[u8]| {
        let request = format!("$rrpc/rxd/PRODUCTIDX/device/{}", String::from_utf8_lossy(id));
        (topic == "ask").then(|| (request, b"closed".to_vec()))
    };
    let hear = |topic: &str, payload: &[u8]| {
        let id = topic.strip_prefix("$rrpc/txd/PRODUCTIDX/device/")?;
        Some(("answered".to_owned(), [id.as_bytes(), b" ", payload].concat()))
    };
    let gateway = |topic: &str, request: &[u8]| {
        let result = "$gateway/operation/result/PRODUCTIDX/device";
        (topic == "$gateway/operation/PRODUCTIDX/device").then(|| (result.to_owned(), gateway_answer(request)))
    };
    let hand_over = |topic: &str, payload: &[u8]| {
        let down = || "$resource/down/service/PRODUCTIDX/device".to_owned();
        (topic == "$resource/up/service/PRODUCTIDX/device").then(|| (down(), resource_answer(payload)))
    };
    let cloud = Cloud::that_knows_the_time("PRODUCTIDX", "device").answer_with(echo).answer_with(order);
    cloud.answer_with(configure).answer_with(ask).answer_with(hear).answer_with(gateway).answer_with(hand_over)
}

/// There is always the firmware to download, and leave to upload a file of its size and MD5.
fn resource_answer(said: &[u8]) -> Vec<u8> {
    let said = std::str::from_utf8(said).unwrap();
    let task = |kind| {
        COMMAND.replace("update_firmware", kind).replace("file_size", "size").replace("version", "name").into_bytes()
    };
    let taken = |way| format!(r#"{{"type":"report_{way}_progress_rsp","result_code":0}}"#).into_bytes();
    if said.contains("get_download_task") {
        task("get_download_task_rsp")
    } else if said.contains("create_upload_task") {
        task("create_upload_task_rsp")
    } else if said.contains("report_download") {
        taken("download")
    } else {
        taken("upload")
    }
}

fn gateway_answer(request: &[u8]) -> Vec<u8> {
    let request = std::str::from_utf8(request).unwrap();
    let result = if request.contains(r#""refused""#) { -1 } else { 0 };
    match request.strip_suffix("}]}}") {
        // The request with its device's result is the answer.
        Some(begin) => format!(r#"{begin},"result":{result}}}]}}}}"#),
        None => r#"{"type":"describe_sub_devices","payload":{"devices":[{"product_id":"SP","device_name":"d"}]}}"#
            .to_owned(),
    }
    .into_bytes()
}

/// Answers one request for part of the firmware, or takes a file.
pub fn http(mut stream: UnixStream) {
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        // No more than the head: a file may follow it.
        match stream.read(&mut chunk[..1]) {
            Ok(count @ 1..) => head.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    if head.starts_with("put") {
        let (mut left, mut body) = (SIZE, [0; 8192]);
        while left > 0 {
            match stream.read(&mut body) {
                Ok(count @ 1..) => left -= count,
                _ => return,
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let first = head.split("range: bytes=").nth(1).and_then(|range| range.split('-').next()?.parse().ok()).unwrap_or(0);
    let rest: Vec<u8> = (first..SIZE).map(firmware_byte).collect();
    let answer = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{}/{SIZE}\r\n\r\n",
        rest.len(),
        SIZE - 1
    );
    let sent = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&rest[..rest.len().min(BODY)]));
    if sent.is_ok() {
        // The client has the rest of the body to read before it sees the end.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut chunk);
    }
}
