//! Handshakes and transfers with a pre-shared key, against mbedTLS as a server: another one than the one under test, but
//! with feature `tls-system` the same, since two can't be linked under the same names.

#[cfg(not(feature = "tls-system"))]
use another as server_side;
#[cfg(feature = "tls-system")]
use same as server_side;

use iot_mbedtls::suite;

use super::*;

const KEY: &[u8] = b"0123456789abcdef";
const IDENTITY: &str = "PRODUCTID0device";

/// The server's end after the handshake.
trait ServerEnd: Read + Write {}

impl<T: Read + Write> ServerEnd for T {}

#[cfg(not(feature = "tls-system"))]
mod another {
    use mbedtls::rng::{CtrDrbg, OsEntropy};
    use mbedtls::ssl::config::{Endpoint, Preset, Transport};
    use mbedtls::ssl::{Config, Context, Version};

    use super::*;

    /// `None` where the handshake fails.
    pub fn establish(suite: i32, stream: TcpStream) -> Option<Box<dyn ServerEnd>> {
        let mut config = Config::new(Endpoint::Server, Transport::Stream, Preset::Default);
        config.set_rng(Arc::new(CtrDrbg::new(Arc::new(OsEntropy::new()), None).unwrap()));
        config.set_ciphersuites(Arc::new(vec![suite, 0]));
        config.set_min_version(Version::Tls1_2).unwrap();
        config.set_psk(KEY, IDENTITY).unwrap();
        let mut tls = Context::new(Arc::new(config));
        tls.establish(stream, None).is_ok().then(|| Box::new(tls) as Box<dyn ServerEnd>)
    }
}

#[cfg(feature = "tls-system")]
mod same {
    use iot_mbedtls::Session;

    use super::*;

    struct End(Session<TcpStream>);

    impl Read for End {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(out).map_err(std::io::Error::other)
        }
    }

    impl Write for End {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0.write(data).map_err(std::io::Error::other)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush().map_err(std::io::Error::other)
        }
    }

    /// `None` where the handshake fails.
    pub fn establish(suite: i32, stream: TcpStream) -> Option<Box<dyn ServerEnd>> {
        // Few, and for a test.
        let suites: &'static [i32] = Box::leak(Box::new([suite, 0]));
        let keys = |identity: &[u8]| (identity == IDENTITY.as_bytes()).then(|| zeroize::Zeroizing::new(KEY.to_vec()));
        let mut tls = Session::server(Box::new(keys), suites, stream).unwrap();
        tls.handshake().is_ok().then(|| Box::new(End(tls)) as Box<dyn ServerEnd>)
    }
}

fn server(suite: i32) -> (u16, JoinHandle<()>) {
    serve(suite, |stream| {
        if let Some(stream) = stream {
            echo(stream);
        }
    })
}

/// A server for one connection; `serve` gets it after the handshake, `None` where that failed.
fn serve<T: Send + 'static>(
    suite: i32,
    serve: impl FnOnce(Option<Box<dyn ServerEnd>>) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let (listener, port) = listener();
    let thread = spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut raw = stream.try_clone().unwrap();
        let established = server_side::establish(suite, stream);
        if established.is_none() {
            // Closing with something unread would reset the connection, and the client might lose the alert.
            let _ = raw.shutdown(std::net::Shutdown::Write);
            let _ = raw.read_to_end(&mut Vec::new());
        }
        serve(established)
    });
    (port, thread)
}

fn open(key: &[u8], identity: &str, port: u16) -> Result<Connection, Cause> {
    Connection::open(&Params { security: Security::Psk { key, identity }, timeout_ms: LONG }, "localhost", port)
}

#[test]
fn every_suite_carries_data_both_ways_at_once() {
    for suite in [
        suite::AES_128_GCM_SHA256,
        suite::AES_256_GCM_SHA384,
        suite::AES_128_CBC_SHA256,
        suite::AES_256_CBC_SHA384,
        suite::AES_128_CBC_SHA,
        suite::AES_256_CBC_SHA,
    ] {
        let (port, server) = server(suite);
        let connection = open(KEY, IDENTITY, port).unwrap();
        assert_echoes(&connection);
        drop(connection);
        server.join().unwrap();
    }
}

const DHE_PSK_WITH_AES_128_CBC_SHA: i32 = 0x90;

#[test]
fn ephemeral_suites_are_not_offered() {
    let (port, server) = server(DHE_PSK_WITH_AES_128_CBC_SHA);
    let text = open(KEY, IDENTITY, port).err().unwrap().text;
    assert!(text.contains("no cipher suite in common"), "{text}");
    server.join().unwrap();
}

