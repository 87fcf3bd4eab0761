//! The tunnel's thread: one in a process.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use iot_engine::services::ssh::{protocol, Moment, SignIn, Tunnel, PATH};
use iot_engine::websocket::handshake::Target;

use super::connections::Connections;
use super::{tell, FUNCTION};
use crate::drive::error::Error;
use crate::drive::mqtt::Client;
use crate::drive::overrides;
use crate::hal::thread::{self, Thread};
use crate::hal::{memory, Attempt, Carries, Endpoint, Platform, Security, Transport, Upgrade, SHORT_MS};

/// The port of a tunnel's server.
const PORT: u16 = if cfg!(feature = "auth-with-notls") { 80 } else { 443 };
/// Time limit of a TLS handshake.
const HANDSHAKE_MS: u32 = 10_000;
/// Time limit of all that has to be done before the tunnel is up.
const CONNECT_MS: u64 = 30_000;
/// Longest wait before the thread looks whether it is to end.
const SLICE_MS: u64 = 500;
/// Longest wait while there are sessions, whose servers have to be looked at, too.
const LOOK_MS: u64 = 20;
/// How much is read at once.
const CHUNK: usize = 8 * 1024;

thread_local! {
    static IS_TUNNEL: Cell<bool> = const { Cell::new(false) };
}

/// The last thread started.
struct Running {
    client: Weak<Client>,
    is_to_end: Arc<AtomicBool>,
    thread: Arc<Thread>,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a tunnel. One that there is ends before, which is not waited for here.
///
/// # Errors
/// The platform started no thread.
pub fn start(client: &Arc<Client>) -> Result<(), Error> {
    let mut running = running();
    let before = running.take().map(|before| {
        before.is_to_end.store(true, Ordering::Release);
        before.thread
    });
    let is_to_end = Arc::new(AtomicBool::new(false));
    let (its_client, its_end) = (Arc::clone(client), Arc::clone(&is_to_end));
    let thread = thread::spawn(c"ssh_tunnel", move || {
        if let Some(before) = before {
            before.join();
        }
        run(&its_client, &its_end);
    });
    let thread = Arc::new(thread.map_err(Error::NoThread)?);
    *running = Some(Running { client: Arc::downgrade(client), is_to_end, thread });
    Ok(())
}

/// Ends the tunnel, if there is one, and does not wait for it.
pub fn stop() {
    if let Some(running) = &*running() {
        running.is_to_end.store(true, Ordering::Release);
    }
}

/// Ends the tunnel of `client`, and waits until it makes no use of it any more.
pub(super) fn end_with(client: &Arc<Client>) {
    let thread = match &*running() {
        Some(running) if running.client.as_ptr() == Arc::as_ptr(client) => {
            running.is_to_end.store(true, Ordering::Release);
            Arc::clone(&running.thread)
        }
        _ => return,
    };
    // The program's log handler may be what destroys the client.
    if !IS_TUNNEL.get() {
        thread.join();
    }
}

fn run(client: &Arc<Client>, is_to_end: &AtomicBool) {
    IS_TUNNEL.set(true);
    match carry(client, is_to_end) {
        Ok(()) => log::info!(target: FUNCTION, "the SSH tunnel is closed"),
        Err(why) => log::error!(target: FUNCTION, "the SSH tunnel is over: {why}"),
    }
    tell(client, false);
}

/// Makes the tunnel and carries what goes through it, until it is to end.
///
/// # Errors
/// Why it ends otherwise.
fn carry(client: &Client, is_to_end: &AtomicBool) -> Result<(), String> {
    let platform = client.platform();
    let is_over = || is_to_end.load(Ordering::Acquire) || platform.is_leaving();
    let Some(transport) = connect(client, &is_over)? else { return Ok(()) };
    let moment = moment(&**platform);
    let sign_in = SignIn::new(client.identity(), moment.seconds, platform.random());
    let tunnel = Tunnel::new(moment, sign_in.token(), signed(client, &sign_in)?);
    tell(client, true);
    let connections = Connections::new(Arc::clone(platform))?;
    let mut ends =
        Ends { platform: &**platform, transport, tunnel, connections, buffer: vec![0; CHUNK], is_known: false };
    let mut rest = 1;
    while !is_over() {
        if memory::is_exhausted() {
            return Err("no memory".to_owned());
        }
        rest = if ends.turn(rest)? { 0 } else { (rest * 2).clamp(1, SLICE_MS) };
    }
    Ok(())
}

fn moment(platform: &dyn Platform) -> Moment {
    Moment { now: platform.now(), seconds: platform.unix_time() }
}

/// The connection to the tunnel's server; `None` where the tunnel is to end first.
fn connect(client: &Client, is_over: &dyn Fn() -> bool) -> Result<Option<Arc<dyn Transport>>, String> {
    let (platform, device) = (client.platform(), client.identity());
    let default = || (device.region().gateway().to_owned(), PORT);
    let (host, port) = overrides::server(overrides::SSH_ENDPOINT, FUNCTION, "server", default)?;
    log::debug!(target: FUNCTION, "connecting to {host}:{port}");
    let endpoint = Endpoint { host: host.clone(), port, security: security()?, handshake_timeout_ms: HANDSHAKE_MS };
    let target = Target { host: host.clone(), port, path: PATH.to_owned(), protocol: protocol(device) };
    let connecting = platform.begin_connect(&endpoint);
    let mut attempt = Upgrade::new(Arc::clone(platform), target, Carries::Messages, connecting);
    let deadline = platform.now() + CONNECT_MS;
    while !is_over() {
        match attempt.outcome(SLICE_MS) {
            Some(Ok(transport)) => return Ok(Some(transport)),
            Some(Err(error)) => return Err(error.text_for(&host, port)),
            None if platform.now() >= deadline => return Err(format!("{host}:{port} can't be reached in time")),
            None => {}
        }
    }
    Ok(None)
}

#[cfg(not(feature = "auth-with-notls"))]
fn security() -> Result<Security, String> {
    Ok(Security::Server { ca_pem: crate::drive::trust::gateway_roots()? })
}

#[cfg(feature = "auth-with-notls")]
#[allow(clippy::unnecessary_wraps)]
fn security() -> Result<Security, String> {
    Ok(Security::None)
}

/// What proves that the device is who it says it is.
#[cfg(not(feature = "auth-mode-cert"))]
fn signed(client: &Client, sign_in: &SignIn) -> Result<String, String> {
    client.secret().map(|key| sign_in.by_secret(key)).ok_or_else(|| "the client has no device secret".to_owned())
}

#[cfg(feature = "auth-mode-cert")]
fn signed(client: &Client, sign_in: &SignIn) -> Result<String, String> {
    let key_file = client.key_file().ok_or("the client has no private key")?;
    crate::hal::signature::sign(key_file, &sign_in.text()).map(|signature| sign_in.by_signature(&signature))
}

/// What the thread has to look at.
struct Ends<'a> {
    platform: &'a dyn Platform,
    transport: Arc<dyn Transport>,
    tunnel: Tunnel,
    connections: Connections,
    buffer: Vec<u8>,
    /// The log says that the cloud believes the device.
    is_known: bool,
}

