//! One address for several servers, as a load balancer gives them.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use crate::listener::Listener;

/// Hands connections to servers in turn, past those where nobody listens.
pub struct Balancer {
    listener: Listener,
    last_used: Arc<AtomicUsize>,
}

impl Balancer {
    /// Starts one before these servers.
    pub fn start(servers: Vec<String>) -> Balancer {
        let last_used = Arc::new(AtomicUsize::new(0));
        let used = last_used.clone();
        let listener = Listener::start(Listener::ANYWHERE, move |number, client| {
            for server in (number..).take(servers.len()).map(|turn| turn % servers.len()) {
                if let Ok(stream) = TcpStream::connect(&servers[server]) {
                    used.store(server, Ordering::Release);
                    return join(client, stream);
                }
            }
            Ok(())
        });
        Balancer { listener, last_used }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.listener.address.to_string()
    }

    /// The server, from 0, that the last connection went to.
    pub fn last_used(&self) -> usize {
        self.last_used.load(Ordering::Acquire)
    }
}

/// Carries bytes both ways until one side ends; then the other one does, too.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    server.set_nodelay(true)?;
    let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || carry(from_server, to_client));
    carry(client, server);
    let _ = back.join();
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}
