//! The platform behind `HAL_*`.

use std::ffi::CString;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_TCP_CONNECT, QCLOUD_ERR_TCP_UNKNOWN_HOST};
use iot_abi::import::{HAL_GetTimeMs, HAL_SleepMs};
use iot_engine::time::{Millis, Widener};

use super::sync::Mutex;
#[cfg(feature = "multithread")]
use super::{attempt, Attempt};
use super::{tcp, Endpoint, Platform, Security, Transport, TransportError};

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

    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Transport>, TransportError> {
        connect(endpoint)
    }

    #[cfg(feature = "multithread")]
    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        attempt::threaded::begin(endpoint).unwrap_or_else(|code| {
            log::debug!("no thread to connect on ({code}), the caller has to wait");
            Box::new(attempt::Made(Some(connect(endpoint))))
        })
    }
}

/// Connects, with TLS where asked for.
pub(super) fn connect(endpoint: &Endpoint) -> Result<Arc<dyn Transport>, TransportError> {
    let host =
        CString::new(endpoint.host.as_str()).map_err(|_| TransportError::Connect(QCLOUD_ERR_TCP_UNKNOWN_HOST))?;
    match &endpoint.security {
        Security::None => tcp::connect(&host, endpoint.port)
            .map(|stream| Arc::new(stream) as Arc<dyn Transport>)
            .ok_or(TransportError::Connect(QCLOUD_ERR_TCP_CONNECT)),
        #[cfg(not(feature = "auth-with-notls"))]
        secured => super::tls::connect(&host, endpoint.port, secured, endpoint.handshake_timeout_ms)
            .map(|stream| Arc::new(stream) as Arc<dyn Transport>)
            .ok_or(TransportError::Connect(iot_abi::error::QCLOUD_ERR_SSL_CONNECT)),
    }
}
