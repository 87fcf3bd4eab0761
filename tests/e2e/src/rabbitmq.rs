//! RabbitMQ: brokers that are not ours, one or a cluster.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{json, Value};

use crate::{missing, Answer, Authority, Balancer, Identity, Process, ReservedPort, Server, Validity};

/// Debian's; what is in `sbin` there wants to be another user.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const PLUGINS: &str = "[rabbitmq_mqtt,rabbitmq_web_mqtt,rabbitmq_auth_backend_http].\n";

/// How many times [`crate::LIMIT`] a node may take to start.
const STARTUP_LIMITS: usize = 3;

/// What becomes of the sessions of devices, which end with their connections, when their node is lost. Those that hubs keep are
/// replicated in any case (`mqtt.durable_queue_type`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Each is on every node: devices go on at once. That is too much work with thousands of them.
    Mirrored,
    /// Each is on its node: nobody who had one there can subscribe before the node is back, or given up ([`RabbitMq::forget`]).
    Single,
}

impl Sessions {
    fn policies(self) -> Value {
        match self {
            Sessions::Mirrored => json!([{
                "vhost": "/", "name": "sessions", "pattern": "^mqtt-subscription-", "apply-to": "queues", "priority": 0,
                "definition": { "ha-mode": "all" },
            }]),
            Sessions::Single => json!([]),
        }
    }
}

/// Who gives no name: a node knows him by itself, and need not ask for each device of a fleet.
const ANYBODY: &str = "anybody";

/// What every node is told, as hub/README.md has it for users.
const SETTINGS: &str = "listeners.tcp = none
cluster_formation.peer_discovery_backend = classic_config
mqtt.durable_queue_type = quorum
mqtt.prefetch = 1000
mqtt.tcp_listen_options.backlog = 4096
mqtt.tcp_listen_options.sndbuf = 16384
mqtt.tcp_listen_options.recbuf = 16384
mqtt.login_timeout = 60000
ssl_handshake_timeout = 60000
log.connection.level = warning
mqtt.allow_anonymous = true
web_mqtt.ws_path = /
auth_backends.1 = internal
auth_backends.2 = http
auth_http.http_method = post
";

/// The ports of a node.
#[derive(Default)]
struct Ports {
    mqtt: ReservedPort,
    tls: ReservedPort,
    websocket: ReservedPort,
    /// For the other nodes.
    cluster: ReservedPort,
}

/// Nodes on this machine that let everybody in, behind one address. All of it lives in a folder, and nodes find each other by
/// an epmd of their own.
pub struct RabbitMq {
    nodes: Vec<Process>,
    balancer: Balancer,
    ports: Vec<Ports>,
    authority: Authority,
    setup: Setup,
    _gatekeeper: Server,
    _epmd: Process,
}

impl RabbitMq {
    /// Starts a cluster of three and waits until all nodes are one.
    #[track_caller]
    pub fn cluster(folder: &Path, sessions: Sessions) -> RabbitMq {
        RabbitMq::start(folder, 3, sessions)
    }

    /// Starts one node, alone.
    #[track_caller]
    pub fn single(folder: &Path) -> RabbitMq {
        RabbitMq::start(folder, 1, Sessions::Single)
    }

