//! Handshakes and messages over loopback, against our own server and openssl's.

#[cfg(feature = "auth-mode-cert")]
mod cert;
#[cfg(not(feature = "auth-mode-cert"))]
mod psk;

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::thread::{spawn, JoinHandle};
use std::time::{Duration, Instant};

use iot_abi::error::QCLOUD_ERR_INVAL;
use iot_mbedtls::dtls::{First, Server, Session};
use iot_platform_posix::address::Address;
use iot_platform_posix::connect::resolve;

use super::connection::{Connection, Setup};
use super::{iot_platform_dtls_connect, iot_platform_dtls_disconnect, iot_platform_dtls_read, iot_platform_dtls_write};
use crate::log_double;

/// Far beyond what loopback needs; reached only when something is wrong.
const LONG: u32 = 60_000;
const LIMIT: Duration = Duration::from_secs(60);

/// Sends back what it gets. Some messages are orders.
struct Echo {
    address: SocketAddr,
    thread: JoinHandle<Vec<String>>,
}

/// The server says goodbye.
const CLOSE: &[u8] = b"close";
/// The server sends two bytes that are no DTLS, then the message.
const NOISE: &[u8] = b"noise";
/// In the clear: the server ends.
const END: &[u8] = b"end";

/// `address` as a connection is opened with it.
fn resolved(address: SocketAddr) -> Address {
    resolve(&address.ip().to_string(), address.port()).unwrap()[0]
}

impl Echo {
    fn new(server: Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        Self { address, thread: spawn(move || echo(&socket, &server)) }
    }

    /// Ends it. Returns what it found wrong, and who came.
    fn end(self) -> Vec<String> {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(END, self.address).unwrap();
        self.thread.join().unwrap()
    }
}

fn echo(socket: &UdpSocket, server: &Server) -> Vec<String> {
    let (mut sessions, mut notes): (HashMap<SocketAddr, Session>, _) = (HashMap::new(), Vec::new());
    let (begin, mut buffer) = (Instant::now(), vec![0; 20_000]);
    loop {
        let (len, peer) = socket.recv_from(&mut buffer).unwrap();
        let datagram = &buffer[..len];
        if datagram == END {
            return notes;
        }
        let Some(session) = sessions.get_mut(&peer) else {
            let answer = match server.accept(peer.to_string().as_bytes(), datagram, begin.elapsed()).unwrap() {
                First::Session(mut session) => {
                    let answer = std::iter::from_fn(|| session.next_datagram()).collect();
                    sessions.insert(peer, session);
                    answer
                }
                First::Cookie(answer) => vec![answer],
                First::Refused(error, answer) => {
                    notes.push(error.to_string());
                    answer
                }
                First::Nothing => Vec::new(),
            };
            for datagram in answer {
                socket.send_to(&datagram, peer).unwrap();
            }
            continue;
        };
        let was_open = session.is_open();
        if let Err(error) = session.receive(datagram, begin.elapsed()) {
            notes.push(error.to_string());
        }
        if !was_open && session.is_open() {
            notes.push(String::from_utf8_lossy(&session.proved().unwrap()).into_owned());
        }
        if session.is_closed() {
            notes.push("goodbye".to_owned());
        }
        while let Some(message) = session.next_message() {
            match &message[..] {
                CLOSE => session.close(),
                NOISE => {
                    socket.send_to(b"no", peer).unwrap();
                    session.write(&message).unwrap();
                }
                _ => session.write(&message).unwrap(),
            }
        }
        while let Some(datagram) = session.next_datagram() {
            socket.send_to(&datagram, peer).unwrap();
        }
    }
}

fn read(connection: &Connection, size: usize, timeout_ms: u32) -> Result<Vec<u8>, i32> {
    let mut buffer = vec![0; size];
    match connection.read(&mut buffer, timeout_ms) {
        (0, n) => Ok(buffer[..n].to_vec()),
        (code, n) => {
            assert_eq!(n, 0);
            Err(code)
        }
    }
}

#[test]
fn pointers_and_parameters_are_checked() {
    let (mut byte, mut n) = (0, 0);
    // SAFETY: NULL is allowed, and 0 is no handle.
    unsafe {
        assert_eq!(iot_platform_dtls_connect(std::ptr::null_mut(), c"localhost".as_ptr(), 5684), 0);
        assert_eq!(iot_platform_dtls_read(0, &mut byte, 1, 1, &mut n), QCLOUD_ERR_INVAL);
        assert_eq!(iot_platform_dtls_write(0, &byte, 1, &mut n), QCLOUD_ERR_INVAL);
        iot_platform_dtls_disconnect(0);
    }
    assert_eq!(log_double::take().len(), 3);
}
