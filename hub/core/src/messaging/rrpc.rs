//! RRPC: what becomes of a request to a device.

use super::model::RrpcState;

/// How long a device may take where nobody says otherwise, in milliseconds (messaging contract, section 5).
pub const TIME_LIMIT_MS: u64 = 4000;
/// The longest time that can be asked for.
pub const MAX_TIME_LIMIT_MS: u64 = 30_000;

/// What an answer is to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The one that was waited for.
    InTime,
    /// Nobody waits any more.
    Late,
    /// One more.
    Again,
}

/// What an answer that comes now is. `deadline` is the request's; `answered` says whether it has one already.
pub fn judge(deadline: u64, answered: bool, now: u64) -> Answer {
    match (answered, now < deadline) {
        (true, _) => Answer::Again,
        (false, true) => Answer::InTime,
        (false, false) => Answer::Late,
    }
}

/// How a request stands.
pub fn state(deadline: u64, answered_at: Option<u64>, now: u64) -> RrpcState {
    match answered_at {
        Some(at) if at < deadline => RrpcState::Answered,
        Some(_) => RrpcState::Late,
        None if now < deadline => RrpcState::Waiting,
        None => RrpcState::TimedOut,
    }
}

/// The request that an answer's topic names; `None` where no hub gives such ids.
pub fn read_id(text: &str) -> Option<i64> {
    let is_ours = !text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_and_doubled_answers_are_told_apart() {
        assert_eq!(judge(10, false, 9), Answer::InTime);
        assert_eq!(judge(10, false, 10), Answer::Late);
        assert_eq!(judge(10, true, 9), Answer::Again);
        assert_eq!(judge(10, true, 11), Answer::Again);
        let states = [(None, 9), (None, 10), (Some(9), 20), (Some(10), 20)].map(|(at, now)| state(10, at, now));
        assert_eq!(states, [RrpcState::Waiting, RrpcState::TimedOut, RrpcState::Answered, RrpcState::Late]);
    }

    #[test]
    fn ids() {
        assert_eq!(read_id("469"), Some(469));
        for other in ["", "0", "007", "+5", "-5", "99999999999999999999", "a", "5 "] {
            assert_eq!(read_id(other), None, "{other}");
        }
    }
}
