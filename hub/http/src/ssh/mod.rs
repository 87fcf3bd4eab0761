//! SSH tunnels: a port of this machine through which each connection reaches a device's SSH server. [`Tunnels`] knows who has
//! asked for one, [`upgrade()`] begins one where a device comes for it, and `tunnel.rs` carries its sessions. `spoiled.rs` ends its connection where a fault rule says so.

mod spoiled;
mod tunnel;
mod upgrade;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use hub_core::model::{SshState, SshStatus, SshTunnel};

pub use upgrade::{upgrade, wants};

/// How long a device may take to make a tunnel.
const PATIENCE: Duration = Duration::from_secs(30);

/// A device's tunnel.
enum Tunnel {
    /// It was asked for. Whoever did is told when it is up.
    Asked { listener: TcpListener, address: SocketAddr, up: oneshot::Sender<()> },
    /// It is up, by this task.
    Up { task: AbortHandle, address: SocketAddr },
}

/// A device's tunnel that is up, for people.
pub(crate) fn tunnel(client_id: &str, address: SocketAddr) -> SshTunnel {
    SshTunnel { client_id: client_id.to_owned(), host: address.ip().to_string(), port: address.port() }
}

/// Those of all devices, by their client ids.
#[derive(Default)]
pub struct Tunnels(Mutex<BTreeMap<String, Tunnel>>);

/// Why there is no tunnel.
pub enum NoTunnel {
    /// The port can't be had.
    Port(io::Error),
    /// The device has made none in time.
    Silent,
}

impl Tunnels {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Tunnel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens on loopback, on any free port where it is 0, for a device that is about to be asked. One that it has ends.
    pub(crate) async fn listen(&self, client_id: &str, port: u16) -> Result<Asked<'_>, NoTunnel> {
        self.end(client_id);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(NoTunnel::Port)?;
        let address = listener.local_addr().map_err(NoTunnel::Port)?;
        let (up, is_up) = oneshot::channel();
        self.all().insert(client_id.to_owned(), Tunnel::Asked { listener, address, up });
        Ok(Asked { tunnels: self, client_id: client_id.to_owned(), address, is_up })
    }

    /// How a device's tunnel is.
    pub(crate) fn status(&self, client_id: &str) -> SshStatus {
        match self.all().get(client_id) {
            None => SshStatus { state: SshState::None, tunnel: None },
            Some(Tunnel::Asked { .. }) => SshStatus { state: SshState::Asked, tunnel: None },
            Some(Tunnel::Up { address, .. }) => {
                SshStatus { state: SshState::Up, tunnel: Some(tunnel(client_id, *address)) }
            }
        }
    }

    /// Ends a device's tunnel, and listens no more. Returns whether there was anything to end.
    pub(crate) fn end(&self, client_id: &str) -> bool {
        match self.all().remove(client_id) {
            Some(Tunnel::Up { task, .. }) => {
                task.abort();
                true
            }
            asked => asked.is_some(),
        }
    }

    /// The listener of a device that has come, where it was asked; whoever asked is told.
    fn begin(&self, client_id: &str, task: AbortHandle) -> Option<TcpListener> {
        let mut all = self.all();
        let Some(&Tunnel::Asked { address, .. }) = all.get(client_id) else {
            return None;
        };
        let Some(Tunnel::Asked { listener, up, .. }) = all.insert(client_id.to_owned(), Tunnel::Up { task, address })
        else {
            return None;
        };
        let _ = up.send(());
        Some(listener)
    }

    /// A task's tunnel is over.
    fn over(&self, client_id: &str, task: &AbortHandle) {
        let mut all = self.all();
        if matches!(all.get(client_id), Some(Tunnel::Up { task: known, .. }) if known.id() == task.id()) {
            all.remove(client_id);
        }
    }
}

/// A tunnel that a device is to make.
pub(crate) struct Asked<'a> {
    tunnels: &'a Tunnels,
    client_id: String,
    address: SocketAddr,
    is_up: oneshot::Receiver<()>,
}

impl Asked<'_> {
    /// Waits for the device. Returns where to connect.
    pub(crate) async fn made(mut self) -> Result<SocketAddr, NoTunnel> {
        match timeout(PATIENCE, &mut self.is_up).await {
            Ok(Ok(())) => Ok(self.address),
            _ => Err(NoTunnel::Silent),
        }
    }
}

/// Nobody waits any more: a device that could not be asked, or has not come, finds nobody who listens.
impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut all = self.tunnels.all();
        if matches!(all.get(&self.client_id), Some(Tunnel::Asked { address, .. }) if *address == self.address) {
            all.remove(&self.client_id);
        }
    }
}
