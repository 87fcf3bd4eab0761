//! Where and when this ran.

use std::fs;
use std::process::Command;

/// One line for the table's head.
pub fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&cpuinfo, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = field(&meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let gib = memory.unwrap_or(0) as f64 / 1024.0 / 1024.0;
    format!(
        "{model}, {cores} cores, {gib:.0} GiB, Linux {}, {}, {}",
        output("uname", &["-r"]),
        output("rustc", &["--version"]),
        output("gcc", &["--version"])
    )
}

/// The day, and the commit that was measured.
pub fn moment() -> String {
    let commit = output("git", &["describe", "--always", "--dirty"]);
    format!("{}, commit {commit}", output("date", &["-u", "+%Y-%m-%d"]))
}

/// The first line a program prints.
fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().map_or_else(|| format!("{program} unknown"), |line| line.trim().to_owned())
}
