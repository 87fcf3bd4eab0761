//! Servers of private clouds: the certificate is the trusted one itself, or made in a way that chains don't allow.

use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;

/// A server that shows any certificate, whether its key fits or not.
fn show(pem: &str, key: &KeyPair, versions: &[&'static SupportedProtocolVersion]) -> (u16, JoinHandle<()>) {
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    let (listener, port) = listener();
    let thread = spawn(move || {
        let stream = listener.accept().unwrap().0;
        echo_and_drain(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream));
    });
    (port, thread)
}

/// `certificate` as version 1 has it: without version and extensions. The signature fits no more.
fn version_1(certificate: &Certificate) -> String {
    /// Tag, length and content of the first element, and what follows.
    fn split(der: &[u8]) -> (&[u8], &[u8], &[u8]) {
        let (len, head) = match der[1] {
            0x81 => (usize::from(der[2]), 3),
            0x82 => (usize::from(u16::from_be_bytes([der[2], der[3]])), 4),
            len => (usize::from(len), 2),
        };
        (&der[..head + len], &der[head..head + len], &der[head + len..])
    }
    fn sequence(content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        // No longer than needed (X.690, 10.1).
        let head: &[u8] = match (high, low) {
            (0, 0..=0x7f) => &[0x30, low],
            (0, _) => &[0x30, 0x81, low],
            _ => &[0x30, 0x82, high, low],
        };
        [head, content].concat()
    }
    let (_, content, _) = split(certificate.der());
    let (_, mut fields, signature) = split(content);
    let mut kept = Vec::new();
    while !fields.is_empty() {
        let (whole, _, rest) = split(fields);
        if ![0xa0, 0xa3].contains(&whole[0]) {
            kept.extend_from_slice(whole);
        }
        fields = rest;
    }
    let der = sequence(&[sequence(&kept), signature.to_vec()].concat());
    pem(&der)
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for group in der.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}

/// A certificate signed with its own key.
fn own(change: impl FnOnce(&mut CertificateParams)) -> (Certificate, KeyPair) {
    let mut params = params_for(&[]);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

fn common_name(name: &str) -> impl FnOnce(&mut CertificateParams) + '_ {
    move |params| params.distinguished_name.push(DnType::CommonName, name)
}

#[test]
fn a_certificate_that_is_itself_trusted_proves_its_server() {
    let (authority, authority_key) = self_signed(true);
    let (plain, plain_key) = self_signed(false);
    let (named, named_key) = own(common_name("localhost"));
    let (old, old_key) = own(common_name("localhost"));
    // Issued by a CA that nobody here knows.
    let (issued, issued_key) = Ca::named("another").issue(&["localhost"], false);
    let table = [
        (issued, issued_key),
        (authority, authority_key),
        (plain, plain_key),
        (named.pem(), named_key),
        (version_1(&old), old_key),
    ];
    for (certificate, key) in table {
        for &version in VERSIONS {
            let (port, server) = show(&certificate, &key, &[version]);
            // Among others.
            let trusted = format!("{}{certificate}", Ca::new().pem());
            assert_echoes(&open(&trusted, None, "localhost", port).unwrap());
            server.join().unwrap();
        }
    }
}

/// An address as a DNS name, the only way for servers of mbedTLS's clients.
fn address_as_name(params: &mut CertificateParams) {
    params.subject_alt_names = vec![rcgen::SanType::DnsName("127.0.0.1".try_into().unwrap())];
}

