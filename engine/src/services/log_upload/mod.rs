//! Log lines to the cloud: what is collected, when it goes out, in which bytes, and what the server says (log_upload.md).

pub mod answer;
pub mod level;
pub mod lines;
pub mod request;
pub mod session;

pub use answer::{answer, verdict};
pub use level::{topics, Wanted};
pub use lines::Lines;
pub use request::{Mode, Sender};
pub use session::{Session, Urgency};

/// Where the lines go unless the program's environment says otherwise.
pub const SERVER: &str = "http://devicelog.iot.cloud.tencent.com:80/cgi-bin/report-log";

/// Most text that is kept by the program for later, in bytes.
pub const MAX_SAVED: usize = 15_000;
