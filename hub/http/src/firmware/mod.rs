//! The firmware server.

mod body;
mod decision;
mod faulty;
mod logs;
mod range;
mod server;

pub use server::accept;
