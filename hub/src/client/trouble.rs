//! Why a command was not carried out.

use std::fmt;
use std::process::ExitCode;

/// What went wrong, for the person at the terminal.
#[derive(Debug)]
pub enum Trouble {
    /// The hub said no.
    Refused(String),
    /// The hub was not asked: it cannot be reached, or the question made no sense.
    Failed(String),
}

impl Trouble {
    /// A hub that was not asked.
    pub fn failed(text: impl Into<String>) -> Self {
        Trouble::Failed(text.into())
    }

    /// The program's exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Trouble::Refused(_) => ExitCode::FAILURE,
            Trouble::Failed(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused(text) | Trouble::Failed(text) => f.write_str(text),
        }
    }
}
