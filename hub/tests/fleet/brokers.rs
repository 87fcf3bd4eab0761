//! What the fleet and its hubs talk over.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use e2e::{Authority, RabbitMq, Sessions};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::common::mosquitto::Mosquitto;
use super::common::Desk;

/// So many sessions of devices may be on every node.
const MIRRORED: usize = 200;

pub enum Brokers {
    Mosquitto { broker: Mosquitto, ca_file: PathBuf },
    RabbitMq(Box<RabbitMq>),
}

impl Brokers {
    pub fn mosquitto(desk: &Desk) -> Self {
        let authority = Authority::new(desk.folder.path());
        Brokers::Mosquitto { broker: Mosquitto::start(desk, &authority), ca_file: authority.file() }
    }

    pub fn cluster(desk: &Desk, devices: usize) -> Self {
        // With a node that comes back and another one that goes, 3.10 may take one that runs for down, and refuse a device whose
        // session is there to the end (`home node ... is down or inaccessible`).
        let sessions = if devices <= MIRRORED { Sessions::Mirrored } else { Sessions::Single };
        Brokers::RabbitMq(Box::new(RabbitMq::cluster(desk.folder.path(), sessions)))
    }

    /// Where hubs connect.
    pub fn url(&self) -> String {
        match self {
            Brokers::Mosquitto { broker, .. } => format!("mqtt://{}", broker.address),
            Brokers::RabbitMq(cluster) => cluster.url(),
        }
    }

    /// Where devices connect, and by what.
    pub fn way(&self, tls: bool) -> (Vec<String>, Option<TlsConnector>) {
        let (plain, secure, ca_file) = match self {
            Brokers::Mosquitto { broker, ca_file } => {
                (vec![broker.address.clone()], vec![broker.tls_address.clone()], ca_file.clone())
            }
            Brokers::RabbitMq(cluster) => (cluster.addresses(), cluster.tls_addresses(), cluster.ca_file()),
        };
        if tls {
            (secure, Some(connector(&ca_file)))
        } else {
            (plain, None)
        }
    }

    /// How many devices may be connecting at a time. RabbitMQ notes each subscription in transactions of all nodes: of 10,000
    /// devices at once most have given up before it is their turn.
    pub fn entrance(&self) -> usize {
        match self {
            Brokers::Mosquitto { .. } => Semaphore::MAX_PERMITS,
            Brokers::RabbitMq(_) => 64,
        }
    }

    /// kill -9 of the node that hubs used last; nothing where there is only one. The devices whose sessions it has cannot go on
    /// before it is back, or given up.
    pub fn lose_one(&mut self) -> Option<usize> {
        let Brokers::RabbitMq(cluster) = self else { return None };
        // Devices choose their nodes themselves.
        let node = cluster.last_used();
        cluster.kill(node);
        Some(node)
    }

    /// Starts a node again that was lost, with what it had.
    pub fn bring_back(&mut self, node: usize) {
        if let Brokers::RabbitMq(cluster) = self {
            cluster.bring_back(node);
        }
    }

    /// Has the others give up a node that was lost.
    pub fn give_up(&self, node: usize) {
        if let Brokers::RabbitMq(cluster) = self {
            cluster.forget(node);
        }
    }

    /// The process ids.
    pub fn ids(&self) -> Vec<u32> {
        match self {
            Brokers::Mosquitto { broker, .. } => vec![broker.id()],
            Brokers::RabbitMq(cluster) => cluster.ids(),
        }
    }
}

/// TLS as a device does it that trusts this CA.
fn connector(ca_file: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file).expect("the CA")).expect("a good CA");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
