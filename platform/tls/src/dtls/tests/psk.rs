//! With a pre-shared key.

use std::ffi::CString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use iot_abi::error::{
    QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_SSL_WRITE,
};
use iot_abi::import::SSLConnectParams;
use iot_mbedtls::suite;
use iot_platform_posix::cause::Cause;
use zeroize::Zeroizing;

use super::*;
use crate::params::Security;

const KEY: [u8; 16] = *b"0123456789abcdef";
const IDENTITY: &str = "PRODUCTID0device";

fn server() -> Server {
    Server::with_keys(|identity| (identity == IDENTITY.as_bytes()).then(|| Zeroizing::new(KEY.to_vec()))).unwrap()
}

fn setup() -> Setup {
    Setup::new(&Security::Psk { key: &KEY, identity: IDENTITY }).unwrap()
}

fn open_at(addresses: Vec<SocketAddr>, limit: Duration) -> Result<Connection, Cause> {
    Connection::open_one_of(addresses.into_iter().map(resolved).collect(), &setup(), "localhost", limit)
}

fn open(echo: &Echo) -> Connection {
    open_at(vec![echo.address], LIMIT).unwrap()
}

/// An address that nobody listens at, as long as the socket beside it lives.
fn deaf() -> (UdpSocket, SocketAddr) {
    let neighbour = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = SocketAddr::from(([127, 0, 0, 2], neighbour.local_addr().unwrap().port()));
    (neighbour, address)
}

#[test]
fn messages_go_both_ways_and_each_read_gives_one() {
    let echo = Echo::new(server());
    let connection = open(&echo);
    for message in [&b"x"[..], &[7; 466], &[9; 4096]] {
        assert_eq!(connection.write(message), 0);
        assert_eq!(read(&connection, 5000, LONG).as_deref(), Ok(message));
    }
    assert_eq!([connection.write(b"one"), connection.write(b"two")], [0, 0]);
    assert_eq!(read(&connection, 2, LONG).as_deref(), Ok(&b"on"[..]));
    assert_eq!(read(&connection, 5000, LONG).as_deref(), Ok(&b"e"[..]), "the rest of the first");
    assert_eq!(read(&connection, 5000, LONG).as_deref(), Ok(&b"two"[..]));
    assert_eq!(read(&connection, 5000, 1), Err(QCLOUD_ERR_SSL_READ_TIMEOUT));
    assert_eq!(connection.write(NOISE), 0);
    assert_eq!(read(&connection, 5000, 0).as_deref(), Ok(NOISE), "what is no DTLS is passed over");
    drop(connection);
    assert_eq!(echo.end(), [IDENTITY, "goodbye"]);
    assert_eq!(log_double::take(), Vec::<String>::new());
}

#[test]
fn two_threads_read_and_write_one_connection() {
    const MESSAGES: u32 = 200;
    let echo = Echo::new(server());
    let connection = open(&echo);
    let (arrived, may_send) = std::sync::mpsc::channel();
    let writer = &connection;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..MESSAGES {
                assert_eq!(writer.write(&number.to_be_bytes()), 0);
                if number >= 20 {
                    may_send.recv().unwrap();
                }
            }
        });
        for number in 0..MESSAGES {
            assert_eq!(read(&connection, 100, LONG).as_deref(), Ok(&number.to_be_bytes()[..]));
            let _ = arrived.send(());
        }
    });
    drop(connection);
    assert_eq!(echo.end(), [IDENTITY, "goodbye"]);
}

#[test]
fn after_the_servers_goodbye_nothing_is_read_or_written() {
    let echo = Echo::new(server());
    let connection = open(&echo);
    assert_eq!([connection.write(b"last"), connection.write(CLOSE)], [0, 0]);
    assert_eq!(read(&connection, 100, LONG).as_deref(), Ok(&b"last"[..]));
    for _ in 0..2 {
        assert_eq!(read(&connection, 100, LONG), Err(QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY));
        assert_eq!(connection.write(b"x"), QCLOUD_ERR_SSL_WRITE);
    }
    drop(connection);
    assert_eq!(echo.end(), [IDENTITY, "goodbye"]);
    assert_eq!(log_double::take(), ["ERR the server closed the connection"; 2]);
}

