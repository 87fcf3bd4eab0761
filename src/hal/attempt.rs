//! Attempts to connect.

use std::sync::Arc;

use super::{Attempt, Transport, TransportError};

type Outcome = Result<Arc<dyn Transport>, TransportError>;

/// An attempt that is over.
pub(super) struct Made(pub(super) Option<Outcome>);

impl Attempt for Made {
    fn outcome(&mut self, _wait_ms: u64) -> Option<Outcome> {
        self.0.take()
    }
}

/// `HAL_TCP_Connect` and `HAL_TLS_Connect` block for as long as name resolution, connect and handshake take: they run on
/// a thread of their own.
#[cfg(feature = "multithread")]
pub(super) mod threaded {
    use std::sync::Arc;

    use iot_abi::import::{HAL_GetTimeMs, HAL_SleepMs};

    use super::{Attempt, Outcome};
    use crate::hal::platform::connect;
    use crate::hal::sync::Mutex;
    use crate::hal::{thread, Endpoint};

    /// Longest sleep between two looks at the thread.
    const LOOK_MS: u32 = 10;

    /// What the thread leaves; `None` until then.
    type Slot = Arc<Mutex<Option<Outcome>>>;

    struct Threaded(Slot);

    /// Starts the thread.
    ///
    /// # Errors
    /// The platform's code.
    pub(in crate::hal) fn begin(endpoint: &Endpoint) -> Result<Box<dyn Attempt>, i32> {
        let slot: Slot = Arc::new(Mutex::new(None));
        let (theirs, endpoint) = (slot.clone(), endpoint.clone());
        thread::spawn(c"iot_connect", move || {
            let outcome = connect(&endpoint);
            // Where nobody waits any more, the last owner of the slot closes the connection: this thread.
            *theirs.lock() = Some(outcome);
        })?;
        Ok(Box::new(Threaded(slot)))
    }

    impl Attempt for Threaded {
        fn outcome(&mut self, wait_ms: u64) -> Option<Outcome> {
            // SAFETY: no precondition, here and below.
            let begin = unsafe { HAL_GetTimeMs() };
            let mut look_ms = 1;
            loop {
                let outcome = self.0.lock().take();
                if outcome.is_some() {
                    return outcome;
                }
                // SAFETY: as above.
                let left = wait_ms.saturating_sub(u64::from(unsafe { HAL_GetTimeMs() }.wrapping_sub(begin)));
                if left == 0 {
                    return None;
                }
                // SAFETY: as above.
                unsafe { HAL_SleepMs(look_ms.min(u32::try_from(left).unwrap_or(LOOK_MS))) };
                look_ms = (look_ms * 2).min(LOOK_MS);
            }
        }
    }
}

#[cfg(all(test, feature = "multithread"))]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::Arc;

    use crate::hal::platform::HalPlatform;
    use crate::hal::{Attempt, Endpoint, Platform, Security, Transport, TransportError};

    fn begin(port: u16) -> Box<dyn Attempt> {
        let endpoint =
            Endpoint { host: "127.0.0.1".to_owned(), port, security: Security::None, handshake_timeout_ms: 1000 };
        HalPlatform::new().begin_connect(&endpoint)
    }

    fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn wait(attempt: &mut dyn Attempt) -> Result<Arc<dyn Transport>, TransportError> {
        loop {
            if let Some(outcome) = attempt.outcome(1000) {
                return outcome;
            }
        }
    }

    #[test]
    fn a_connection_is_handed_over_once() {
        let (listener, port) = listener();
        let mut attempt = begin(port);
        let transport = wait(&mut *attempt).ok().unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(transport.write(b"x", 1000), Ok(1));
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        assert!(attempt.outcome(0).is_none());
    }

    #[test]
    fn a_refused_connection_is_an_error() {
        let (_, port) = listener();
        assert!(matches!(wait(&mut *begin(port)), Err(TransportError::Connect(_))));
    }

    #[test]
    fn a_connection_that_nobody_waits_for_is_closed() {
        let (listener, port) = listener();
        drop(begin(port));
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
}
