//! A connection that ends where its peer hardly takes what is sent.

use std::error::Error;
use std::fmt;
use std::future::Future as _;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, Instant, Sleep};

use hub_core::headway::{Headway, PORTION};

/// The connection, below TLS.
pub struct Steady {
    stream: TcpStream,
    /// `None`: the peer may take its time.
    headway: Option<Headway>,
    /// While the peer is waited for.
    limit: Option<Pin<Box<Sleep>>>,
}

/// The peer hardly takes what is sent.
#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer hardly takes what is sent")
    }
}

impl Error for TooSlow {}

impl Steady {
    /// A connection that has been accepted.
    pub fn new(stream: TcpStream, headway: Option<Headway>) -> Self {
        if headway.is_some() {
            // There would be room again after a third of some megabytes only, which a slow device may well take an hour for.
            let _ = SockRef::from(&stream).set_tcp_notsent_lowat(2 * PORTION);
        }
        Steady { stream, headway, limit: None }
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let outcome = write(Pin::new(&mut self.stream), cx);
        let Some(headway) = &mut self.headway else { return outcome };
        match outcome {
            Poll::Ready(Ok(count)) => {
                headway.goes_on(count, Instant::now());
                self.limit = None;
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let until = headway.waits(Instant::now());
                let limit = self.limit.get_or_insert_with(|| Box::pin(sleep_until(until)));
                ready!(limit.as_mut().poll(cx));
                return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, TooSlow)));
            }
        }
        outcome
    }
}

/// Whether a connection has ended for that.
pub fn was_too_slow(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<TooSlow>()) || error.source().is_some_and(was_too_slow)
}

impl AsyncRead for Steady {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Steady {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
