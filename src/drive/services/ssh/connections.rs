//! The connections to this machine's SSH server: one for each session.

use std::sync::Arc;

use iot_engine::services::ssh::{Moment, SessionId, Tunnel};
use iot_engine::time::Millis;

use super::FUNCTION;
use crate::drive::overrides;
use crate::hal::{Attempt, Endpoint, Platform, Security, Transport, SHORT_MS};

/// Where the SSH server is.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 22;
/// How long connecting to it may take.
const CONNECT_MS: u64 = 10_000;

enum Link {
    Making(Box<dyn Attempt>, Millis),
    Up(Arc<dyn Transport>),
}

/// A session's connection.
struct Connection {
    session: SessionId,
    link: Link,
}

/// Those of all sessions.
pub(super) struct Connections {
    platform: Arc<dyn Platform>,
    server: Endpoint,
    all: Vec<Connection>,
}

impl Connections {
    /// None yet.
    ///
    /// # Errors
    /// What the environment names is no server.
    pub(super) fn new(platform: Arc<dyn Platform>) -> Result<Self, String> {
        let default = || (HOST.to_owned(), PORT);
        let (host, port) = overrides::server(overrides::SSH_SERVER, FUNCTION, "SSH server", default)?;
        let server = Endpoint { host, port, security: Security::None, handshake_timeout_ms: 0 };
        Ok(Connections { platform, server, all: Vec::new() })
    }

    pub(super) fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    /// Carries what can be carried without waiting; those of closed sessions end. Returns whether anything moved.
    pub(super) fn serve(&mut self, moment: Moment, tunnel: &mut Tunnel, buffer: &mut [u8]) -> bool {
        let sessions = tunnel.sessions();
        self.all.retain(|connection| sessions.contains(&connection.session));
        for session in sessions {
            if !self.all.iter().any(|connection| connection.session == session) {
                let attempt = self.platform.begin_connect(&self.server);
                self.all.push(Connection { session, link: Link::Making(attempt, moment.now) });
            }
        }
        let mut has_moved = false;
        let Connections { server, all, .. } = self;
        all.retain_mut(|connection| match connection.carry(moment, tunnel, buffer) {
            Ok(moved) => {
                has_moved |= moved;
                true
            }
            Err(why) => {
                let Endpoint { host, port, .. } = server;
                log::info!(target: FUNCTION, "a session with the SSH server {host}:{port} is over: {why}");
                tunnel.local_lost(moment, connection.session);
                has_moved = true;
                false
            }
        });
        has_moved
    }
}

impl Connection {
    /// # Errors
    /// The connection is over, or was not made.
    fn carry(&mut self, moment: Moment, tunnel: &mut Tunnel, buffer: &mut [u8]) -> Result<bool, String> {
        let session = self.session;
        let transport = match &mut self.link {
            Link::Up(transport) => transport,
            Link::Making(attempt, began) => {
                match attempt.outcome(0) {
                    Some(Ok(transport)) => self.link = Link::Up(transport),
                    Some(Err(error)) => return Err(error.to_string()),
                    None if moment.now.since(*began) >= CONNECT_MS => return Err("no connection in time".to_owned()),
                    None => return Ok(false),
                }
                return Ok(true);
            }
        };
        let mut has_moved = false;
        let waiting = tunnel.to_local(session);
        if !waiting.is_empty() {
            let count = transport.write(waiting, SHORT_MS).map_err(|error| error.to_string())?;
            tunnel.written(moment.now, session, count);
            has_moved = count > 0;
        }
        if tunnel.has_room() {
            let read = transport.read_or_wake(buffer, 0).unwrap_or_else(|| transport.read_some(buffer, 0));
            let count = read.map_err(|error| error.to_string())?;
            if count > 0 {
                tunnel.from_local(moment, session, buffer.get(..count).unwrap_or_default());
                has_moved = true;
            }
        }
        Ok(has_moved)
    }
}