impl Ends<'_> {
    /// Looks at each end once, and waits at most `rest_ms` for the cloud. Returns whether anything moved.
    fn turn(&mut self, rest_ms: u64) -> Result<bool, String> {
        let moment = moment(self.platform);
        self.tunnel.tick(moment).map_err(|ended| ended.to_string())?;
        let mut has_moved = self.connections.serve(moment, &mut self.tunnel, &mut self.buffer);
        has_moved |= self.send()?;
        let longest = if self.connections.are_none() { SLICE_MS } else { LOOK_MS };
        let wait = if has_moved { 0 } else { u32::try_from(rest_ms.min(longest)).unwrap_or(0) };
        if self.tunnel.wants_input() {
            has_moved |= self.receive(wait)?;
        } else if !has_moved {
            self.platform.sleep(wait.max(1));
        }
        Ok(has_moved)
    }

    /// Writes what the cloud takes.
    fn send(&mut self) -> Result<bool, String> {
        let mut has_moved = false;
        while !self.tunnel.outgoing().is_empty() {
            let count = self.transport.write(self.tunnel.outgoing(), SHORT_MS).map_err(|error| error.to_string())?;
            if count == 0 {
                break;
            }
            self.tunnel.sent(count);
            has_moved = true;
        }
        Ok(has_moved)
    }

    fn receive(&mut self, wait_ms: u32) -> Result<bool, String> {
        let read = self.transport.read_or_wake(&mut self.buffer, wait_ms);
        let read = read.unwrap_or_else(|| self.transport.read_some(&mut self.buffer, wait_ms));
        let count = read.map_err(|error| error.to_string())?;
        let moment = moment(self.platform);
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.tunnel.received(moment, bytes).map_err(|ended| ended.to_string())?;
        if self.tunnel.is_up() && !self.is_known {
            self.is_known = true;
            log::info!(target: FUNCTION, "the SSH tunnel is up");
        }
        Ok(count > 0)
    }
}
