//! A device that still runs the C SDK takes an upgrade from the hub: it looks up whatever stands between the slashes of a
//! URL as a name, compares names of header fields letter by letter, and speaks TLS 1.2 as mbedTLS 2.28 does.

mod common;

use std::io::{Read, Write};
use std::sync::Arc;

use common::{device, firmware, json, tcp, Desk, Hub, ONE, PRODUCT};
use mbedtls::alloc::List;
use mbedtls::rng::{CtrDrbg, OsEntropy};
use mbedtls::ssl::config::{AuthMode, Endpoint, Preset, Transport, Version};
use mbedtls::ssl::{CipherSuite, Config, Context};
use mbedtls::x509::Certificate;

/// What mbedTLS 2.28 offers by default with a certificate, as far as it keeps what was sent secret when the key gets out.
const SUITES: [CipherSuite; 4] = [
    CipherSuite::EcdheEcdsaWithAes256GcmSha384,
    CipherSuite::EcdheRsaWithAes256GcmSha384,
    CipherSuite::EcdheEcdsaWithAes128GcmSha256,
    CipherSuite::EcdheRsaWithAes128GcmSha256,
];

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn tls(hub: &Hub, host: &str, address: &str) -> Box<dyn Stream> {
    let mut pem = std::fs::read(hub.text("ca_file")).expect("CA");
    pem.push(0);
    let roots: List<Certificate> = Certificate::from_pem_multiple(&pem).expect("CA");
    let mut config = Config::new(Endpoint::Client, Transport::Stream, Preset::Default);
    config.set_rng(Arc::new(CtrDrbg::new(Arc::new(OsEntropy::new()), None).expect("random numbers")));
    config.set_authmode(AuthMode::Required);
    config.set_ca_list(Arc::new(roots), None);
    config.set_min_version(Version::Tls1_2).expect("version");
    config.set_max_version(Version::Tls1_2).expect("version");
    config.set_ciphersuites(Arc::new(SUITES.into_iter().map(Into::into).chain([0]).collect()));
    let mut session = Context::new(Arc::new(config));
    session.establish(tcp(address), Some(host)).expect("handshake");
    Box::new(session)
}

/// The value of a field, its name compared as it stands.
fn field(head: &str, name: &str) -> String {
    let begin = head.find(name).unwrap_or_else(|| panic!("no {name:?} in {head:?}")) + name.len();
    head[begin..].split("\r\n").next().unwrap_or_default().to_owned()
}

/// Takes the upgrade that the hub orders. The device's resolver knows one name.
fn upgrade(hub: &Hub, name: &str) {
    let mut mqtt = device(hub, ONE);
    mqtt.subscribe(&format!("$ota/update/{PRODUCT}/one"));
    let report = format!("$ota/report/{PRODUCT}/one");
    mqtt.publish(&report, r#"{"type": "report_version", "report":{"version":"1.0"}}"#);
    let command = loop {
        let message = json(&mqtt.message().payload);
        if message["type"] == "update_firmware" {
            break message;
        }
    };
    let url = command["url"].as_str().expect("url");
    let (scheme, rest) = url.split_once("://").expect("scheme");
    let (host, path) = rest.split_once('/').expect("path");
    assert_eq!(host, name, "{url}");
    let address = hub.text(scheme).split_once("://").expect("address").1;
    let mut stream: Box<dyn Stream> = match scheme {
        "https" => tls(hub, host, address),
        _ => Box::new(tcp(address)),
    };
    let size = firmware().len();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes=1000-{size}\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
    )
    .expect("request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("head");
    assert!(head.starts_with("HTTP/1.1 206"), "{head}");
    assert_eq!(field(&head, "Content-Range: "), format!("bytes 1000-{}/{size}", size - 1));
    let length: usize = field(&head, "Content-Length: ").parse().expect("length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("body");
    assert!(body == firmware()[1000..]);
}

#[test]
fn by_the_hubs_own_firmware_servers_behind_a_proxy() {
    let desk = Desk::new();
    for scheme in ["http", "https"] {
        let public = format!("{scheme}://localhost/");
        upgrade(&desk.start(&["--upgrade-on-report", "--public-url", &public]), "localhost");
    }
}

#[test]
fn while_the_hub_misbehaves_the_names_are_the_same() {
    let desk = Desk::new();
    let hub = desk.start(&["--upgrade-on-report", "--public-url", "http://localhost", "--fault", "http:status=503#9"]);
    upgrade(&hub, "localhost");
}

#[test]
fn a_public_url_with_a_path_is_refused() {
    let desk = Desk::new();
    let args = ["run", "--devices", "devices.json", "--public-url"];
    for (url, why) in [("https://h/below", "no path"), ("ftp://h", "must be a http:// or https:// URL")] {
        let output = desk.output(&[&args[..], &[url]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(why), "{text}");
    }
}
