//! A fleet on two hubs, PostgreSQL and mosquitto, while a hub and the server die: each device ends with one result.
//!
//! `FLEET_DEVICES` says how many other than 200; `-- --nocapture` shows the figures.

mod common;
#[path = "../postgres/tests/server/mod.rs"]
mod server;

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use common::console::Console;
use common::mosquitto::Mosquitto;
use common::{firmware, json, Desk, Hub, PATIENCE, PRODUCT};
use rumqttc::mqttbytes::v4::{Connect, Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use serde_json::{json, Value};
use server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Between two attempts of a device to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// A device that waits for so long reports its version once more, as after a restart of its own: a command may have gone with
/// the hub that was killed. Many devices do so less often, as each does in the field.
fn again(devices: usize) -> Duration {
    Duration::from_secs(5) + Duration::from_millis(10) * u32::try_from(devices).unwrap_or(u32::MAX)
}

/// A hub of those that share the devices: mosquitto shares no topic that begins with `$`, so they agree by their data folder.
fn start(desk: &Desk, server: &Server, broker: &str) -> Hub {
    let mut command = desk.command();
    command.args(["run", "--json", "--state", "hubs", "--database", &server.url("public"), "--scheme", "http"]);
    command.args(["--coap", "off", "--coap-psk", "off", "--coap-cert", "off", "--broker", &format!("mqtt://{broker}")]);
    Hub::launch(command)
}

/// What the devices count together.
#[derive(Default)]
struct Counts {
    /// Devices whose version the service has answered.
    there: AtomicU64,
    reports: AtomicU64,
    commands: AtomicU64,
    done: AtomicU64,
    /// Commands to devices that had been answered after they had reported that they are done.
    after_done: AtomicU64,
}

impl Counts {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A device's connection to the broker.
struct Device {
    stream: TcpStream,
    input: BytesMut,
    name: String,
    counts: Arc<Counts>,
}

impl Device {
    /// Connects; again, as devices do, where the broker's queue was full.
    async fn connect(address: &str, number: usize, counts: Arc<Counts>) -> Self {
        loop {
            match Self::try_to_connect(address, number, counts.clone()).await {
                Ok(device) => return device,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn try_to_connect(address: &str, number: usize, counts: Arc<Counts>) -> io::Result<Self> {
        let name = format!("d{number:05}");
        let stream = TcpStream::connect(address).await?;
        let mut device = Device { stream, input: BytesMut::new(), name, counts };
        let mut connect = Connect::new(format!("{PRODUCT}{}", device.name));
        // It says nothing while it waits.
        connect.keep_alive = 0;
        device.send(Packet::Connect(connect)).await?;
        assert!(matches!(device.receive().await?, Packet::ConnAck(_)));
        let mut subscribe = Subscribe::new(format!("$ota/update/{PRODUCT}/{}", device.name), QoS::AtLeastOnce);
        subscribe.pkid = 1;
        device.send(Packet::Subscribe(subscribe)).await?;
        assert!(matches!(device.receive().await?, Packet::SubAck(_)));
        Ok(device)
    }

    async fn send(&mut self, packet: Packet) -> io::Result<()> {
        let mut output = BytesMut::new();
        packet.write(&mut output, usize::MAX).expect("packet");
        self.stream.write_all(&output).await
    }

    async fn receive(&mut self) -> io::Result<Packet> {
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Ok(packet),
                Err(CodecError::InsufficientBytes(_)) => {}
                Err(error) => panic!("nonsense: {error}"),
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn say(&mut self, what: Value) {
        let topic = format!("$ota/report/{PRODUCT}/{}", self.name);
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, what.to_string());
        publish.pkid = 2;
        Counts::add(&self.counts.reports);
        self.send(Packet::Publish(publish)).await.expect("send");
    }

    async fn say_version(&mut self, version: &str) {
        self.say(json!({ "type": "report_version", "report": { "version": version } })).await;
    }

    async fn say_progress(&mut self, state: &str) {
        let progress = json!({ "state": state, "percent": "50", "result_code": "0", "result_msg": "" });
        self.say(json!({ "type": "report_progress", "report": { "progress": progress, "version": "2.0" } })).await;
    }

    /// The next message of the service, which is acknowledged.
    async fn message(&mut self) -> Value {
        loop {
            if let Packet::Publish(publish) = self.receive().await.expect("receive") {
                self.send(Packet::PubAck(PubAck::new(publish.pkid))).await.expect("send");
                return json(&publish.payload);
            }
        }
    }

    /// Upgrades when it is told to, and listens until the run ends.
    async fn live(mut self, again: Duration) {
        let (mut there, mut done, mut settled) = (false, false, false);
        self.say_version("1.0").await;
        loop {
            let Ok(message) = timeout(again, self.message()).await else {
                self.say_version(if done { "2.0" } else { "1.0" }).await;
                continue;
            };
            if !there {
                there = true;
                Counts::add(&self.counts.there);
            }
            if message["type"] != "update_firmware" {
                // Its own hub has dealt with all that it said before.
                settled |= message["type"] == "report_version_rsp" && message["version"] == "2.0";
                continue;
            }
            Counts::add(&self.counts.commands);
            if settled {
                Counts::add(&self.counts.after_done);
            }
            if done {
                // A report was dealt with twice, while the end was on its way.
                continue;
            }
            for state in ["downloading", "burning", "done"] {
                self.say_progress(state).await;
            }
            self.say_version("2.0").await;
            done = true;
            Counts::add(&self.counts.done);
        }
    }
}

/// Waits until `reached`, for `patience` without any headway at most.
fn wait(what: &str, patience: Duration, mut count: impl FnMut() -> u64, reached: u64) -> Duration {
    let begin = Instant::now();
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = count();
        if now >= reached {
            return begin.elapsed();
        }
        if now > last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < patience, "{what}: {now} of {reached}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Peak resident memory of a process.
fn peak(id: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "?".to_owned(), |line| line.trim().to_owned())
}

#[test]
fn each_device_of_a_fleet_ends_with_one_result() {
    let devices: usize = std::env::var("FLEET_DEVICES").map_or(200, |text| text.parse().expect("a number"));
    let again = again(devices);
    let patience = PATIENCE * 4 + again * 2;
    let (server, desk) = (Server::start(), Desk::with_devices(&[]));
    let broker = Mosquitto::start(&desk);
    let address = &broker.address;
    let (mut here, there) = (start(&desk, &server, address), start(&desk, &server, address));
    server.sql(&format!(
        "INSERT INTO devices (client_id, product_id, device_name) SELECT '{PRODUCT}' || name, '{PRODUCT}', name FROM
         (SELECT 'd' || lpad(CAST(i AS TEXT), 5, '0') AS name FROM generate_series(0, {}) i) names; ANALYZE",
        devices - 1
    ));
    let console = Console::of(&there);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version=2.0"), &firmware()).good(201);

    let counts = Arc::new(Counts::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    for number in 0..devices {
        let (address, counts) = (address.clone(), counts.clone());
        runtime.spawn(async move { Device::connect(&address, number, counts).await.live(again).await });
    }
    let all = devices as u64;
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let storm = wait("devices that are there", patience, || read(&counts.there), all);
    println!("{devices} devices are there after {storm:.1?}: {} reports", read(&counts.reports));

    let begin = Instant::now();
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    let order = console.post("/api/upgrades", &order).good(201);
    println!("the order is given after {:.1?}", begin.elapsed());
    wait("devices before the hub is killed", patience, || read(&counts.done), all / 4);
    let memory = peak(here.child.id());
    here.child.kill().expect("killed");
    println!("a hub killed after {:.1?}, with {} devices done", begin.elapsed(), read(&counts.done));
    drop(here);
    let here = start(&desk, &server, address);
    wait("devices before the server is started again", patience, || read(&counts.done), all / 2);
    server.restart("immediate");
    println!("the server started again after {:.1?}, with {} devices done", begin.elapsed(), read(&counts.done));

    let upgrade = format!("/api/upgrades/{}", order["id"]);
    let mut slowest = Duration::ZERO;
    let mut ask = |path: &str| {
        let asked = Instant::now();
        let answer = console.get(path).good(200);
        slowest = slowest.max(asked.elapsed());
        answer
    };
    wait(
        "jobs done",
        patience,
        || {
            ask("/api/devices?limit=100");
            ask("/api/upgrades?limit=100");
            ask(&format!("{upgrade}?limit=100"))["upgrade"]["counts"]["done"].as_u64().expect("a count")
        },
        all,
    );
    let taken = begin.elapsed();
    let reports = read(&counts.reports);
    println!(
        "all done after {taken:.1?}: {reports} reports, {:.0} a second since the first connection; {} commands",
        reports as f64 / (storm + taken).as_secs_f64(),
        read(&counts.commands)
    );
    println!(
        "slowest list {slowest:.1?}; peak memory: hubs {memory} (killed), {}, {}, mosquitto {}",
        peak(here.child.id()),
        peak(there.child.id()),
        peak(broker.id())
    );
    // What was on its way has come by the time that each hub has answered another report.
    let (after, before) = (read(&counts.reports), read(&counts.commands));
    wait("reports after the end", patience, || read(&counts.reports), after + all.min(100));
    println!(
        "{} more commands in the {} reports after that",
        read(&counts.commands) - before,
        read(&counts.reports) - after
    );
    assert_eq!(read(&counts.after_done), 0, "commands to devices that were done");
    let jobs = "SELECT count(*) || ' ' || count(DISTINCT client_id) || ' ' || count(*) FILTER (WHERE state = 'done') FROM jobs";
    assert_eq!(server.sql(jobs).trim(), format!("{all} {all} {all}"));
}
