//! The pumps: bytes between transports and the engine's sessions, and the loop thread. No rules.

#[cfg(feature = "coap")]
pub mod coap;
pub mod download;
pub mod error;
#[cfg(any(feature = "dev-dyn-reg", feature = "log-upload"))]
pub mod http_exchange;
pub mod mqtt;
pub mod overrides;
#[cfg(feature = "dev-dyn-reg")]
pub mod registration;
pub mod services;
pub mod trust;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(all(test, feature = "multithread"))]
mod threads_tests;
