//! The least that a device must do: read the answer to one request, and compute its MD5.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Bytes a read may bring.
const BUFFER: usize = 65_536;

/// Seconds from before the connection to the last byte; `https://` is read with rustls.
pub fn fetch(url: &str, roots: &Path, expected: usize) -> f64 {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a path");
    let host = authority.split(':').next().unwrap_or_default().to_owned();
    let tls = (scheme == "https").then(|| config(roots));
    let begin = Instant::now();
    let stream = TcpStream::connect(authority).expect("the server listens");
    stream.set_nodelay(true).expect("a socket option");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let count = match tls {
        None => read(stream, &request, expected),
        Some(config) => {
            let name = ServerName::try_from(host).expect("a host name");
            let connection = ClientConnection::new(config, name).expect("a TLS client");
            read(StreamOwned::new(connection, stream), &request, expected)
        }
    };
    assert_eq!(count, expected, "bytes of body");
    begin.elapsed().as_secs_f64()
}

fn config(roots: &Path) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter(roots).expect("the roots' file") {
        store.add(cert.expect("a certificate")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    Arc::new(config)
}

fn read(mut stream: impl Read + Write, request: &str, expected: usize) -> usize {
    stream.write_all(request.as_bytes()).expect("the server takes the request");
    let mut buffer = vec![0; BUFFER];
    let mut head = 0;
    let body = loop {
        let count = stream.read(&mut buffer[head..]).expect("an answer");
        assert!(count > 0, "no head in the answer");
        head += count;
        if let Some(end) = buffer[..head].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&buffer[..body]));
    let mut md5 = Md5::new();
    md5.update(&buffer[body..head]);
    let mut total = head - body;
    while total < expected {
        let count = stream.read(&mut buffer).expect("more of the answer");
        assert!(count > 0, "the answer ends after {total} bytes");
        md5.update(&buffer[..count]);
        total += count;
    }
    std::hint::black_box(md5.finalize());
    total
}
