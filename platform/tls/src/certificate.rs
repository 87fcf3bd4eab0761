//! Rules and words about certificates, whichever TLS stack reads them.

pub mod alert;
pub mod date;
pub mod der;
pub mod files;
pub mod names;
pub mod refusal;
pub mod validity;
