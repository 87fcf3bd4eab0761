//! Drop-in replacement for the MQTT and OTA parts of Tencent Cloud's IoT Hub C SDK.
//!
//! Rings, from the outside in: [`ffi`] (one file per public C header), [`drive`] (the pumps), the `iot-engine` crate
//! (the rules), and [`hal`], the only way out to the platform.
#![deny(unsafe_op_in_unsafe_fn)]
#![cfg_attr(test, allow(clippy::undocumented_unsafe_blocks))]

pub mod drive;
pub mod ffi;
pub mod hal;
pub mod no_backtrace;

/// Brings the `HAL_*` that unit tests link.
#[cfg(test)]
extern crate iot_platform as _;
