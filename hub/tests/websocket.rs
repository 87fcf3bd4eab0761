//! MQTT over WebSocket, on the listeners of MQTT.

mod common;

use bytes::BytesMut;
use common::{connect_packet, tcp, Desk, Hub, ONE};
use rumqttc::mqttbytes::v4::{Packet, Publish};
use rumqttc::mqttbytes::QoS;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

type Socket = WebSocket<std::net::TcpStream>;

fn connect(hub: &Hub, protocol: &'static str) -> Result<Socket, Error> {
    let mut request = "ws://localhost/".into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().expect("a value"));
    match tungstenite::client(request, tcp(hub.text("mqtt"))) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => panic!("no answer in time"),
    }
}

fn bytes(packet: &Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).expect("a packet");
    bytes.to_vec()
}

/// The next packet, however the frames cut it.
fn receive(socket: &mut Socket, input: &mut BytesMut) -> Packet {
    loop {
        if let Ok(packet) = Packet::read(input, usize::MAX) {
            return packet;
        }
        match socket.read().expect("a message") {
            Message::Binary(data) => input.extend_from_slice(&data),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_device_speaks_over_websocket() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut socket = connect(&hub, "mqtt").expect("upgraded");
    let mut input = BytesMut::new();
    // One packet in two frames.
    let (first, rest) = (bytes(&Packet::Connect(connect_packet(ONE))), bytes(&Packet::PingReq));
    let (head, tail) = first.split_at(7);
    socket.send(Message::binary(head.to_vec())).expect("sent");
    socket.send(Message::binary([tail, &rest].concat())).expect("sent");
    assert!(matches!(receive(&mut socket, &mut input), Packet::ConnAck(ack) if ack.code as u8 == 0));
    assert_eq!(receive(&mut socket, &mut input), Packet::PingResp);
    assert_eq!(hub.event("connected", |_| true)["client_id"], ONE);
    socket.send(Message::Ping(b"there?"[..].into())).expect("sent");
    assert_eq!(socket.read().expect("an answer"), Message::Pong(b"there?"[..].into()));
    let publish = Publish::new("t", QoS::AtMostOnce, vec![7; 100_000]);
    socket.send(Message::binary(bytes(&Packet::Publish(publish)))).expect("sent");
    assert_eq!(hub.event("message", |_| true)["topic"], "t");
    socket.send(Message::binary(bytes(&Packet::Disconnect))).expect("sent");
    assert_eq!(hub.event("disconnected", |_| true)["clean"], true);
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
}

#[test]
fn another_protocol_is_refused() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    assert!(matches!(connect(&hub, "chat"), Err(Error::Http(answer)) if answer.status() == 400));
    let reason = hub.event("refused", |_| true)["reason"].to_string();
    assert!(reason.contains("no WebSocket"), "{reason}");
}
