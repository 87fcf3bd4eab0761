//! The hub's HTTP servers: [`firmware`] and [`ssh`] for devices, [`api`] for people, their browsers and programs.
//!
//! ```
//! assert!(hub_http::api::check_token("too short").is_err());
//! assert!(hub_http::api::check_token("long-enough-to-be-one").is_ok());
//! ```

#![forbid(unsafe_code)]

pub mod api;
pub mod firmware;
pub mod ssh;

mod steady;
