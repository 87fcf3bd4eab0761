//! CoAP devices, by a client that is scripted byte by byte.

mod common;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::console::Console;
use common::{device, json, Desk, Hub, CERT, KEY, ONE, PATIENCE};
use iot_mbedtls::dtls::{Session, CERTIFICATE_SUITES};
use iot_mbedtls::{Peer, Trust, SUITES};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{json, Value};

const REPORT: &str = "$ota/report/ABCDEFGHIJ/one";
const VERSION: &str = r#"{"type": "report_version", "report":{"version":"1.0"}}"#;

/// What a device sends and receives by.
struct Link {
    socket: UdpSocket,
    /// Where it speaks DTLS.
    session: Option<Session>,
    start: Instant,
}

impl Link {
    fn plain(hub: &Hub) -> Self {
        Link::to(hub.text("coap"), None)
    }

    fn to(address: &str, session: Option<Session>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(address).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("time limit");
        Link { socket, session, start: Instant::now() }
    }

    /// DTLS after its handshake; `None` where that failed.
    fn dtls(hub: &Hub, identity: &str, key: &[u8]) -> Option<Self> {
        let session = Session::client(key, identity, Some("localhost"), &SUITES).expect("a client");
        Link::shaken(Link::to(hub.text("coap_psk"), Some(session)))
    }

    /// The same with the certificate that a hub, not always this one, has made for a device.
    fn certificate(hub: &Hub, maker: &Hub, client_id: &str) -> Option<Self> {
        let file = |path: &Value| CertificateDer::from_pem_file(path.as_str().expect("a path")).expect("a certificate");
        let own = &maker.ready["client_certs"][client_id];
        let key = PrivateKeyDer::from_pem_file(own["key"].as_str().expect("a path")).expect("a key");
        let mut trust = Trust::new().expect("random numbers");
        trust.add_root(&file(&hub.ready["ca_file"])).expect("the CA");
        trust.add_to_chain(&file(&own["cert"])).expect("the certificate");
        trust.set_key(key.secret_der()).expect("the key");
        let judge = Box::new(|peer: &Peer<'_>| peer.flaws & Peer::NOT_TRUSTED == 0);
        let session = Session::client_with_certificates(Arc::new(trust), judge, Some("localhost"), &CERTIFICATE_SUITES);
        Link::shaken(Link::to(hub.text("coap_cert"), Some(session.expect("a client"))))
    }

    fn shaken(mut link: Link) -> Option<Self> {
        let session = link.session.as_mut()?;
        session.proceed(link.start.elapsed()).expect("a beginning");
        while !session.is_open() {
            while let Some(datagram) = session.next_datagram() {
                link.socket.send(&datagram).expect("send");
            }
            let mut buffer = [0; 4096];
            let count = link.socket.recv(&mut buffer).expect("an answer");
            session.receive(&buffer[..count], link.start.elapsed()).ok()?;
        }
        link.flush();
        Some(link)
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.session.as_mut().and_then(Session::next_datagram) {
            self.socket.send(&datagram).expect("send");
        }
    }

    fn send(&mut self, message: &[u8]) {
        match &mut self.session {
            None => drop(self.socket.send(message).expect("send")),
            Some(session) => session.write(message).expect("an open session"),
        }
        self.flush();
    }

    /// What has come over plain UDP, if anything has.
    fn try_receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).ok()?;
        Some(buffer[..count].to_vec())
    }

    /// The next message; `None` where the hub has said goodbye.
    fn receive(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut buffer = [0; 4096];
            let count = self.socket.recv(&mut buffer).expect("an answer");
            let Some(session) = &mut self.session else {
                return Some(buffer[..count].to_vec());
            };
            session.receive(&buffer[..count], self.start.elapsed()).expect("a good record");
            if let Some(message) = session.next_message() {
                return Some(message);
            }
            if session.is_closed() {
                return None;
            }
        }
    }
}

/// A device that sends what it is told to.
struct Device {
    link: Link,
    token: Vec<u8>,
    id: u16,
}

/// An answer in its parts; the message's token is checked already.
#[derive(Debug)]
struct Answer {
    first: u8,
    code: u8,
    id: u16,
    payload: Vec<u8>,
}

impl Device {
    fn over(link: Link) -> Self {
        Device { link, token: Vec::new(), id: 0x0100 }
    }

