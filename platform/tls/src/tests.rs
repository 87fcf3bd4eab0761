//! Handshakes and transfers over loopback, against rustls and mbedTLS as servers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(feature = "auth-mode-cert")]
use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::{spawn, JoinHandle};

use iot_abi::error::{
    QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_RET_SUCCESS,
};
use rcgen::{
    date_time_ymd, BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use iot_platform_posix::address::Address;
use iot_platform_posix::cause::Cause;
use iot_platform_posix::connect::{self, Candidates};
use iot_platform_posix::net::Deadline;

use crate::connection::{Connection, Setup};
use crate::log_double;
use crate::params::{ClientFiles, Params, Security};

/// What the client can.
pub const VERSIONS: &[&SupportedProtocolVersion] = if cfg!(feature = "tls-mbedtls") && !iot_mbedtls::HAS_TLS_1_3 {
    &[&rustls::version::TLS12]
} else {
    &[&rustls::version::TLS12, &rustls::version::TLS13]
};

/// Far beyond what loopback needs; reached only when something is wrong.
const LONG: u32 = 60_000;

pub struct Ca {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new() -> Self {
        Self::named("test CA")
    }

    fn named(name: &str) -> Self {
        Self::with_key(name, KeyPair::generate().unwrap())
    }

    fn with_key(name: &str, key: KeyPair) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// PEM of a certificate for `names`, and its key.
    pub fn issue(&self, names: &[&str], expired: bool) -> (String, KeyPair) {
        self.issue_with(names, |params| {
            if expired {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
        })
    }

    /// The same with something changed.
    fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, KeyPair) {
        let mut params = params_for(names);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key)
    }
}

fn params_for(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

/// A server's certificate that nobody but itself vouches for.
fn self_signed(is_ca: bool) -> (String, KeyPair) {
    let mut params = params_for(&["localhost"]);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

type ServerStream = StreamOwned<ServerConnection, TcpStream>;

/// What a server with a certificate needs.
pub fn server_config(
    (chain, key): (String, KeyPair),
    client_ca: Option<&Ca>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.certificate.der().clone()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        }
    };
    let config = builder
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// A server with a certificate, for one connection that `serve` handles after the TCP connect.
fn cert_server<T: Send + 'static>(
    identity: (String, KeyPair),
    client_ca: Option<&Ca>,
    versions: &[&'static SupportedProtocolVersion],
    serve: impl FnOnce(ServerStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let config = server_config(identity, client_ca, versions);
    let (listener, port) = listener();
    let thread = spawn(move || {
        let stream = listener.accept().unwrap().0;
        serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
    });
    (port, thread)
}

/// Sends back what comes until the end.
fn echo(mut stream: impl Read + Write) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
}

/// The same over rustls. What is unread is taken before closing: otherwise the connection is reset, and the client might
/// lose the alert that says why.
fn echo_and_drain(mut stream: ServerStream) {
    echo(&mut stream);
    let _ = stream.sock.shutdown(std::net::Shutdown::Write);
    let _ = stream.sock.read_to_end(&mut Vec::new());
}

fn open(ca_pem: &str, client: Option<ClientFiles<'_>>, host: &str, port: u16) -> Result<Connection, Cause> {
    let params = Params { security: Security::Cert { ca_pem: ca_pem.as_bytes(), client }, timeout_ms: LONG };
    Connection::open(&params, host, port)
}

fn open_error(ca_pem: &str, host: &str, port: u16) -> String {
    let text = open(ca_pem, None, host, port).err().expect("a failure").text;
    text.replace(&port.to_string(), "PORT")
}

fn assert_echoes(connection: &Connection) {
    let data: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
    let mut back = vec![0; data.len()];
    std::thread::scope(|scope| {
        // At the same time, since neither side can hold all of it.
        scope.spawn(|| assert_eq!(connection.write(&data, LONG), (QCLOUD_RET_SUCCESS, data.len())));
        assert_eq!(connection.read(&mut back, LONG), (QCLOUD_RET_SUCCESS, data.len()));
    });
    assert!(back == data);
    assert_eq!(connection.read(&mut back, 0), (QCLOUD_ERR_SSL_NOTHING_TO_READ, 0));
}

/// What was logged besides the course of things.
fn complaints() -> Vec<String> {
    log_double::take().into_iter().filter(|line| !line.starts_with("DBG") && !line.starts_with("INF")).collect()
}

#[test]
fn the_log_tells_the_manuals_lines_in_its_order() {
    let ca = Ca::new();
    let (port, server) = cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, echo_and_drain);
    drop(open(&ca.pem(), None, "localhost", port).unwrap());
    server.join().unwrap();
    let mut expected = vec![
        "DBG Setting up the SSL/TLS structure...".to_owned(),
        "DBG Performing the SSL/TLS handshake...".to_owned(),
        format!("DBG Connecting to /localhost/{port}..."),
        format!("INF connected with /localhost/{port}..."),
    ];
    assert_eq!(log_double::take(), expected);
    // Not connected: all but the last.
    let another = Ca::named("another").pem();
    let (port, server) = cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, echo_and_drain);
    assert!(open(&another, None, "localhost", port).is_err());
    server.join().unwrap();
    expected.truncate(3);
    expected[2] = format!("DBG Connecting to /localhost/{port}...");
    assert_eq!(log_double::take(), expected);
}

