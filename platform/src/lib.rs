//! The default `HAL_*` for Linux (hal.md): [`iot_platform_posix`] for all but TLS, [`iot_platform_tls`] for
//! `HAL_TLS_*`. Two crates, because a program with its own `HAL_TLS_*` must not link a TLS stack of ours: the first
//! knows nothing of the second, and this one only names both.
//!
//! ```no_run
//! // Naming the crate is enough: the C names of the platform are linked into the program.
//! extern crate iot_platform;
//! ```

pub use iot_platform_posix as posix;
pub use iot_platform_tls as tls;
