//! The hub's ways to devices: a broker of its own ([`broker`]), or the client of somebody else's ([`remote`]), and TLS
//! for both ([`tls`]).
//!
//! `auth` and `topic` are rules without I/O.
//!
//! ```
//! use hub_core::ports::Downlink;
//! use hub_mqtt::broker::Broker;
//!
//! let broker = Broker::default();
//! assert_eq!(Downlink::is_online(&broker, "PRODUCTdevice"), Some(false));
//! ```

#![forbid(unsafe_code)]

mod auth;
pub mod broker;
pub mod remote;
pub mod tls;
mod topic;

pub use auth::Identity;