    fn admitted(link: Link) -> Self {
        let mut device = Device::over(link);
        let answer = device.ask("ABCDEFGHIJ/one/txauth9w0BAQsFA", "0", b"21010406;y6qo9\0\0");
        assert_eq!((answer.first, answer.code, answer.id), (0x64, 0x45, 0x0101));
        device.token = answer.payload;
        device
    }

    fn request(&mut self, path: &str, wants: &str, payload: &[u8]) -> Vec<u8> {
        self.id += 1;
        let mut out = vec![0x44, 2];
        out.extend(self.id.to_be_bytes());
        out.extend(b"wxyz");
        out.extend([0xbd, u8::try_from(path.len() - 13).expect("a short path")]);
        out.extend(path.as_bytes());
        if self.token.is_empty() {
            out.extend([0xd1, 62 - 11 - 13]);
        } else {
            out.extend([0xdd, 61 - 11 - 13, u8::try_from(self.token.len() - 13).expect("a short token")]);
            out.extend(&self.token);
            out.push(0x11);
        }
        out.extend(wants.as_bytes());
        out.push(0xff);
        out.extend(payload);
        out
    }

    fn ask(&mut self, path: &str, wants: &str, payload: &[u8]) -> Answer {
        let request = self.request(path, wants, payload);
        self.link.send(&request);
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        Device::read(self.link.receive().expect("a message"))
    }

    fn read(datagram: Vec<u8>) -> Answer {
        let rest = if datagram[0] & 15 == 4 {
            assert_eq!(&datagram[4..8], b"wxyz");
            &datagram[8..]
        } else {
            &datagram[4..]
        };
        let payload = rest.strip_prefix(b"\xff").unwrap_or(rest).to_vec();
        Answer { first: datagram[0], code: datagram[1], id: u16::from_be_bytes([datagram[2], datagram[3]]), payload }
    }

    /// Sends a request again and again until this answer to it comes, as a network that loses much wants it.
    fn insist(&mut self, path: &str, wants: &str, payload: &[u8], is_good: impl Fn(&Answer) -> bool) -> Answer {
        let request = self.request(path, wants, payload);
        self.link.socket.set_read_timeout(Some(Duration::from_millis(50))).expect("time limit");
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            self.link.send(&request);
            while let Some(answer) = self.link.try_receive().map(Device::read) {
                if is_good(&answer) {
                    return answer;
                }
            }
        }
        panic!("no answer to {path}");
    }

    /// Reports the version and takes the answer, which comes apart.
    fn report(&mut self) -> serde_json::Value {
        let ack = self.ask(REPORT, "1", VERSION.as_bytes());
        assert_eq!((ack.first, ack.code, ack.id), (0x64, 0x43, self.id));
        let response = self.answer();
        assert_eq!((response.first, response.code), (0x44, 0x45));
        let id = response.id.to_be_bytes();
        self.link.send(&[0x60, 0, id[0], id[1]]);
        json(&response.payload)
    }
}

#[test]
fn a_device_upgrades_over_coap() {
    let desk = Desk::with_devices(&["one"]);
    let mut hub = desk.start(&["--upgrade-on-report", "--exit-when-done"]);
    let mut device = Device::admitted(Link::plain(&hub));
    assert_eq!(hub.event("admitted", |_| true)["listener"], "coap");
    let command = device.report();
    assert_eq!((&command["type"], &command["version"]), (&json!("update_firmware"), &json!("2.0")));
    assert_eq!(command["url"], hub.ready["firmware_url"]);
    hub.event("ordered", |event| event["client_id"] == ONE);
    for (state, code) in [("downloading", "0"), ("burning", "0"), ("done", "0")] {
        let report = format!(
            r#"{{"type": "report_progress", "report":{{"progress":{{"state":"{state}", "percent":"9", "result_code":"{code}", "result_msg":""}}, "version":"2.0"}}}}"#
        );
        let answer = device.ask(REPORT, "0", report.as_bytes());
        assert_eq!((answer.first, answer.code, answer.payload.len()), (0x64, 0x45, 0));
    }
    assert_eq!(hub.exit_code(), Some(0));
}

