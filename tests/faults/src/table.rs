//! The table of results.

use std::fmt::Write;
use std::time::Duration;

use crate::drive::Outcome;
use crate::row::Row;

/// A line of the table, in columns for a screen.
pub fn line(row: &Row, outcome: &Outcome) -> String {
    let result = if outcome.failure.is_none() { "ok" } else { "FAILED" };
    format!(
        "{result:6} {:5.1} s {:3} requests {:7} twice  {:18} {}  [{}]",
        outcome.time.as_secs_f64(),
        outcome.requests,
        outcome.twice,
        row.expect.words(),
        row.name,
        row.faults.join(" "),
    )
}

/// Sums over all rows.
pub struct Totals {
    /// Rows that passed.
    pub passed: usize,
    /// Rows that did not.
    pub failed: usize,
    requests: usize,
    twice: u64,
    twice_by_cuts: u64,
    wall: Duration,
}

impl Totals {
    /// Over these rows; all of it took `wall`.
    pub fn of(results: &[(Row, Outcome)], wall: Duration) -> Totals {
        let failed = results.iter().filter(|(_, outcome)| outcome.failure.is_some()).count();
        let resumed = results.iter().filter(|(row, _)| !row.fetched_anew);
        Totals {
            passed: results.len() - failed,
            failed,
            requests: results.iter().map(|(_, outcome)| outcome.requests).sum(),
            twice: results.iter().map(|(_, outcome)| outcome.twice).sum(),
            twice_by_cuts: resumed.map(|(_, outcome)| outcome.twice).sum(),
            wall,
        }
    }

    /// In a sentence.
    pub fn words(&self) -> String {
        format!(
            "{} faults, {} survived, {} requests; {} bytes fetched twice, {} of them where the firmware could be resumed; {} s",
            self.passed + self.failed,
            self.passed,
            self.requests,
            self.twice,
            self.twice_by_cuts,
            self.wall.as_secs()
        )
    }
}

/// The table in Markdown, with the totals.
pub fn markdown(results: &[(Row, Outcome)], totals: &Totals) -> String {
    let mut text = format!("{}\n\n", totals.words());
    text.push_str(
        "| fault | rules | expected | requests | fetched twice | result | seconds |\n|---|---|---|---|---|---|---|\n",
    );
    for (row, outcome) in results {
        let rules = row.faults.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(" ");
        let result = if outcome.failure.is_none() { "ok" } else { "failed" };
        let _ = writeln!(
            text,
            "| {} | {rules} | {} | {} | {} | {result} | {:.1} |",
            row.name,
            row.expect.words(),
            outcome.requests,
            outcome.twice,
            outcome.time.as_secs_f64()
        );
    }
    text
}
