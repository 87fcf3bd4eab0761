//! RabbitMQ: a cluster of brokers that is not ours.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{missing, Answer, Balancer, Process, ReservedPort, Server};

/// Debian's; what is in `sbin` there wants to be another user.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const PLUGINS: &str = "[rabbitmq_mqtt,rabbitmq_auth_backend_http].\n";

/// Sessions outlive the node where they began: queues that hubs keep are replicated (`mqtt.durable_queue_type`), and those of
/// devices, which are not kept, are mirrored. Without that nobody whose node went could subscribe before it is back.
const DEFINITIONS: &str = r#"{"vhosts": [{"name": "/"}], "policies": [{"vhost": "/", "name": "sessions",
    "pattern": "^mqtt-subscription-", "apply-to": "queues", "priority": 0, "definition": {"ha-mode": "all"}}]}"#;

/// A cluster of three nodes on this machine that lets everybody in, behind one address. All of it lives in a folder, and
/// nodes find each other by an epmd of their own.
pub struct RabbitMq {
    nodes: Vec<Process>,
    balancer: Balancer,
    _ports: Vec<ReservedPort>,
    _gatekeeper: Server,
    _epmd: Process,
}

impl RabbitMq {
    /// Starts it and waits until all nodes are one cluster.
    #[track_caller]
    pub fn start(folder: &Path) -> RabbitMq {
        let folder = folder.join("rabbitmq");
        fs::create_dir_all(&folder).expect("RabbitMQ's folder");
        let ports: Vec<ReservedPort> = (0..7).map(|_| ReservedPort::new()).collect();
        let (epmd_port, ports_of_nodes) = ports.split_first().expect("ports");
        let mut command = Command::new("epmd");
        command.args(["-d", "-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = Process::start("epmd", &mut command);
        assert!(epmd.lines().find(0, |line| line.contains("epmd running")).is_some(), "epmd does not start");
        // Devices' passwords are the hub's affair where devices are the hub's; here nobody's.
        let gatekeeper = Server::http(|_| Answer::status(200).body(b"allow"));
        let setup = Setup { folder, epmd_port: epmd_port.to_string(), gatekeeper: gatekeeper.url("/") };
        let mut nodes = Vec::new();
        for (number, ports) in (1..).zip(ports_of_nodes.chunks_exact(2)) {
            let node = setup.launch(number, &ports[0], &ports[1]);
            // One after the other: what keeps the client ids takes one new node at a time.
            node.wait_for(&["server startup complete"]);
            nodes.push(node);
        }
        let addresses = ports_of_nodes.iter().step_by(2).map(ReservedPort::address).collect();
        RabbitMq { nodes, balancer: Balancer::start(addresses), _ports: ports, _gatekeeper: gatekeeper, _epmd: epmd }
    }

    /// Where devices connect, whichever nodes there are.
    pub fn address(&self) -> String {
        self.balancer.address()
    }

    /// Where hubs connect.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address())
    }

    /// The node that the last connection so far went to.
    #[track_caller]
    pub fn last_used(&self) -> usize {
        self.balancer.last_used()
    }

    /// kill -9 of a node.
    #[track_caller]
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }
}

struct Setup {
    folder: PathBuf,
    epmd_port: String,
    gatekeeper: String,
}

impl Setup {
    #[track_caller]
    fn launch(&self, number: usize, mqtt: &ReservedPort, cluster: &ReservedPort) -> Process {
        assert!(Path::new(PROGRAM).exists(), "{}", missing("RabbitMQ", "rabbitmq-server"));
        let home = self.folder.join(format!("node{number}"));
        fs::create_dir_all(&home).expect("a node's folder");
        let (gatekeeper, definitions) = (&self.gatekeeper, home.join("definitions.json"));
        fs::write(&definitions, DEFINITIONS).expect("the cluster's definitions");
        let mut config = format!(
            "listeners.tcp = none\nmqtt.listeners.tcp.1 = {}\nmqtt.durable_queue_type = quorum\n\
             cluster_formation.peer_discovery_backend = classic_config\n\
             auth_backends.1 = http\nauth_http.http_method = post\nload_definitions = {}\n",
            mqtt.address(),
            definitions.display()
        );
        for path in ["user", "vhost", "resource", "topic"] {
            let _ = writeln!(config, "auth_http.{path}_path = {gatekeeper}{path}");
        }
        for node in 1..=3 {
            let _ = writeln!(config, "cluster_formation.classic_config.nodes.{node} = hub{node}@localhost");
        }
        fs::write(home.join("rabbitmq.conf"), config).expect("a node's configuration");
        fs::write(home.join("plugins"), PLUGINS).expect("a node's plugins");
        let mut command = Command::new(PROGRAM);
        command
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", &self.epmd_port)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // The process is the node itself then, and no shell around it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_NODENAME", format!("hub{number}@localhost"))
            .env("RABBITMQ_MNESIA_BASE", home.join("db"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_DIST_PORT", cluster.to_string())
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            // Loopback only, and no processor of its own to wait on.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
            );
        Process::start(&format!("rabbitmq {number}"), &mut command)
    }
}
