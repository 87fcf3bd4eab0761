//! What `./bench.sh` runs: the library's speed and size beside the limits of the machine it runs on.
//!
//! It starts its own servers, runs each case several times in turns with its limit, prints medians and ratios, and puts
//! them into `BENCHMARKS.md` and a plot. What is measured are the C programs of the build folders; like the whole-system
//! tests, whose harness it uses, it panics where something fails.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

mod api;
mod arm;
mod c_sdk;
mod coap;
mod curl;
mod devices;
mod fetch;
mod figures;
mod first_byte;
mod gateway;
mod hub;
mod idle;
mod limit;
mod link;
mod loops;
mod machine;
mod many;
mod memory;
mod plot;
mod report;
mod round_trips;
mod sample;
mod services;
mod site;
mod size;

use figures::Row;

/// Measures the library beside the limits of this machine.
#[derive(Parser)]
#[command(name = "bench.sh")]
struct Args {
    /// Run each case once and on less data, to see that it works; nothing is written
    #[arg(long)]
    quick: bool,
    /// Only these cases; nothing is written
    #[arg(long, value_enum, value_name = "CASE", num_args = 1..)]
    only: Vec<Case>,
    /// A folder with `fetch`, built from bench/c/fetch.c with the C SDK, to be measured beside ours
    #[arg(long, value_name = "DIR")]
    peer: Option<PathBuf>,
    /// Where BENCHMARKS.md and docs/benchmarks.svg are
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// The unchanged sample, 10 MB over HTTPS
    Sample,
    /// The same over a link of 10 Mbit/s and 50 ms
    Link,
    /// Download loops, 100 MB over HTTP and HTTPS
    Loops,
    /// Heap and resident memory of the sample
    Memory,
    /// Stripped programs
    Size,
    /// From the update command to the first byte of firmware
    FirstByte,
    /// 1,000 devices in one process
    Many,
    /// 200 devices upgrading through one hub at once
    #[value(name = "hub-200")]
    Hub,
    /// A device with nothing to do
    Idle,
    /// What each service adds to a stripped program
    Services,
    /// A shadow's update and a request to a device, there and back
    RoundTrips,
    /// 200 devices behind one gateway
    #[value(name = "gateway-200")]
    Gateway,
    /// An upgrade that is announced over CoAP
    Coap,
    /// Instructions on 32-bit ARM
    Arm,
}

/// What the command line says about every case.
pub struct Plan {
    quick: bool,
    peer: Option<PathBuf>,
}

impl Plan {
    /// How often a case is run: an odd number, so that one of them is the median.
    fn rounds(&self, usual: usize) -> usize {
        if self.quick {
            1
        } else {
            usual
        }
    }

    /// Bytes of firmware.
    fn bytes(&self, usual: usize) -> usize {
        if self.quick {
            usual / 10
        } else {
            usual
        }
    }
}

impl Case {
    fn run(self, plan: &Plan) -> Vec<Row> {
        match self {
            Case::Sample => sample::on_loopback(plan),
            Case::Link => sample::over_link(plan),
            Case::Loops => loops::run(plan),
            Case::Memory => memory::run(plan),
            Case::Size => size::run(),
            Case::FirstByte => first_byte::run(plan),
            Case::Many => many::run(plan),
            Case::Hub => hub::run(plan),
            Case::Idle => idle::run(plan),
            Case::Services => services::run(),
            Case::RoundTrips => round_trips::run(plan),
            Case::Gateway => gateway::run(plan),
            Case::Coap => coap::run(plan),
            Case::Arm => arm::run(plan),
        }
    }
}

fn main() {
    let args = Args::parse();
    let peer = args.peer.map(|folder| {
        let program = folder.join("fetch");
        program.canonicalize().unwrap_or_else(|error| {
            let text = format!("--peer: {}: {error}\n", program.display());
            Args::command().error(ErrorKind::ValueValidation, text).exit()
        })
    });
    let plan = Plan { quick: args.quick, peer };
    let cases = if args.only.is_empty() { Case::value_variants().to_vec() } else { args.only.clone() };
    if plan.quick {
        println!("Each case once and on less data than its name says: the figures mean nothing.");
    }
    let mut rows = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let name = case.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        println!("== {name} ({} of {})", index + 1, cases.len());
        rows.extend(case.run(&plan));
    }
    println!("\n{}", report::text(&rows));
    if !args.quick && args.only.is_empty() {
        report::write(&args.root, &rows);
    }
}
