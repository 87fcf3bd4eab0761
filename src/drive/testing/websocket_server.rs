//! A WebSocket server of another implementation, on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use iot_engine::websocket::handshake;
use tungstenite::protocol::Role;
use tungstenite::WebSocket;

/// Far beyond what loopback needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Accepts a connection and answers its request with what `answer` makes of its key. Returns the request's head, too.
pub(crate) fn accept(listener: &TcpListener, answer: impl FnOnce(&str) -> String) -> (WebSocket<TcpStream>, String) {
    let mut stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    stream.write_all(answer(key).as_bytes()).unwrap();
    (WebSocket::from_raw_socket(stream, Role::Server, None), head)
}

/// The answer that upgrades a connection.
pub(crate) fn right(key: &str) -> String {
    format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {}\r\n\r\n", handshake::accept(key))
}
