//! Standard output: JSON, lines, tables.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a line. Output that nobody reads any more is no reason to fail.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl Serialize) {
    // Nothing that is written so can fail to be JSON.
    line(&serde_json::to_string(value).unwrap_or_default());
}

/// Writes columns, each as wide as its widest cell; `empty` where there are no rows.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], empty: &str) {
    if rows.is_empty() {
        return line(empty);
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let show = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        line(padded.join("  ").trim_end());
    };
    show(head.to_vec());
    for row in rows {
        show(row.iter().map(String::as_str).collect());
    }
}

/// A time in the reader's zone.
pub fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    time.map_or_else(
        || "-".to_owned(),
        |time| time.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// What is not there as a dash.
pub fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}
