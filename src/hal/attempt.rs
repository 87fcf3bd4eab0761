//! Attempts to connect while the caller does other things: `HAL_TCP_Connect` and `HAL_TLS_Connect` block for as long as
//! name resolution, connect and handshake take, so they run on a thread of their own.

use std::sync::Arc;

use super::callout::{HAL_GetTimeMs, HAL_SleepMs};

use super::connect::connect;
use super::interface::{Attempt, Connected, Endpoint};
use super::sync::Mutex;
use super::thread::{self, NotStarted};

/// Longest sleep between two looks at the thread.
const LOOK_MS: u32 = 10;

/// What the thread leaves; `None` until then.
type Slot = Arc<Mutex<Option<Connected>>>;

struct Threaded(Slot);

/// Starts the thread.
///
/// # Errors
/// There is no thread for it.
pub fn begin(endpoint: &Endpoint) -> Result<Box<dyn Attempt>, NotStarted> {
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
    fn outcome(&mut self, wait_ms: u64) -> Option<Connected> {
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use crate::hal::platform::HalPlatform;
    use crate::hal::{Attempt, Connected, Endpoint, Platform, Security};

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

    fn wait(attempt: &mut dyn Attempt) -> Connected {
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
        let error = wait(&mut *begin(port)).err().unwrap();
        assert_eq!(error.cause, format!("connection refused by 127.0.0.1:{port}"));
        assert!(!error.is_lasting);
    }

    #[test]
    fn a_connection_that_nobody_waits_for_is_closed() {
        let (listener, port) = listener();
        drop(begin(port));
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
}
