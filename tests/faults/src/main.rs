//! Drives the compiled C sample through a hub that misbehaves.
//!
//! Needs what `./test.sh faults` builds, named by the same variables as the whole-system tests in `tests/e2e` need.

mod coverage;
mod drive;
mod row;
mod rows;
mod soak;
mod table;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::{Parser, Subcommand};

use drive::{drive, Outcome};
use row::Row;
use soak::SoakArgs;
use table::Totals;

/// Drives the C sample through a hub that misbehaves. Ends with 1 when it did not come through.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only rows whose name or rules contain this
    filter: Option<String>,
    /// List the rows
    #[arg(long)]
    list: bool,
    /// Rows at a time
    #[arg(long, default_value_t = 12)]
    jobs: usize,
    /// Write the table to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    Soak(SoakArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Soak(args)) = &cli.command {
        return ending(soak::soak(args));
    }
    let mut rows = rows::all();
    if let Some(filter) = &cli.filter {
        rows.retain(|row| row.name.contains(filter) || row.faults.iter().any(|rule| rule.contains(filter)));
    }
    if cli.list {
        for row in &rows {
            println!("{:18} {}  [{}]", row.expect.words(), row.name, row.faults.join(" "));
        }
        println!("{} rows", rows.len());
        return ExitCode::SUCCESS;
    }
    if rows.is_empty() {
        eprintln!("faults: no row contains {:?}", cli.filter.unwrap_or_default());
        return ExitCode::from(2);
    }
    let begin = Instant::now();
    let results = run(rows, cli.jobs.max(1));
    let totals = Totals::of(&results, begin.elapsed());
    if let Some(path) = &cli.markdown {
        if let Err(error) = fs::write(path, table::markdown(&results, &totals)) {
            eprintln!("faults: cannot write {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    println!("{}", totals.words());
    println!("{} passed, {} failed", totals.passed, totals.failed);
    ending(totals.failed == 0)
}

fn ending(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs all rows, `jobs` at a time, and prints each when it is done. The results are in the rows' order.
fn run(rows: Vec<Row>, jobs: usize) -> Vec<(Row, Outcome)> {
    let mut queue: Vec<(usize, Row)> = rows.into_iter().enumerate().collect();
    // The long ones first, or everybody waits for them at the end.
    queue.sort_by_key(|(_, row)| !row.long);
    let queue = Mutex::new(VecDeque::from(queue));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((number, row)) = next else { return };
                let outcome = drive(&row);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                println!("{}", table::line(&row, &outcome));
                if let Some(why) = &outcome.failure {
                    println!("    {why}\n    {}", outcome.log.join("\n    "));
                }
                results.push((number, row, outcome));
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, ..)| *number);
    results.into_iter().map(|(_, row, outcome)| (row, outcome)).collect()
}
