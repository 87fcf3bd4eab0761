//! With certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iot_mbedtls::Trust;
use iot_platform_posix::cause::Cause;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;

use super::*;
use crate::params::{ClientFiles, Security};
use crate::tests::Ca;

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A server with this certificate, whose clients have one of `ca`.
fn server((chain, key): (String, KeyPair), ca: &Ca) -> Echo {
    let mut trust = Trust::new().unwrap();
    trust.add_root(&der(&ca.pem())).unwrap();
    trust.add_to_chain(&der(&chain)).unwrap();
    trust.set_key(&key.serialize_der()).unwrap();
    let judge = |peer: &iot_mbedtls::Peer<'_>| peer.flaws == 0 && peer.chain_flaws == 0;
    Echo::new(Server::with_certificates(Arc::new(trust), judge).unwrap())
}

/// The files of a device.
struct Device {
    folder: tempfile::TempDir,
}

impl Device {
    fn new((chain, key): (String, KeyPair)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.crt"), chain).unwrap();
        std::fs::write(folder.path().join("own.key"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, echo: &Echo, ca: &Ca, host: &str) -> Result<Connection, Cause> {
        let setup = setup(ca, &self.file("own.crt"), &self.file("own.key")).unwrap();
        Connection::open_one_of(vec![resolved(echo.address)], &setup, host, LIMIT)
    }
}

fn setup(ca: &Ca, cert: &Path, key: &Path) -> Result<Setup, String> {
    Setup::new(&Security::Cert { ca_pem: ca.pem().as_bytes(), client: Some(ClientFiles { cert, key }) })
}

#[test]
fn both_sides_show_certificates_and_messages_go_both_ways() {
    let ca = Ca::new();
    let device = Device::new(ca.issue(&["lamp.example.com"], false));
    let echo = server(ca.issue(&["localhost"], false), &ca);
    let connection = device.open(&echo, &ca, "localhost").unwrap();
    assert_eq!(connection.write(&[7; 4096]), 0);
    assert_eq!(read(&connection, 5000, LONG).as_deref(), Ok(&[7; 4096][..]));
    drop(connection);
    let notes = echo.end();
    assert!(notes[0].contains("lamp.example.com"), "{notes:?}");
    assert_eq!(notes[1..], ["goodbye"]);
}

#[test]
fn a_server_that_is_not_the_right_one_is_refused_with_the_reason() {
    let (ca, other) = (Ca::new(), Ca::new());
    let device = Device::new(ca.issue(&["lamp.example.com"], false));
    for (identity, host, reason) in [
        (other.issue(&["localhost"], false), "localhost", "another CA of the same name"),
        (ca.issue(&["localhost"], false), "iot.example.com", "iot.example.com"),
        (ca.issue(&["localhost"], true), "localhost", "expired 2001-01-01"),
    ] {
        let echo = server(identity, &ca);
        let cause = device.open(&echo, &ca, host).err().unwrap();
        assert!(cause.text.contains(reason) && cause.is_lasting, "{cause:?}");
        assert_eq!(echo.end().len(), 1, "the server learns of it");
    }
}

#[test]
fn a_device_that_the_server_does_not_take_learns_why() {
    let (ca, other) = (Ca::new(), Ca::new());
    let device = Device::new(other.issue(&["lamp.example.com"], false));
    let echo = server(ca.issue(&["localhost"], false), &ca);
    let cause = device.open(&echo, &ca, "localhost").err().unwrap();
    assert!(cause.text.contains("alert"), "{cause:?}");
    echo.end();
}

#[test]
fn files_are_checked_before_anything_is_sent() {
    let ca = Ca::new();
    let device = Device::new(ca.issue(&["lamp.example.com"], false));
    let other = Device::new(ca.issue(&["lamp.example.com"], false));
    let missing = setup(&ca, &device.file("none.crt"), &device.file("own.key")).err().unwrap();
    assert!(missing.contains("can't read client certificate"), "{missing}");
    let foreign = setup(&ca, &device.file("own.crt"), &other.file("own.key")).err().unwrap();
    assert!(foreign.contains("is not the private key of"), "{foreign}");
}
