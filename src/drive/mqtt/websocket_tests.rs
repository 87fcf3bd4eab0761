//! A client of MQTT over WebSocket against a server of another implementation, on loopback.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{channel, Sender};
use std::thread;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::*;
use crate::drive::testing::mqtt_server;
use crate::drive::testing::websocket_server::{accept, right};
use crate::hal::platform::HalPlatform;
use crate::hal::Security;

/// A connection that the server has upgraded.
struct Device {
    socket: WebSocket<TcpStream>,
    bytes: BytesMut,
}

impl Device {
    fn accept(listener: &TcpListener, answer: impl FnOnce(&str) -> String) -> Device {
        Device { socket: accept(listener, answer).0, bytes: BytesMut::new() }
    }

    /// The next packet, which is a message of its own.
    fn receive(&mut self) -> Packet {
        assert!(self.bytes.is_empty());
        loop {
            match self.socket.read().unwrap() {
                Message::Binary(data) => self.bytes.extend_from_slice(&data),
                Message::Pong(_) => continue,
                other => panic!("{other:?}"),
            }
            return Packet::read(&mut self.bytes, usize::MAX).unwrap();
        }
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// Takes CONNECT, and says who came with which password.
    fn let_in(&mut self) -> (String, String) {
        let Packet::Connect(connect) = self.receive() else { panic!("no CONNECT") };
        self.send(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)));
        let login = connect.login.unwrap();
        (login.username, login.password)
    }
}

#[derive(Debug, PartialEq)]
enum Event {
    Lost,
    Back,
    Published,
    Message(usize),
}

struct Reporter(std::sync::Mutex<Sender<Event>>);

impl Listener for Reporter {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        let event = match notice {
            Notice::Disconnected => Event::Lost,
            Notice::Reconnected => Event::Back,
            Notice::Published(_) => Event::Published,
            Notice::Message(message) => Event::Message(message.payload.len()),
            _ => return,
        };
        // The test may be over.
        let _ = self.0.lock().unwrap().send(event);
    }
}

fn client(port: u16, events: Sender<Event>) -> Arc<Client> {
    let mut setup = mqtt_server::setup(Reporter(std::sync::Mutex::new(events)), Box::new(()));
    setup.endpoint = Endpoint { host: "localhost".to_owned(), port, security: Security::None, handshake_timeout_ms: 0 };
    setup.over_websocket = true;
    setup.proof = Proof::Password(vec![1, 2, 3]);
    Client::offline(Arc::new(HalPlatform::new()), setup)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn it_connects_publishes_answers_and_comes_back() {
    let (listener, port) = listener();
    let server = thread::spawn(move || {
        let mut device = Device::accept(&listener, right);
        let (user_name, password) = device.let_in();
        assert_eq!(password, iot_engine::identity::password(&[1, 2, 3], &user_name));
        let Packet::Publish(publish) = device.receive() else { panic!("no PUBLISH") };
        assert_eq!(publish.payload.len(), 1500);
        device.socket.send(Message::Ping(b"are you there"[..].into())).unwrap();
        assert_eq!(device.socket.read().unwrap(), Message::Pong(b"are you there"[..].into()));
        device.send(&Packet::PubAck(PubAck::new(publish.pkid)));
        device.send(&Packet::Publish(Publish::new("t", rumqttc::QoS::AtMostOnce, vec![7; 10_000])));
        let going = CloseFrame { code: CloseCode::Away, reason: "".into() };
        device.socket.close(Some(going.clone())).unwrap();
        assert_eq!(device.socket.read().unwrap(), Message::Close(Some(going)));
        let mut device = Device::accept(&listener, right);
        device.let_in();
        assert_eq!(device.receive(), Packet::Disconnect);
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        assert_eq!(device.socket.read().unwrap(), Message::Close(Some(normal)));
    });
    let (reporter, events) = channel();
    let client = client(port, reporter);
    client.connect().unwrap();
    client.publish("t", QoS::AtLeastOnce, &[7; 1500]).unwrap();
    for expected in [Event::Published, Event::Message(10_000), Event::Lost, Event::Back] {
        let event = loop {
            if let Ok(event) = events.try_recv() {
                break event;
            }
            assert!(!server.is_finished(), "the server gave up before {expected:?}");
            let _ = client.yield_for(100);
        };
        assert_eq!(event, expected);
    }
    client.destroy();
    server.join().unwrap();
}

#[test]
fn a_server_that_refuses_is_told() {
    let (listener, port) = listener();
    let server = thread::spawn(move || {
        Device::accept(&listener, |_| "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned());
        Device::accept(&listener, |_| "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n".to_owned());
    });
    for why in ["it answered 403, not 101", "the Sec-WebSocket-Accept of its answer is missing or wrong"] {
        let Err(Error::Unreachable(error)) = client(port, channel().0).connect() else { panic!("it connects") };
        assert_eq!((error.code, error.cause), (-1, format!("the server refuses WebSocket: {why}")));
    }
    server.join().unwrap();
}
