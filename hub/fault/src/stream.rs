//! What is done to a connection that closing it would not do.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::listener::Interruption;
use super::noise::noise;
use super::{Flaw, OnConnection};

/// The TCP connection below a TLS session. It must be dropped with it, or the connection stays open.
pub struct Handle(Option<OwnedFd>);

impl Handle {
    /// The connection's.
    pub fn of(stream: &TcpStream) -> Self {
        Handle(stream.as_fd().try_clone_to_owned().ok())
    }

    /// Once everything is dropped the peer gets a reset.
    pub fn reset(&self) {
        if let Some(socket) = &self.0 {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// Ends our direction at once, without the farewell of TLS.
    pub fn cut(&self) {
        if let Some(socket) = &self.0 {
            let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
        }
    }
}

/// Waits until the peer closes, or breaks, the connection.
pub async fn peer_gone(stream: &mut (impl AsyncRead + Unpin)) {
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
}

/// Plays a fault on a connection that has just been accepted. What comes back is to be served, with that certificate.
pub async fn play(
    effect: OnConnection,
    mut stream: TcpStream,
    interruption: &Interruption,
) -> Option<(TcpStream, Flaw)> {
    let handle = Handle::of(&stream);
    match effect {
        OnConnection::Certificate(flaw) => return Some((stream, flaw)),
        OnConnection::Refuse => handle.reset(),
        OnConnection::Away(duration) => {
            interruption.begin(duration);
            handle.reset();
        }
        OnConnection::HangUp => {}
        OnConnection::Silent => peer_gone(&mut stream).await,
        OnConnection::OldTls => {
            say(&mut stream, &server_hello(2)).await;
            peer_gone(&mut stream).await;
        }
        OnConnection::StallHandshake => {
            say(&mut stream, &server_hello(3)[..20]).await;
            peer_gone(&mut stream).await;
        }
        OnConnection::CutHandshake => say(&mut stream, &server_hello(3)[..20]).await,
    }
    None
}

/// Answers the peer's first bytes.
async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    let mut hello = [0; 4096];
    if stream.read(&mut hello).await.is_ok_and(|count| count > 0) {
        // A peer that has gone meanwhile has made up its mind.
        let _ = stream.write_all(bytes).await;
    }
}

/// A ServerHello of TLS 1.`minor - 1` that chooses `TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA`.
fn server_hello(minor: u8) -> Vec<u8> {
    let mut record = vec![0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
    record.extend(noise(32));
    record.extend([0, 0xc0, 0x13, 0]);
    record
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("a connection");
        (client, listener.accept().await.expect("accepted").0)
    }

    async fn played(effect: OnConnection, said: &[u8]) -> std::io::Result<Vec<u8>> {
        let (mut client, server) = pair().await;
        let interruption = Interruption::default();
        client.write_all(said).await?;
        let (mut heard, play) = (Vec::new(), play(effect, server, &interruption));
        let (outcome, _) = tokio::join!(client.read_to_end(&mut heard), play);
        outcome.map(|_| heard)
    }

    #[tokio::test]
    async fn connections_end_as_they_should() {
        let error = played(OnConnection::Refuse, b"").await.expect_err("a reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(played(OnConnection::HangUp, b"").await.expect("closed"), b"");
        let heard = played(OnConnection::CutHandshake, b"hello").await.expect("closed");
        assert_eq!((heard.len(), &heard[..3]), (20, &[0x16, 3, 3][..]));
    }

    #[tokio::test]
    async fn a_cut_needs_no_farewell() {
        let (mut client, server) = pair().await;
        let handle = Handle::of(&server);
        handle.cut();
        assert_eq!(client.read(&mut [0; 8]).await.expect("closed"), 0);
        drop(server);
    }

    #[test]
    fn records_are_as_long_as_they_say() {
        let hello = server_hello(2);
        assert_eq!(hello.len(), 5 + 42);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
    }
}
