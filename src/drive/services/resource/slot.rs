//! A transfer that some calls carry on and others end.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use iot_engine::services::ota::Checksum;
use iot_engine::services::resource::Session;

use crate::drive::mqtt::Client;
use crate::hal::sync::Mutex;

/// One way's transfer and its MD5. The way's other calls do not wait for it.
pub(super) struct Slot<T> {
    /// Held while it is started, carried on or closed.
    pub transfer: Mutex<Option<T>>,
    /// Short, never held over I/O.
    pub checksum: Mutex<Checksum>,
    /// How often another call has ended a transfer. One that sees it change stops. Changed under the session lock.
    epoch: AtomicU32,
    /// Whether the client has been told of a running transfer.
    is_running: AtomicBool,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Slot {
            transfer: Mutex::new(None),
            checksum: Mutex::new(Checksum::default()),
            epoch: AtomicU32::new(0),
            is_running: AtomicBool::new(false),
        }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Ends a running transfer: its call stops soon. The caller holds the session's lock, which the argument proves.
    pub(super) fn end(&self, _session: &mut Session) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the connection. Waits for a running call, which stops soon.
    pub(super) fn close(&self, client: &Client) {
        let mut transfer = self.transfer.lock();
        *transfer = None;
        self.set_running(client, false);
    }

    /// Tells the client whether a transfer runs, once for each change. Called under the transfer's lock.
    pub(super) fn set_running(&self, client: &Client, is_running: bool) {
        if self.is_running.swap(is_running, Ordering::Relaxed) != is_running {
            client.set_download_running(is_running);
        }
    }
}
