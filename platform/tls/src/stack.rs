//! What a connection needs of a TLS stack, rustls or mbedTLS.

use iot_platform_posix::cause::Cause;
use iot_platform_posix::net::Interest;

/// Largest piece that is encrypted at once, in bytes: one TLS record.
pub const WRITE_CHUNK: usize = 16 * 1024;

/// Why a stack can't go on.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The peer closed the connection.
    Closed,
    /// What happened; the text does not name the server.
    Error(Cause),
    /// What is wrong with the server's certificate; the text names the server.
    Certificate(Cause),
}

impl Failure {
    /// What may not happen another time.
    pub fn passing(text: impl Into<String>) -> Self {
        Self::Error(Cause::passing(text.into()))
    }

    /// What another time does not mend.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self::Error(Cause::lasting(text.into()))
    }
}

/// What became of a call that must not block.
pub enum Step<T> {
    /// Done.
    Ready(T),
    /// To be called again when the socket is ready.
    Wait(Interest),
}

/// A TLS stack over a socket that does not block. No call waits.
pub trait Stack: Send {
    /// Goes on with the handshake.
    fn handshake(&mut self) -> Result<Step<()>, Failure>;
    /// Decrypted bytes, at least one. Takes from the socket only where none are there.
    fn read(&mut self, out: &mut [u8]) -> Result<Step<usize>, Failure>;
    /// Encrypts at most [`WRITE_CHUNK`] bytes, of which some may stay unsent until [`Stack::flush`] says they are gone.
    /// Called only when nothing is unsent. Returns how many bytes were taken; they must not be given again.
    fn write(&mut self, data: &[u8]) -> Result<usize, Failure>;
    /// Sends what is unsent. Returns whether nothing is left.
    fn flush(&mut self) -> Result<bool, Failure>;
    /// Tells the peer that this is the end, as far as that works without waiting.
    fn close(&mut self);
}
