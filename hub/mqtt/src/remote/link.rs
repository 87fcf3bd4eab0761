//! One connection to the broker: MQTT packets over TCP or TLS.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet};
use rumqttc::mqttbytes::Error as CodecError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;

/// Largest packet taken from the broker, in bytes.
const MAX_PACKET: usize = 256 * 1024;
/// How long the broker may take from the start of the connection to its CONNACK.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long the broker may leave the socket's buffer full.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// The broker hears from the hub this often. A broker gives a silent client up after one and a half times as long.
pub const KEEP_ALIVE: Duration = Duration::from_secs(20);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that the broker has taken.
pub struct Link {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// Whether the broker still had the session of this client id.
    pub session_present: bool,
}

impl Link {
    /// Connects. An error says in words what was wrong and what to do.
    pub async fn open(address: &Address, client_id: &str, clean_session: bool) -> Result<Link, String> {
        match timeout(CONNECT_LIMIT, Link::try_open(address, client_id, clean_session)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    async fn try_open(address: &Address, client_id: &str, clean_session: bool) -> Result<Link, String> {
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|error| error.to_string())?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream: Box<dyn Stream> = match &address.tls {
            None => Box::new(tcp),
            Some((connector, name)) => {
                Box::new(connector.connect(name.clone(), tcp).await.map_err(|error| address.explain(&error))?)
            }
        };
        let mut link = Link { stream, input: BytesMut::new(), output: BytesMut::new(), session_present: false };
        let mut connect = Connect::new(client_id);
        connect.keep_alive = u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX);
        connect.clean_session = clean_session;
        connect.login = address.login.clone();
        link.queue(&Packet::Connect(connect));
        link.flush().await?;
        loop {
            if let Some(packet) = link.parse()? {
                let Packet::ConnAck(answer) = packet else {
                    return Err("it answers CONNECT with something else: is it an MQTT broker?".to_owned());
                };
                return accepted(&answer, address.login.is_some()).map(|()| {
                    link.session_present = answer.session_present;
                    link
                });
            }
            match link.stream.read_buf(&mut link.input).await {
                Ok(0) => return Err("it closed the connection instead of answering CONNECT".to_owned()),
                Ok(_) => {}
                // With TLS 1.3 a client certificate is turned down only now.
                Err(error) => return Err(address.explain(&error)),
            }
        }
    }

    /// The next packet. May be dropped at any await without losing a byte.
    pub async fn read(&mut self) -> Result<Packet, String> {
        loop {
            if let Some(packet) = self.parse()? {
                return Ok(packet);
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn parse(&mut self) -> Result<Option<Packet>, String> {
        match Packet::read(&mut self.input, MAX_PACKET) {
            Ok(packet) => Ok(Some(packet)),
            Err(CodecError::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(format!("it sent a malformed packet: {error}")),
        }
    }

    /// Puts a packet behind those that wait to be written.
    pub fn queue(&mut self, packet: &Packet) {
        // Packets of ours are well formed, and as large as they want to be.
        let _ = packet.write(&mut self.output, usize::MAX);
    }

    /// Writes what waits. Not to be dropped half-way by one who goes on with the connection.
    pub async fn flush(&mut self) -> Result<(), String> {
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        let outcome = timeout(WRITE_LIMIT, write).await;
        self.output.clear();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("it does not read".to_owned()),
        }
    }
}

fn accepted(answer: &ConnAck, with_login: bool) -> Result<(), String> {
    let text = match answer.code {
        ConnectReturnCode::Success => return Ok(()),
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized if with_login => {
            "it turns the hub down: wrong --broker-user or password, or no permission"
        }
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            "it turns the hub down: it may want --broker-user with a password, or --broker-cert"
        }
        ConnectReturnCode::ServiceUnavailable => "it says that it is not available",
        ConnectReturnCode::BadClientId => "it does not take the hub's client id",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
    };
    Err(text.to_owned())
}
