//! A device in memory, whose tunnels go to servers on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use iot_engine::services::ssh::frame::{encode, kind, Decoder};
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::Packet;
use tungstenite::{Message, WebSocket};

use super::*;
use crate::drive::mqtt::{Listener, Notice, Proof};
use crate::drive::testing::mqtt_server::{setup, MQTT_PORT};
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::websocket_server::{self, right, LIMIT};
use crate::drive::testing::{Grant, Machine};
use crate::hal::platform::HalPlatform;
use crate::hal::{Attempt, Connected, Endpoint, Platform, Security};

const OPERATION: &str = "$sys/operation/PRODUCTIDX/device";
const RESULT: &str = "$sys/operation/result/PRODUCTIDX/device";
const UP: &str = r#"{"type": "ssh", "switch": 1}"#;
const DOWN: &str = r#"{"type": "ssh", "switch": 0}"#;

/// There is one tunnel in a process.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

struct Quiet;

impl Listener for Quiet {
    fn notice(&self, _: &Arc<Client>, _: Notice<'_>) {}
}

/// A machine whose MQTT server is in memory, and the other servers on loopback, without TLS.
struct Reach {
    machine: Arc<Machine>,
    loopback: HalPlatform,
    cloud: u16,
    ssh: u16,
}

impl Platform for Reach {
    fn now(&self) -> Millis {
        self.machine.now()
    }

    fn sleep(&self, ms: u32) {
        self.loopback.sleep(ms);
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        self.machine.connect(endpoint)
    }

    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        let (host, port) = match endpoint.port {
            MQTT_PORT => return self.machine.begin_connect(endpoint),
            22 => ("127.0.0.1", self.ssh),
            _ => ("ap-guangzhou.gateway.tencentdevices.com", self.cloud),
        };
        assert_eq!(endpoint.host, host);
        let host = "127.0.0.1".to_owned();
        self.loopback.begin_connect(&Endpoint { host, port, security: Security::None, handshake_timeout_ms: 0 })
    }
}

/// A device, and the servers that it reaches.
struct Desk {
    machine: Arc<Machine>,
    client: Arc<Client>,
    cloud: TcpListener,
    ssh: TcpListener,
    /// What the device says of its tunnel.
    reports: Receiver<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Desk {
    fn new() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = Machine::new(|_, _| Answer::new(""));
        let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (cloud, ssh) = (listener(), listener());
        let loopback = HalPlatform::new();
        let reach = Reach { machine: machine.clone(), loopback, cloud: port(&cloud), ssh: port(&ssh) };
        let (sender, reports) = channel();
        let sender = StdMutex::new(sender);
        machine.mqtt.world().on_packet = Some(Arc::new(move |packet| match packet {
            Packet::Publish(publish) => {
                assert_eq!(publish.topic, OPERATION);
                let _ = sender.lock().unwrap().send(String::from_utf8(publish.payload.to_vec()).unwrap());
            }
            Packet::Disconnect => drop(sender.lock().unwrap().send("disconnected".to_owned())),
            _ => {}
        }));
        let setup =
            crate::drive::mqtt::Setup { proof: Proof::Password(vec![1, 2, 3, 4]), ..setup(Quiet, Box::new(())) };
        let client = Client::offline(Arc::new(reach), setup);
        client.connect().unwrap();
        Desk { machine, client, cloud, ssh, reports, _alone: alone }
    }

    /// One whose device has let the cloud ask.
    fn enabled() -> Self {
        let desk = Desk::new();
        enable(&desk.client).unwrap();
        assert_eq!(desk.report(), DOWN);
        desk
    }

    fn report(&self) -> String {
        self.reports.recv_timeout(LIMIT).unwrap()
    }

    fn says(&self, message: &str) {
        self.machine.send(&self.client, RESULT, message.as_bytes());
    }

    /// The device's end of a tunnel that is up, as the cloud sees it.
    fn tunnel(&self) -> Cloud {
        self.says(UP);
        let mut cloud = self.accept();
        assert_eq!(self.report(), UP);
        assert_eq!(cloud.said().0, kind::SIGN_IN);
        cloud.say(kind::VERIFIED, "", "{\"code\":0}");
        assert_eq!(cloud.said().0, kind::PING);
        cloud.say(kind::PONG, "", "");
        cloud
    }

