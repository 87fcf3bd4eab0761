//! A tunnel's connection that comes to an end before its time, where a fault rule says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use hub_fault::noise::noise;
use hub_fault::ssh::Ending;
use hub_fault::stream::Handle;

/// A connection, and how what goes out of it ends.
pub struct Spoiled<S> {
    stream: S,
    /// Bytes that still go out before what.
    end: Option<(u64, Ending)>,
    /// The TCP connection below.
    handle: Arc<Handle>,
}

impl<S> Spoiled<S> {
    /// A connection whose end comes before this byte; a good one where there is none.
    pub fn new(stream: S, end: Option<(u64, Ending)>, handle: Arc<Handle>) -> Self {
        Spoiled { stream, end, handle }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spoiled<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Spoiled { stream, end, handle } = self.get_mut();
        match end {
            None => Pin::new(stream).poll_write(cx, bytes),
            Some((0, Ending::Stall)) => Poll::Ready(Ok(bytes.len())),
            Some((0, Ending::Garbage)) => Pin::new(stream).poll_write(cx, &noise(bytes.len())),
            Some((0, ending)) => {
                match ending {
                    Ending::Reset => handle.reset(),
                    _ => handle.cut(),
                }
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Some((left, _)) => {
                let good = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let written = Pin::new(stream).poll_write(cx, bytes.get(..good).unwrap_or(bytes));
                if let Poll::Ready(Ok(count)) = written {
                    *left -= count as u64;
                }
                written
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spoiled<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// What the other side hears of ten bytes that are said in twos, and how its connection ends.
    async fn heard(end: Option<(u64, Ending)>) -> (Vec<u8>, Option<io::ErrorKind>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("a connection");
        let stream = listener.accept().await.expect("accepted").0;
        let handle = Arc::new(Handle::of(&stream));
        let mut spoiled = Spoiled::new(stream, end, handle);
        for piece in b"0123456789".chunks(2) {
            if spoiled.write_all(piece).await.is_err() {
                break;
            }
        }
        drop(spoiled);
        let mut heard = Vec::new();
        let ended = client.read_to_end(&mut heard).await;
        (heard, ended.err().map(|error| error.kind()))
    }

    #[tokio::test]
    async fn what_goes_out_ends_before_its_byte() {
        assert_eq!(heard(None).await, (b"0123456789".to_vec(), None));
        assert_eq!(heard(Some((5, Ending::Cut))).await, (b"01234".to_vec(), None));
        assert_eq!(heard(Some((5, Ending::Stall))).await, (b"01234".to_vec(), None));
        assert_eq!(heard(Some((50, Ending::Cut))).await, (b"0123456789".to_vec(), None));
        let (garbage, _) = heard(Some((5, Ending::Garbage))).await;
        assert!(garbage.len() == 10 && garbage.starts_with(b"01234") && garbage != b"0123456789", "{garbage:?}");
        // A reset may overtake what was sent before it.
        let (before, ended) = heard(Some((5, Ending::Reset))).await;
        assert!(b"01234".starts_with(&before) && ended == Some(io::ErrorKind::ConnectionReset), "{before:?} {ended:?}");
    }
}
