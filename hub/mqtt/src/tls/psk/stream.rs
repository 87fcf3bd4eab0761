//! A session for tokio.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use iot_mbedtls::{Error, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket of tokio's that is asked without waiting.
pub(super) struct Socket(pub(super) TcpStream);

impl Read for Socket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(out)
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A TLS connection.
pub struct Stream {
    session: Session<Socket>,
    /// The other side has been told that this is the end.
    is_closed: bool,
}

impl Stream {
    pub(super) fn new(session: Session<Socket>) -> Self {
        Stream { session, is_closed: false }
    }

    pub(super) async fn handshake(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx, Session::handshake)).await
    }

    /// Repeats `call` until it wants nothing of the socket.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&mut Session<Socket>) -> Result<T, Error>,
    ) -> Poll<io::Result<T>> {
        loop {
            match call(&mut self.session) {
                Err(Error::WANT_READ) => ready!(self.session.transport().0.poll_read_ready(cx))?,
                Err(Error::WANT_WRITE) => ready!(self.session.transport().0.poll_write_ready(cx))?,
                result => return Poll::Ready(result.map_err(io::Error::other)),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = ready!(self.poll(cx, |session| session.read(out.initialize_unfilled())))?;
        out.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        // A session takes more only when nothing is unsent.
        ready!(self.poll(cx, Session::flush))?;
        Poll::Ready(self.session.write(data).map_err(io::Error::other))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Session::flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll(cx, Session::flush))?;
        if !self.is_closed {
            self.is_closed = true;
            match self.session.close() {
                Ok(()) | Err(Error::WANT_WRITE) => {}
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        self.poll(cx, Session::flush)
    }
}
