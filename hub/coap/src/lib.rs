//! The hub's CoAP servers (coap.md section 8): devices post, are answered, and hear nothing else.
//!
//! `message` is the codec, `service` the rules, `tokens` and `outbox` what they keep, `dtls` the sessions; none of them has I/O or a
//! clock.
//! [`listener`] brings datagrams to them.
//!
//! ```
//! use hub_coap::message::{read, Incoming};
//!
//! assert_eq!(read(b"\x60\x00\x12\x34"), Ok(Incoming::Acknowledged(0x1234)));
//! assert!(read(b"\x60\x45\x12\x34\xff").is_err());
//! ```

#![forbid(unsafe_code)]

mod dtls;
pub mod listener;
pub mod message;
mod outbox;
mod service;
mod tokens;
