//! A person at the cloud on the device's SSH server, through a tunnel: the sample of the 3.3 interface, the hub, and OpenSSH at
//! both ends (shadow.md section 9). `E2E_KEY_DIR` names a build with `IOT_ABI=3.3`; plain `cargo test` leaves these out.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;

use e2e::{openssl, Build, Desk, Device, OpenSsh, Process, LIMIT};
use serde_json::{json, Value};

/// A desk whose device lets the cloud reach its SSH server.
struct Scene {
    desk: Desk,
    server: OpenSsh,
    device: Process,
}

impl Scene {
    fn new() -> Scene {
        Scene::of(Build::Key)
    }

    fn of(build: Build) -> Scene {
        let desk = Desk::with_args(build, 1000, |_| Vec::new());
        let server = OpenSsh::start(desk.folder.path());
        let device = Scene::device(&desk, &server);
        device.wait_for(&["the cloud may open an SSH tunnel"]);
        Scene { desk, server, device }
    }

    fn device(desk: &Desk, server: &OpenSsh) -> Process {
        let https = desk.hub.ready("https");
        let (_, cloud) = https.rsplit_once("//").expect("a URL");
        let sample = desk.program("ssh_sample").environment("QCLOUD_IOT_SSH_ENDPOINT", cloud);
        sample.environment("QCLOUD_IOT_SSH_SERVER", server.address()).start()
    }

    /// Has the tunnel made. Returns its port.
    fn open(&self) -> u16 {
        let asked = self.desk.ask(&["ssh", &self.desk.device.client_id(), "--json"]);
        assert_eq!(asked.code(), 0);
        let tunnel: Value = serde_json::from_str(&asked.lines.concat()).expect("JSON");
        assert_eq!(tunnel["host"], "127.0.0.1");
        u16::try_from(tunnel["port"].as_u64().expect("a port")).expect("a port")
    }

    /// What a command on the device says, given this input.
    fn run(&self, port: u16, command: &str, input: Vec<u8>) -> Vec<u8> {
        let mut child = piped(self.server.client(port).arg(command));
        let mut stdin = child.stdin.take().expect("standard input");
        let writer = thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("a child of ours");
        writer.join().expect("no panic").expect("the client reads");
        assert!(output.status.success(), "{command}: {}", output.status);
        output.stdout
    }

    /// A session that goes on until something ends it, and is known to be there.
    fn session(&self, port: u16, command: &str) -> Child {
        let mut child = piped(self.server.client(port).arg(format!("echo ready; {command}")));
        let mut ready = [0; 6];
        child.stdout.as_mut().expect("standard output").read_exact(&mut ready).expect("a session");
        assert_eq!(&ready, b"ready\n");
        child
    }

    fn waits_for_state(&self, from: usize, state: &str) {
        self.desk.hub.wait_from(from, "ssh", |event| event["state"] == state);
    }

    /// Has the sample end in order.
    fn end(mut self) {
        self.device.terminate();
        assert_eq!(self.device.finish().code(), 0);
    }
}

fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ssh, of openssh-client")
}

/// A client whose connection is gone ends with 255.
fn ends_cut(mut child: Child) {
    drop(child.stdin.take());
    // It may have more to say than a pipe holds.
    let mut rest = Vec::new();
    child.stdout.take().expect("standard output").read_to_end(&mut rest).expect("what it said");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(255));
}

fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_command_and_ten_megabytes_each_way_at_once() {
    let scene = Scene::new();
    let port = scene.open();
    assert_eq!(scene.run(port, "echo from the device", Vec::new()), b"from the device\n");
    let sent = bytes(10_000_000);
    assert!(scene.run(port, "cat", sent.clone()) == sent, "other bytes came back");
    let events = scene.desk.hub.events_of("ssh");
    let states: Vec<&Value> = events.iter().map(|event| &event["state"]).collect();
    // The device says so by MQTT, the hub sees the connection: either may be first.
    for state in ["asked for", "told up", "up"] {
        assert!(states.contains(&&json!(state)), "{states:?}");
    }
    scene.end();
}

