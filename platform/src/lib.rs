//! The default `HAL_*` for Linux.
