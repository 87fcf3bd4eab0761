//! The table, on the terminal and in `BENCHMARKS.md`, and the plot's file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::figures::Row;
use crate::{machine, plot};

/// The generated part of `BENCHMARKS.md` stands between these; the rest is written by hand.
const BEGIN: &str = "<!-- ./bench.sh writes from here -->";
const END: &str = "<!-- to here -->";

/// For a terminal.
pub fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        // Writing to a String can't fail.
        let _ = match &row.ours {
            Ok(figure) => writeln!(text, "{}: {figure}", row.case),
            Err(reason) => writeln!(text, "{}: not measured, {reason}", row.case),
        };
        for (name, figure) in &row.beside {
            let _ = writeln!(text, "    {name}: {figure}");
        }
        for goal in &row.goals {
            let _ = writeln!(text, "    {} {goal}", if goal.met() { "met:   " } else { "MISSED:" });
        }
    }
    text
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!(
        "`./bench.sh` on {}. {}. Medians, with the lowest and the highest in brackets; each beside what ran in turns with \
         it. Everything is on one machine, servers too.\n\n\
         | case | here | beside it | ratio (goal) | |\n|---|---|---|---|---|\n",
        machine::moment(),
        machine::description()
    );
    for row in rows {
        let beside: Vec<String> = row.beside.iter().map(|(name, figure)| format!("{name}: {figure}")).collect();
        let goals: Vec<String> = row.goals.iter().map(ToString::to_string).collect();
        let ours = row.ours.as_ref().map_or_else(Clone::clone, ToString::to_string);
        let (case, verdict) = (&row.case, row.verdict());
        let _ = writeln!(text, "| {case} | {ours} | {} | {} | {verdict} |", beside.join("<br>"), goals.join("<br>"));
    }
    text
}

/// Puts the table into `BENCHMARKS.md`, and the plot beside the documentation.
pub fn write(root: &Path, rows: &[Row]) {
    let path = root.join("BENCHMARKS.md");
    let whole = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parts = whole.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{}: {BEGIN} and {END} are missing", path.display()));
    let text = format!("{before}{BEGIN}\n{}{END}{after}", markdown(rows));
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let plot_path = root.join("docs/benchmarks.svg");
    fs::write(&plot_path, plot::svg(rows)).unwrap_or_else(|error| panic!("{}: {error}", plot_path.display()));
    println!("Written: {}, {}", path.display(), plot_path.display());
}
