//! How a transaction comes to nothing.

use hub_core::model::Problem;

/// What comes of a part of a transaction.
pub type Work<T> = Result<T, Failed>;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub enum Failed {
    /// What was asked for cannot be done.
    Refused(Problem),
    /// Nothing has happened, and the same may be done in a moment. The problem is for who does not wait.
    Again(Problem),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed::Refused(problem)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let (Failed::Refused(problem) | Failed::Again(problem)) = failed;
        problem
    }
}
