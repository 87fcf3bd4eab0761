//! Tunnels to a device's SSH server with a hub that misbehaves (`hub --fault ssh:...`): each that goes wrong ends cleanly, the
//! device's client goes on, and the next tunnel is a good one.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use e2e::{each_row, Build, Desk, Process, LIMIT};
use serde_json::Value;

/// More than the rules let through.
const DATA: usize = 100_000;

/// How a tunnel goes wrong.
struct Row {
    rule: &'static str,
    /// Data must flow before it does.
    in_data: bool,
    /// What the device says of its end; nothing where it ends because somebody closes it.
    says: Option<&'static str>,
}

const fn row(rule: &'static str, in_data: bool, says: Option<&'static str>) -> Row {
    Row { rule, in_data, says }
}

const OVER: &str = "the SSH tunnel is over";

const ROWS: [Row; 12] = [
    row("ssh:refuse#1", false, Some(OVER)),
    row("ssh:status=404#1", false, Some("it answered 404, not 101")),
    row("ssh:status=503#1", false, Some("it answered 503, not 101")),
    row("ssh:deny#1", false, Some("the cloud refused the device's signature (-1)")),
    row("ssh:cut=0#1", false, Some(OVER)),
    row("ssh:cut=100#1", false, Some(OVER)),
    row("ssh:reset=100#1", false, Some(OVER)),
    row("ssh:stall=0#1", false, None),
    row("ssh:cut=20000#1", true, Some(OVER)),
    row("ssh:reset=20000#1", true, Some(OVER)),
    row("ssh:garbage=20000#1", true, Some(OVER)),
    row("ssh:stall=20000#1", true, None),
];

/// A server of loopback that says what it hears. Returns its address.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

/// A device that lets the cloud reach its server.
fn device(desk: &Desk) -> Process {
    let url = desk.hub.ready("http");
    let (_, cloud) = url.rsplit_once("//").expect("a URL");
    let sample = desk.program("ssh_sample").environment("QCLOUD_IOT_SSH_ENDPOINT", cloud);
    let device = sample.environment("QCLOUD_IOT_SSH_SERVER", &echo()).start();
    device.wait_for(&["the cloud may open an SSH tunnel"]);
    device
}

/// Has a tunnel made. Returns its port, where the hub knows of one.
fn ask(desk: &Desk) -> Option<u16> {
    let asked = desk.ask(&["ssh", &desk.device.client_id(), "--json"]);
    let tunnel: Value = serde_json::from_str(&asked.lines.concat()).ok()?;
    u16::try_from(tunnel["port"].as_u64()?).ok()
}

fn connection(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the tunnel's port");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    stream
}

/// Reads until the connection is over, however it ends.
fn drain(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(!ended.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "the connection goes on");
}

#[test]
fn a_tunnel_that_goes_wrong_ends_cleanly_and_the_next_one_is_good() {
    each_row(&ROWS, |Row { rule, in_data, says }| {
        let desk = Desk::with_args(Build::WebSocket, 1000, |_| vec!["--fault".to_owned(), (*rule).to_owned()]);
        let mut device = device(&desk);
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                let port = ask(&desk);
                in_data.then(|| connection(port.expect("a tunnel")))
            });
            desk.hub.wait("fault", |event| event["rule"] == *rule);
            let mark = desk.hub.out().mark();
            let stream = in_data.then(|| {
                let stream = first.join().expect("no panic").expect("a connection");
                let mut writer = stream.try_clone().expect("the same");
                // What the tunnel does not take any more is no matter.
                scope.spawn(move || writer.write_all(&vec![b'x'; DATA]));
                stream
            });
            if let Some(words) = says {
                device.wait_for(&[words]);
            } else {
                // Who is silent can't be told from who has nothing to say: the cloud closes it.
                assert_eq!(desk.ask(&["ssh", &desk.device.client_id(), "--close"]).code(), 0, "{rule}");
                // Whether the device hears of that by MQTT or by the connection's end.
                desk.hub.wait_from(mark, "ssh", |event| event["state"] == "told down");
            }
            if let Some(stream) = stream {
                drain(stream);
            }
            // Whoever still waits for the first one is told that it is over.
            let mut next = connection(ask(&desk).expect("the next tunnel"));
            next.write_all(b"again").expect("it takes it");
            let mut said = [0; 5];
            next.read_exact(&mut said).expect("an answer");
            assert_eq!(&said, b"again", "{rule}");
        });
        assert_eq!(desk.hub.events_of("connected").len(), 1, "{rule}: the client has lost its own connection");
        device.terminate();
        assert_eq!(device.finish().code(), 0, "{rule}");
    });
}
