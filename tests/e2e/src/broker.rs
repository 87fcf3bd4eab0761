//! An MQTT server that does what a test tells it, over plain TCP: for the build without TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use crate::listener::Listener;
use crate::report::Report;
use crate::{Device, Log};

/// Types of MQTT packets (MQTT 3.1.1, 2.2.1).
pub const CONNECT: u8 = 1;
/// Message.
pub const PUBLISH: u8 = 3;
/// The answer to a message of QoS 1.
pub const PUBACK: u8 = 4;
/// The first answer to a message of QoS 2.
pub const PUBREC: u8 = 5;
/// The last answer to a message of QoS 2.
pub const PUBCOMP: u8 = 7;
/// Subscription.
pub const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PINGREQ: u8 = 12;

/// One packet of a device.
#[derive(Clone, Debug)]
pub struct Packet {
    /// From 1, over the broker's life.
    pub connection: usize,
    /// When it came.
    pub at: Instant,
    /// Such as [`CONNECT`].
    pub kind: u8,
    /// The lower four bits of the first byte.
    flags: u8,
    /// What follows the fixed header.
    pub body: Vec<u8>,
}

impl Packet {
    /// Of a message: 0 to 2.
    pub fn qos(&self) -> u8 {
        (self.flags >> 1) & 3
    }

    /// Topic, packet id where there is one, and payload of a message.
    pub fn message(&self) -> (String, Option<[u8; 2]>, Vec<u8>) {
        let end = 2 + usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let topic = String::from_utf8_lossy(&self.body[2..end]).into_owned();
        match self.qos() {
            0 => (topic, None, self.body[end..].to_vec()),
            _ => (topic, Some([self.body[end], self.body[end + 1]]), self.body[end + 2..].to_vec()),
        }
    }

    /// Whether it is a message whose payload holds this text.
    pub fn says(&self, text: &str) -> bool {
        self.kind == PUBLISH && String::from_utf8_lossy(&self.message().2).contains(text)
    }

    /// Packet id of a packet that begins with it.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// What a good broker answers.
    fn answer(&self) -> Vec<u8> {
        match self.kind {
            CONNECT => vec![0x20, 2, 0, 0],
            PUBLISH => self.message().1.map_or(Vec::new(), |[high, low]| vec![0x40, 2, high, low]),
            PUBREC => vec![0x62, 2, self.body[0], self.body[1]],
            // The device subscribes to one filter at a time.
            SUBSCRIBE => vec![0x90, 3, self.body[0], self.body[1], 1],
            UNSUBSCRIBE => vec![0xb0, 2, self.body[0], self.body[1]],
            PINGREQ => vec![0xd0, 0],
            _ => Vec::new(),
        }
    }
}

/// A message to a device. QoS 0 has no packet id.
pub fn publish(topic: &str, qos: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    if qos > 0 {
        body.extend_from_slice(&id.to_be_bytes());
    }
    body.extend_from_slice(payload);
    let mut packet = vec![0x30 | (qos << 1)];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend_from_slice(&body);
    packet
}

/// What a broker does about a packet.
pub enum Reaction {
    /// Answers as a good broker does.
    Answer,
    /// Answers as a good broker does, and sends these bytes behind it.
    Also(Vec<u8>),
    /// Closes the connection without an answer.
    Close,
    /// Closes the connection after the answer.
    AnswerAndClose,
}

type Script = dyn Fn(&Packet) -> Reaction + Send + Sync;

/// The broker. It ends with this value.
pub struct Broker {
    listener: Listener,
    packets: Log<Packet>,
}

impl Broker {
    /// Starts it. `script` is asked about each packet.
    pub fn start(script: impl Fn(&Packet) -> Reaction + Send + Sync + 'static) -> Broker {
        let packets = Log::default();
        let seen = packets.clone();
        let listener =
            Listener::start(Listener::ANYWHERE, move |number, stream| serve(&stream, number, &script, &seen));
        Broker { listener, packets }
    }

    /// One that sends `command` to a device that reports its version.
    pub fn orders(device: &Device, command: Vec<u8>) -> Broker {
        let topic = device.update_topic();
        Broker::start(move |packet| match packet.says("report_version") {
            true => Reaction::Also(publish(&topic, 1, 1, &command)),
            false => Reaction::Answer,
        })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.listener.address.to_string()
    }

    /// What came.
    pub fn packets(&self) -> &Log<Packet> {
        &self.packets
    }

    /// Everything a device has said on its report topic so far.
    #[track_caller]
    pub fn reports(&self, device: &Device) -> Vec<Report> {
        let mut found = Vec::new();
        for packet in self.packets.all().iter().filter(|packet| packet.kind == PUBLISH) {
            let (topic, _, payload) = packet.message();
            if topic == device.report_topic() {
                found.push(Report::read(packet.qos().into(), String::from_utf8_lossy(&payload).into_owned()));
            }
        }
        found
    }

    /// The failures it reported.
    #[track_caller]
    pub fn failures(&self, device: &Device) -> Vec<Report> {
        let mut reports = self.reports(device);
        reports.retain(|report| report.state.as_deref() == Some("fail"));
        reports
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if thread::panicking() {
            let all = self.packets.all();
            let lines =
                all.iter().map(|packet| (packet.connection, packet.kind, String::from_utf8_lossy(&packet.body)));
            eprintln!("---- packets (connection, type, content) ----\n{:#?}", lines.collect::<Vec<_>>());
        }
    }
}

fn serve(mut stream: &TcpStream, connection: usize, script: &Script, packets: &Log<Packet>) -> io::Result<()> {
    loop {
        let (first, body) = read_packet(&mut stream)?;
        let packet = Packet { connection, at: Instant::now(), kind: first >> 4, flags: first & 15, body };
        let reaction = script(&packet);
        packets.push(packet.clone());
        match reaction {
            Reaction::Answer => stream.write_all(&packet.answer())?,
            Reaction::Also(more) => stream.write_all(&[packet.answer(), more].concat())?,
            Reaction::Close => return Ok(()),
            Reaction::AnswerAndClose => return stream.write_all(&packet.answer()),
        }
    }
}

fn read_packet(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let (mut len, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte)?;
        len |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}