#[test]
fn verified_server_by_name_and_by_address_in_both_versions() {
    let ca = Ca::new();
    for &version in VERSIONS {
        for host in ["localhost", "127.0.0.1"] {
            let (port, server) = cert_server(ca.issue(&[host], false), None, &[version], echo_and_drain);
            assert_echoes(&open(&ca.pem(), None, host, port).unwrap());
            server.join().unwrap();
        }
    }
}

#[test]
fn bad_certificates_are_refused_with_their_reason() {
    let ca = Ca::new();
    let table = [
        (ca.issue(&["localhost"], true), ca.pem(), "expired 2001-01-01"),
        (ca.issue(&["other.example", "10.0.0.7"], false), ca.pem(), "is for other hosts: other.example, 10.0.0.7"),
        (ca.issue(&["localhost"], false), Ca::named("another CA").pem(), "is by a CA that this device does not trust"),
        (
            ca.issue(&["localhost"], false),
            Ca::new().pem(),
            "is not signed by the trusted CA that it names: another CA of the same name?",
        ),
        // A name that only the subject holds.
        (
            ca.issue_with(&[], |params| params.distinguished_name.push(DnType::CommonName, "localhost")),
            ca.pem(),
            "has no subject alternative name: make it anew with subjectAltName=DNS:localhost",
        ),
        (
            ca.issue_with(&["localhost"], |params| {
                params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth)
            }),
            ca.pem(),
            "is not for servers: its extended key usage lacks serverAuth",
        ),
        (ca.issue(&["*"], false), ca.pem(), "is for other hosts: *"),
        (self_signed(false), ca.pem(), "is by a CA that this device does not trust"),
        (self_signed(true), ca.pem(), "is a CA's (CA:TRUE): make one for the server, or trust this very certificate"),
    ];
    for (identity, ca_pem, expected) in table {
        let (port, server) = cert_server(identity, None, rustls::ALL_VERSIONS, echo_and_drain);
        let cause = open(&ca_pem, None, "localhost", port).err().unwrap();
        assert_eq!(cause, Cause::lasting(format!("certificate of localhost {expected}")));
        server.join().unwrap();
    }
}

#[test]
fn a_certificate_that_begins_later_is_told_with_the_devices_date() {
    let ca = Ca::new();
    let identity = ca.issue_with(&["localhost"], |params| params.not_before = date_time_ymd(4000, 1, 1));
    let (port, server) = cert_server(identity, None, rustls::ALL_VERSIONS, echo_and_drain);
    let text = open(&ca.pem(), None, "localhost", port).err().unwrap().text;
    let start = "certificate of localhost not yet valid: it begins 4000-01-01, this device's clock says 20";
    assert!(text.starts_with(start), "{text}");
    server.join().unwrap();
}

#[test]
fn roots_are_checked_before_connecting() {
    let (_listener, port) = listener();
    assert_eq!(open_error("not PEM", "localhost", port), "the CA certificate is not PEM");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(open_error(broken, "localhost", port), "none of the CA certificates can be parsed");
}

#[test]
fn broken_roots_beside_good_ones_are_warned_of() {
    let ca = Ca::new();
    let (port, server) = cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, echo_and_drain);
    let base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(open(&format!("# roots\n{base64}{}{der}", ca.pem()), None, "localhost", port).is_ok());
    assert_eq!(complaints(), ["WRN 2 of 3 CA certificates can't be parsed and are left out"]);
    server.join().unwrap();
}

