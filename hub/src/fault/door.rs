//! A listener that can go away for a while and come back on the same port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, Instant};

/// How long to wait when the system has no socket left to accept with, or the port is not free again yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Closes the doors that hang on it.
#[derive(Default)]
pub struct Latch(watch::Sender<Option<Instant>>);

impl Latch {
    /// Closes them for so long, from now on.
    pub fn close_for(&self, duration: Duration) {
        self.0.send_replace(Some(Instant::now() + duration));
    }

    /// Opens them.
    pub fn open(&self) {
        self.0.send_replace(None);
    }
}

/// Accepts connections.
pub struct Door {
    /// `None` while nobody listens.
    socket: Option<TcpListener>,
    address: SocketAddr,
    latch: watch::Receiver<Option<Instant>>,
}

impl Door {
    /// A door that listens.
    pub fn new(socket: TcpListener, latch: &Latch) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Door { socket: Some(socket), address, latch: latch.0.subscribe() })
    }

    /// The next connection, however long that takes.
    pub async fn accept(&mut self) -> TcpStream {
        loop {
            let Some(socket) = &self.socket else {
                self.come_back().await;
                continue;
            };
            tokio::select! {
                biased;
                Ok(()) = self.latch.changed() => {
                    if self.latch.borrow().is_some_and(|until| until > Instant::now()) {
                        self.socket = None;
                    }
                }
                accepted = socket.accept() => match accepted {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        return stream;
                    }
                    Err(_) => sleep(PAUSE).await,
                },
            }
        }
    }

    async fn come_back(&mut self) {
        loop {
            let until = *self.latch.borrow_and_update();
            let Some(until) = until else { break };
            tokio::select! {
                () = sleep_until(until) => break,
                // Closed for longer, or opened.
                Ok(()) = self.latch.changed() => {}
            }
        }
        match TcpListener::bind(self.address).await {
            Ok(socket) => self.socket = Some(socket),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_door_refuses_and_opens_again_at_the_same_place() {
        let latch = Latch::default();
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut door = Door::new(socket, &latch).expect("a door");
        let address = door.address;
        let (accepted, mut connections) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move { while accepted.send(door.accept().await).is_ok() {} });
        let mut knock = TcpStream::connect(address).await;
        assert!(knock.is_ok() && connections.recv().await.is_some());
        latch.close_for(Duration::from_millis(300));
        let mut refused = 0;
        while refused == 0 || knock.is_err() {
            knock = TcpStream::connect(address).await;
            refused += u32::from(knock.is_err());
            sleep(Duration::from_millis(5)).await;
        }
        assert!(refused > 0 && connections.recv().await.is_some());
        latch.close_for(Duration::from_secs(1000));
        while TcpStream::connect(address).await.is_ok() {}
        latch.open();
        while TcpStream::connect(address).await.is_err() {}
    }
}
