//! The two MQTT listeners with TLS.

mod common;

use std::net::TcpStream;
use std::sync::Arc;

use common::{tcp, user_name, Client, Desk, Hub, CERT, KEY, ONE, TWO};
use mbedtls::rng::{CtrDrbg, OsEntropy};
use mbedtls::ssl::config::{Endpoint, Preset, Transport};
use mbedtls::ssl::{CipherSuite, Config, Context};
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use rumqttc::mqttbytes::QoS;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

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

fn mutual(hub: &Hub, client_id: Option<&str>) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(hub.text("ca_file")).expect("CA")).expect("CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match client_id {
        None => builder.with_no_client_auth(),
        Some(id) => {
            let paths = &hub.ready["client_certs"][id];
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

#[test]
fn a_certificate_opens_its_listener_for_its_own_client_id() {
    let desk = Desk::new();
    let hub = desk.start(&["--host", "desk.example"]);
    let mut client = mutual(&hub, Some(CERT));
    assert_eq!(client.connect(Connect::new(CERT)).code as u8, 0);
    assert_eq!(hub.event("connected", |_| true)["listener"], "cert");
    assert_eq!(mutual(&hub, Some(CERT)).connect(Connect::new(ONE)).code as u8, 5);

    // With TLS 1.3 a client learns only from its first read that it was not let in.
    let mut nobody = mutual(&hub, None);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| nobody.connect(Connect::new(CERT))));
    assert!(outcome.is_err());
    assert_eq!(hub.event("refused", |event| event["client_id"].is_null())["listener"], "cert");
}
