//! Update commands that can't be followed.

use crate::row::Expect::{Fails, Right, RightAfter};
use crate::row::Row;

/// The rows.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    // Refused and reported; the device waits on, and follows the good one that comes next.
    for kind in [
        "no-size",
        "size-zero",
        "size-negative",
        "size-huge",
        "size-text",
        "no-md5",
        "md5-short",
        "md5-odd",
        "no-url",
        "url-odd",
        "url-array",
        "no-version",
        "version-long",
        "half",
    ] {
        let rule = format!("mqtt:command={kind}@version#1");
        rows.push(Row::new(&format!("an update command that can't be followed: {kind}"), &[&rule], RightAfter(-5)));
    }
    // No update command at all: nothing to report on.
    for kind in ["nested", "text:", "text:[]", "text:{\"type\":7}", "text:{\"type\":\"update\"}"] {
        let rule = format!("mqtt:command={kind}@version#1");
        rows.push(Row::new(&format!("a message that is no update command: {kind}"), &[&rule], Right).requests(1));
    }
    rows.extend([
        Row::new("an update command with another MD5", &["mqtt:command=md5-wrong#1"], Fails(-4)).fetched_anew(),
        Row::new("an update command with another size", &["mqtt:command=size-small#1"], Fails(-5)),
    ]);
    rows
}
