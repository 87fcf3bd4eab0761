//! Server-sent events, as far as the hub sends them.

use std::io::{BufRead, BufReader, Read};

use super::trouble::Trouble;
use hub_core::model::Change;

/// Changes one by one.
pub struct Changes<R>(BufReader<R>);

impl<R: Read> Changes<R> {
    /// Reads them from a response's body.
    pub fn new(body: R) -> Self {
        Changes(BufReader::new(body))
    }

    /// Waits for the next change; the stream's end is one of the hub's.
    pub fn next(&mut self) -> Result<Change, Trouble> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            let ended = || Trouble::failed("the hub has ended, or cannot be reached any more");
            if self.0.read_line(&mut line).map_err(|_| ended())? == 0 {
                return Err(ended());
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(text) = line.strip_prefix("data:") {
                data.push_str(text.strip_prefix(' ').unwrap_or(text));
            } else if line.is_empty() && !data.is_empty() {
                // A kind of change that another version of the hub knows is none for this one.
                if let Ok(change) = serde_json::from_str(&data) {
                    return Ok(change);
                }
                data.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_unknown_changes_are_passed_over() {
        let text = ": hello\n\nevent: reset\ndata: {\"type\":\"reset\"}\n\ndata:{\"type\":\"news\"}\n\r\n\
                    event: x\r\ndata: {\"type\":\"firmware_removed\",\"id\":3}\r\n\r\ndata: {\"type\"";
        let mut changes = Changes::new(text.as_bytes());
        assert!(matches!(changes.next(), Ok(Change::Reset)));
        assert!(matches!(changes.next(), Ok(Change::FirmwareRemoved { id: 3 })));
        assert!(changes.next().is_err());
    }
}
