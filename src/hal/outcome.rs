//! What a `HAL_*_Read` or `HAL_*_Write` returned, made one of three things (hal.md: callers must accept all
//! combinations of code and count).

use std::sync::atomic::{AtomicI32, Ordering};

use iot_abi::error::{
    QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_SSL_WRITE_TIMEOUT,
    QCLOUD_ERR_TCP_NOTHING_TO_READ, QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_ERR_TCP_READ_TIMEOUT,
    QCLOUD_ERR_TCP_WRITE_TIMEOUT, QCLOUD_RET_SUCCESS,
};

use super::interface::TransportError;

/// An error that came together with the last bytes, kept for the next call.
#[derive(Default)]
pub struct Pending(AtomicI32);

impl Pending {
    /// The error that ended the stream, if it has.
    pub fn check(&self) -> Result<(), TransportError> {
        match self.0.load(Ordering::Relaxed) {
            QCLOUD_RET_SUCCESS => Ok(()),
            code => Err(error(code)),
        }
    }

    /// Sorts out what a call for at most `asked` bytes returned.
    pub fn outcome(&self, code: i32, count: usize, asked: usize) -> Result<usize, TransportError> {
        // A count beyond the buffer would mean that the platform wrote past it; nothing it says can be relied on.
        if count > asked {
            log::error!("the platform's read or write reports {count} of {asked} bytes");
            self.0.store(code.min(-1), Ordering::Relaxed);
            return Err(TransportError::Failed(code));
        }
        if is_wait(code) || code >= QCLOUD_RET_SUCCESS {
            return Ok(count);
        }
        self.0.store(code, Ordering::Relaxed);
        if count > 0 {
            Ok(count)
        } else {
            Err(error(code))
        }
    }
}

fn error(code: i32) -> TransportError {
    if code == QCLOUD_ERR_TCP_PEER_SHUTDOWN {
        TransportError::Closed(code)
    } else {
        TransportError::Failed(code)
    }
}

fn is_wait(code: i32) -> bool {
    matches!(
        code,
        QCLOUD_ERR_TCP_READ_TIMEOUT
            | QCLOUD_ERR_TCP_NOTHING_TO_READ
            | QCLOUD_ERR_TCP_WRITE_TIMEOUT
            | QCLOUD_ERR_SSL_READ_TIMEOUT
            | QCLOUD_ERR_SSL_NOTHING_TO_READ
            | QCLOUD_ERR_SSL_WRITE_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use iot_abi::error::{QCLOUD_ERR_SSL_READ, QCLOUD_ERR_TCP_READ_FAIL};

    use super::*;

    #[test]
    fn waiting_is_no_error_and_bytes_count_whatever_the_code() {
        let pending = Pending::default();
        for code in [QCLOUD_ERR_TCP_READ_TIMEOUT, QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_RET_SUCCESS, 3] {
            assert_eq!(pending.outcome(code, 0, 10), Ok(0));
            assert_eq!(pending.outcome(code, 4, 10), Ok(4));
        }
        assert_eq!(pending.check(), Ok(()));
    }

    #[test]
    fn the_last_bytes_come_before_the_error() {
        let pending = Pending::default();
        assert_eq!(pending.outcome(QCLOUD_ERR_TCP_PEER_SHUTDOWN, 4, 10), Ok(4));
        assert_eq!(pending.check(), Err(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN)));
        let pending = Pending::default();
        let failed = Err(TransportError::Failed(QCLOUD_ERR_SSL_READ));
        assert_eq!(pending.outcome(QCLOUD_ERR_SSL_READ, 0, 10), failed);
    }

    #[test]
    fn a_count_past_the_buffer_ends_the_stream() {
        let pending = Pending::default();
        assert!(pending.outcome(0, 11, 10).is_err());
        assert!(pending.check().is_err());
        assert!(Pending::default().outcome(QCLOUD_ERR_TCP_READ_FAIL, 11, 10).is_err());
    }
}
