//! The firmware server.

pub mod body;
mod range;
pub mod server;
pub mod site;
