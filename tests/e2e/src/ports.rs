//! Port numbers for programs that can't choose one themselves.

use std::net::TcpListener;

/// How often a program is started anew because somebody else was faster with the port.
pub(crate) const ATTEMPTS: usize = 10;

/// A port nobody listens on at the moment.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
