//! One static archive that holds the library and the default platform.
//!
//! `libiot_sdk.a` is the library's own archive; `libiot_platform.a` is what this one has besides.
//! Built from one crate graph, the two share one copy of the Rust standard library (design.md, decision 9).

extern crate iot_platform as _;
extern crate iot_sdk as _;
