//! The pumps: bytes between transports and the engine's sessions, and the loop thread. No rules.

#[cfg(feature = "coap")]
pub mod coap;
pub mod download;
pub mod error;
pub mod http_endpoint;
#[cfg(any(feature = "dev-dyn-reg", feature = "log-upload", feature = "resource"))]
pub mod http_exchange;
pub mod mqtt;
pub mod overrides;
#[cfg(feature = "dev-dyn-reg")]
pub mod registration;
pub mod services;
mod transfers;
pub mod trust;
#[cfg(feature = "resource")]
pub mod upload;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(all(test, feature = "multithread"))]
mod threads_tests;
