//! The only place that names a `HAL_*` symbol: the platform as safe Rust types (hal.md).
//!
//! The drive ring sees the [`Platform`] trait, so that its pumps run in unit tests against a simulated platform.

pub mod abandoned;
#[cfg(feature = "multithread")]
mod attempt;
pub mod callout;
mod cause;
mod connect;
#[cfg(feature = "coap")]
pub mod datagrams;
#[cfg(feature = "upgrade")]
pub mod files;
mod interface;
pub mod memory;
mod outcome;
pub mod platform;
mod random;
mod reserve;
mod security;
#[cfg(rsa_signatures)]
pub mod signature;
pub mod sync;
mod tcp;
#[cfg(feature = "multithread")]
pub mod thread;
pub mod timer;
#[cfg(not(feature = "auth-with-notls"))]
mod tls;
mod wait;
#[cfg(feature = "websocket")]
mod websocket;

#[cfg(feature = "coap")]
pub use interface::Datagrams;
pub use interface::{Attempt, ConnectError, Connected, Endpoint, Made, Platform, Transport, TransportError, SHORT_MS};
pub use security::{Roots, Security};
#[cfg(feature = "websocket")]
pub use websocket::{Carries, Upgrade};
