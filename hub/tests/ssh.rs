//! SSH tunnels, with a device that is played here.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use common::console::Console;
use common::{device, tcp, Desk, Hub, ONE, PATIENCE, PRODUCT, TWO};
use serde_json::{json, Value};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

/// A device's end of a tunnel.
struct Tunnel(WebSocket<TcpStream>);

impl Tunnel {
    fn begin(hub: &Hub) -> Tunnel {
        Tunnel::try_begin(hub).expect("upgraded")
    }

    /// The error says why there is none.
    fn try_begin(hub: &Hub) -> Result<Tunnel, String> {
        let mut request = "ws://localhost/ssh/device".into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", format!("{PRODUCT}+one").parse().expect("a value"));
        let address = hub.text("http").strip_prefix("http://").expect("a URL");
        let upgraded = tungstenite::client(request, tcp(address));
        upgraded.map(|(socket, _)| Tunnel(socket)).map_err(|error| error.to_string())
    }

    fn say(&mut self, kind: u8, token: &str, payload: &str) {
        let line = json!({ "msgType": kind, "payloadLen": payload.len(), "token": token });
        self.0.send(Message::binary(format!("{line}\r\n{payload}").into_bytes())).expect("sent");
    }

    /// The next frame: kind, token and payload.
    fn hear(&mut self) -> (u64, String, String) {
        let message = self.0.read().expect("a frame").into_data();
        let text = String::from_utf8(message.to_vec()).expect("text");
        let (line, payload) = text.split_once("\r\n").expect("a line");
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["payloadLen"], payload.len());
        (
            line["msgType"].as_u64().expect("a number"),
            line["token"].as_str().expect("text").to_owned(),
            payload.to_owned(),
        )
    }

    fn sign_in(&mut self, sign: &str) -> (u64, String, String) {
        let who = json!({
            "productId": PRODUCT, "deviceName": "one", "timestamp": 1, "rand": "2", "version": "1.0",
            "signMethod": "hmacsha1", "sign": sign,
        });
        self.say(8, "ws-token-2", &who.to_string());
        self.hear()
    }
}

/// `printf %s "productId_ABCDEFGHIJ_device_one_timestamp_1_rand_2" | openssl dgst -sha1 -hmac MTIzNDU2Nzg5MGFiY2RlZg== -binary | base64`
const SIGN: &str = "VEUOBBu8b1r23miB2WMD7BzrMfg=";
const YES: &str = r#"{"code":0}"#;
const NO: &str = r#"{"code":-1}"#;

