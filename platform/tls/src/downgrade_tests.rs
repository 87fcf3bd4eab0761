//! Servers, or somebody on the way to them, that try to make less of the connection than was offered.
//!
//! They answer by hand: no TLS stack in this program can speak what they propose.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{spawn, JoinHandle};

use crate::connection::Connection;
use crate::params::{Params, Security};

const TLS10: [u8; 2] = [3, 1];
const TLS11: [u8; 2] = [3, 2];
const TLS12: [u8; 2] = [3, 3];

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const FATAL: u8 = 2;

/// What a TLS 1.3 server puts at the end of its random number where it has been talked down to TLS 1.2 (RFC 8446, 4.1.3).
const TALKED_DOWN: &[u8; 8] = b"DOWNGRD\x01";

/// Kind and content.
type Record = (u8, Vec<u8>);

fn read_record(stream: &mut TcpStream) -> Option<Record> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

/// A ServerHello in a record of its own.
fn server_hello(version: [u8; 2], random: [u8; 32], suite: u16) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend(random);
    hello.push(0); // no session id
    hello.extend(suite.to_be_bytes());
    hello.push(0); // no compression
    let len = u8::try_from(hello.len()).unwrap();
    let mut record = vec![HANDSHAKE, version[0], version[1], 0, len + 4, 2, 0, 0, len];
    record.extend(hello);
    record
}

/// What the client sent.
struct Heard {
    hello: Vec<u8>,
    reply: Vec<Record>,
}

/// Answers a ClientHello with `answer`.
fn answering(answer: Vec<u8>) -> (u16, JoinHandle<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let (kind, hello) = read_record(&mut stream).unwrap();
        assert_eq!(kind, HANDSHAKE);
        stream.write_all(&answer).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let mut reply = Vec::new();
        while let Some(record) = read_record(&mut stream) {
            reply.push(record);
        }
        Heard { hello, reply }
    });
    (port, thread)
}

/// The client gives up, says so with an alert and nothing else, for this reason. Returns its ClientHello.
fn assert_refused(security: Security<'_>, answer: Vec<u8>, reason: &str) -> Vec<u8> {
    let (port, server) = answering(answer);
    let text =
        Connection::open(&Params { security, timeout_ms: 60_000 }, "localhost", port).err().expect("a refusal").text;
    let Heard { hello, reply } = server.join().unwrap();
    assert!(text.contains(reason), "{text}");
    assert!(matches!(&reply[..], [(ALERT, alert)] if alert.len() == 2 && alert[0] == FATAL), "{text}: {reply:?}");
    hello
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn with_certificates_nothing_below_tls_1_2_is_offered_or_taken() {
    let ca = super::tests::Ca::new().pem();
    let security = || Security::Cert { ca_pem: ca.as_bytes(), client: None };
    for version in [TLS10, TLS11] {
        // TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, which every version has.
        let answer = server_hello(version, [7; 32], 0xC013);
        let hello = assert_refused(security(), answer, "no TLS version");
        // The extension supported_versions: TLS 1.3 and 1.2. What knows TLS 1.2 only has the one number at the beginning.
        let is_old = super::tests::VERSIONS.len() < 2 && hello[4..6] == TLS12 && !contains(&hello, &[0, 43, 0, 5]);
        assert!(
            is_old
                || contains(&hello, &[0, 43, 0, 5, 4, 3, 4, 3, 3])
                || contains(&hello, &[0, 43, 0, 5, 4, 3, 3, 3, 4])
        );
    }
}

#[test]
fn a_server_that_was_talked_out_of_tls_1_3_is_not_believed() {
    if super::tests::VERSIONS.len() < 2 {
        return;
    }
    let ca = super::tests::Ca::new().pem();
    let mut random = [7; 32];
    random[24..].copy_from_slice(TALKED_DOWN);
    // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, which is offered.
    let answer = server_hello(TLS12, random, 0xC02B);
    let security = Security::Cert { ca_pem: ca.as_bytes(), client: None };
    assert_refused(security, answer, "breaks the rules of TLS");
}

#[test]
fn with_certificates_a_weak_suite_is_not_taken() {
    let ca = super::tests::Ca::new().pem();
    // TLS_RSA_WITH_NULL_SHA, TLS_RSA_WITH_RC4_128_SHA, TLS_DH_anon_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_CBC_SHA.
    for suite in [0x0002, 0x0005, 0x0034, 0x002F] {
        let answer = server_hello(TLS12, [7; 32], suite);
        let security = Security::Cert { ca_pem: ca.as_bytes(), client: None };
        assert_refused(security, answer, "breaks the rules of TLS");
    }
}

#[cfg(not(feature = "auth-mode-cert"))]
mod psk {
    use super::*;

    const PSK: Security<'static> = Security::Psk { key: b"0123456789abcdef", identity: "PRODUCTID0device" };

    #[test]
    fn with_a_pre_shared_key_nothing_below_tls_1_2_is_offered_or_taken() {
        for version in [TLS10, TLS11] {
            // TLS_PSK_WITH_AES_128_CBC_SHA, which every version has.
            let hello = assert_refused(PSK, server_hello(version, [7; 32], 0x008C), "TLS 1.2");
            assert_eq!(hello[4..6], TLS12, "the highest version offered");
        }
    }

    #[test]
    fn with_a_pre_shared_key_only_an_offered_suite_is_taken() {
        // TLS_PSK_WITH_NULL_SHA, TLS_PSK_WITH_RC4_128_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (a certificate
        // instead of the key), TLS_DH_anon_WITH_AES_128_CBC_SHA.
        for suite in [0x002C, 0x008A, 0xC02B, 0x0034] {
            let answer = server_hello(TLS12, [7; 32], suite);
            assert_refused(PSK, answer, "cipher suite");
        }
    }
}