/// shadow.md section 9: by its key, which it reads anew for each tunnel.
#[test]
fn a_device_with_a_certificate_signs_in_with_its_rsa_key() {
    let scene = Scene::of(Build::WebSocketCert);
    assert_eq!(scene.run(scene.open(), "echo by RSA", Vec::new()), b"by RSA\n");
    let right = Device::key_file(&scene.desk.home);
    let kept = fs::read(&right).expect("the key");
    openssl(&scene.desk.home, "genpkey -algorithm RSA -out certs/dev_private.key");
    thread::scope(|scope| {
        let asked = scope.spawn(|| scene.desk.ask(&["ssh", &scene.desk.device.client_id()]));
        scene.device.wait_for(&["the cloud refused the device's signature (-1)"]);
        fs::write(&right, kept).expect("the key");
        // Whoever waits for the first one learns that there is none.
        let port = scene.open();
        assert_eq!(asked.join().expect("no panic").code(), 1);
        assert_eq!(scene.run(port, "echo by RSA again", Vec::new()), b"by RSA again\n");
    });
    scene.end();
}

#[test]
fn several_sessions_share_a_tunnel_and_the_sixth_is_refused() {
    let scene = Scene::new();
    let port = scene.open();
    let mut sessions: Vec<Child> = (0..5).map(|_| scene.session(port, "cat")).collect();
    let mut sixth = TcpStream::connect(("127.0.0.1", port)).expect("the tunnel's port");
    sixth.set_read_timeout(Some(LIMIT)).expect("a time limit");
    assert_eq!(sixth.read(&mut [0]).expect("the end"), 0);
    for (at, session) in sessions.iter_mut().enumerate() {
        let line = format!("line {at}\n");
        session.stdin.take().expect("standard input").write_all(line.as_bytes()).expect("the client reads");
        let mut said = String::new();
        session.stdout.take().expect("standard output").read_to_string(&mut said).expect("the answer");
        assert_eq!(said, line);
        assert!(session.wait().expect("a child of ours").success());
    }
    scene.end();
}

#[test]
fn a_server_that_dies_ends_its_sessions_only() {
    let scene = Scene::new();
    let port = scene.open();
    let session = scene.session(port, "cat");
    assert_eq!(scene.server.kill(), 1);
    ends_cut(session);
    assert_eq!(scene.run(port, "echo again", Vec::new()), b"again\n");
    scene.end();
}

#[test]
fn a_tunnel_is_closed_while_data_flows_and_opened_again() {
    let scene = Scene::new();
    let port = scene.open();
    let session = scene.session(port, "yes");
    let mark = scene.desk.hub.out().mark();
    let closed = scene.desk.ask(&["ssh", &scene.desk.device.client_id(), "--close"]);
    assert_eq!(closed.code(), 0);
    ends_cut(session);
    scene.waits_for_state(mark, "told down");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the port is still there");
    let port = scene.open();
    assert_eq!(scene.run(port, "echo again", Vec::new()), b"again\n");
    scene.end();
}

#[test]
fn a_device_that_ends_while_data_flows_ends_its_tunnel_first() {
    let mut scene = Scene::new();
    let port = scene.open();
    let session = scene.session(port, "yes");
    let mark = scene.desk.hub.out().mark();
    scene.device.terminate();
    ends_cut(session);
    scene.waits_for_state(mark, "told down");
    scene.desk.hub.wait_from(mark, "disconnected", |event| event["clean"] == true);
    assert_eq!(scene.device.finish().code(), 0);
}

#[test]
fn a_hub_that_dies_ends_the_tunnel() {
    let mut scene = Scene::new();
    let port = scene.open();
    let session = scene.session(port, "cat");
    scene.desk.hub.kill();
    ends_cut(session);
    scene.device.wait_for(&["the SSH tunnel is over"]);
    scene.device.terminate();
    // It tries to connect again, and stops that.
    scene.device.finish();
}

#[test]
fn a_device_that_has_not_enabled_it_can_not_be_asked() {
    let desk = Desk::with_args(Build::Key, 1000, |_| Vec::new());
    let refused = desk.ask(&["ssh", &desk.device.client_id()]);
    assert_eq!(refused.code(), 1);
    refused.assert_says(&["is not connected", "IOT_Ssh_enable"]);
}
