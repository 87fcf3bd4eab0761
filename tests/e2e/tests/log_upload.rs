//! Log upload in a program, against a broker and a web server that play the cloud (log_upload.md).

use std::fs;
use std::path::Path;

use e2e::{publish, Answer, Broker, Build, Device, Finished, Packet, Reaction, Sample, Server, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

const GOOD: &[u8] = br#"{"Retcode":0,"Msg":"success"}"#;
const VALGRIND: [&str; 4] = ["valgrind", "--error-exitcode=9", "--leak-check=full", "--track-origins=yes"];
const SAVED: &str = "upload-fail-save.log";

/// The cloud wants this level, knows the time, and sends each other message back.
fn cloud(device: &Device, level: u32, packet: &Packet) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (topic, _, payload) = packet.message();
    let result = |service: &str| format!("${service}/operation/result/{}/{}", device.product_id, device.name);
    if topic.starts_with("$log/") {
        let answer = format!(r#"{{"clientToken":"x","log_level":{level},"result":0,"type":"get_log_level"}}"#);
        return Reaction::Also(publish(&result("log"), 0, 0, answer.as_bytes()));
    }
    if topic.starts_with("$sys/") {
        return Reaction::Also(publish(&result("sys"), 0, 0, br#"{"type":"get","time":1700000000}"#));
    }
    Reaction::Also(publish(&topic, 0, 0, &payload))
}

fn sample(folder: &Path, broker: &Broker, server: &Server, args: &[&str]) -> Sample {
    let sample = Sample::new(Build::LogUpload, "mqtt_sample", folder).endpoint(&broker.address());
    sample.environment("QCLOUD_IOT_LOG_ENDPOINT", &server.url("/cgi-bin/report-log")).args(args)
}

/// Runs the sample in `folder` under valgrind.
fn run(folder: &Path, broker: &Broker, server: &Server, args: &[&str]) -> Finished {
    let finished = sample(folder, broker, server, args).under(&VALGRIND).start().finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    finished
}

fn home() -> (TempDir, Device) {
    let (folder, device) = (TempDir::new().expect("a temporary folder"), Device::default());
    device.write_info(folder.path(), Build::LogUpload);
    (folder, device)
}

fn broker(device: &Device, level: u32) -> Broker {
    let script = device.clone();
    Broker::start(move |packet| cloud(&script, level, packet))
}

/// Time and lines of each upload.
fn uploads(server: &Server, device: &Device) -> Vec<(String, String)> {
    let read = |request: &e2e::Request| {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/cgi-bin/report-log"));
        assert_eq!(request.header_spelled("Content-Type"), Some("text/plain;charset=utf-8"));
        let body = String::from_utf8(request.body.clone()).expect("text");
        assert!(body[..40].bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{body}");
        assert_eq!(&body[40..102], format!("P###{}{:#<48}", device.product_id, device.name));
        assert!(body.ends_with("\n\x0c") && body.len() < 3_000, "{body}");
        assert!(!body.contains(&device.secret), "{body}");
        (body[102..112].to_owned(), body[112..].to_owned())
    };
    server.requests().all().iter().map(read).collect()
}

/// A program sends what the cloud wants, from the connection to the end of the client.
#[test]
fn a_program_uploads_what_the_cloud_wants() {
    let (folder, device) = home();
    let server = Server::http(|_| Answer::status(200).body(GOOD));
    let broker = broker(&device, 4);
    // Without valgrind: the library waits for the subscription to the level for 300 ms in all.
    let finished = sample(folder.path(), &broker, &server, &["-n", "2"]).start().finish();
    assert_eq!(finished.code(), 0);
    let uploads = uploads(&server, &device);
    let all: String = uploads.iter().map(|(_, lines)| lines.as_str()).collect();
    for said in ["Upload log level change to: 4", "published message 2", "unsubscribed from", "mqtt release!"] {
        assert_eq!(all.matches(said).count(), 1, "{said}: {all}");
    }
    // Finer than what is printed.
    assert!(all.contains("DBG|"), "{all}");
    assert!(uploads.iter().all(|(time, _)| time.starts_with("17000000")), "{uploads:?}");
    assert!(!folder.path().join(SAVED).exists());

    let packets = broker.packets().all();
    let topic = format!("$log/operation/result/{}/{}", device.product_id, device.name);
    let subscribed = |packet: &&Packet| {
        packet.kind == SUBSCRIBE && packet.body.windows(topic.len()).any(|part| part == topic.as_bytes())
    };
    // Once more where the SUBACK took longer than 100 ms.
    assert!((1..=3).contains(&packets.iter().filter(subscribed).count()));
    let asked =
        packets.iter().filter(|packet| packet.says(r#"{"type": "get_log_level", "clientToken": "E2EPRODUCT-1"}"#));
    assert_eq!(asked.count(), 1);
    let times = packets.iter().filter(|packet| packet.kind == PUBLISH && packet.message().0.starts_with("$sys/"));
    assert_eq!(times.count(), 1, "the time is asked for once");
}

#[test]
fn case_08_level_0_sends_nothing_while_all_is_well() {
    let (folder, device) = home();
    let server = Server::http(|_| Answer::status(200).body(GOOD));
    let finished = run(folder.path(), &broker(&device, 0), &server, &["-n", "1"]);
    assert_eq!(finished.code(), 0);
    assert!(uploads(&server, &device).is_empty());
}

/// log_upload.md section 10, cases 14 and 18.
#[test]
fn case_18_what_no_server_took_is_sent_by_the_next_process() {
    let (folder, device) = home();
    let refusing = Server::http(|_| Answer::status(500));
    // CONNACK with a bad user name or password.
    let closed = Broker::start(|_| Reaction::Close);
    let finished = run(folder.path(), &closed, &refusing, &["-n", "1"]);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&[">>LOG-ERR>>post_log("]);
    let first = uploads(&refusing, &device);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].0, "0000000000");
    assert!(first[0].1.contains("MQTT connection failed"), "{first:?}");
    let saved = fs::read_to_string(folder.path().join(SAVED)).expect("what was kept");
    assert_eq!(saved, first[0].1);

    let server = Server::http(|_| Answer::status(200).body(GOOD));
    let finished = run(folder.path(), &broker(&device, 1), &server, &["-n", "1"]);
    assert_eq!(finished.code(), 0);
    assert!(!folder.path().join(SAVED).exists());
    assert_eq!(uploads(&server, &device).iter().map(|(_, lines)| lines.clone()).collect::<String>(), saved);
}

#[test]
fn a_log_server_that_is_not_there_does_not_hold_the_program() {
    let (folder, device) = home();
    // It has said its last word before the sample begins.
    let address = Server::http(|_| Answer::status(200)).url("/cgi-bin/report-log");
    let broker = broker(&device, 4);
    let sample = Sample::new(Build::LogUpload, "mqtt_sample", folder.path()).endpoint(&broker.address());
    let finished = sample.environment("QCLOUD_IOT_LOG_ENDPOINT", &address).args(&["-n", "2", "-l"]).start().finish();
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["2 published, 2 acknowledged, 2 received"]);
    let saved = fs::read_to_string(folder.path().join(SAVED)).expect("what was kept");
    assert!(saved.contains("published message 2") && !saved.contains(&device.secret), "{saved}");
}
