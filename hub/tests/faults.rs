//! The hub misbehaves as it is told to.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{connect_packet, device, firmware, tcp, Client, Desk, Hub, ONE, PATIENCE};
use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// A hub with these rules and the firmware over HTTP.
fn hub(desk: &Desk, rules: &[&str]) -> Hub {
    let mut args = vec!["--scheme", "http"];
    args.extend(rules.iter().flat_map(|rule| ["--fault", rule]));
    desk.start(&args)
}

/// What a GET brings until the connection ends, and how it ends.
fn fetch(hub: &Hub, range: Option<&str>) -> (String, Vec<u8>, Option<ErrorKind>) {
    let url = hub.text("firmware_url");
    let (address, target) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = tcp(&address.replace("localhost", "127.0.0.1"));
    let range = range.map(|range| format!("Range: bytes={range}\r\n")).unwrap_or_default();
    let mut answer = Vec::new();
    let sent = stream
        .write_all(format!("GET /{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{range}\r\n").as_bytes());
    let end = sent.and_then(|()| stream.read_to_end(&mut answer).map(drop)).err().map(|error| error.kind());
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let body = answer.split_off(head);
    (String::from_utf8_lossy(&answer).into_owned(), body, end)
}

#[test]
fn bodies_end_where_they_should_not() {
    let desk = Desk::new();
    let whole = firmware();
    let size = whole.len();
    for (rule, range, body) in [
        ("http:cut=1000", None, &whole[..1000]),
        ("http:cut=1000", Some("400-"), &whole[400..1000]),
        ("http:cut=1000", Some("2000-"), &[][..]),
        ("http:short=10", None, &whole[..size - 10]),
        ("http:slow=9000000", None, &whole[..]),
        ("http:no-length", None, &whole[..]),
        ("http:ignore-range", Some("5-9"), &whole[..]),
        ("http:stall=500,for=0", Some("0-999"), &whole[..1000]),
    ] {
        let hub = hub(&desk, &[rule]);
        let (_, got, end) = fetch(&hub, range);
        assert!(got == body && end.is_none(), "{rule} {range:?}: {} bytes, {end:?}", got.len());
        assert_eq!(hub.event("fault", |_| true)["rule"], rule);
        assert_eq!(hub.event("http", |_| true)["bytes"], body.len());
    }
    let (_, got, end) = fetch(&hub(&desk, &["http:reset=1000"]), None);
    // A reset may overtake what was sent before it.
    assert!(whole.starts_with(&got) && got.len() <= 1000 && end == Some(ErrorKind::ConnectionReset), "{end:?}");
    let (_, got, _) = fetch(&hub(&desk, &["http:long=10"]), Some("0-99"));
    assert!(got.len() == 110 && got.starts_with(&whole[..100]));
    let (_, got, _) = fetch(&hub(&desk, &["http:chunked=60"]), Some("0-99"));
    assert!(got.starts_with(b"3c\r\n") && got.ends_with(b"\r\n0\r\n\r\n"));
    let (_, got, _) = fetch(&hub(&desk, &["http:bad-chunk=60"]), Some("0-99"));
    assert!(got.starts_with(b"3c\r\n") && got.ends_with(b"\r\nno length\r\n"));
}

#[test]
fn heads_say_what_is_not_so() {
    let desk = Desk::new();
    let size = firmware().len();
    for (rule, range, lines) in [
        ("http:length=-10", None, vec![format!("Content-Length: {}", size - 10)]),
        ("http:two-lengths", None, vec![format!("Content-Length: {size}"), format!("Content-Length: {}", size + 1)]),
        ("http:content-range=begin", Some("5-9"), vec![format!("Content-Range: bytes 6-9/{size}")]),
        ("http:content-range=total", Some("5-9"), vec![format!("Content-Range: bytes 5-9/{}", size + 1)]),
        ("http:status=503,retry-after=7", None, vec!["HTTP/1.1 503".to_owned(), "Retry-After: 7".to_owned()]),
        ("http:page", None, vec!["HTTP/1.1 200".to_owned(), "Content-Type: text/html".to_owned()]),
        ("http:redirect=ftp://h/x,status=301", None, vec!["HTTP/1.1 301".to_owned(), "Location: ftp://h/x".to_owned()]),
        ("http:header=odd", None, vec!["\r\nodd\r\n".to_owned()]),
        ("http:etag=\"x\"", None, vec!["ETag: \"x\"\r\n".to_owned()]),
        ("http:gzip", None, vec!["Content-Encoding: gzip".to_owned()]),
    ] {
        let (head, ..) = fetch(&hub(&desk, &[rule]), range);
        for line in lines {
            assert!(head.contains(&line), "{rule}: {line} is not in {head}");
        }
    }
    let (head, ..) = fetch(&hub(&desk, &["http:content-range=missing", "http:etag="]), Some("5-9"));
    assert!(head.starts_with("HTTP/1.1 206") && !head.contains("Content-Range") && !head.contains("ETag"), "{head}");
    assert!(fetch(&hub(&desk, &["http:huge-head=70000"]), None).0.len() > 70_000);
    assert_eq!(fetch(&hub(&desk, &["http:cut-head=9"]), None).0, "HTTP/1.1 ");
    assert!(!fetch(&hub(&desk, &["http:garbage=300"]), None).0.starts_with("HTTP"));
}

