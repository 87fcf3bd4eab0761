//! A listener that can go away for a while and come back on the same port.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, Instant};

/// How long to wait when the system has no socket left to accept with, or the port is not free again yet.
const PAUSE: Duration = Duration::from_millis(50);

/// As many connections may wait as with `TcpListener::bind`.
const BACKLOG: u32 = 1024;

/// Has every listener that was made with it go away for a time.
#[derive(Default)]
pub struct Interruption(watch::Sender<Option<Instant>>);

impl Interruption {
    /// They are away for so long, from now on.
    pub fn begin(&self, duration: Duration) {
        self.0.send_replace(Some(Instant::now() + duration));
    }

    /// They come back.
    pub fn end(&self) {
        self.0.send_replace(None);
    }
}

/// Accepts connections, but for interruptions.
pub struct InterruptibleListener {
    place: Place,
    address: SocketAddr,
    interruption: watch::Receiver<Option<Instant>>,
}

enum Place {
    Open(TcpListener),
    /// Nobody listens, and nobody else is given the port meanwhile: another hub there would take our devices in.
    Kept(TcpSocket),
    /// Nobody listens, and the port could not be kept.
    Left,
}

impl InterruptibleListener {
    /// One that listens on a socket.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn new(socket: TcpListener, interruption: &Interruption) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(InterruptibleListener { place: Place::Open(socket), address, interruption: interruption.0.subscribe() })
    }

    /// The next connection, however long that takes.
    pub async fn accept(&mut self) -> TcpStream {
        loop {
            let Place::Open(socket) = &self.place else {
                self.come_back().await;
                continue;
            };
            tokio::select! {
                biased;
                Ok(()) = self.interruption.changed() => {
                    if self.interruption.borrow().is_some_and(|until| until > Instant::now()) {
                        let kept = keep(socket, self.address);
                        self.place = kept.map_or(Place::Left, Place::Kept);
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
            let until = *self.interruption.borrow_and_update();
            let Some(until) = until else { break };
            tokio::select! {
                () = sleep_until(until) => break,
                // Away for longer, or to come back.
                Ok(()) = self.interruption.changed() => {}
            }
        }
        let opened = match mem::replace(&mut self.place, Place::Left) {
            Place::Kept(socket) => listen(socket),
            Place::Open(_) | Place::Left => TcpListener::bind(self.address).await,
        };
        match opened {
            Ok(socket) => self.place = Place::Open(socket),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// A socket that has the listener's port with it and goes on having it, without listening.
fn keep(listener: &TcpListener, address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    SockRef::from(listener).set_reuse_port(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on a port that was kept. From then on nobody shares it.
fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.set_reuseport(false)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};

    use super::*;

    /// A listener's address and its connections.
    async fn listener(interruption: &Interruption) -> (SocketAddr, UnboundedReceiver<TcpStream>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut listener = InterruptibleListener::new(socket, interruption).expect("a listener");
        let address = listener.address;
        let (accepted, connections) = unbounded_channel();
        tokio::spawn(async move { while accepted.send(listener.accept().await).is_ok() {} });
        (address, connections)
    }

    #[tokio::test]
    async fn a_listener_that_is_away_refuses_and_comes_back_at_the_same_place() {
        let interruption = Interruption::default();
        let (address, mut connections) = listener(&interruption).await;
        let mut knock = TcpStream::connect(address).await;
        assert!(knock.is_ok() && connections.recv().await.is_some());
        interruption.begin(Duration::from_millis(300));
        let mut refused = 0;
        while refused == 0 || knock.is_err() {
            knock = TcpStream::connect(address).await;
            refused += u32::from(knock.is_err());
            sleep(Duration::from_millis(5)).await;
        }
        assert!(refused > 0 && connections.recv().await.is_some());
        interruption.begin(Duration::from_secs(1000));
        while TcpStream::connect(address).await.is_ok() {}
        interruption.end();
        while TcpStream::connect(address).await.is_err() {}
    }

    #[tokio::test]
    async fn nobody_else_gets_the_place_of_a_listener_that_is_away() {
        let interruption = Interruption::default();
        let (address, mut connections) = listener(&interruption).await;
        let _guest = TcpStream::connect(address).await.expect("a listener");
        let listen_there = |shared| {
            let other = TcpSocket::new_v4().expect("a socket");
            other.set_reuseport(shared).expect("an option");
            let taken = other.bind(address).and_then(|()| other.listen(1));
            taken.err().map(|error| error.kind())
        };
        for _ in 0..3 {
            interruption.begin(Duration::from_secs(1000));
            while TcpStream::connect(address).await.is_ok() {}
            assert_eq!(listen_there(false), Some(io::ErrorKind::AddrInUse));
            interruption.end();
            while TcpStream::connect(address).await.is_err() {}
            assert!(connections.recv().await.is_some());
            assert_eq!(listen_there(true), Some(io::ErrorKind::AddrInUse));
        }
    }
}
