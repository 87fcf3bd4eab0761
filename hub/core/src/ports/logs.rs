//! What the log server needs of a store. Each method is one whole transaction.

use crate::messaging::model::LogLine;
use crate::model::Problem;

/// Lines kept of a device.
pub const LINES: u64 = 5000;

/// What the store keeps of devices' logs.
pub trait LogStore {
    /// Keeps lines, which a device sent at a second by its own clock. Of a device's lines, all but the newest [`LINES`] go.
    fn add_log(&self, client_id: &str, sent_at: Option<u64>, lines: &[String], now: u64) -> Result<(), Problem>;

    /// So many lines of a device, oldest first: those that follow a line, else the newest.
    fn log(&self, client_id: &str, after: Option<i64>, limit: u64) -> Result<Vec<LogLine>, Problem>;

    /// Forgets the lines of a device.
    fn clear_log(&self, client_id: &str) -> Result<(), Problem>;

    /// The level that was set for a device.
    fn log_level(&self, client_id: &str) -> Result<Option<u8>, Problem>;

    /// Sets a device's level.
    fn set_log_level(&self, client_id: &str, level: u8) -> Result<(), Problem>;
}