#[test]
fn a_server_that_went_without_a_word_makes_calls_fail() {
    let echo = Echo::new(server());
    let (connection, address) = (open(&echo), echo.address);
    echo.end();
    assert_eq!([connection.write(b"x"), connection.write(b"x")], [0, QCLOUD_ERR_SSL_WRITE]);
    assert_eq!(connection.write(b"x"), 0);
    assert_eq!(read(&connection, 100, LONG), Err(QCLOUD_ERR_SSL_READ));
    assert_eq!(connection.write(&[0; 20_000]), QCLOUD_ERR_SSL_WRITE);
    let refused = format!("failed: connection refused by {address}");
    let long = "ERR writing failed: 20000 bytes are too long for a datagram".to_owned();
    assert_eq!(log_double::take(), [format!("ERR writing {refused}"), format!("ERR reading {refused}"), long]);
}

#[test]
fn what_will_never_work_is_said_at_once() {
    static GCM: [i32; 2] = [suite::AES_128_GCM_SHA256, 0];
    static CHACHA: [i32; 2] = [0xccab, 0];
    for (key, identity, suites, text, note) in [
        ([1; 16], IDENTITY, &GCM, "check the device secret", "received data can't be decrypted"),
        (KEY, "PRODUCTID0other", &GCM, "does not know this identity", ""),
        (KEY, IDENTITY, &CHACHA, "no cipher suite in common", ""),
    ] {
        let echo = Echo::new(server().with_suites(suites));
        let setup = Setup::new(&Security::Psk { key: &key, identity }).unwrap();
        let cause = Connection::open_one_of(vec![resolved(echo.address)], &setup, "localhost", LIMIT).err().unwrap();
        assert!(cause.text.contains(text) && cause.is_lasting, "{cause:?}");
        assert!(cause.text.starts_with(&format!("DTLS handshake with localhost at {} failed: ", echo.address)));
        let notes = echo.end();
        assert!(notes.len() == 1 && notes[0].contains(note), "{notes:?}");
    }
}

#[test]
fn a_closed_port_and_a_silent_server_are_told_apart_and_others_are_tried() {
    let (_neighbour, refused) = deaf();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let no_answer = silent.local_addr().unwrap();
    let short = Duration::from_millis(200);
    let cause = open_at(vec![refused], LIMIT).err().unwrap();
    assert!(cause.text.ends_with(&format!("connection refused by {refused}")), "{cause:?}");
    assert!(!cause.is_lasting);
    let cause = open_at(vec![no_answer, refused], short).err().unwrap();
    assert!(cause.text.contains(&format!("no answer from {no_answer} (time-out)")), "{cause:?}");
    assert!(cause.text.contains(&format!("connection refused by {refused}")), "{cause:?}");
    let echo = Echo::new(server());
    let connection = open_at(vec![refused, echo.address], LIMIT).unwrap();
    drop(connection);
    // The second one was of use, and comes first the next time.
    let mut both = [no_answer, echo.address].map(resolved);
    iot_platform_posix::addresses::sort(&mut both);
    assert_eq!(both, [echo.address, no_answer].map(resolved));
    let connection = open_at(vec![no_answer, echo.address], LIMIT).unwrap();
    assert_eq!(connection.write(b"x"), 0);
    assert_eq!(read(&connection, 100, LONG).as_deref(), Ok(&b"x"[..]));
    drop(connection);
    assert_eq!(echo.end(), [IDENTITY, "goodbye", IDENTITY, "goodbye"]);
}

