//! What the hub does, without network, database and terminal.
//!
//! Rules ([`ota`], [`site`], [`firmware`], [`devices`]) are pure. [`operations`] is what a person can do at the
//! [`Hub`](hub::Hub), [`service`] what devices can. What both need of the world are the traits in [`ports`]; other crates
//! of the hub stand behind them, and none of them is known here.
//!
//! ```
//! use hub_core::ota::{update_topic, Address};
//!
//! let report = Address::of("$ota/report/PRODUCT/device").expect("a topic of the service");
//! assert_eq!(update_topic(report.product_id, report.device_name), "$ota/update/PRODUCT/device");
//! ```

#![forbid(unsafe_code)]

pub mod devices;
pub mod error;
// What a name says already is not said again: these are the words of the hub's JSON lines.
#[allow(missing_docs)]
pub mod events;
pub mod firmware;
pub mod folder;
pub mod gateway;
pub mod guard;
mod handed_out;
pub mod headway;
pub mod hub;
pub mod messaging;
pub mod metrics;
// A comment on a field here is its description in the API's document: what its name says already is not said again.
#[allow(missing_docs)]
pub mod model;
pub mod operations;
pub mod ota;
pub mod ports;
pub mod problems;
pub mod random;
pub mod rate;
pub mod registration;
pub mod resource;
pub mod rights;
pub mod seen;
pub mod service;
pub mod shadow;
pub mod site;
pub mod ssh;
pub mod users;
