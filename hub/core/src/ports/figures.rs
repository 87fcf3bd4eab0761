//! What the store says of itself to those who watch over the hub.

use crate::model::{Problem, State};

/// How many orders there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Those that nobody has cancelled.
    pub given: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
}

/// Figures of the store. They cost what is unfinished, not what there ever was.
pub trait Figures {
    /// Whether the database answers.
    fn answers(&self) -> Result<(), Problem>;

    /// How many jobs are unfinished in which state; a state without any may be left out.
    fn open_jobs(&self) -> Result<Vec<(State, u64)>, Problem>;

    /// How many orders there are.
    fn orders(&self) -> Result<Orders, Problem>;

    /// How many transactions have failed since the start, but for what people or devices did wrong.
    fn failures(&self) -> u64;
}