#[test]
fn the_c_functions_connect_by_name_and_hand_on_what_comes_of_it() {
    let echo = Echo::new(server());
    let port = i32::from(echo.address.port());
    let identity = CString::new(IDENTITY).unwrap();
    let mut params = SSLConnectParams {
        ca_crt: std::ptr::null(),
        ca_crt_len: 0,
        psk: KEY.as_ptr().cast(),
        #[cfg(not(feature = "abi-3-3"))]
        psk_id: identity.as_ptr(),
        #[cfg(feature = "abi-3-3")]
        psk_id: std::array::from_fn(|at| identity.as_bytes().get(at).map_or(0, |byte| *byte as std::ffi::c_char)),
        psk_length: KEY.len(),
        timeout_ms: 0,
    };
    let (mut buffer, mut n) = ([0; 100], usize::MAX);
    // SAFETY: valid pointers and lengths; the handle is used by this thread only, and not after it was closed.
    unsafe {
        assert_eq!(iot_platform_dtls_connect(&mut params, c"localhost".as_ptr(), 0), 0);
        // Where the name has an address more, that one is refused.
        let handle = iot_platform_dtls_connect(&mut params, c"localhost".as_ptr(), port);
        assert_ne!(handle, 0, "{:?}", log_double::take());
        assert_eq!(iot_platform_dtls_write(handle, b"hello".as_ptr(), 5, &mut n), 0);
        assert_eq!(n, 5);
        assert_eq!(iot_platform_dtls_read(handle, buffer.as_mut_ptr(), buffer.len(), LONG, &mut n), 0);
        assert_eq!(&buffer[..n], b"hello");
        assert_eq!(iot_platform_dtls_read(handle, buffer.as_mut_ptr(), buffer.len(), 1, &mut n), -707);
        assert_eq!(n, 0);
        n = 7;
        assert_eq!(iot_platform_dtls_write(handle, buffer.as_ptr(), usize::MAX >> 1, &mut n), QCLOUD_ERR_SSL_WRITE);
        assert_eq!(n, 0, "not the code, as the C SDK has it");
        assert_eq!(iot_platform_dtls_read(handle, std::ptr::null_mut(), 1, 1, &mut n), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_dtls_write(handle, buffer.as_ptr(), 1, std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        iot_platform_dtls_disconnect(handle);
        params.psk = std::ptr::null();
        assert_eq!(iot_platform_dtls_connect(&mut params, c"localhost".as_ptr(), port), 0);
    }
    assert_eq!(echo.end(), [IDENTITY, "goodbye"]);
    log_double::take();
}

#[test]
fn without_a_key_certificates_are_refused_and_no_packet_is_sent() {
    let setup = Setup::new(&Security::Cert { ca_pem: b"x", client: None });
    assert!(setup.err().unwrap().contains("FEATURE_AUTH_MODE=CERT"));
    assert!(Setup::new(&Security::Psk { key: &[1; 65], identity: IDENTITY }).is_err());
}

/// A server of openssl's, and its port.
fn openssl(cipher: &str) -> (Child, u16) {
    let key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut child = Command::new("openssl")
        .args(["s_server", "-dtls1_2", "-listen", "-nocert", "-accept", "127.0.0.1:0", "-cipher", cipher])
        .args(["-psk", &key, "-psk_identity", IDENTITY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("ACCEPT") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "openssl ended");
    }
    child.stdout = Some(said.into_inner());
    (child, line.trim().rsplit(':').next().unwrap().parse().unwrap())
}

/// Reads what openssl says up to `text`.
fn wait_for(out: &mut impl Read, text: &str) {
    let mut said = Vec::new();
    while !said.ends_with(text.as_bytes()) {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
}

#[test]
fn openssl_with_cookies_is_understood() {
    for cipher in ["PSK-AES128-CBC-SHA", "PSK-AES256-CBC-SHA", "PSK-AES128-GCM-SHA256"] {
        let (mut child, port) = openssl(cipher);
        let mut out = child.stdout.take().unwrap();
        let connection = open_at(vec![SocketAddr::from(([127, 0, 0, 1], port))], LIMIT).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        assert_eq!(read(&connection, 100, LONG).as_deref(), Ok(&b"from openssl\n"[..]), "{cipher}");
        assert_eq!(connection.write(b"from the device\n"), 0);
        wait_for(&mut out, "from the device\n");
        drop(connection);
        // It has got the goodbye.
        wait_for(&mut out, "DONE\n");
        let _ = child.kill();
        child.wait().unwrap();
    }
}