#[test]
fn server_that_speaks_no_tls_or_hangs_up_or_stays_silent() {
    let ca = Ca::new();
    let (listener, port) = listener();
    let server = spawn(move || {
        let mut plain = listener.accept().unwrap().0;
        plain.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = plain.read_to_end(&mut rest);
        drop(listener.accept().unwrap());
        let silent = listener.accept().unwrap().0;
        (silent, listener)
    });
    let text = open_error(&ca.pem(), "localhost", port);
    assert!(text.contains("does not speak TLS"), "{text}");
    let text = open_error(&ca.pem(), "localhost", port);
    assert!(text.contains("closed the connection") || text.contains("reset"), "{text}");
    let ca_pem = ca.pem();
    let params = Params { security: Security::Cert { ca_pem: ca_pem.as_bytes(), client: None }, timeout_ms: 50 };
    let text = Connection::open(&params, "localhost", port).err().unwrap().text;
    assert!(text.ends_with("failed: time-out"), "{text}");
    let (_silent, listener) = server.join().unwrap();
    drop(listener);
    let text = open_error(&ca.pem(), "127.0.0.1", port);
    assert_eq!(text, "connection refused by 127.0.0.1:PORT");
    let text = open_error(&ca.pem(), "no such host", port);
    assert!(text.starts_with("name no such host not found ("), "{text}");
}

#[test]
fn every_address_of_a_name_is_tried_whatever_is_wrong_with_it() {
    let ca = Ca::new();
    // Takes the connection and says nothing.
    let (silent, silent_port) = listener();
    let (cut, cut_port) = listener();
    let cutting = spawn(move || drop(cut.accept().unwrap()));
    let (expired_port, expired) =
        cert_server(ca.issue(&["localhost"], true), None, rustls::ALL_VERSIONS, echo_and_drain);
    let (good_port, good) = cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, echo_and_drain);
    let addresses =
        [silent_port, cut_port, expired_port, good_port].map(|port| connect::resolve("127.0.0.1", port).unwrap()[0]);
    let setup = Setup::new(&Security::Cert { ca_pem: ca.pem().as_bytes(), client: None }).unwrap();
    let open = |addresses: &[Address], ms| {
        Connection::open_one_of(Candidates::new(addresses.to_vec()), &setup, "localhost", 443, &Deadline::after_ms(ms))
    };
    // A quarter of the time for the silent one.
    let connection = open(&addresses, 4000).unwrap();
    assert_echoes(&connection);
    drop(connection);
    for server in [cutting, expired, good] {
        server.join().unwrap();
    }
    // It is remembered: the first that is asked again, though nobody is there any more.
    let cause = open(&addresses, 1).err().unwrap();
    let text = format!("connection refused by 127.0.0.1:{good_port}");
    assert!(cause.text.starts_with(&text) && !cause.is_lasting, "{}", cause.text);
    drop(silent);
}

/// The files of a device's certificate and key, which go with the folder.
#[cfg(feature = "auth-mode-cert")]
fn client_files(ca: &Ca) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (cert, key) = ca.issue(&["device"], false);
    let dir = tempfile::tempdir().unwrap();
    let (cert_path, key_path) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_path, cert).unwrap();
    std::fs::write(&key_path, key.serialize_pem()).unwrap();
    (dir, cert_path, key_path)
}

#[cfg(feature = "auth-mode-cert")]
#[test]
fn mutual_authentication() {
    let ca = Ca::new();
    let (_dir, cert_path, key_path) = client_files(&ca);
    let files = ClientFiles { cert: &cert_path, key: &key_path };

    let (port, server) = cert_server(ca.issue(&["localhost"], false), Some(&ca), rustls::ALL_VERSIONS, echo_and_drain);
    assert_echoes(&open(&ca.pem(), Some(files), "localhost", port).unwrap());
    server.join().unwrap();
}