#[test]
fn contents_change() {
    let desk = Desk::new();
    let whole = firmware();
    let (_, got, _) = fetch(&hub(&desk, &["http:corrupt=7"]), Some("5-9"));
    let wrong: Vec<usize> = (5..10).filter(|at| got[at - 5] != whole[*at]).collect();
    assert_eq!(wrong, [7]);
    let (head, got, _) = fetch(&hub(&desk, &["http:other-file"]), None);
    assert!(got.len() == whole.len() && got.iter().zip(&whole).all(|(a, b)| a != b) && head.contains("another-file"));
}

#[test]
fn faults_pass_and_can_be_ended() {
    let desk = Desk::new();
    let mut hub = hub(&desk, &["http:status=503#2"]);
    let status = |hub: &Hub| fetch(hub, Some("0-0")).0[9..12].to_owned();
    assert_eq!([status(&hub), status(&hub), status(&hub)], ["206", "503", "206"]);
    hub.say("fault http:status=404");
    hub.event("note", |_| true);
    assert_eq!(status(&hub), "404");
    hub.say("fault off");
    hub.event("note", |_| true);
    assert_eq!(status(&hub), "206");
    hub.say("fault http:burn");
    assert!(hub.event("warning", |_| true)["text"].as_str().is_some_and(|text| text.contains("there is no effect")));
}

#[test]
fn a_bad_rule_is_a_bad_command_line() {
    let output = Desk::new().output(&["run", "--devices", "devices.json", "--fault", "mqtt:cut@lunch"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mqtt:cut@lunch") && said.contains("there are: connection"), "{said}");
    let listed = Desk::new().output(&["faults"]);
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("mqtt:twice@order#1"));
}

#[test]
fn certificates_have_the_flaw_asked_for() {
    let desk = Desk::new();
    for (flaw, word) in [
        ("expired", "Expired"),
        ("not-yet", "NotValidYet"),
        ("wrong-host", "NotValidForName"),
        ("untrusted", "BadSignature"),
        ("self-signed", "invalid peer certificate"),
    ] {
        let rule = format!("http:cert={flaw}#1");
        let hub = hub(&desk, &[&rule]);
        let error = handshake(&hub).expect_err(flaw);
        assert!(
            error.replace(' ', "").to_lowercase().contains(&word.replace(' ', "").to_lowercase()),
            "{flaw}: {error}"
        );
        assert_eq!(handshake(&hub), Ok(()), "{flaw}");
    }
    let hub = hub(&desk, &["http:old-tls#1", "http:cut-handshake#2"]);
    assert!(handshake(&hub).is_err() && handshake(&hub).is_err());
    assert_eq!(handshake(&hub), Ok(()));
}

fn handshake(hub: &Hub) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(hub.text("ca_file")).expect("CA")).expect("CA");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("session");
    let mut stream = tcp(&hub.text("https").replace("https://localhost", "127.0.0.1"));
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn publish(id: u16) -> Packet {
    let mut publish = Publish::new("loop", QoS::AtLeastOnce, "x");
    publish.pkid = id;
    Packet::Publish(publish)
}

#[test]
fn answers_of_the_broker_fail_to_come() {
    let desk = Desk::new();
    let hub = hub(&desk, &["mqtt:no-answer@publish#1", "mqtt:refuse-subscription#2", "mqtt:half@pingreq#1"]);
    let mut client = device(&hub, ONE);
    client.subscribe("a");
    let mut subscribe = Subscribe::new("b", QoS::AtLeastOnce);
    subscribe.pkid = 3;
    client.send(&Packet::Subscribe(subscribe));
    let Some(Packet::SubAck(refused)) = client.receive() else { panic!("no SUBACK") };
    assert_eq!(refused.return_codes, [SubscribeReasonCode::Failure]);
    client.send(&publish(1));
    client.send(&publish(2));
    // The first one was taken, but not answered.
    let Some(Packet::PubAck(ack)) = client.receive() else { panic!("no PUBACK") };
    assert_eq!(ack.pkid, 2);
    client.send(&Packet::PingReq);
    client.send(&publish(3));
    let mut half = [0; 2];
    client.stream.read_exact(&mut half[..1]).expect("half a PINGRESP");
    assert_eq!(half[0], 0xd0);
    client.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("time limit");
    assert!(client.stream.read(&mut half).is_err(), "the rest came");
}

