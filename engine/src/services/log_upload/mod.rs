//! Log lines to the cloud: what is collected, when it goes out, in which bytes, and what the server says (log_upload.md).

pub mod answer;
pub mod form;
pub mod level;
pub mod lines;
pub mod request;
pub mod session;

pub use answer::{answer, verdict};
pub use form::Form;
pub use level::{topics, Wanted};
pub use lines::Lines;
pub use request::{Mode, Moment, Proof, Sender};
pub use session::{Session, Urgency};

/// Most text that is kept by the program for later, in bytes.
pub const MAX_SAVED: usize = 15_000;