/// For another host and over, a CA's, nobody's: all that matters is that the server has the key of what it shows.
#[cfg(feature = "unverified")]
#[test]
fn without_a_ca_any_server_will_do() {
    let ca = Ca::new();
    let (_dir, cert_path, key_path) = client_files(&ca);
    let files = ClientFiles { cert: &cert_path, key: &key_path };

    for identity in [ca.issue(&["other.example"], true), self_signed(true), self_signed(false)] {
        for versions in [&[&rustls::version::TLS12][..], rustls::ALL_VERSIONS] {
            let identity = (identity.0.clone(), KeyPair::from_pem(&identity.1.serialize_pem()).unwrap());
            let (port, server) = cert_server(identity, Some(&ca), versions, echo_and_drain);
            assert_echoes(&open("", Some(files), "localhost", port).unwrap());
            server.join().unwrap();
        }
        // Where a CA is named, it counts.
        let (port, server) = cert_server(identity, Some(&ca), rustls::ALL_VERSIONS, echo_and_drain);
        assert!(open(&Ca::named("another CA").pem(), Some(files), "localhost", port).is_err());
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_wants_a_client_certificate_gets_none_unasked() {
    let ca = Ca::new();
    // TLS 1.2 fails in the handshake, TLS 1.3 at the first read.
    let versions = [&rustls::version::TLS12];
    let (port, server) = cert_server(ca.issue(&["localhost"], false), Some(&ca), &versions, echo_and_drain);
    let text = open_error(&ca.pem(), "localhost", port);
    assert!(text.ends_with("the server asks for a client certificate"), "{text}");
    server.join().unwrap();
    if VERSIONS.len() < 2 {
        return;
    }
    let versions = [&rustls::version::TLS13];
    let (port, server) = cert_server(ca.issue(&["localhost"], false), Some(&ca), &versions, echo_and_drain);
    let connection = open(&ca.pem(), None, "localhost", port).unwrap();
    assert_ne!(connection.read(&mut [0], LONG).0, QCLOUD_RET_SUCCESS);
    assert_eq!(complaints(), ["ERR the server asks for a client certificate"]);
    drop(connection);
    server.join().unwrap();
}

#[cfg(feature = "auth-mode-cert")]
#[test]
fn bad_client_files_are_named() {
    let ca = Ca::new();
    let (cert, _) = ca.issue(&["device"], false);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let cert = file("cert.pem", &cert);
    let other_key = file("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let empty = file("empty.pem", "");
    let missing = dir.path().join("missing.pem");
    let table = [
        (&missing, &other_key, "can't read client certificate DIR/missing.pem: No such file or directory"),
        (&cert, &missing, "can't read private key DIR/missing.pem: No such file or directory"),
        (&empty, &other_key, "no valid certificate (PEM) in DIR/empty.pem"),
        (&cert, &empty, "no usable private key (unencrypted PEM) in DIR/empty.pem"),
        (&cert, &other_key, "DIR/other.pem is not the private key of DIR/cert.pem"),
    ];
    for (cert, key, expected) in table {
        let text = open(&ca.pem(), Some(ClientFiles { cert, key }), "localhost", 1).err().unwrap().text;
        assert_eq!(text.replace(dir.path().to_str().unwrap(), "DIR"), expected);
    }
}

/// A server that sends each text it is told to, and closes when told no more.
fn told_server(ca: &Ca, told: Receiver<&'static [u8]>) -> (u16, JoinHandle<()>) {
    cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, move |mut stream| {
        while let Ok(text) = told.recv() {
            stream.write_all(text).unwrap();
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

#[test]
fn reads_return_the_codes_of_the_contract() {
    let ca = Ca::new();
    let (tell, told) = channel();
    let (port, server) = told_server(&ca, told);
    let mut buffer = [0; 8];
    // The server's part of the handshake needs its first write.
    tell.send(b"12345678".as_slice()).unwrap();
    let connection = open(&ca.pem(), None, "localhost", port).unwrap();
    assert_eq!(connection.read(&mut buffer[..3], LONG), (QCLOUD_RET_SUCCESS, 3));
    assert_eq!(connection.read(&mut buffer[..4], 0), (QCLOUD_RET_SUCCESS, 4), "decrypted data needs no waiting");
    assert_eq!(connection.read(&mut buffer, 1), (QCLOUD_ERR_SSL_READ_TIMEOUT, 1));
    assert_eq!(connection.read(&mut buffer, 1), (QCLOUD_ERR_SSL_NOTHING_TO_READ, 0));
    assert_eq!(connection.read(&mut buffer, 0), (QCLOUD_ERR_SSL_NOTHING_TO_READ, 0));
    assert_eq!(connection.read(&mut [], 0), (QCLOUD_RET_SUCCESS, 0));
    assert!(connection.is_all_sent() && connection.descriptor() > 2);
    tell.send(b"abc").unwrap();
    drop(tell);
    assert_eq!(connection.read(&mut buffer, LONG), (QCLOUD_ERR_TCP_PEER_SHUTDOWN, 3));
    assert_eq!(&buffer[..3], b"abc");
    assert_eq!(connection.read(&mut buffer, LONG), (QCLOUD_ERR_TCP_PEER_SHUTDOWN, 0));
    assert_eq!(complaints(), Vec::<String>::new());
    server.join().unwrap();
}

/// Waits for a sign after the first byte, then takes everything until the end.
fn slow_sink(mut stream: impl Read, sign: &Receiver<()>) -> Vec<u8> {
    let mut all = vec![0];
    stream.read_exact(&mut all).unwrap();
    let _ = sign.recv();
    let _ = stream.read_to_end(&mut all);
    all
}

/// Fills the connection to a `slow_sink` until a write times out, then lets go and writes the rest.
fn assert_interrupted_write_is_whole(connection: Connection, go: Sender<()>, server: JoinHandle<Vec<u8>>) {
    let data: Vec<u8> = (0..32_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (code, mut taken) = connection.write(&data, 200);
    assert_eq!(code, iot_abi::error::QCLOUD_ERR_SSL_WRITE_TIMEOUT);
    assert!(taken > 0 && taken < data.len(), "{taken}");
    let mut write_on = || {
        let (code, more) = connection.write(&data[taken..], 0);
        assert_eq!(code, iot_abi::error::QCLOUD_ERR_SSL_WRITE_TIMEOUT);
        taken += more;
    };
    // The time may have been over between two records. Who waits for bytes next has to wait for room, too, once the socket
    // has none.
    while connection.is_all_sent() {
        write_on();
    }
    write_on();
    drop(go);
    assert_eq!(connection.write(&data[taken..], LONG), (QCLOUD_RET_SUCCESS, data.len() - taken));
    drop(connection);
    assert!(server.join().unwrap() == data, "each byte arrives once");
}

#[test]
fn write_that_times_out_says_how_much_was_taken() {
    let ca = Ca::new();
    let (go, sign) = channel();
    let (port, server) =
        cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, move |s| slow_sink(s, &sign));
    let connection = open(&ca.pem(), None, "localhost", port).unwrap();
    assert_interrupted_write_is_whole(connection, go, server);
}

/// Waits for a sign after the first byte, then takes as many as it was told and says so.
fn counting_sink(mut stream: impl Read + Write, count: &Receiver<usize>) {
    stream.read_exact(&mut [0]).unwrap();
    let mut left = count.recv().unwrap() - 1;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let piece = left.min(buffer.len());
        stream.read_exact(&mut buffer[..piece]).unwrap();
        left -= piece;
    }
    stream.write_all(b"done").unwrap();
}

/// Fills the connection to a `counting_sink` until a write times out, then only reads.
fn assert_a_read_sends_what_a_write_left(connection: &Connection, count: &Sender<usize>) {
    let (code, taken) = connection.write(&vec![7; 32_000_000], 200);
    assert_eq!(code, iot_abi::error::QCLOUD_ERR_SSL_WRITE_TIMEOUT);
    count.send(taken).unwrap();
    let mut answer = [0; 4];
    assert_eq!(connection.read(&mut answer, LONG), (QCLOUD_RET_SUCCESS, 4));
    assert_eq!(&answer, b"done");
}

#[test]
fn a_read_sends_what_a_write_left() {
    let ca = Ca::new();
    let (count, told) = channel();
    let (port, server) =
        cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, move |s| counting_sink(s, &told));
    let connection = open(&ca.pem(), None, "localhost", port).unwrap();
    assert_a_read_sends_what_a_write_left(&connection, &count);
    drop(connection);
    server.join().unwrap();
}

#[test]
fn only_a_connection_has_a_descriptor_to_wait_on() {
    let mut is_writing = 0;
    // SAFETY: 0 is allowed.
    assert_eq!(unsafe { crate::iot_platform_tls_descriptor(0, &mut is_writing) }, -1);
}

#[test]
fn c_callers_get_errors_for_null_and_for_no_security() {
    use std::ptr::{null, null_mut};

    // SAFETY: all-zero parameters are NULL pointers and zeros.
    let mut params: iot_abi::import::SSLConnectParams = unsafe { std::mem::zeroed() };
    let (mut byte, mut n) = (0, 0);
    // SAFETY: NULL is allowed everywhere.
    unsafe {
        assert_eq!(crate::iot_platform_tls_connect(null_mut(), c"localhost".as_ptr(), 1), 0);
        assert_eq!(crate::iot_platform_tls_connect(&mut params, null(), 1), 0);
        assert_eq!(crate::iot_platform_tls_connect(&mut params, c"localhost".as_ptr(), 0), 0);
        assert_eq!(log_double::take().len(), 3);
        assert_eq!(crate::iot_platform_tls_connect(&mut params, c"localhost".as_ptr(), 1), 0);
        assert_eq!(
            log_double::take(),
            ["ERR no CA certificate to verify the server with, and no pre-shared key: refused"]
        );
        let invalid = iot_abi::error::QCLOUD_ERR_INVAL;
        assert_eq!(crate::iot_platform_tls_read(0, &mut byte, 1, 0, &mut n), invalid);
        assert_eq!(crate::iot_platform_tls_write(0, &mut byte, 1, 0, &mut n), invalid);
        crate::iot_platform_tls_disconnect(0);
    }
}

mod curves;
mod private;
#[cfg(not(feature = "auth-mode-cert"))]
mod psk;
