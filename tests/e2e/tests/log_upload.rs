//! Log upload in a program, against a broker and a web server that play the cloud (log_upload.md).

use std::fs;
use std::path::Path;

use e2e::{
    each_row, publish, Answer, Broker, Build, Desk, Device, Finished, Packet, Reaction, Sample, Secrets, Server,
    PUBLISH, SUBSCRIBE,
};
use tempfile::TempDir;

const GOOD: &[u8] = br#"{"Retcode":0,"Msg":"success"}"#;
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
    let finished = sample(folder, broker, server, args).under_valgrind().start().finish();
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

/// What a log server does wrong with the first upload, and whether the lines count as taken all the same.
const FAULTS: &[(&str, bool)] = &[
    ("http:refuse#1", false),
    ("http:hang-up#1", false),
    ("http:silent#1", false),
    ("http:no-answer#1", false),
    ("http:cut-head=20#1", false),
    ("http:cut=0#1", false),
    ("http:short=10#1", false),
    ("http:status=403#1", false),
    ("http:status=404#1", false),
    ("http:status=500#1", false),
    ("http:redirect=self#1", false),
    ("http:page#1", false),
    ("http:garbage#1", false),
    ("http:chunked=10#1", true),
    ("http:no-length#1", true),
    ("http:slow=200#1", true),
];

/// Cases 9 and 22: what a server does not take is kept, and the next good server gets it; nothing secret is among it.
#[test]
fn case_09_after_each_bad_answer_a_good_one_takes_all() {
    each_row(FAULTS, |(fault, taken)| faces(fault, *taken));
}

fn faces(fault: &str, taken: bool) {
    const LINE: &str = "MQTT connection failed";
    let desk = Desk::with_args(Build::LogUpload, 1000, |_| ["--fault", fault].map(str::to_owned).to_vec());
    // Nobody lets the device in, so that there is one upload, at the end.
    let closed = Broker::start(|_| Reaction::Close);
    let url = format!("{}/cgi-bin/report-log", desk.hub.ready("http"));
    let sample = Sample::new(Build::LogUpload, "mqtt_sample", &desk.home).endpoint(&closed.address());
    let sample = sample.environment("QCLOUD_IOT_LOG_ENDPOINT", &url).args(&["-n", "1"]);
    let saved = desk.home.join(SAVED);

    let first = sample.start().finish();
    assert_eq!(first.code(), 1, "{fault}");
    assert_eq!(first.says(&[">>LOG-ERR>>post_log("]), !taken, "{fault}");
    let kept = fs::read_to_string(&saved).unwrap_or_default();
    assert_eq!(kept.contains(LINE), !taken, "{fault}: {kept}");
    desk.hub.wait("fault", |event| event["rule"] == fault);

    let seen = desk.hub.out().mark();
    assert_eq!(sample.start().finish().code(), 1, "{fault}");
    assert!(!saved.exists(), "{fault}");
    // The saved lines come first, in an upload of their own.
    if !taken {
        let event = desk.hub.wait_from(seen, "log", |_| true);
        let lines = event["lines"].to_string();
        // A form feed ends what one upload has.
        assert!(kept.lines().map(str::trim).all(|line| lines.contains(line)), "{fault}: {lines}");
    }
    desk.hub.wait("log", |event| event["lines"].to_string().contains(LINE));
    let logs: Vec<_> = desk.hub.events_of("log").iter().map(|event| event["lines"].to_string()).collect();
    let secrets = Secrets::of_device_in(&desk.home);
    assert!(logs.iter().all(|lines| secrets.found_in(lines).is_none()), "{fault}: {logs:?}");
}
