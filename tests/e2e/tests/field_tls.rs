//! What companies' own servers have for certificates, and what the cloud is told of a connection that can't be made (the cases of
//! issue 12).

use std::path::Path;
use std::process::Command;

use e2e::{
    openssl, reports, Answer, Authority, Build, Desk, Firmware, Identity, Process, ReservedPort, Server, Validity,
};
use tempfile::TempDir;

const SIZE: usize = 50_000;

// ---- private_certificates ----

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost";

/// Self-signed, and so `CA:TRUE`.
fn self_signed(folder: &Path, more: &str) -> Identity {
    openssl(folder, &format!("req -x509 {NEW_KEY} -days 3650 -keyout own.key -out own.crt{more}"));
    Identity::of(folder.join("own.crt"), folder.join("own.key"))
}

/// A desk whose firmware is on a server with this certificate, and what the device trusts.
fn private(identity: &Identity, trusted: &Path) -> (Desk, Server) {
    let image = Firmware::image(SIZE);
    let server = Server::https(identity, move |request| Answer::file(&image, request));
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| server.url("/firmware"));
    desk.ca_file = trusted.to_owned();
    (desk, server)
}

#[test]
fn private_certificate_that_is_trusted_itself() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = self_signed(folder.path(), " -addext subjectAltName=DNS:localhost");
    let (desk, _server) = private(&identity, &identity.cert);
    desk.expect_upgrade(&mut desk.sample().start());
}

/// The packed archives multiply that curve's base point by code of our own (platform/tls/c/base_points.c).
#[test]
fn private_server_with_the_curve_p256_only() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = self_signed(folder.path(), " -addext subjectAltName=DNS:localhost").only_p256();
    let (desk, _server) = private(&identity, &identity.cert);
    desk.expect_upgrade(&mut desk.sample().start());
}

#[test]
fn private_certificate_with_a_common_name_only() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = self_signed(folder.path(), "");
    let (desk, _server) = private(&identity, &identity.cert);
    desk.expect_upgrade(&mut desk.sample().start());
}

#[test]
fn private_certificate_of_another_host() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = self_signed(folder.path(), " -addext subjectAltName=DNS:other.example");
    let (desk, server) = private(&identity, &identity.cert);
    expect_failure(&desk, &["certificate of localhost", "other.example"]);
    assert_eq!(server.requests().mark(), 0, "it got a request");
}

#[test]
fn private_certificate_of_a_ca_with_a_common_name_only() {
    let folder = TempDir::new().expect("a temporary folder");
    let ca = folder.path();
    openssl(
        ca,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=company -days 3650 -keyout ca.key -out ca.crt",
    );
    openssl(ca, &format!("req -new {NEW_KEY} -keyout own.key -out own.csr"));
    std::fs::write(ca.join("leaf.cnf"), "basicConstraints=CA:FALSE\n").expect("extensions");
    openssl(
        ca,
        "x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile leaf.cnf -days 3650 -out own.crt",
    );
    let identity = Identity::of(ca.join("own.crt"), ca.join("own.key"));
    let (desk, _server) = private(&identity, &ca.join("ca.crt"));
    expect_failure(&desk, &["no subject alternative name", "subjectAltName=DNS:localhost"]);
}

/// rustls serves no certificate of version 1, so openssl does: only whether the device would ask it for the file is tried.
#[test]
fn private_certificate_of_version_1() {
    let folder = TempDir::new().expect("a temporary folder");
    openssl(folder.path(), &format!("req -new {NEW_KEY} -keyout own.key -out own.csr"));
    openssl(folder.path(), "x509 -req -in own.csr -signkey own.key -days 3650 -out own.crt");
    let port = ReservedPort::new();
    let mut command = Command::new("openssl");
    let address = port.address();
    command.args(["s_server", "-accept", &address, "-cert", "own.crt", "-key", "own.key", "-WWW"]);
    let server = Process::start("openssl", command.current_dir(folder.path()));
    server.wait_for(&["ACCEPT"]);
    let firmware = Firmware::image(SIZE);
    std::fs::write(folder.path().join("firmware.bin"), &firmware).expect("the firmware");
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| format!("https://localhost:{port}/firmware.bin"));
    desk.ca_file = folder.path().join("own.crt");
    desk.expect_upgrade(&mut desk.sample().start());
}

// ---- cause_in_report ----

/// The sample fails once; the cloud and the log are told these words in one text.
#[track_caller]
fn expect_failure(desk: &Desk, words: &[&str]) {
    let finished = desk.finish(&mut desk.sample().start());
    assert_eq!(finished.code(), 1);
    finished.assert_says(&[&["err|"], words].concat());
    let all = reports(&desk.hub, &desk.device);
    let failed: Vec<_> = all.iter().filter(|report| report.state.as_deref() == Some("fail")).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let text = failed[0].text.as_deref().unwrap_or_default();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} does not say {words:?}");
    for word in ["Error", "Other(", "Invalid", "::"] {
        assert!(!text.contains(word), "{text:?} has a type's name");
    }
}

#[test]
fn cause_in_report_unknown_host() {
    let desk = Desk::with_url(Build::Key, SIZE, |_| "http://no-such-host.invalid/firmware".to_owned());
    expect_failure(&desk, &["name no-such-host.invalid not found"]);
}

#[test]
fn cause_in_report_refused() {
    let port = ReservedPort::new();
    let desk = Desk::with_url(Build::Key, SIZE, |_| format!("http://{}/firmware", port.address()));
    expect_failure(&desk, &[&format!("connection refused by {}", port.address())]);
}

fn certificate(host: &str, validity: Validity, is_trusted: bool, words: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let identity = authority.server(host, validity);
    let server = Server::https(&identity, |_| Answer::status(400));
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| server.url("/firmware"));
    if is_trusted {
        desk.ca_file = authority.file();
    }
    expect_failure(&desk, words);
    assert_eq!(server.requests().mark(), 0, "it got a request");
}

#[test]
fn cause_in_report_expired() {
    certificate("localhost", Validity::Over, true, &["certificate of localhost expired 2021-01-01"]);
}

#[test]
fn cause_in_report_other_host() {
    certificate("example.com", Validity::Now, true, &["certificate of localhost is for other hosts: example.com"]);
}

#[test]
fn cause_in_report_unknown_ca() {
    certificate("localhost", Validity::Now, false, &["certificate of localhost", "does not trust"]);
}

/// Only the sample knows that: it must not leave the cloud with less.
#[test]
fn cause_in_report_disk_full() {
    let desk = Desk::new(Build::Key, SIZE);
    // In blocks of 512 bytes.
    let limited = r#"trap '' XFSZ; ulimit -f 40; exec "$0" "$@""#;
    let finished = desk.finish(&mut desk.sample().under(&["sh", "-c", limited]).start());
    assert_eq!(finished.code(), 1);
    let all = reports(&desk.hub, &desk.device);
    let failed: Vec<_> = all.iter().filter(|report| report.state.as_deref() == Some("fail")).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let text = failed[0].text.as_deref().unwrap_or_default();
    assert!(text.starts_with("writing ") && text.ends_with("File too large"), "{text:?}");
    desk.expect_upgrade(&mut desk.sample().start());
}