    fn accept(&self) -> Cloud {
        let (socket, head) = websocket_server::accept(&self.cloud, right);
        assert!(
            head.starts_with("GET /ssh/device HTTP/1.1\r\nHost: ap-guangzhou.gateway.tencentdevices.com:443\r\n"),
            "{head}"
        );
        assert!(head.contains("Sec-Websocket-Protocol: PRODUCTIDX+device\r\n"), "{head}");
        Cloud { socket }
    }

    /// A session's connection, and the first bytes on it.
    fn session(&self, cloud: &mut Cloud, token: &str) -> TcpStream {
        cloud.say(kind::OPEN, token, "");
        assert_eq!(cloud.said(), (kind::OPENED, token.to_owned(), r#"{"code":0,"message":"success"}"#.to_owned()));
        cloud.say(kind::DATA, token, "SSH-2.0");
        let mut ssh = self.ssh.accept().unwrap().0;
        ssh.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(read(&mut ssh, 7), "SSH-2.0");
        ssh
    }
}

fn read(stream: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The cloud's end of a tunnel.
struct Cloud {
    socket: WebSocket<TcpStream>,
}

impl Cloud {
    /// The next frame, which is a message of its own.
    fn said(&mut self) -> (i64, String, String) {
        let Message::Binary(message) = self.socket.read().unwrap() else { panic!("no frame") };
        let mut bytes = &message[..];
        let piece = Decoder::default().next(&mut bytes).unwrap().unwrap();
        assert!(piece.is_last && bytes.is_empty(), "{message:?}");
        (piece.head.kind, piece.head.token, String::from_utf8(piece.payload.to_vec()).unwrap())
    }

    fn say(&mut self, kind: i64, token: &str, payload: &str) {
        self.socket.send(Message::binary(encode(0, kind, 0, token, payload.as_bytes()))).unwrap();
    }

    /// Reads until the device has ended the connection.
    fn ends(mut self) {
        while self.socket.read().is_ok() {}
    }
}

#[test]
fn the_cloud_is_listened_to_once() {
    let desk = Desk::enabled();
    enable(&desk.client).unwrap();
    assert_eq!(desk.report(), DOWN);
    let subscribes = |packet: &&Packet| matches!(packet, Packet::Subscribe(_));
    assert_eq!(desk.machine.mqtt.world().received.iter().filter(subscribes).count(), 1);
    // Not one of these starts anything.
    for other in [r#"{"type":"ssh"}"#, r#"{"type":"get","time":5}"#, "", r#"{"type":"ssh","switch":0}"#] {
        desk.says(other);
    }
    assert!(desk.reports.try_recv().is_err());
}

#[test]
fn without_a_grant_nothing_is_told() {
    let desk = Desk::new();
    for grants in [&[Grant::Silent][..], &[Grant::Refused; 3]] {
        desk.machine.mqtt.world().grants(grants);
        assert_eq!(enable(&desk.client), Err(Error::NoAnswer));
        assert!(desk.reports.try_recv().is_err());
    }
    assert_eq!(enable(&desk.client), Ok(()));
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn a_session_goes_both_ways_until_either_side_ends_it() {
    let desk = Desk::enabled();
    let mut cloud = desk.tunnel();
    let mut first = desk.session(&mut cloud, "a");
    let mut second = desk.session(&mut cloud, "b");
    second.write_all(b"second").unwrap();
    assert_eq!(cloud.said(), (kind::DATA, "b".to_owned(), "second".to_owned()));
    first.write_all(b"first").unwrap();
    assert_eq!(cloud.said(), (kind::DATA, "a".to_owned(), "first".to_owned()));
    cloud.say(kind::DATA, "a", "last");
    cloud.say(kind::CLOSE, "a", "");
    assert_eq!(cloud.said(), (kind::CLOSED, "a".to_owned(), r#"{"code":0,"message":"success"}"#.to_owned()));
    assert_eq!(read(&mut first, 4), "last");
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    // What an SSH server says before it goes still arrives.
    second.write_all(b"bye").unwrap();
    drop(second);
    assert_eq!(cloud.said(), (kind::DATA, "b".to_owned(), "bye".to_owned()));
    assert_eq!(cloud.said(), (kind::OPENED, "b".to_owned(), r#"{"code":-1,"message":"fail"}"#.to_owned()));
    desk.says(DOWN);
    cloud.ends();
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn the_device_signs_by_its_secret() {
    let desk = Desk::enabled();
    desk.says(UP);
    let mut cloud = desk.accept();
    let (_, token, payload) = cloud.said();
    assert_eq!(desk.report(), UP);
    let rand = token.strip_prefix("ws-token-").unwrap();
    let seconds = payload.split("\"timestamp\":").nth(1).unwrap().split(',').next().unwrap();
    let sign_in = iot_engine::services::ssh::SignIn::new(
        desk.client.identity(),
        seconds.parse().unwrap(),
        rand.parse::<u64>().unwrap() << 33,
    );
    assert_eq!(payload, sign_in.by_secret(&[1, 2, 3, 4]));
    // A refusal ends the tunnel.
    cloud.say(kind::VERIFIED, &token, "{\"code\":5}");
    cloud.ends();
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn a_tunnel_that_can_not_be_made_is_told_of() {
    let mut desk = Desk::enabled();
    desk.says(UP);
    drop(websocket_server::accept(&desk.cloud, |_| "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned()));
    assert_eq!(desk.report(), DOWN);
    // Nobody listens there any more.
    desk.cloud = TcpListener::bind("127.0.0.1:0").unwrap();
    desk.says(UP);
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn a_tunnel_that_is_started_again_ends_first() {
    let desk = Desk::enabled();
    let cloud = desk.tunnel();
    desk.says(UP);
    cloud.ends();
    assert_eq!(desk.report(), DOWN);
    let mut again = desk.accept();
    assert_eq!(desk.report(), UP);
    assert_eq!(again.said().0, kind::SIGN_IN);
    drop(again);
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn no_ssh_server_is_one_sessions_end_only() {
    let mut desk = Desk::enabled();
    desk.ssh = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut cloud = desk.tunnel();
    for token in ["a", "b"] {
        cloud.say(kind::OPEN, token, "");
        cloud.say(kind::DATA, token, "SSH-2.0");
        assert_eq!(cloud.said().2, r#"{"code":0,"message":"success"}"#);
        assert_eq!(cloud.said(), (kind::OPENED, token.to_owned(), r#"{"code":-1,"message":"fail"}"#.to_owned()));
    }
}

#[test]
fn an_ssh_server_that_takes_nothing_holds_the_cloud_up_and_not_the_end() {
    let desk = Desk::enabled();
    let mut cloud = desk.tunnel();
    let _ssh = desk.session(&mut cloud, "a");
    cloud.socket.get_ref().set_nonblocking(true).unwrap();
    let frame = encode(0, kind::DATA, 0, "a", &[b'x'; 8000]);
    // Until nothing more goes into the sockets: the tunnel has stopped reading.
    let mut in_vain = 0;
    while in_vain < 20 {
        match cloud.socket.send(Message::binary(frame.clone())) {
            Ok(()) => in_vain = 0,
            Err(_) => {
                in_vain += 1;
                std::thread::yield_now();
                desk.client.platform().sleep(5);
                let _ = cloud.socket.flush();
            }
        }
    }
    desk.says(DOWN);
    assert_eq!(desk.report(), DOWN);
}

#[test]
fn destroying_the_client_ends_its_tunnel_first() {
    let desk = Desk::enabled();
    let cloud = desk.tunnel();
    desk.client.destroy();
    assert_eq!(desk.reports.try_recv().as_deref(), Ok(DOWN));
    assert_eq!(desk.reports.try_recv().as_deref(), Ok("disconnected"));
    cloud.ends();
}

#[test]
fn destroying_another_client_leaves_it() {
    let desk = Desk::enabled();
    let mut cloud = desk.tunnel();
    let other = desk.machine.client();
    other.destroy();
    assert_eq!(desk.report(), "disconnected");
    desk.session(&mut cloud, "a");
    desk.client.destroy();
}
