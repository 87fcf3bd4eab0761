//! The C interface as Rust types: what `include/` declares, in Rust's words.
//!
//! The library and the default platform both build on this crate, so they can't disagree about a layout.
//! Names are the C SDK's, because cbindgen turns these files into the headers: one module per header.
//!
//! Rust never receives an enum from C, where any integer can stand in its place. Arguments and fields have the
//! integer types of [`raw`] instead, and each enumerator is an integer constant beside its enum.
//!
//! ```
//! use iot_abi::mqtt::{MQTTMessage, QOS1};
//! use std::ptr;
//!
//! // As C code fills it in for IOT_MQTT_Publish.
//! let mut state = *b"on";
//! let message = MQTTMessage {
//!     qos: QOS1,
//!     retained: 0,
//!     dup: 0,
//!     id: 0,
//!     ptopic: ptr::null(),
//!     topic_len: 0,
//!     payload: state.as_mut_ptr().cast(),
//!     payload_len: state.len(),
//! };
//! assert_eq!(message.payload_len, 2);
//! ```
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

/// Makes an integer constant of each enumerator, under its own name.
macro_rules! integers {
    ($name:ident as $int:ty: $($member:ident),* $(,)?) => {
        $(
            #[doc = concat!("[`", stringify!($name), "::", stringify!($member), "`] as an integer.")]
            pub const $member: $int = $name::$member as $int;
        )*
    };
}

pub mod broadcast;
pub mod coap;
pub mod common;
pub mod error;
pub mod export;
pub mod gateway;
pub mod import;
pub mod lite_list;
pub mod lite_utils;
pub mod log;
pub mod mqtt;
pub mod ota;
pub mod raw;
pub mod remote_config;
#[cfg(feature = "abi-3-3")]
pub mod resource;
pub mod rrpc;
pub mod shadow;
pub mod timer;
pub mod upgrade;
pub mod variables;