#[test]
fn an_upgrade_gets_through_where_a_third_gets_lost() {
    let desk = Desk::with_devices(&["one"]);
    let mut hub = desk.start(&["--upgrade-on-report", "--fault", "coap:loss=30"]);
    let mut device = Device::over(Link::plain(&hub));
    let is_content = |answer: &Answer| answer.code == 0x45;
    let admitted = device.insist("ABCDEFGHIJ/one/txauth9w0BAQsFA", "0", b"21010406;y6qo9\0\0", is_content);
    device.token = admitted.payload;
    let mut command = device.insist(REPORT, "1", VERSION.as_bytes(), is_content);
    assert_eq!(json(&command.payload)["type"], "update_firmware");
    let done = br#"{"type": "report_progress", "report":{"progress":{"state":"done", "result_code":"0", "result_msg":""}, "version":"2.0"}}"#;
    let request_id = device.id + 1;
    command = device.insist(REPORT, "0", done, |answer| answer.code == 0x45 && answer.id == request_id);
    assert!(command.payload.is_empty());
    hub.say("quit");
    let reports = std::iter::from_fn(|| hub.next_event()).filter(|event| event["event"] == "message").count();
    assert_eq!(reports, 2, "what is repeated counts once");
}

#[test]
fn an_order_reaches_a_device_with_its_next_report() {
    let desk = Desk::with_devices(&["one"]);
    let mut hub = desk.start(&[]);
    let mut device = Device::admitted(Link::plain(&hub));
    let expected = json!({"result_code": 0, "result_msg": "success", "type": "report_version_rsp", "version": "1.0"});
    assert_eq!(device.report(), expected);
    hub.say("upgrade ABCDEFGHIJone");
    hub.event("note", |_| true);
    assert_eq!(device.report()["type"], "update_firmware");
}

#[test]
fn messages_are_passed_on_once_and_only_from_their_device() {
    let desk = Desk::with_devices(&["one", "two"]);
    let hub = desk.start(&[]);
    let mut listener = device(&hub, ONE);
    listener.subscribe("ABCDEFGHIJ/one/data");
    let mut device = Device::admitted(Link::plain(&hub));
    let request = device.request("ABCDEFGHIJ/one/data", "0", b"hello");
    for _ in 0..3 {
        device.link.send(&request);
        let answer = device.answer();
        assert_eq!((answer.code, answer.id), (0x45, device.id));
    }
    assert_eq!(device.ask("ABCDEFGHIJ/two/data", "0", b"x").code, 0x83);
    device.token[0] ^= 1;
    assert_eq!(device.ask("ABCDEFGHIJ/one/data", "0", b"x").code, 0x81);
    device.token[0] ^= 1;
    assert_eq!(device.ask("ABCDEFGHIJ/one/data", "0", b"bye").code, 0x45);
    assert_eq!(listener.message().payload, "hello");
    assert_eq!(listener.message().payload, "bye");
    hub.event("message", |event| event["payload"] == "bye" && event["client_id"] == ONE);
    let mut stranger = Device::over(Link::plain(&hub));
    assert_eq!(stranger.ask("ABCDEFGHIJ/three/txauth9w0BAQsFA", "0", b"21010406;abcde\0\0").code, 0x81);
    assert_eq!(hub.event("refused", |event| event["client_id"] == "ABCDEFGHIJthree")["reason"], "unknown device");
}

#[test]
fn faults_are_played_over_a_socket() {
    let desk = Desk::with_devices(&["one"]);
    let rules = ["coap:late=0.2@message#1", "coap:loss=100#7-8"];
    let hub = desk.start(&["--fault", rules[0], "--fault", rules[1]]);
    let mut device = Device::admitted(Link::plain(&hub));
    let late = device.request("ABCDEFGHIJ/one/data", "0", b"late");
    let late_id = device.id;
    device.link.send(&late);
    hub.event("fault", |event| event["rule"] == rules[0]);
    assert_eq!(device.ask("ABCDEFGHIJ/one/data", "0", b"soon").id, device.id);
    assert_eq!(device.answer().id, late_id);
    // Datagrams one to six were sent and received so far.
    let lost = device.request("ABCDEFGHIJ/one/data", "0", b"lost");
    for _ in 0..2 {
        device.link.send(&lost);
    }
    hub.event("fault", |event| event["rule"] == rules[1]);
    hub.event("fault", |event| event["rule"] == rules[1]);
    device.link.socket.set_nonblocking(true).expect("a mode");
    assert_eq!(device.link.socket.recv(&mut [0; 9]).err().map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    device.link.socket.set_nonblocking(false).expect("a mode");
    device.link.send(&lost);
    assert_eq!(device.answer().id, device.id);
}

#[test]
fn a_device_comes_in_over_dtls_by_its_key() {
    let desk = Desk::with_devices(&["one", "two"]);
    let hub = desk.start(&["--upgrade-on-report"]);
    let mut device = Device::admitted(Link::dtls(&hub, ONE, KEY).expect("a session"));
    assert_eq!(hub.event("admitted", |_| true)["listener"], "coap_psk");
    assert_eq!(device.report()["type"], "update_firmware");
    device.link.session.as_mut().expect("a session").close();
    device.link.flush();
    for (identity, key, part) in
        [("ABCDEFGHIJtwo", &b"x"[..], "secret"), ("ABCDEFGHIJnine", KEY, "unknown PSK identity")]
    {
        assert!(Link::dtls(&hub, identity, key).is_none(), "{identity}");
        let refused = hub.event("refused", |event| event["client_id"] == identity);
        assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains(part)), "{refused}");
    }
    // Another device's path and a token that was given to another.
    let mut other = Device::over(Link::dtls(&hub, "ABCDEFGHIJtwo", KEY).expect("a session"));
    assert_eq!(other.ask("ABCDEFGHIJ/one/txauth9w0BAQsFA", "0", b"21010406;y6qo9\0\0").code, 0x81);
    other.token = device.token;
    assert_eq!(other.ask("ABCDEFGHIJ/one/data", "0", b"x").code, 0x81);
}

