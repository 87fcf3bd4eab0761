//! TLS 1.2 and 1.3 with certificates, by rustls.
//!
//! Uses rustls's unbuffered interface, because rustls's own buffers would take more memory than the rest of a
//! connection. [`Input`] holds one record, and decrypted bytes go straight to the caller.

mod config;
mod explain;
mod input;
mod provider;
mod queue;
mod verifier;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use iot_platform_posix::net::{io_text, Interest};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, Error};

use self::explain::explain;
use self::input::{Input, MAX_MESSAGE};
use self::queue::Queue;
use crate::stack::{Failure, Stack, Step};

pub use self::config::configure;

/// Whom the device trusts, and who it is.
pub type Config = ClientConfig;

/// A connection before its handshake.
///
/// # Errors
/// `host` is not what a certificate could be for.
pub fn connect<S: Send + Sync>(config: Arc<Config>, stream: Arc<S>, host: &str) -> Result<CertStack<S>, Failure>
where
    for<'a> &'a S: Read + Write,
{
    CertStack::new(config, stream, host)
}

/// How often one read takes bytes from the socket while none of them is data. A server may send session tickets without
/// end, and this loop does not look at the clock.
const MAX_RECEIVES: u32 = 16;

/// A rustls connection over its socket.
pub struct CertStack<S = TcpStream> {
    tls: UnbufferedClientConnection,
    stream: Arc<S>,
    input: Input,
    /// Decrypted, and more than the caller had room for.
    plain: Queue,
    /// Encrypted, and not sent yet.
    output: Queue,
    /// The peer said goodbye. rustls looks at nothing that comes after it.
    closed: bool,
    /// Why nothing more can be read or written.
    broken: Option<Failure>,
    host: String,
}

impl<S: Send + Sync> CertStack<S>
where
    for<'a> &'a S: Read + Write,
{
    /// A connection before its handshake.
    ///
    /// # Errors
    /// `host` is not what a certificate could be for.
    pub fn new(config: Arc<ClientConfig>, stream: Arc<S>, host: &str) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::lasting(format!("{host} is not a valid host name")))?;
        let tls = UnbufferedClientConnection::new(config, name).map_err(|error| explain(&error, host))?;
        Ok(Self {
            tls,
            stream,
            input: Input::new(),
            plain: Queue::default(),
            output: Queue::default(),
            closed: false,
            broken: None,
            host: host.to_owned(),
        })
    }

    /// Lets rustls work on what has been received until it needs more, or until there is something for `out`. Returns how
    /// many bytes went there; what does not fit is in `plain`.
    fn process(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        if let Some(failure) = &self.broken {
            return Err(failure.clone());
        }
        let mut given = 0;
        let mut wants_more = false;
        while given == 0 && !wants_more {
            let UnbufferedStatus { mut discard, state, .. } = self.tls.process_tls_records(self.input.filled());
            let done = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        None => break Ok(()),
                        Some(Err(error)) => break Err(error),
                        Some(Ok(record)) => {
                            let direct = record.payload.len().min(out.len() - given);
                            let (first, rest) = record.payload.split_at(direct);
                            out[given..given + direct].copy_from_slice(first);
                            given += direct;
                            discard += record.discard;
                            if self.plain.push(rest).is_err() {
                                break Err(no_memory());
                            }
                        }
                    }
                },
                Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut self.output, |room| data.encode(room)),
                // Those bytes are still in `output`. Later ones go behind them, so rustls may go on.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(())
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.closed = true;
                    Ok(())
                }
                // Waiting for the peer, or free to write.
                Ok(_) => {
                    wants_more = true;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            self.input.consume(discard);
            done.map_err(|error| self.give_up(&error))?;
        }
        Ok(given)
    }

    /// Tells the peer why, if it still listens, and the caller now and whenever it asks again.
    fn give_up(&mut self, error: &Error) -> Failure {
        // Take the alert that rustls wants to send. Stop before rustls reads the input again: the record that it failed at
        // is still there.
        while self.tls.wants_write() {
            let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(mut data)), .. } =
                self.tls.process_tls_records(self.input.filled())
            else {
                break;
            };
            if append(&mut self.output, |room| data.encode(room)).is_err() {
                break;
            }
        }
        let _ = self.flush();
        let failure = explain(error, &self.host);
        self.broken = Some(failure.clone());
        failure
    }

    /// Takes what the socket has. `false`: nothing is there.
    fn receive(&mut self) -> Result<bool, Failure> {
        match self.input.fill(&*self.stream) {
            Ok(0) => Err(Failure::Closed),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Failure::lasting(format!("the server sent a handshake message of more than {MAX_MESSAGE} bytes")))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Appends the bytes that `encode` writes to `output`.
    fn encode(
        &mut self,
        mut encode: impl FnMut(&mut WriteTraffic<'_, ClientConnectionData>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), Failure> {
        // What has been received is out of the way then, and what rustls has to answer comes first.
        self.process(&mut [])?;
        let UnbufferedStatus { state, .. } = self.tls.process_tls_records(self.input.filled());
        match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                append(&mut self.output, |room| encode(&mut traffic, room)).map_err(|error| self.give_up(&error))
            }
            Err(error) => Err(self.give_up(&error)),
            Ok(_) => Err(Failure::Closed),
        }
    }
}

