//! Update commands that no cloud should send.

use serde_json::{json, Value};

use super::rule::choose;

/// A kind of update command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OddCommand {
    /// The good one, changed.
    Changed(CommandFlaw),
    /// This text.
    Text(String),
}

/// What is changed in the good command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFlaw {
    /// Nothing.
    Repeat,
    /// It is for another firmware, which does not exist.
    Other,
    /// The key is missing.
    Without(&'static str),
    /// The key has this value.
    With(&'static str, Odd),
    /// It ends in the middle.
    Half,
    /// 200 levels deep.
    Nested,
}

/// A value that no key should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    Number(i64),
    Text(&'static str),
    /// So many `9`.
    Long(usize),
    Array,
}

/// Every kind.
pub const KINDS: &[(&str, CommandFlaw)] = &[
    ("repeat", CommandFlaw::Repeat),
    ("other", CommandFlaw::Other),
    ("no-size", CommandFlaw::Without("file_size")),
    ("size-zero", CommandFlaw::With("file_size", Odd::Number(0))),
    ("size-negative", CommandFlaw::With("file_size", Odd::Number(-1))),
    ("size-huge", CommandFlaw::With("file_size", Odd::Number(4_294_967_296))),
    ("size-text", CommandFlaw::With("file_size", Odd::Text("many"))),
    ("size-small", CommandFlaw::With("file_size", Odd::Number(1000))),
    ("no-md5", CommandFlaw::Without("md5sum")),
    ("md5-short", CommandFlaw::With("md5sum", Odd::Text("0123"))),
    ("md5-odd", CommandFlaw::With("md5sum", Odd::Text("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"))),
    ("md5-wrong", CommandFlaw::With("md5sum", Odd::Text("00000000000000000000000000000000"))),
    ("no-url", CommandFlaw::Without("url")),
    ("url-odd", CommandFlaw::With("url", Odd::Text("gopher://localhost/firmware"))),
    ("url-array", CommandFlaw::With("url", Odd::Array)),
    ("no-version", CommandFlaw::Without("version")),
    ("version-long", CommandFlaw::With("version", Odd::Long(33))),
    ("half", CommandFlaw::Half),
    ("nested", CommandFlaw::Nested),
];

/// Understands a kind.
pub fn parse(text: &str) -> Result<OddCommand, String> {
    match text.strip_prefix("text:") {
        Some(payload) => Ok(OddCommand::Text(payload.to_owned())),
        None => {
            let found = choose("command", text, KINDS).map(OddCommand::Changed);
            found.map_err(|error| format!("{error}, text:PAYLOAD"))
        }
    }
}

impl OddCommand {
    /// The payload, made from the good one.
    pub fn payload(&self, good: &str) -> String {
        let change = match self {
            OddCommand::Text(text) => return text.clone(),
            OddCommand::Changed(change) => *change,
        };
        let mut command: Value = serde_json::from_str(good).unwrap_or_default();
        match change {
            CommandFlaw::Repeat => {}
            CommandFlaw::Other => {
                command["version"] = json!("99.0");
                command["md5sum"] = json!("ffffffffffffffffffffffffffffffff");
                command["url"] = json!(format!("{}-other", command["url"].as_str().unwrap_or_default()));
            }
            CommandFlaw::Without(key) => {
                if let Some(keys) = command.as_object_mut() {
                    keys.remove(key);
                }
            }
            CommandFlaw::With(key, odd) => {
                command[key] = match odd {
                    Odd::Number(number) => json!(number),
                    Odd::Text(text) => json!(text),
                    Odd::Long(count) => json!("9".repeat(count)),
                    Odd::Array => json!([]),
                };
            }
            CommandFlaw::Half => {
                let text = command.to_string();
                return text.chars().take(text.chars().count() / 2).collect();
            }
            CommandFlaw::Nested => return format!("{}{}", "{\"type\":".repeat(200), "}".repeat(200)),
        }
        command.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"file_size":7,"md5sum":"00","type":"update_firmware","url":"http://h/f","version":"2.0"}"#;

    #[test]
    fn every_kind_but_repeat_differs_from_the_good_one() {
        for (name, change) in KINDS {
            let payload = OddCommand::Changed(*change).payload(GOOD);
            assert_eq!(payload == GOOD, *name == "repeat", "{name}: {payload}");
        }
        assert_eq!(parse("text:{}").map(|command| command.payload(GOOD)), Ok("{}".to_owned()));
        assert!(parse("odd").is_err_and(|error| error.contains("no-size") && error.contains("text:")));
    }
}
