//! The C interface as Rust types: what `include/` declares, in Rust's words.
//!
//! The library and the default platform both build on this crate, so they can't disagree about a layout.
//! Names are the C SDK's, because cbindgen turns these files into the headers.
#![allow(non_camel_case_types, non_snake_case)]

pub mod import;