#[test]
fn an_address_may_stand_as_a_dns_name_in_a_trusted_certificate_only() {
    let (certificate, key) = own(address_as_name);
    let (port, server) = show(&certificate.pem(), &key, rustls::ALL_VERSIONS);
    assert_echoes(&open(&certificate.pem(), None, "127.0.0.1", port).unwrap());
    server.join().unwrap();
    let (port, server) = show(&certificate.pem(), &key, rustls::ALL_VERSIONS);
    let text = open(&certificate.pem(), None, "localhost", port).err().unwrap().text;
    assert_eq!(text, "certificate of localhost is for other hosts: 127.0.0.1");
    server.join().unwrap();
    let ca = Ca::new();
    let (certificate, key) = ca.issue_with(&[], address_as_name);
    let (port, server) = show(&certificate, &key, rustls::ALL_VERSIONS);
    let text = open(&ca.pem(), None, "127.0.0.1", port).err().unwrap().text;
    let expected = "has this address as a DNS name: make it anew with subjectAltName=IP:127.0.0.1";
    assert_eq!(text, format!("certificate of 127.0.0.1 {expected}"));
    server.join().unwrap();
}

#[test]
fn a_trusted_certificate_has_a_name_and_a_time_nevertheless() {
    let (for_other, for_other_key) = own(common_name("other.example"));
    let (old, old_key) = own(common_name("other.example"));
    let (nameless, nameless_key) = own(|params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "example");
    });
    let (expired, expired_key) = own(|params| {
        params.subject_alt_names = params_for(&["localhost"]).subject_alt_names;
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let (early, early_key) = own(|params| {
        params.subject_alt_names = params_for(&["localhost"]).subject_alt_names;
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    // The common name counts only where there is no alternative one.
    let (both, both_key) = own(|params| {
        params.subject_alt_names = params_for(&["other.example"]).subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, "localhost");
    });
    let table = [
        (for_other.pem(), for_other_key, "is for other hosts: other.example"),
        (version_1(&old), old_key, "is for other hosts: other.example"),
        (nameless.pem(), nameless_key, "names no host, neither as subject alternative name nor as common name"),
        (expired.pem(), expired_key, "expired 2001-01-01"),
        (early.pem(), early_key, "not yet valid: it begins 4000-01-01, this device's clock says "),
        (both.pem(), both_key, "is for other hosts: other.example"),
    ];
    for (certificate, key, expected) in table {
        let (port, server) = show(&certificate, &key, rustls::ALL_VERSIONS);
        let text = open(&certificate, None, "localhost", port).err().unwrap().text;
        assert!(text.starts_with(&format!("certificate of localhost {expected}")), "{text}");
        server.join().unwrap();
    }
}

#[test]
fn who_shows_a_trusted_certificate_has_its_key() {
    let (certificate, _) = own(common_name("localhost"));
    let (chained, _) = self_signed(false);
    for certificate in [certificate.pem(), version_1(&certificate), chained] {
        for &version in VERSIONS {
            let (port, server) = show(&certificate, &KeyPair::generate().unwrap(), &[version]);
            let cause = open(&certificate, None, "localhost", port).err().unwrap();
            let text = "certificate of localhost is not the server's: it has not proved that it has the key";
            assert_eq!(cause, Cause::lasting(text.to_owned()));
            server.join().unwrap();
        }
    }
}

#[test]
fn what_no_chain_allows_is_told_with_what_to_do() {
    let ca = Ca::new();
    let (old, old_key) = own(common_name("localhost"));
    let (authority, authority_key) = self_signed(true);
    let by_name = ca.issue_with(&[], common_name("127.0.0.1"));
    let make = "make it anew with subjectAltName=IP:127.0.0.1";
    let table = [
        (by_name.0, by_name.1, format!("has no subject alternative name: {make}")),
        (version_1(&old), old_key, format!("is not of X.509 version 3: {make}, or trust this very certificate")),
        (
            authority,
            authority_key,
            "is a CA's (CA:TRUE): make one for the server, or trust this very certificate".to_owned(),
        ),
    ];
    for (certificate, key, expected) in table {
        let (port, server) = show(&certificate, &key, rustls::ALL_VERSIONS);
        let cause = open(&ca.pem(), None, "127.0.0.1", port).err().unwrap();
        assert_eq!(cause, Cause::lasting(format!("certificate of 127.0.0.1 {expected}")));
        server.join().unwrap();
    }
}
