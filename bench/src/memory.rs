//! Memory of a sample in one upgrade of 10 MB over HTTPS.

use std::fs;

use e2e::Sample;
use tempfile::TempDir;

use crate::figures::{in_turns, Figure, Goal, Row, Unit};
use crate::site::Site;
use crate::{c_sdk, sample, Plan};

const BYTES: usize = 10_000_000;
const ROUNDS: usize = 5;

pub fn run(plan: &Plan) -> Vec<Row> {
    let site = Site::new("https", plan.bytes(BYTES));
    println!("   under valgrind's massif");
    let command = || sample::command(&site.desk, &site.roots);
    let heap = heap(command());
    println!("   heap: {heap}");
    let mut resident = || resident(command());
    let figures = in_turns(plan.rounds(ROUNDS), Unit::Kilobytes, &mut [("resident", &mut resident)]);
    let [resident] = figures.as_slice() else { unreachable!("one figure") };
    vec![
        Row::new("sample's peak heap (massif)", heap.clone())
            .beside("C SDK", &Figure::once(Unit::Kilobytes, c_sdk::HEAP))
            .goal(Goal::at_most(c_sdk::HEAP, heap.median(), "kB")),
        Row::new("sample's peak resident memory", resident.clone())
            .beside("C SDK", &Figure::once(Unit::Kilobytes, c_sdk::RESIDENT))
            .goal(Goal::at_most(1.5, resident.median() / c_sdk::RESIDENT, "times the C SDK")),
    ]
}

/// What was asked for and what the allocator adds to it.
pub fn heap(sample: Sample) -> Figure {
    let folder = TempDir::new().expect("a temporary folder");
    let output = folder.path().join("massif");
    let option = format!("--massif-out-file={}", output.display());
    let finished = sample.under(&["valgrind", "--quiet", "--tool=massif", &option]).start().finish();
    assert_eq!(finished.code(), 0, "exit code");
    let text = fs::read_to_string(&output).expect("massif's figures");
    let all = |name: &str| -> Vec<f64> {
        text.lines().filter_map(|line| line.strip_prefix(name)).filter_map(|value| value.parse().ok()).collect()
    };
    let sums = all("mem_heap_B=").into_iter().zip(all("mem_heap_extra_B=")).map(|(asked, extra)| asked + extra);
    Figure::once(Unit::Kilobytes, sums.fold(0.0, f64::max) / 1e3)
}

/// In kB, by what the kernel says to its parent.
pub fn resident(sample: Sample) -> f64 {
    let finished = sample.under(&["/usr/bin/time", "--format", "resident %M"]).start().finish();
    assert_eq!(finished.code(), 0, "exit code");
    let said = finished.lines.iter().find_map(|line| line.strip_prefix("resident ")?.parse::<f64>().ok());
    said.expect("what /usr/bin/time says") * 1.024
}