#[test]
fn a_server_that_has_a_certificate_instead_of_the_key_is_refused() {
    let ca = Ca::new();
    let (port, thread) = cert_server(ca.issue(&["localhost"], false), None, rustls::ALL_VERSIONS, echo_and_drain);
    let text = open(KEY, IDENTITY, port).err().unwrap().text;
    assert!(text.contains("no cipher suite in common"), "{text}");
    thread.join().unwrap();
}

#[test]
fn wrong_key_and_wrong_identity_are_told_apart() {
    let (port, thread) = server(suite::AES_128_CBC_SHA);
    let text = open(b"another key 1234", IDENTITY, port).err().unwrap().text;
    assert!(text.contains("decrypt error") && text.contains("device secret"), "{text}");
    thread.join().unwrap();
    let (port, thread) = server(suite::AES_128_CBC_SHA);
    let text = open(KEY, "PRODUCTID0another", port).err().unwrap().text;
    assert!(text.contains("does not know this identity"), "{text}");
    thread.join().unwrap();
}

#[test]
fn server_that_hangs_up_or_speaks_no_tls() {
    let (listener, port) = listener();
    let thread = spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut hello = [0; 16];
        stream.read_exact(&mut hello).unwrap();
        // Half closed, so that what is unread does not turn into a reset.
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        let mut plain = listener.accept().unwrap().0;
        plain.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = plain.read_to_end(&mut Vec::new());
    });
    let text = open(KEY, IDENTITY, port).err().unwrap().text;
    assert!(text.ends_with("closed the connection: check the device name and the device secret"), "{text}");
    let text = open(KEY, IDENTITY, port).err().unwrap().text;
    assert!(text.contains("does not speak TLS"), "{text}");
    thread.join().unwrap();
}

#[test]
fn read_codes_and_close() {
    let (port, thread) = server(suite::AES_128_GCM_SHA256);
    let connection = open(KEY, IDENTITY, port).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(connection.read(&mut buffer, 0), (QCLOUD_ERR_SSL_NOTHING_TO_READ, 0));
    assert_eq!(connection.write(b"12345", LONG), (QCLOUD_RET_SUCCESS, 5));
    assert_eq!(connection.read(&mut buffer[..2], LONG), (QCLOUD_RET_SUCCESS, 2));
    assert_eq!(connection.read(&mut buffer, 1), (QCLOUD_ERR_SSL_READ_TIMEOUT, 3));
    assert_eq!(&buffer[..3], b"345");
    drop(connection);
    thread.join().unwrap();
}

#[test]
fn write_that_times_out_says_how_much_was_taken() {
    let (go, sign) = channel();
    let (port, server) = serve(suite::AES_128_GCM_SHA256, move |stream| slow_sink(stream.unwrap(), &sign));
    assert_interrupted_write_is_whole(open(KEY, IDENTITY, port).unwrap(), go, server);
}

#[test]
fn a_read_sends_what_a_write_left() {
    let (count, told) = channel();
    let (port, server) = serve(suite::AES_128_GCM_SHA256, move |stream| counting_sink(stream.unwrap(), &told));
    let connection = open(KEY, IDENTITY, port).unwrap();
    assert_a_read_sends_what_a_write_left(&connection, &count);
    drop(connection);
    server.join().unwrap();
}

#[test]
fn too_long_a_key_is_refused() {
    let text = open(&[1; 65], IDENTITY, 1).err().unwrap().text;
    assert_eq!(text, "the pre-shared key has 65 bytes, the limit is 64");
}

/// The longest that the contract allows, and what the stack takes. The other mbedTLS takes 32 bytes.
#[test]
fn long_keys_work() {
    for len in [48, iot_mbedtls::MAX_KEY] {
        let (listener, port) = listener();
        let thread = spawn(move || {
            let keys = move |_: &[u8]| Some(zeroize::Zeroizing::new(vec![9; len]));
            let stream = listener.accept().unwrap().0;
            let mut tls = iot_mbedtls::Session::server(Box::new(keys), &iot_mbedtls::SERVER_SUITES, stream).unwrap();
            tls.handshake().unwrap();
            let mut data = [0; 4];
            assert_eq!(tls.read(&mut data), Ok(4));
            assert_eq!(tls.write(&data), Ok(4));
        });
        let connection = open(&vec![9; len], IDENTITY, port).unwrap();
        assert_eq!(connection.write(b"ping", LONG), (QCLOUD_RET_SUCCESS, 4));
        let mut data = [0; 4];
        assert_eq!(connection.read(&mut data, LONG), (QCLOUD_RET_SUCCESS, 4));
        assert_eq!(&data, b"ping");
        thread.join().unwrap();
    }
}
