//! A transfer that some calls carry on and others end.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use iot_engine::services::ota::Checksum;

use crate::hal::sync::Mutex;

/// A download or an upload, and its MD5. Calls that only look on do not wait for it.
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

    /// Ends a running transfer: its call stops soon. The caller holds its session's lock, which the argument proves.
    pub(super) fn end<S>(&self, _session: &mut S) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the connection. Waits for a running call, which stops soon. `tell` as for
    /// [`set_running`](Self::set_running).
    pub(super) fn close(&self, tell: impl FnOnce(bool)) {
        let mut transfer = self.transfer.lock();
        *transfer = None;
        self.set_running(false, tell);
    }

    /// Has `tell` tell the client whether a transfer runs, once for each change. Called under the transfer's lock.
    pub(super) fn set_running(&self, is_running: bool, tell: impl FnOnce(bool)) {
        if self.is_running.swap(is_running, Ordering::Relaxed) != is_running {
            tell(is_running);
        }
    }
}
