//! The two MQTT listeners with TLS.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use base64::prelude::{Engine, BASE64_STANDARD};
use common::console::Console;
use common::{tcp, user_name, Client, Desk, Hub, CERT, KEY, ONE, PRODUCT, TWO};
use hmac::{Hmac, KeyInit, Mac};
use mbedtls::rng::{CtrDrbg, OsEntropy};
use mbedtls::ssl::config::{Endpoint, Preset, Transport};
use mbedtls::ssl::{CipherSuite, Config, Context};
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use rumqttc::mqttbytes::QoS;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{json, Value};
use sha1::{Digest, Sha1};

fn psk(hub: &Hub, identity: &str, key: &[u8], suite: CipherSuite) -> mbedtls::Result<Context<TcpStream>> {
    let rng = CtrDrbg::new(Arc::new(OsEntropy::new()), None)?;
    let mut config = Config::new(Endpoint::Client, Transport::Stream, Preset::Default);
    config.set_rng(Arc::new(rng));
    config.set_ciphersuites(Arc::new(vec![suite.into(), 0]));
    config.set_psk(key, identity)?;
    let mut session = Context::new(Arc::new(config));
    session.establish(tcp(hub.text("mqtt_psk")), Some("localhost"))?;
    Ok(session)
}

#[test]
fn a_key_opens_the_psk_listener() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    for suite in [
        CipherSuite::PskWithAes128CbcSha,
        CipherSuite::PskWithAes256CbcSha,
        CipherSuite::PskWithAes128GcmSha256,
        CipherSuite::PskWithAes256GcmSha384,
    ] {
        let mut client = Client::new(psk(&hub, ONE, KEY, suite).expect("handshake"));
        let mut connect = Connect::new(ONE);
        connect.set_login(user_name(ONE), "");
        assert_eq!(client.connect(connect).code as u8, 0);
        assert_eq!(hub.event("connected", |_| true)["listener"], "psk");
        client.send(&Packet::PingReq);
        assert_eq!(client.receive(), Some(Packet::PingResp));
        client.send(&Packet::Disconnect);
        assert_eq!(hub.event("disconnected", |_| true)["clean"], true);
    }
}

#[test]
fn large_messages_go_through_the_psk_listener_both_ways() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut client = Client::new(psk(&hub, ONE, KEY, CipherSuite::PskWithAes128CbcSha).expect("handshake"));
    assert_eq!(client.connect(Connect::new(ONE)).code as u8, 0);
    client.subscribe("loop");
    // Many TLS records a message, and more than a socket's buffer takes.
    for size in [1, 16_383, 16_384, 100_000, 200_000] {
        let payload: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[usize::from(n % 2 == 1)]).collect();
        client.send(&Packet::Publish(Publish::new("loop", QoS::AtMostOnce, payload.clone())));
        assert!(client.message().payload == payload, "{size} bytes");
    }
}

#[test]
fn other_keys_and_identities_do_not() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let attempt = |identity, key| psk(&hub, identity, key, CipherSuite::PskWithAes128CbcSha);
    for (identity, key) in [(ONE, &b"another key"[..]), ("ABCDEFGHIJnobody", KEY), (CERT, KEY)] {
        assert!(attempt(identity, key).is_err(), "{identity}");
        assert_eq!(hub.event("refused", |_| true)["client_id"], identity);
    }
    // The identity is not a licence for another client id.
    let mut client = Client::new(attempt(ONE, KEY).expect("handshake"));
    assert_eq!(client.connect(Connect::new(TWO)).code as u8, 5);
}

type Mutual = Client<StreamOwned<ClientConnection, TcpStream>>;

/// With the certificate that the hub has made for this device, or none.
fn mutual(hub: &Hub, client_id: Option<&str>) -> Mutual {
    mutual_by(hub, client_id.map(|id| &hub.ready["client_certs"][id]))
}

