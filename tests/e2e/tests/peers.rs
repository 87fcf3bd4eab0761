//! Programs that are not ours: mosquitto with pre-shared keys or mutual TLS, nginx over HTTPS, and before the hub's console.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use e2e::{
    assert_good_run, reports, Answer, Authority, Build, Device, HubSetup, Nginx, Server, Street, Validity, LIMIT,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

/// What the C SDK's manual downloads.
const SIZE: usize = 175_436;

fn upgrade(build: Build, args: &[&str]) {
    let mut nginx = None;
    let street = Street::new(build, SIZE, |site| {
        let content = site.firmware.path.parent().expect("a folder");
        let server =
            nginx.insert(Nginx::start(site.folder, content, &site.authority.server("localhost", Validity::Now)));
        server.url("firmware-1.3.0?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dx%26q-signature%3Dy%00")
    });
    street.expect_upgrade(&mut street.sample().args(args).start());
    assert_good_run(&reports(&street.hub, &street.device));
    // The query came as it was sent, escapes and all.
    let log = nginx.expect("it was started").access_log();
    assert!(log.contains("%26q-signature%3Dy%00 HTTP/1.1|"), "{log}");
}

#[test]
fn mosquitto_and_nginx() {
    upgrade(Build::Key, &[]);
}

#[test]
fn mosquitto_and_nginx_with_loop_thread() {
    upgrade(Build::Key, &["-l"]);
}

#[test]
fn mosquitto_with_certificates_and_nginx() {
    upgrade(Build::Cert, &[]);
}

/// Sends the nginx at `url` a request, as a browser with this cookie does; `more` are further headers, and what follows them.
fn send(url: &str, authority: &Authority, request: &str, cookie: &str, more: &str) -> impl Read {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).expect("the CA")).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("TLS");
    let address = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let stream = TcpStream::connect(address.replace("localhost", "127.0.0.1")).expect("nginx");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    let mut stream = StreamOwned::new(client, stream);
    let head =
        format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: session={cookie}\r\n{more}");
    stream.write_all(head.as_bytes()).expect("sent");
    stream
}

/// The same, and returns the answer.
fn browse(url: &str, authority: &Authority, request: &str, cookie: &str, more: &str) -> String {
    let mut answer = String::new();
    send(url, authority, request, cookie, &format!("{more}\r\n")).read_to_string(&mut answer).expect("the answer");
    answer
}

/// Reads on until this was there.
fn read_until(stream: &mut impl Read, seen: &mut Vec<u8>, wanted: &str) {
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(seen).contains(wanted) {
        let count = stream.read(&mut part).unwrap_or_else(|error| panic!("no {wanted:?}: {error}"));
        assert!(count > 0, "no {wanted:?} in {}", String::from_utf8_lossy(seen));
        seen.extend(&part[..count]);
    }
}

/// nginx asks for each request who it is, as it asks a program that speaks OpenID Connect, and tells the hub.
#[test]
fn nginx_signs_people_in_at_the_console() {
    let folder = TempDir::new().expect("a temporary folder");
    let device = Device::default();
    let setup = HubSetup::new(folder.path(), &device).args(&["--console-users", "--console-proxy", "127.0.0.1"]);
    let hub = setup.start();
    for (name, role) in [("alice", "order"), ("victor", "view")] {
        assert_eq!(setup.ask(&["user", "add", name, "--role", role, "--no-token"]).code(), 0);
    }
    let identities =
        Server::http(|request| match request.header("Cookie").and_then(|cookie| cookie.strip_prefix("session=")) {
            Some(name @ ("alice" | "victor" | "mallory")) => Answer::status(200).header("X-Identity", name),
            _ => Answer::status(401),
        });
    let authority = Authority::new(folder.path());
    let (console, who) = (hub.ready("console"), identities.url("/who"));
    let more = format!(
        "client_max_body_size 256m;\n\
         location / {{ auth_request /who; auth_request_set $who $upstream_http_x_identity; proxy_pass {console};\n\
         proxy_set_header Host $http_host; proxy_set_header X-Forwarded-User $who; proxy_request_buffering off; }}\n\
         location = /who {{ internal; proxy_pass {who}; proxy_pass_request_body off; proxy_set_header Content-Length \"\"; }}"
    );
    let server = authority.server("localhost", Validity::Now);
    let nginx = Nginx::start_with(folder.path(), folder.path(), &server, &more);
    let url = nginx.url("");
    let ask = |request: &str, cookie: &str, more: &str| browse(&url, &authority, request, cookie, more);

    let page = ask("GET /", "alice", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<title>IoT Hub</title>"), "{page}");
    let about = ask("GET /api/hub", "alice", "");
    assert!(about.contains(r#""caller":{"name":"alice","role":"order"}"#), "{about}");
    // Who is nobody at the identities never gets to the hub; who is no user there is refused.
    assert!(ask("GET /api/hub", "nobody", "").starts_with("HTTP/1.1 401"));
    assert!(ask("GET /api/hub", "mallory", "").starts_with("HTTP/1.1 403"));
    // What a browser says of itself is put aside.
    let forged = ask("GET /api/hub", "victor", "X-Forwarded-User: alice\r\n");
    assert!(forged.contains(r#""caller":{"name":"victor","role":"view"}"#), "{forged}");
    // Roles count, also on the way through; and so does where a page comes from.
    let cancel = |cookie, origin: &str| {
        ask("POST /api/upgrades/7/cancel", cookie, &format!("Origin: {origin}\r\nContent-Length: 0\r\n"))
    };
    let own = url.trim_end_matches('/');
    assert!(cancel("victor", own).contains("role_lacking"), "{}", cancel("victor", own));
    assert!(cancel("alice", own).starts_with("HTTP/1.1 404"), "{}", cancel("alice", own));
    assert!(cancel("alice", "https://evil.example").starts_with("HTTP/1.1 403"));
    // Events come as they happen, and a file may be larger than what nginx takes by itself.
    let (mut events, mut seen) = (send(&url, &authority, "GET /api/events", "victor", "\r\n"), Vec::new());
    read_until(&mut events, &mut seen, "event: reset");
    let file = format!("Origin: {own}\r\nContent-Length: 1500000\r\n\r\n{}", "x".repeat(1_500_000));
    let path = format!("POST /api/firmware?product_id={}&version=9.9&name=", device.product_id);
    read_until(&mut send(&url, &authority, &path, "alice", &file), &mut Vec::new(), "HTTP/1.1 201");
    read_until(&mut events, &mut seen, "event: firmware");
    let audit = setup.ask(&["audit", "--name", "victor"]);
    audit.assert_says(&["victor", "POST /api/upgrades/7/cancel", "403"]);
}