#[test]
fn a_device_comes_in_over_dtls_by_its_certificate() {
    let desk = Desk::with_devices(&["one", "cert"]);
    let hub = desk.start(&["--upgrade-on-report"]);
    let mut device = Device::admitted(Link::certificate(&hub, &hub, ONE).expect("a session"));
    assert_eq!(hub.event("admitted", |_| true)["listener"], "coap_cert");
    assert_eq!(device.report()["type"], "update_firmware");
    let mut other = Device::over(Link::certificate(&hub, &hub, CERT).expect("a session"));
    assert_eq!(other.ask("ABCDEFGHIJ/one/txauth9w0BAQsFA", "0", b"21010406;y6qo9\0\0").code, 0x81);
    // Another CA's certificate for a device that is there, and this one's for a device that is gone.
    let elsewhere = desk.start(&[]);
    assert!(Link::certificate(&hub, &elsewhere, ONE).is_none());
    hub.event("refused", |event| event["client_id"] == ONE && event["listener"] == "coap_cert");
    Console::of(&hub).delete(&format!("/api/devices/{CERT}")).good(204);
    assert!(Link::certificate(&hub, &hub, CERT).is_none());
    assert_eq!(hub.event("refused", |event| event["client_id"] == CERT)["reason"], "unknown client id");
}

#[test]
fn sessions_end_and_begin_as_rules_say() {
    let desk = Desk::with_devices(&["one"]);
    let rules = ["coap:silent@handshake#1", "coap:no-cookie#2-", "coap:gone@message#1", "coap:close@message#2"];
    let hub = desk.start(&rules.map(|rule| ["--fault", rule]).concat());
    let hello = {
        let mut session = Session::client(KEY, ONE, None, &SUITES).expect("a client");
        session.proceed(Duration::ZERO).expect("a beginning");
        session.next_datagram().expect("a hello")
    };
    let silent = Link::to(hub.text("coap_psk"), None);
    silent.socket.send(&hello).expect("send");
    hub.event("fault", |event| event["rule"] == rules[0]);
    let mut gone = Device::admitted(Link::dtls(&hub, ONE, KEY).expect("a session"));
    let request = gone.request("ABCDEFGHIJ/one/data", "0", b"x");
    gone.link.send(&request);
    hub.event("fault", |event| event["rule"] == rules[2]);
    // Nobody knows the session any more: this is no message.
    gone.link.send(&request);
    let mut closed = Device::admitted(Link::dtls(&hub, ONE, KEY).expect("a session"));
    assert_eq!(closed.ask("ABCDEFGHIJ/one/data", "0", b"x").code, 0x45);
    assert_eq!(closed.link.receive(), None);
}

#[test]
fn what_an_address_sends_too_much_is_not_looked_at() {
    let desk = Desk::new();
    let hub = desk.start(&["--address-requests", "1"]);
    let mut link = Link::plain(&hub);
    for id in 1..=3 {
        // A ping, which is answered by a reset (RFC 7252 section 4.3).
        link.send(&[0x40, 0, 0, id]);
    }
    assert_eq!(link.receive(), Some(vec![0x70, 0, 0, 1]));
    hub.event("warning", |event| event["text"] == "127.0.0.1 asks more than 1 times a minute: it is refused");
    link.socket.set_read_timeout(Some(Duration::from_millis(1))).expect("time limit");
    assert!(link.try_receive().is_none());
}
