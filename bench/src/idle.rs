//! A device with nothing to do, connected over TLS, the loop thread on.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{Build, Desk, Sample};

use crate::figures::{Figure, Goal, Row, Unit};
use crate::Plan;

const SECONDS: u64 = 60;
/// What only the start costs is over by then.
const SETTLED: Duration = Duration::from_secs(2);

pub fn run(plan: &Plan) -> Vec<Row> {
    let desk = Desk::new(Build::Key, 1000);
    let mut device =
        Sample::new(Build::Key, "idle", &desk.home).endpoint(&desk.endpoint()).trusts(&desk.ca_file).start();
    device.wait_for(&["ready"]);
    thread::sleep(SETTLED);
    let seconds = if plan.quick { SECONDS / 10 } else { SECONDS };
    println!("   for {seconds} s");
    let (before, begin) = (Usage::of(device.id()), Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let (after, elapsed) = (Usage::of(device.id()), begin.elapsed().as_secs_f64());
    device.say("");
    assert_eq!(device.finish().code(), 0, "exit code");
    let wake_ups = (after.switches - before.switches) as f64 / elapsed;
    let share = (after.cpu_ns - before.cpu_ns) as f64 / 1e9 / elapsed * 100.0;
    println!("   {wake_ups:.2} wake-ups a second, {share:.4} % of a core");
    vec![
        Row::new("idle device, connected, loop thread on, 60 s: wake-ups", Figure::once(Unit::PerSecond, wake_ups))
            .goal(Goal::at_most(0.1, wake_ups, "a second")),
        Row::new("the same: processor time", Figure::once(Unit::PercentOfACore, share)).goal(Goal::at_most(
            0.1,
            share,
            "% of a core",
        )),
    ]
}

/// Of all threads of a process.
struct Usage {
    /// Times a thread went to sleep by itself, and so was woken.
    switches: u64,
    cpu_ns: u64,
}

impl Usage {
    fn of(process: u32) -> Usage {
        let mut usage = Usage { switches: 0, cpu_ns: 0 };
        for task in fs::read_dir(format!("/proc/{process}/task")).expect("the process's threads") {
            let task = task.expect("a thread").path();
            let status = fs::read_to_string(task.join("status")).expect("its status");
            let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            usage.switches += first_number(switches, &task);
            let times = fs::read_to_string(task.join("schedstat")).expect("its times");
            usage.cpu_ns += first_number(Some(&times), &task);
        }
        usage
    }
}

fn first_number(text: Option<&str>, task: &Path) -> u64 {
    let number = text.and_then(|text| text.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{}: no number in {text:?}", task.display()))
}