impl<S: Send + Sync> Stack for CertStack<S>
where
    for<'a> &'a S: Read + Write,
{
    fn handshake(&mut self) -> Result<Step<()>, Failure> {
        loop {
            self.process(&mut [])?;
            if !self.flush()? {
                return Ok(Step::Wait(Interest::Both));
            }
            if !self.tls.is_handshaking() {
                return Ok(Step::Ready(()));
            }
            if !self.receive()? {
                return Ok(Step::Wait(Interest::Readable));
            }
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<Step<usize>, Failure> {
        let mut received = 0;
        loop {
            let count = match self.plain.take(out) {
                0 => self.process(out)?,
                count => count,
            };
            if count > 0 {
                return Ok(Step::Ready(count));
            }
            if self.closed {
                return Err(Failure::Closed);
            }
            self.flush()?;
            received += 1;
            if received > MAX_RECEIVES || !self.receive()? {
                return Ok(Step::Wait(if self.output.is_empty() { Interest::Readable } else { Interest::Both }));
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        self.encode(|traffic, room| traffic.encrypt(data, room))?;
        self.flush()?;
        Ok(data.len())
    }

    fn flush(&mut self) -> Result<bool, Failure> {
        while !self.output.is_empty() {
            match (&*self.stream).write(self.output.filled()) {
                Ok(count) => self.output.consume(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Ok(true)
    }

    fn close(&mut self) {
        let _ = self.encode(|traffic, room| traffic.queue_close_notify(room));
        let _ = self.flush();
    }
}

/// An error of rustls when it writes its bytes.
trait Refusal {
    /// How much room it needs, where there was too little.
    fn needs(&self) -> Option<usize>;
}

impl Refusal for EncodeError {
    fn needs(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl Refusal for EncryptError {
    fn needs(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

/// Appends the bytes that `encode` writes to `output`. Only rustls knows how many they are; it says so when there is too
/// little room.
fn append<E: Refusal>(output: &mut Queue, mut encode: impl FnMut(&mut [u8]) -> Result<usize, E>) -> Result<(), Error> {
    let mut size = 0;
    loop {
        let result = encode(output.room(size).map_err(|_| no_memory())?);
        output.shorten(size - result.as_ref().map_or(0, |count| size.min(*count)));
        match result {
            Ok(_) => return Ok(()),
            Err(refusal) => match refusal.needs() {
                Some(more) if more > size => size = more,
                _ => return Err(Error::EncryptError),
            },
        }
    }
}

/// As rustls's own errors, so that the peer is told, too.
fn no_memory() -> Error {
    Error::General("no memory for a TLS record".to_owned())
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        io::ErrorKind::OutOfMemory => Failure::passing("no memory for a TLS record"),
        _ => Failure::passing(io_text(error)),
    }
}
