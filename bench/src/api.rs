//! The hub's API, by one connection a request.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// Asks for something; the stream begins with the answer's head.
pub fn open(address: &str, path: &str) -> TcpStream {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// The answer's JSON.
pub fn get(address: &str, path: &str) -> Value {
    read(open(address, path))
}

/// Posts JSON; the answer's JSON.
pub fn post(address: &str, path: &str, json: &str) -> Value {
    let length = json.len();
    read(send(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{json}"
        ),
    ))
}

fn send(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the console");
    stream.write_all(request.as_bytes()).expect("the request goes out");
    stream
}

fn read(mut stream: TcpStream) -> Value {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").expect("a head").1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