/// With a certificate and its key, whose paths these are, or none.
fn mutual_by(hub: &Hub, paths: Option<&Value>) -> Mutual {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(hub.text("ca_file")).expect("CA")).expect("CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match paths {
        None => builder.with_no_client_auth(),
        Some(paths) => {
            let path = |key: &str| paths[key].as_str().expect("path").to_owned();
            let cert = CertificateDer::from_pem_file(path("cert")).expect("certificate");
            let key = PrivateKeyDer::from_pem_file(path("key")).expect("key");
            builder.with_client_auth_cert(vec![cert], key).expect("pair")
        }
    };
    let name = ServerName::try_from("localhost").expect("name");
    let session = ClientConnection::new(Arc::new(config), name).expect("session");
    Client::new(StreamOwned::new(session, tcp(hub.text("mqtt_cert"))))
}

/// With TLS 1.3 a client learns only from its first read that it was not let in.
fn is_shut_out(mut client: Mutual) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.connect(Connect::new(CERT)))).is_err()
}

/// dynreg.md section 5, "private certificate".
fn register(hub: &Hub, name: &str, certificate: &str) -> Value {
    let (product_secret, host) = ("0123456789abcdef01234567", "ap-guangzhou.gateway.tencentdevices.com");
    let on = json!({ "enabled": true, "secret": product_secret });
    Console::of(hub).post(&format!("/api/products/{PRODUCT}/registration"), &on).good(200);
    let body = json!({ "ProductId": PRODUCT, "DeviceName": name, "clientCert": certificate }).to_string();
    let digest = hex::encode(Sha1::digest(&body));
    let text = format!("POST\n{host}\n/device/register\n\nhmacsha1\n1609430400\n5\n{digest}");
    let mut mac = Hmac::<Sha1>::new_from_slice(product_secret.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let mut stream = tcp(hub.text("http").trim_start_matches("http://"));
    let head = format!(
        "POST /device/register HTTP/1.1\r\nHost: {host}\r\nX-TC-Algorithm: hmacsha1\r\nX-TC-Timestamp: 1609430400\r\n\
         X-TC-Nonce: 5\r\nX-TC-Signature: {signature}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn a_device_with_a_certificate_of_its_own_comes_in_once_it_has_registered() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    let made = desk.output(&["cert", "--state", "elsewhere", "--client-id", CERT]);
    let paths: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert!(is_shut_out(mutual_by(&hub, Some(&paths))));
    let pem = std::fs::read_to_string(paths["cert"].as_str().expect("a path")).expect("a certificate");

    // Under another name, for a device with a secret, and what is none.
    for (name, certificate) in [("nobody", pem.as_str()), ("one", &pem), ("cert", "no PEM")] {
        let refused = register(&hub, name, certificate);
        assert!(refused["Response"]["Error"]["Code"].is_string(), "{name}: {refused}");
    }
    assert!(is_shut_out(mutual_by(&hub, Some(&paths))));
    assert_eq!(mutual(&hub, Some(CERT)).connect(Connect::new(CERT)).code as u8, 0);

    let granted = register(&hub, "cert", &pem);
    // {"encryptionType":1}
    assert_eq!(granted["Response"]["Len"], 20, "{granted}");
    hub.event("registered", |event| event["client_id"] == CERT);
    assert_eq!(mutual_by(&hub, Some(&paths)).connect(Connect::new(CERT)).code as u8, 0);
    assert_eq!(mutual_by(&hub, Some(&paths)).connect(Connect::new(ONE)).code as u8, 5);
    // The one from the hub is no longer its own.
    assert_eq!(mutual(&hub, Some(CERT)).connect(Connect::new(CERT)).code as u8, 5);
}

#[test]
fn a_certificate_opens_its_listener_for_its_own_client_id() {
    let desk = Desk::new();
    let hub = desk.start(&["--host", "desk.example"]);
    let mut client = mutual(&hub, Some(CERT));
    assert_eq!(client.connect(Connect::new(CERT)).code as u8, 0);
    assert_eq!(hub.event("connected", |_| true)["listener"], "cert");
    assert_eq!(mutual(&hub, Some(CERT)).connect(Connect::new(ONE)).code as u8, 5);

    assert!(is_shut_out(mutual(&hub, None)));
    assert_eq!(hub.event("refused", |event| event["client_id"].is_null())["listener"], "cert");
}
