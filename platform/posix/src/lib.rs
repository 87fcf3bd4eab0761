//! The default `HAL_*` for Linux, all but TLS (hal.md).
//!
//! The names C code links, `HAL_X`, are weak C definitions (`weak/`), one object per subject; they forward to the
//! `iot_platform_x` functions here. Nothing in this crate refers to TLS, so a program with its own `HAL_TLS_*` links
//! none of ours.
//!
//! ```
//! use iot_platform_posix::time::{iot_platform_get_time_ms, iot_platform_sleep_ms};
//!
//! let begin = iot_platform_get_time_ms();
//! iot_platform_sleep_ms(5);
//! assert!(iot_platform_get_time_ms().wrapping_sub(begin) >= 5);
//! ```

#[macro_use]
pub mod edge;

pub mod address;
pub mod addresses;
pub mod cause;
pub mod connect;
pub mod descriptors;
pub mod devinfo;
mod identity;
pub mod log;
#[cfg(feature = "log-upload")]
pub mod log_file;
pub mod net;
pub mod socket;
pub mod sync;
pub mod tcp;
pub mod thread;
pub mod time;
#[cfg(feature = "coap")]
pub mod udp;
pub mod wait;

#[cfg(test)]
#[path = "../../testing/log_double.rs"]
mod log_double;
