//! What stops the hub before or while it starts.

use std::fmt;

/// A message for the person who started the hub. It names what was wrong; the program exits with 2.
#[derive(Debug)]
pub struct Fatal(String);

/// The result of everything that happens at start.
pub type Result<T> = std::result::Result<T, Fatal>;

impl Fatal {
    /// Wraps a message.
    pub fn new(text: impl Into<String>) -> Self {
        Fatal(text.into())
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds what was being done to an error of any kind.
pub trait Context<T> {
    /// `what` stands before the error's own text.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Fatal(format!("{}: {error}", what())))
    }
}
