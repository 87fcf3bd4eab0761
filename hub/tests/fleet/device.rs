//! A device of the fleet, as a task: it upgrades when it is told to, and counts what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Packet, PubAck, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use rustls::pki_types::ServerName;
use serde_json::{json, Value};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout, timeout_at, Instant};
use tokio_rustls::TlsConnector;

use super::common::{json, PATIENCE, PRODUCT};

/// What the fleet is upgraded to.
pub const NEXT: &str = "2.0";

/// How long the broker may take to let a device in, where all come at once.
const CONNECT_LIMIT: Duration = PATIENCE.saturating_mul(4);
/// One device in so many loses its connection before the broker has acknowledged a report of its upgrade: each goes out again.
const UNHEARD: usize = 10;
/// One device in so many keeps its session, and loses its connection before it has acknowledged the command, when it has
/// upgraded already: the broker brings it again.
const UNHEARING: usize = 100;

/// What a device is called.
pub fn name(number: usize) -> String {
    format!("d{number:05}")
}

/// A number that many count up.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the devices count together.
#[derive(Default)]
pub struct Counts {
    pub connections: Count,
    /// Devices whose version the service has answered.
    pub there: Count,
    /// Those that a broker has not acknowledged, and that went out again, count again.
    pub reports: Count,
    /// Those that a broker has.
    pub acknowledged: Count,
    pub commands: Count,
    pub done: Count,
    /// Devices whose last version the service has answered.
    pub settled: Count,
    /// Commands that were on their way, or their report was, when a device reported that it is done.
    pub crossed: Count,
    /// Commands that a broker brought again, since it has no acknowledgement.
    pub redelivered: Count,
    /// How often each device was told once more by the service, which had answered it after it had reported that it is done.
    told_again: Mutex<BTreeMap<String, u32>>,
}

