//! The firmware server.

mod body;
mod decision;
mod faulty;
mod range;
pub mod server;
