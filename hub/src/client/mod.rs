//! The command line's other half: asks a running hub by its API.

pub mod args;
mod connection;
mod device_info;
pub mod devices;
mod display;
pub mod firmware;
pub mod gateways;
pub mod messages;
mod output;
pub mod registration;
pub mod resources;
pub mod shadow;
mod signing;
pub mod ssh;
mod stream;
mod trouble;
pub mod upgrade;
mod upload;
pub mod users;
pub mod watch;

use std::process::ExitCode;

use trouble::Trouble;

/// The program's end after a command.
pub fn end(outcome: Result<ExitCode, Trouble>) -> ExitCode {
    outcome.unwrap_or_else(|trouble| {
        eprintln!("hub: {trouble}");
        trouble.code()
    })
}
