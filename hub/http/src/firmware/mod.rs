//! The firmware server.

mod body;
mod decision;
mod faulty;
mod logs;
mod range;
mod registration;
mod server;

pub use server::accept;
