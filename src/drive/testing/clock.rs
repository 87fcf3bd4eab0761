//! A clock that only waiting moves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use iot_engine::time::Millis;

/// A clock; its clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn at(ms: u64) -> Self {
        Clock(Arc::new(AtomicU64::new(ms)))
    }

    pub(crate) fn ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Millis {
        Millis(self.ms())
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}
