//! TLS to the server.

mod server;

use std::time::{Duration, Instant};

use hub_core::ports::logs::LogStore;
use hub_core::ports::store::Store;
use hub_postgres::open;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use server::Server;

/// A CA: its certificate, and what signs with it.
fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), Issuer::new(params, key))
}

/// Waits until a store has heard so much of others.
fn heard(store: &dyn Store, changes: i64) {
    let until = Instant::now() + Duration::from_secs(60);
    while store.foreign_changes().is_ok_and(|heard| heard < changes) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(store.foreign_changes(), Ok(changes));
}

#[test]
fn the_server_is_who_the_url_wants() {
    let (ca, issuer) = authority();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let (_server, port) = Server::start().with_tls(&certificate.pem(), &key.serialize_pem());
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let (good, other, empty) = (file("ca.pem", &ca), file("other.pem", &authority().0), file("empty.pem", ""));
    let url = |host: &str, query: &str| format!("postgres://hub@{host}:{port}/postgres?hostaddr=127.0.0.1&{query}");
    let good = |mode: &str| format!("sslmode={mode}&sslrootcert={good}");

    for (host, query) in [
        ("localhost", "sslmode=prefer".to_owned()),
        ("localhost", "sslmode=require".to_owned()),
        ("localhost", good("verify-full")),
        ("127.0.0.1", good("verify-ca")),
        ("127.0.0.1", good("require")),
    ] {
        let store = open(&url(host, &query), None).unwrap_or_else(|error| panic!("{host} {query}: {error}"));
        assert_eq!(store.client_ids(), Ok(Vec::new()));
    }
    for (host, query, part) in [
        // The server wants it, too.
        ("localhost", "sslmode=disable".to_owned(), "no encryption"),
        ("127.0.0.1", good("verify-full"), "another name"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), "not of a CA"),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), "not of a CA"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={empty}"), "empty.pem: no certificate"),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
        // The machine knows no such CA.
        ("localhost", "sslmode=verify-full".to_owned(), "CA"),
        ("localhost", "sslmode=yes".to_owned(), "verify-full, not \"yes\""),
    ] {
        let said = open(&url(host, &query), None).err().expect("must be refused").to_string();
        assert!(said.contains(part), "{host} {query}: {said}");
    }

    // What hubs tell each other comes that way, too.
    let [one, two] = [(); 2].map(|()| open(&url("localhost", &good("verify-full")), None).expect("a store"));
    heard(&two, 1);
    one.set_log_level("P1a", 1).expect("kept");
    heard(&two, 2);
}
