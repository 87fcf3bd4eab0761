//! What a device with a 32-bit ARM processor executes, counted by qemu (`bench/arm/count.c`). No clock is looked at.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Build, Desk, Process};
use tempfile::TempDir;

use crate::figures::{Figure, Row, Unit};
use crate::site::Site;
use crate::Plan;

const BYTES: usize = 10_000_000;
/// So many of a thing less one of it.
const TIMES: u32 = 10;

/// The folder that `bench.sh` has built, with its programs in `bin`.
struct Arm {
    folder: PathBuf,
    output: TempDir,
}

pub fn run(plan: &Plan) -> Vec<Row> {
    let Some(folder) = env::var_os("BENCH_ARM_DIR") else {
        return vec![Row::skipped("instructions on ARM", "it takes Debian 12, whose Rust has a library for it")];
    };
    let arm = Arm { folder: PathBuf::from(folder), output: TempDir::new().expect("a temporary folder") };
    let mut rows = vec![connection(&arm), idle_hour(&arm)];
    for scheme in ["http", "https"] {
        rows.push(upgrade(&arm, scheme, plan));
    }
    rows
}

/// A handshake, the connection, the subscription to update commands, and the end of it.
fn connection(arm: &Arm) -> Row {
    let desk = Desk::new(Build::Key, 1000);
    let often = |times: u32| {
        let (mut process, count) = arm.start(&desk.home, "connections", &[&times.to_string()], &server(&desk));
        assert_eq!(process.finish().code(), 0, "exit code");
        count()
    };
    let (one, many) = (often(1), often(1 + TIMES));
    Row::new(
        "a connection on 32-bit ARM (MQTT over PSK), with its subscription",
        millions((many - one) / f64::from(TIMES)),
    )
    .beside("a whole program that connects once", &millions(one))
}

fn idle_hour(arm: &Arm) -> Row {
    let hours = |hours: u32| {
        let desk = Desk::new(Build::Key, 1000);
        let mut environment = server(&desk);
        environment.push(("LD_PRELOAD", arm.folder.join("bin/hours.so").display().to_string()));
        environment.push(("VIRTUAL_HOURS", hours.to_string()));
        let (mut process, count) = arm.start(&desk.home, "idle", &[], &environment);
        process.wait_for(&["ready"]);
        process.wait_for(&["over"]);
        process.say("");
        assert_eq!(process.finish().code(), 0, "exit code");
        count()
    };
    let (one, many) = (hours(1), hours(1 + TIMES));
    Row::new("an idle hour on 32-bit ARM, connected, loop thread on", millions((many - one) / f64::from(TIMES)))
}

fn upgrade(arm: &Arm, scheme: &str, plan: &Plan) -> Row {
    let site = Site::new(scheme, plan.bytes(BYTES));
    let mut environment = server(&site.desk);
    environment.retain(|(name, _)| *name != "QCLOUD_IOT_CA_FILE");
    environment.push(("QCLOUD_IOT_CA_FILE", site.roots.display().to_string()));
    let (mut process, count) = arm.start(&site.desk.home, "fetch", &[], &environment);
    assert_eq!(process.finish().code(), 0, "exit code");
    let ours = count();

    let (_, rest) = site.url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a path");
    let (host, port) = authority.split_once(':').expect("a port");
    let (path, roots) = (format!("/{path}"), site.roots.display().to_string());
    let mut args = vec![host, port, &path];
    if scheme == "https" {
        args.push(&roots);
    }
    let (mut process, count) = arm.start(&site.desk.home, "least", &args, &[]);
    let finished = process.finish();
    assert_eq!(finished.code(), 0, "exit code");
    finished.assert_says(&[&format!("{} ", site.size())]);
    let least = count();
    let (title, beside) = match scheme {
        "https" => ("HTTPS", "socket, mbedTLS and MD5 in C"),
        _ => ("HTTP", "socket and MD5 in C"),
    };
    Row::new(
        &format!("an upgrade of 10 MB over {title} on 32-bit ARM, from the program's start to its end"),
        millions(ours),
    )
    .beside(beside, &millions(least))
}

fn server(desk: &Desk) -> Vec<(&'static str, String)> {
    let roots = desk.ca_file.display().to_string();
    vec![("QCLOUD_IOT_MQTT_ENDPOINT", desk.endpoint()), ("QCLOUD_IOT_CA_FILE", roots)]
}

fn millions(count: f64) -> Figure {
    Figure::once(Unit::MillionInstructions, count / 1e6)
}

impl Arm {
    /// A program of the folder, and what tells its instructions once it has ended.
    fn start(
        &self,
        home: &Path,
        program: &str,
        args: &[&str],
        environment: &[(&str, String)],
    ) -> (Process, impl Fn() -> f64 + '_) {
        let output = self.output.path().join(program);
        let plugin = format!("file={}", self.folder.join("bin/count.so").display());
        let mut command = Command::new("qemu-arm");
        command.args(["-L", "/usr/arm-linux-gnueabihf", "-plugin", &plugin, "-d", "plugin", "-D"]).arg(&output);
        for (name, value) in environment {
            command.arg("-E").arg(format!("{name}={value}"));
        }
        command.arg(self.folder.join("bin").join(program)).args(args).current_dir(home);
        let name = program.to_owned();
        let count = move || {
            let said = fs::read_to_string(&output).expect("what the plug-in counted");
            let count: f64 = said.trim().parse().expect("a number");
            println!("   {name}: {count} instructions");
            count
        };
        (Process::start(program, &mut command), count)
    }
}