impl Counts {
    pub fn told_again(&self) -> BTreeMap<String, u32> {
        self.told_again.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What all devices know.
pub struct Fleet {
    /// The nodes of the broker: a device whose node has gone tries the next one.
    pub addresses: Vec<String>,
    pub tls: Option<TlsConnector>,
    /// A device that waits for so long reports its version once more, as after a restart of its own: a command may have gone
    /// with the hub that was killed.
    pub again: Duration,
    /// How many may be connecting at a time, as what stands before the broker sees to.
    pub entrance: Semaphore,
    /// Between two attempts of a device to connect.
    pub pause: Duration,
    /// How many devices may end their upgrade; the others wait in the middle of it.
    pub may_end: Semaphore,
    pub counts: Counts,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub struct Device {
    fleet: Arc<Fleet>,
    number: usize,
    name: String,
    stream: Option<Box<dyn Stream>>,
    input: BytesMut,
    /// How often it has tried to connect.
    attempts: usize,
    /// Reports that the broker has not acknowledged, oldest first.
    reports: VecDeque<Publish>,
    /// How many of them have been written to this connection.
    written: usize,
    last_id: u16,
    there: bool,
    done: bool,
    /// The service has answered what it said after it was done, and so dealt with all that it said before.
    settled: bool,
}

impl Device {
    pub fn new(fleet: Arc<Fleet>, number: usize) -> Self {
        Device {
            fleet,
            number,
            name: name(number),
            stream: None,
            input: BytesMut::new(),
            attempts: 0,
            reports: VecDeque::new(),
            written: 0,
            last_id: 0,
            there: false,
            done: false,
            settled: false,
        }
    }

    fn counts(&self) -> &Counts {
        &self.fleet.counts
    }

    fn keeps_its_session(&self) -> bool {
        self.number % UNHEARING == 1
    }

    /// Upgrades when it is told to, and listens until the run ends.
    pub async fn live(mut self) {
        self.report_version();
        loop {
            // As devices do where the broker's queue was full, or its node has gone.
            while !self.is_let_in().await {
                sleep(self.fleet.pause).await;
            }
            self.counts().connections.add();
            let _ = self.talk().await;
        }
    }

    async fn is_let_in(&mut self) -> bool {
        let fleet = self.fleet.clone();
        let _turn = fleet.entrance.acquire().await.expect("never closed");
        matches!(timeout(CONNECT_LIMIT, self.connect()).await, Ok(Ok(())))
    }

    async fn connect(&mut self) -> io::Result<()> {
        self.stream = None;
        self.input.clear();
        let turn = self.number + self.attempts;
        self.attempts += 1;
        let stream = TcpStream::connect(&self.fleet.addresses[turn % self.fleet.addresses.len()]).await?;
        self.stream = Some(match &self.fleet.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost").expect("a name"), stream).await?),
        });
        let mut connect = Connect::new(format!("{PRODUCT}{}", self.name));
        // It says nothing while it waits.
        connect.keep_alive = 0;
        connect.clean_session = !self.keeps_its_session();
        self.send(Packet::Connect(connect)).await?;
        match self.receive().await? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => {}
            _ => return Err(ErrorKind::ConnectionRefused.into()),
        }
        let mut subscribe = Subscribe::new(format!("$ota/update/{PRODUCT}/{}", self.name), QoS::AtLeastOnce);
        subscribe.pkid = self.next_id();
        self.send(Packet::Subscribe(subscribe)).await?;
        self.written = 0;
        // What a session holds may come first.
        loop {
            match self.receive().await? {
                Packet::SubAck(answer) if answer.return_codes == [SubscribeReasonCode::Success(QoS::AtLeastOnce)] => {
                    break
                }
                Packet::SubAck(_) => return Err(ErrorKind::PermissionDenied.into()),
                packet => drop(self.take(packet).await?),
            }
        }
        self.write_reports().await
    }

    /// Until the connection ends.
    async fn talk(&mut self) -> io::Result<()> {
        let mut again = Instant::now() + self.fleet.again;
        loop {
            let heard = match timeout_at(again, self.receive()).await {
                Ok(packet) => self.take(packet?).await?,
                Err(_) => {
                    self.report_version();
                    true
                }
            };
            self.write_reports().await?;
            if heard {
                again = Instant::now() + self.fleet.again;
            }
        }
    }

    /// What a packet brings. Whether it is a message.
    async fn take(&mut self, packet: Packet) -> io::Result<bool> {
        match packet {
            Packet::Publish(publish) => self.take_message(&publish).await.map(|()| true),
            Packet::PubAck(ack) => {
                if let Some(at) = self.reports.iter().position(|report| report.pkid == ack.pkid) {
                    self.reports.remove(at);
                    self.counts().acknowledged.add();
                    self.written -= usize::from(at < self.written);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn take_message(&mut self, publish: &Publish) -> io::Result<()> {
        let message = json(&publish.payload);
        if !self.there {
            self.there = true;
            self.counts().there.add();
        }
        let is_command = message["type"] == "update_firmware";
        if !is_command || self.settled || !self.keeps_its_session() {
            self.send(Packet::PubAck(PubAck::new(publish.pkid))).await?;
        }
        if is_command {
            return self.obey(publish.dup).await;
        }
        if self.settled || message["type"] != "report_version_rsp" || message["version"] != NEXT {
            return Ok(());
        }
        self.settled = true;
        self.counts().settled.add();
        if self.keeps_its_session() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    async fn obey(&mut self, again: bool) -> io::Result<()> {
        self.counts().commands.add();
        if self.done {
            if again {
                self.counts().redelivered.add();
            } else if self.settled {
                let mut told = self.counts().told_again.lock().unwrap_or_else(PoisonError::into_inner);
                *told.entry(self.name.clone()).or_default() += 1;
            } else {
                self.counts().crossed.add();
            }
            return Ok(());
        }
        for state in ["downloading", "burning"] {
            self.report_progress(state);
        }
        self.write_reports().await?;
        let fleet = self.fleet.clone();
        fleet.may_end.acquire().await.expect("never closed").forget();
        self.report_progress("done");
        self.done = true;
        self.report_version();
        self.counts().done.add();
        self.write_reports().await?;
        if self.number % UNHEARD == 0 {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    fn report_progress(&mut self, state: &str) {
        let progress = json!({ "state": state, "percent": "50", "result_code": "0", "result_msg": "" });
        self.report(&json!({ "type": "report_progress", "report": { "progress": progress, "version": NEXT } }));
    }

    fn report_version(&mut self) {
        let version = if self.done { NEXT } else { "1.0" };
        self.report(&json!({ "type": "report_version", "report": { "version": version } }));
    }

    fn report(&mut self, what: &Value) {
        let topic = format!("$ota/report/{PRODUCT}/{}", self.name);
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, what.to_string());
        publish.pkid = self.next_id();
        self.reports.push_back(publish);
    }

    fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    async fn write_reports(&mut self) -> io::Result<()> {
        while let Some(report) = self.reports.get_mut(self.written) {
            let publish = report.clone();
            report.dup = true;
            self.written += 1;
            self.counts().reports.add();
            self.send(Packet::Publish(publish)).await?;
        }
        Ok(())
    }

    async fn send(&mut self, packet: Packet) -> io::Result<()> {
        let mut output = BytesMut::new();
        packet.write(&mut output, usize::MAX).expect("packet");
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        stream.write_all(&output).await?;
        stream.flush().await
    }

    async fn receive(&mut self) -> io::Result<Packet> {
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Ok(packet),
                Err(CodecError::InsufficientBytes(_)) => {}
                Err(error) => panic!("nonsense: {error}"),
            }
            let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
            if stream.read_buf(&mut self.input).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
