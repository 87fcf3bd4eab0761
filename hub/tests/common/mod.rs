//! Starts the hub as a user would and listens to its events.

#![allow(dead_code)] // Each test program uses a part of this.

pub mod console;
pub mod mosquitto;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use bytes::BytesMut;
use hmac::{Hmac, KeyInit, Mac};
use rumqttc::mqttbytes::v4::{ConnAck, Connect, Packet, Publish, Subscribe};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use serde_json::Value;
use sha1::Sha1;
use tempfile::TempDir;

/// A hang is a failure; this is how long it takes to count as one.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const PRODUCT: &str = "ABCDEFGHIJ";
/// Devices with a secret.
pub const ONE: &str = "ABCDEFGHIJone";
pub const TWO: &str = "ABCDEFGHIJtwo";
/// A device without.
pub const CERT: &str = "ABCDEFGHIJcert";
pub const KEY: &[u8] = b"1234567890abcdef";
pub const SECRET: &str = "MTIzNDU2Nzg5MGFiY2RlZg==";

/// A folder with a device list and a firmware file.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Desk::with_devices(&["one", "two", "cert"])
    }

    pub fn with_devices(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let devices: Vec<Value> = names
            .iter()
            .map(|name| match *name {
                "cert" => serde_json::json!({ "productId": PRODUCT, "deviceName": name }),
                _ => serde_json::json!({ "productId": PRODUCT, "deviceName": name, "deviceSecret": SECRET }),
            })
            .collect();
        let desk = Desk { folder };
        desk.write("devices.json", serde_json::json!({ "devices": devices }).to_string().as_bytes());
        desk.write("firmware.bin", &firmware());
        desk
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("write");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hub"));
        command.current_dir(self.folder.path()).env("TMPDIR", self.folder.path()).env_remove("HUB_CONSOLE_TOKEN");
        command
    }

    /// Runs the hub to its end.
    pub fn output(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().expect("hub")
    }

    /// Starts a hub with the firmware on offer as version 2.0.
    pub fn start(&self, args: &[&str]) -> Hub {
        let firmware = ["--firmware", "firmware.bin", "--version", "2.0"];
        self.start_plain(&[&firmware[..], args].concat())
    }

    pub fn start_plain(&self, args: &[&str]) -> Hub {
        let mut command = self.command();
        command.args(["run", "--devices", "devices.json", "--json"]).args(args);
        Hub::launch(command)
    }
}

/// More than one chunk of the server's, and no two places alike.
pub fn firmware() -> Vec<u8> {
    (0..700_001u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes().into_iter().take(1)).collect()
}

pub struct Hub {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    events: Receiver<Value>,
    pub ready: Value,
}

impl Hub {
    /// Starts a hub that writes JSON lines, and waits until it is ready.
    pub fn launch(command: Command) -> Self {
        Hub::launch_within(PATIENCE, command)
    }

    /// The same for one that may take longer.
    pub fn launch_within(patience: Duration, mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("hub");
        let stdout = child.stdout.take().expect("stdout");
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).expect("each line is JSON");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut hub = Hub { child, stdin, events, ready: Value::Null };
        hub.ready = hub.event_within(patience, "ready", |_| true);
        hub
    }

    /// Waits for an event of this name that `wanted` likes; others are passed over.
    pub fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.event_within(PATIENCE, name, wanted)
    }

    fn event_within(&self, patience: Duration, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.events.recv_timeout(patience).unwrap_or_else(|_| panic!("no event {name}"));
            if event["event"] == name && wanted(&event) {
                return event;
            }
        }
    }

    /// The next event, until the hub has ended and said all.
    pub fn next_event(&self) -> Option<Value> {
        self.events.recv_timeout(PATIENCE).ok()
    }

    pub fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.ready))
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("stdin"), "{line}").expect("the hub takes commands");
    }

    /// Waits for the hub's own end.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("wait").code()
    }

    pub fn connect(&self) -> TcpStream {
        tcp(self.text("mqtt"))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn tcp(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("time limit");
    stream
}

pub fn user_name(client_id: &str) -> String {
    format!("{client_id};21010406;a1B2c;{}", i64::MAX)
}

pub fn password(key: &[u8], user_name: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("any key");
    mac.update(user_name.as_bytes());
    format!("{};hmacsha1", hex::encode(mac.finalize().into_bytes()))
}

/// A CONNECT as a device without TLS sends it.
pub fn connect_packet(client_id: &str) -> Connect {
    let name = user_name(client_id);
    let mut connect = Connect::new(client_id);
    connect.set_login(&name, password(KEY, &name));
    connect
}

/// A client that sends and receives packets one by one.
pub struct Client<S> {
    pub stream: S,
    input: BytesMut,
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Self {
        Client { stream, input: BytesMut::new() }
    }

    pub fn send(&mut self, packet: &Packet) {
        self.try_send(packet).expect("send");
    }

    /// Sends where the hub may have gone.
    pub fn try_send(&mut self, packet: &Packet) -> io::Result<()> {
        let mut output = BytesMut::new();
        packet.write(&mut output, usize::MAX).expect("packet");
        self.stream.write_all(&output)?;
        self.stream.flush()
    }

    /// The next packet, `None` where the hub closed the connection instead.
    pub fn receive(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Some(packet),
                Err(CodecError::InsufficientBytes(_)) => {}
                Err(error) => panic!("the hub sent nonsense: {error}"),
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("receive: {error}"),
            }
        }
    }

    /// Sends CONNECT and returns the CONNACK.
    pub fn connect(&mut self, connect: Connect) -> ConnAck {
        self.send(&Packet::Connect(connect));
        match self.receive() {
            Some(Packet::ConnAck(ack)) => ack,
            other => panic!("{other:?} instead of CONNACK"),
        }
    }

    pub fn subscribe(&mut self, filter: &str) {
        let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
        subscribe.pkid = 7;
        self.send(&Packet::Subscribe(subscribe));
        match self.receive() {
            Some(Packet::SubAck(ack)) => assert_eq!(ack.pkid, 7),
            other => panic!("{other:?} instead of SUBACK"),
        }
    }

    /// Publishes with QoS 1 and takes the PUBACK.
    pub fn publish(&mut self, topic: &str, payload: &str) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = 9;
        self.send(&Packet::Publish(publish));
        match self.receive() {
            Some(Packet::PubAck(ack)) => assert_eq!(ack.pkid, 9),
            other => panic!("{other:?} instead of PUBACK"),
        }
    }

    pub fn message(&mut self) -> Publish {
        match self.receive() {
            Some(Packet::Publish(message)) => message,
            other => panic!("{other:?} instead of PUBLISH"),
        }
    }
}

/// A connected device on the plain listener.
pub fn device(hub: &Hub, client_id: &str) -> Client<TcpStream> {
    let mut client = Client::new(hub.connect());
    assert_eq!(client.connect(connect_packet(client_id)).code as u8, 0);
    client
}

pub fn json(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).expect("JSON")
}

pub fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
