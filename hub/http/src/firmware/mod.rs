//! The firmware server.

mod body;
mod decision;
mod faulty;
mod posts;
mod range;
mod server;

pub use server::{accept, Side};
