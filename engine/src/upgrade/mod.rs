//! Upgrades into the other of two slots (docs/upgrade.md): whose images are taken, what is kept over a restart, and what
//! comes after what. None of it knows flash, network or time.

pub mod digest;
pub mod keys;
pub mod machine;
pub mod record;
pub mod signed;
pub mod signing;
pub mod version;

pub use digest::ImageDigest;
pub use keys::PublicKey;
pub use machine::{Machine, NotNow, Slot, Step};
pub use record::{Cause, Order, Phase, Record, RECORD_LEN};
pub use signed::{judge, judge_unsigned, Header, Refusal, Terms, HEADER_LEN};