    #[track_caller]
    fn start(folder: &Path, count: usize, sessions: Sessions) -> RabbitMq {
        let folder = folder.join("rabbitmq");
        fs::create_dir_all(&folder).expect("RabbitMQ's folder");
        let epmd_port = ReservedPort::new();
        let ports: Vec<Ports> = (0..count).map(|_| Ports::default()).collect();
        let mut command = Command::new("epmd");
        command.args(["-d", "-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = Process::start("epmd", &mut command);
        assert!(epmd.lines().find(0, |line| line.contains("epmd running")).is_some(), "epmd does not start");
        // Devices' passwords are the hub's affair where devices are the hub's; here nobody's.
        let gatekeeper = Server::http(|_| Answer::status(200).body(b"allow"));
        let authority = Authority::new(&folder);
        let identity = authority.server("localhost", Validity::Now);
        let setup = Setup { folder, epmd_port, gatekeeper: gatekeeper.url("/"), identity, count, sessions };
        let mut nodes = Vec::new();
        for (number, ports) in (1..).zip(&ports) {
            // One after the other: what keeps the client ids takes one new node at a time.
            nodes.push(setup.launch(number, ports));
        }
        let balancer = Balancer::start(ports.iter().map(|ports| ports.mqtt.address()).collect());
        RabbitMq { nodes, balancer, ports, authority, setup, _gatekeeper: gatekeeper, _epmd: epmd }
    }

    /// Where devices connect, whichever nodes there are.
    pub fn address(&self) -> String {
        self.balancer.address()
    }

    /// Where hubs connect.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address())
    }

    /// Where devices connect that know each node.
    pub fn addresses(&self) -> Vec<String> {
        self.ports.iter().map(|ports| ports.mqtt.address()).collect()
    }

    /// The same for TLS, with a certificate for `localhost`.
    pub fn tls_addresses(&self) -> Vec<String> {
        self.ports.iter().map(|ports| ports.tls.address()).collect()
    }

    /// Who has signed that.
    pub fn ca_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// Where devices connect that speak WebSocket, at the first node.
    pub fn websocket_address(&self) -> String {
        self.ports[0].websocket.address()
    }

    /// The node that the last connection so far went to, of those that did not choose one.
    #[track_caller]
    pub fn last_used(&self) -> usize {
        self.balancer.last_used()
    }

    /// The process ids of the nodes.
    pub fn ids(&self) -> Vec<u32> {
        self.nodes.iter().map(Process::id).collect()
    }

    /// kill -9 of a node.
    #[track_caller]
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node again that was killed, with all that it had, and waits until it is one of them again.
    #[track_caller]
    pub fn bring_back(&mut self, node: usize) {
        self.nodes[node] = self.setup.launch(node + 1, &self.ports[node]);
    }

    /// Has the others give up a node that was killed, and the queues that it alone had.
    #[track_caller]
    pub fn forget(&self, node: usize) {
        let other = (node + 1) % self.nodes.len();
        let mut command = self.setup.command(CONTROL, other + 1);
        command.args(["forget_cluster_node", &name(node + 1)]);
        let finished = Process::start("rabbitmqctl", &mut command).finish();
        assert_eq!(finished.code(), 0, "the others give up node {node}");
    }
}

struct Setup {
    folder: PathBuf,
    epmd_port: ReservedPort,
    gatekeeper: String,
    identity: Identity,
    /// How many nodes there will be.
    count: usize,
    sessions: Sessions,
}

/// The name of a node, from 1.
fn name(number: usize) -> String {
    format!("hub{number}@localhost")
}

impl Setup {
    /// A program of RabbitMQ, for one of the nodes.
    fn command(&self, program: &str, number: usize) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", name(number))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("ERL_CRASH_DUMP", self.folder.join("crash"));
        command
    }

    /// Starts a node and waits until it is up.
    #[track_caller]
    fn launch(&self, number: usize, ports: &Ports) -> Process {
        assert!(Path::new(PROGRAM).exists(), "{}", missing("RabbitMQ", "rabbitmq-server"));
        let home = self.folder.join(format!("node{number}"));
        fs::create_dir_all(&home).expect("a node's folder");
        let (gatekeeper, definitions) = (&self.gatekeeper, home.join("definitions.json"));
        let content = json!({
            "vhosts": [{ "name": "/" }],
            "users": [{ "name": ANYBODY, "password": ANYBODY, "tags": "" }],
            "permissions": [{ "vhost": "/", "user": ANYBODY, "configure": ".*", "write": ".*", "read": ".*" }],
            "policies": self.sessions.policies(),
        });
        fs::write(&definitions, content.to_string()).expect("the cluster's definitions");
        let mut config = format!(
            "{SETTINGS}mqtt.default_user = {ANYBODY}\nmqtt.default_pass = {ANYBODY}\n\
             mqtt.listeners.tcp.1 = {}\nmqtt.listeners.ssl.1 = {}\nweb_mqtt.tcp.listener = {}\n\
             ssl_options.certfile = {}\nssl_options.keyfile = {}\nload_definitions = {}\n",
            ports.mqtt.address(),
            ports.tls.address(),
            ports.websocket.address(),
            self.identity.cert.display(),
            self.identity.key.display(),
            definitions.display()
        );
        for path in ["user", "vhost", "resource", "topic"] {
            let _ = writeln!(config, "auth_http.{path}_path = {gatekeeper}{path}");
        }
        for node in 1..=self.count {
            let _ = writeln!(config, "cluster_formation.classic_config.nodes.{node} = {}", name(node));
        }
        fs::write(home.join("rabbitmq.conf"), config).expect("a node's configuration");
        fs::write(home.join("plugins"), PLUGINS).expect("a node's plugins");
        let mut command = self.command(PROGRAM, number);
        command
            // The process is the node itself then, and no shell around it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_MNESIA_BASE", home.join("db"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_DIST_PORT", ports.cluster.to_string())
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
            // Loopback only, and no processor of its own to wait on.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
            );
        let node = Process::start(&format!("rabbitmq {number}"), &mut command);
        let is_up = || node.lines().find(0, |line| line.contains("Server startup complete")).is_some();
        // Half a minute of work where others work, too.
        assert!((0..STARTUP_LIMITS).any(|_| is_up()), "RabbitMQ does not start");
        node
    }
}
