//! How many transfers run beside a client, downloads and uploads: while one does, calls that drive the client wait for nothing
//! (behaviour.md section 3).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Those of one client.
#[derive(Default)]
pub struct Transfers(AtomicUsize);

impl Transfers {
    /// One begins to run, or ends. Each beginning needs one end.
    pub fn set_running(&self, is_running: bool) {
        if is_running {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            // Saturating: one end too many must not count as 2^64 transfers.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        }
    }

    /// Whether one runs.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}
