//! The pumps: bytes between transports and the engine's sessions, and the loop thread. No rules.

pub mod mqtt;
pub mod overrides;
pub mod system;
pub mod trust;