#[test]
fn a_connection_reaches_the_device_that_was_asked() {
    let desk = Desk::new();
    let hub = desk.start(&["--state", "state"]);
    let mut device = device(&hub, ONE);
    device.subscribe(&format!("$sys/operation/result/{PRODUCT}/one"));
    thread::scope(|scope| {
        let console = Console::of(&hub);
        let status = || console.get(&format!("/api/devices/{ONE}/ssh")).good(200);
        assert_eq!(status(), json!({ "state": "none", "tunnel": null }));
        console.get("/api/devices/nobody/ssh").refusal(404);
        let asked = scope.spawn(|| desk.output(&["ssh", "--state", "state", ONE, "--json"]));
        assert_eq!(device.message().payload, r#"{"type":"ssh","switch":1}"#);
        assert_eq!(status(), json!({ "state": "asked", "tunnel": null }));
        let mut tunnel = Tunnel::begin(&hub);
        assert_eq!(tunnel.sign_in(SIGN), (9, "ws-token-2".to_owned(), YES.to_owned()));
        let asked = asked.join().expect("no panic");
        let answer: Value = serde_json::from_slice(&asked.stdout).expect("JSON");
        assert_eq!((&answer["client_id"], &answer["host"]), (&json!(ONE), &json!("127.0.0.1")));
        assert_eq!(status(), json!({ "state": "up", "tunnel": answer }));
        let port = u16::try_from(answer["port"].as_u64().expect("a port")).expect("a port");
        let mut near = TcpStream::connect(("127.0.0.1", port)).expect("the port");
        near.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        near.write_all(b"SSH-2.0").expect("written");
        let (kind, token, _) = tunnel.hear();
        assert_eq!(kind, 0);
        tunnel.say(1, &token, r#"{"code":0,"message":"success"}"#);
        assert_eq!(tunnel.hear(), (6, token.clone(), "SSH-2.0".to_owned()));
        tunnel.say(6, &token, "answer");
        let mut answer = [0; 6];
        near.read_exact(&mut answer).expect("the answer");
        assert_eq!(&answer, b"answer");
        tunnel.say(4, "wsping-1", "");
        assert_eq!(tunnel.hear(), (5, "wsping-1".to_owned(), String::new()));
        // The device's server has gone.
        tunnel.say(1, &token, r#"{"code":-1,"message":"fail"}"#);
        assert_eq!(near.read(&mut answer).expect("the end"), 0);
        assert_eq!(tunnel.hear().0, 2);
        // And the person, at another connection.
        let near = TcpStream::connect(("127.0.0.1", port)).expect("the port");
        let (_, token, _) = tunnel.hear();
        drop(near);
        assert_eq!(tunnel.hear(), (2, token, String::new()));
        assert!(desk.output(&["ssh", "--state", "state", ONE, "--close"]).status.success());
        assert_eq!(device.message().payload, r#"{"type":"ssh","switch":0}"#);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(tunnel.0.read().is_err());
        assert_eq!(status()["state"], "none");
    });
}

#[test]
fn only_the_device_that_was_asked_is_let_in() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    for (sign, why) in [("AAAA", "the signature is wrong"), (SIGN, "nobody has asked for it")] {
        let mut tunnel = Tunnel::begin(&hub);
        assert_eq!(tunnel.sign_in(sign), (9, "ws-token-2".to_owned(), NO.to_owned()));
        assert!(matches!(tunnel.0.read(), Ok(Message::Close(_)) | Err(_)));
        hub.event("warning", |event| event["text"].as_str().is_some_and(|text| text.contains(why)));
    }
    let mut tunnel = Tunnel::begin(&hub);
    tunnel.say(6, "a", "data of nobody");
    assert_eq!(tunnel.hear(), (9, String::new(), NO.to_owned()));
}

#[test]
fn a_device_that_does_not_listen_is_not_asked() {
    let desk = Desk::new();
    let hub = desk.start(&["--state", "state"]);
    for device in [TWO, "nobody"] {
        let asked = desk.output(&["ssh", "--state", "state", device]);
        assert_eq!(asked.status.code(), Some(1));
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(said.contains("IOT_Ssh_enable") || said.contains("There is no device"), "{said}");
    }
    // Nobody waits for it.
    assert_eq!(Console::of(&hub).get(&format!("/api/devices/{TWO}/ssh")).good(200)["state"], "none");
}

#[test]
fn rules_of_other_places_leave_tunnels_alone() {
    let desk = Desk::new();
    for rule in ["http:status=503", "http:no-answer", "register:no-psk"] {
        let hub = desk.start(&["--fault", rule]);
        let denied = (9, "ws-token-2".to_owned(), NO.to_owned());
        assert_eq!(Tunnel::begin(&hub).sign_in(SIGN), denied, "{rule}");
    }
}

#[test]
fn a_rule_spoils_one_tunnel_and_not_the_next() {
    let desk = Desk::new();
    for (rule, sees) in [
        ("ssh:refuse#1", "reset by peer"),
        ("ssh:status=404#1", "404"),
        ("ssh:deny#1", NO),
        ("ssh:cut=5#1", "without closing handshake"),
        ("ssh:reset=0#1", "reset by peer"),
    ] {
        let hub = desk.start(&["--fault", rule]);
        let seen = Tunnel::try_begin(&hub).and_then(|mut tunnel| {
            tunnel.say(8, "ws-token-2", "who it is");
            let said = tunnel.0.read().map_err(|error| error.to_string())?;
            Ok(String::from_utf8_lossy(&said.into_data()).into_owned())
        });
        let seen = seen.unwrap_or_else(|why| why);
        assert!(seen.contains(sees), "{rule}: {seen}");
        assert_eq!(hub.event("fault", |_| true)["rule"], rule);
        assert_eq!(Tunnel::begin(&hub).sign_in(SIGN), (9, "ws-token-2".to_owned(), NO.to_owned()), "{rule}");
    }
}
