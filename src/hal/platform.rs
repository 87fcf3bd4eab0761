//! The platform behind `HAL_*`.

use iot_engine::time::{Millis, Widener};

use super::callout::{HAL_GetTimeMs, HAL_SleepMs};
use super::connect::connect;
use super::interface::{Connected, Endpoint, Platform};
use super::sync::Mutex;
#[cfg(feature = "multithread")]
use super::{
    attempt,
    interface::{Attempt, Made},
};

/// The platform that the program was linked with.
pub struct HalPlatform {
    clock: Mutex<Widener>,
}

impl HalPlatform {
    /// A view of the platform with a clock of its own.
    #[must_use]
    pub fn new() -> Self {
        HalPlatform { clock: Mutex::new(Widener::new()) }
    }
}

impl Default for HalPlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform for HalPlatform {
    fn now(&self) -> Millis {
        let mut clock = self.clock.lock();
        // SAFETY: no precondition.
        clock.widen(unsafe { HAL_GetTimeMs() })
    }

    fn sleep(&self, ms: u32) {
        // SAFETY: no precondition.
        unsafe { HAL_SleepMs(ms) }
    }

    fn is_leaving(&self) -> bool {
        super::callout::is_leaving_or_cancelled()
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        connect(endpoint)
    }

    #[cfg(feature = "multithread")]
    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        attempt::begin(endpoint).unwrap_or_else(|error| {
            log::debug!("{error}, so the caller has to wait for the connection");
            Box::new(Made(Some(connect(endpoint))))
        })
    }
}
