//! One static archive that holds the library and the default platform, from which `cmake/pack_archives.sh` cuts
//! `libiot_sdk.a` and `libiot_platform.a`.
//!
//! Built from one crate graph, the two share one copy of the Rust standard library (architecture.md decision 9), and are
//! optimised as one at link time.
//!
//! ```c
//! /* Nothing in it is for Rust programs: C programs link what is cut from it, and call the C functions. */
//! void *client = IOT_MQTT_Construct(&params);
//! ```

#[cfg(feature = "platform")]
extern crate iot_platform as _;
extern crate iot_sdk as _;