#[test]
fn answers_of_the_broker_come_late_or_behind_something_else() {
    let desk = Desk::new();
    let hub = hub(&desk, &["mqtt:late=1@subscribe#1", "mqtt:first=push@shadow#1"]);
    let mut client = device(&hub, ONE);
    let down = "$shadow/operation/result/ABCDEFGHIJ/one";
    client.send(&Packet::Subscribe(Subscribe { pkid: 3, ..Subscribe::new(down, QoS::AtLeastOnce) }));
    client.send(&Packet::PingReq);
    assert_eq!(client.receive(), Some(Packet::PingResp));
    assert!(matches!(client.receive(), Some(Packet::SubAck(ack)) if ack.pkid == 3));
    let get = r#"{"type":"get","clientToken":"t"}"#;
    client.send(&Packet::Publish(Publish::new("$shadow/operation/ABCDEFGHIJ/one", QoS::AtMostOnce, get)));
    let (first, second) = (common::json(&client.message().payload), common::json(&client.message().payload));
    assert_eq!((&first["type"], &first["clientToken"]), (&"delta".into(), &serde_json::Value::Null));
    assert_eq!((&second["type"], &second["clientToken"]), (&"get".into(), &"t".into()));
}

#[test]
fn connections_to_the_broker_end() {
    let desk = Desk::new();
    let hub = hub(&desk, &["mqtt:connack=3#2", "mqtt:cut@publish#1", "mqtt:refuse#3", "mqtt:reset@publish#2"]);
    let mut client = device(&hub, ONE);
    client.send(&publish(1));
    assert_eq!(client.receive(), None);
    assert_eq!(Client::new(hub.connect()).connect(connect_packet(ONE)).code as u8, 3);
    let mut scratch = [0; 1];
    assert!(hub.connect().read(&mut scratch).is_err(), "the third connection is reset");
    let mut client = device(&hub, ONE);
    client.send(&publish(1));
    assert!(client.stream.read(&mut scratch).is_err(), "the second message resets the connection");
}

#[test]
fn the_broker_goes_away_and_comes_back() {
    let desk = Desk::new();
    let hub = hub(&desk, &["mqtt:away=2@publish#1"]);
    let mut client = device(&hub, ONE);
    client.send(&publish(1));
    assert_eq!(client.receive(), None);
    // The door closes a moment after the connection: until then somebody may still be let in. Knocking without a pause
    // would fill the door's queue, and then a knock waits for longer than the door is closed.
    let knock = || TcpStream::connect(hub.text("mqtt"));
    let begin = Instant::now();
    while let Ok(mut early) = knock() {
        early.set_read_timeout(Some(Duration::from_millis(10))).expect("time limit");
        let _ = early.read(&mut [0]);
        assert!(begin.elapsed() < PATIENCE, "it never was away");
    }
    while knock().is_err() {
        std::thread::yield_now();
    }
    device(&hub, ONE);
}

#[test]
fn messages_come_twice_or_not_or_as_something_else() {
    let desk = Desk::new();
    let rules =
        ["mqtt:twice@order#1", "mqtt:lose@order#2", "mqtt:command=no-md5@order#3", "mqtt:send=type-15@pingreq#1"];
    let mut hub = hub(&desk, &rules);
    let mut client = device(&hub, ONE);
    client.subscribe("$ota/update/ABCDEFGHIJ/one");
    for _ in 0..3 {
        hub.say(&format!("upgrade {ONE}"));
    }
    let (first, second, third) = (client.message(), client.message(), client.message());
    assert_eq!((first.pkid, &first.payload), (second.pkid, &second.payload));
    let command = common::json(&third.payload);
    assert!(third.pkid == first.pkid + 2 && command["md5sum"].is_null() && command["url"].is_string(), "{command}");
    client.send(&Packet::PingReq);
    let mut bytes = [0; 4];
    client.stream.read_exact(&mut bytes).expect("PINGRESP and what follows it");
    assert_eq!(bytes, [0xd0, 0, 0xf0, 0]);
}

#[test]
fn a_half_open_connection_is_taken_over() {
    let desk = Desk::new();
    let hub = hub(&desk, &["mqtt:silent@publish#1"]);
    let mut silent = device(&hub, ONE);
    silent.send(&publish(1));
    hub.event("fault", |_| true);
    let mut again = device(&hub, ONE);
    again.publish("loop", "y");
    assert_eq!(hub.event("message", |_| true)["payload"], "y");
}
