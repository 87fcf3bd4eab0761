//! The firmware server.

mod body;
mod range;
pub mod server;
pub mod site;
