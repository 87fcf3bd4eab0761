//! One process takes upgrades for a long time, through one random fault after another; its memory must stay flat.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use e2e::{Build, Desk, Process, Secrets};

/// Bytes of the firmware: 60 of the device's buffers.
const SIZE: usize = 300_000;
/// Attempts before memory is looked at: every path has been taken by then.
const WARM_UP: usize = 60;
/// Every so many attempts there is no fault, and the upgrade must work.
const CLEAN_EVERY: usize = 10;
/// How much more memory than after the warm-up counts as a leak. A connection's buffers come and go.
const RSS_SLACK_KB: u64 = 1024;
const HEAP_SLACK: u64 = 32 * 1024;
/// The same where the device has destroyed everything it had.
const IDLE_SLACK: u64 = 1024;

/// What may happen. Each passes by itself, soon.
const FAULTS: &[&str] = &[
    "http:cut=0#1",
    "http:cut=100000#1",
    "http:cut=250001#1",
    "http:cut=100000#1-2",
    "http:reset=100000#1",
    "http:cut-head=30#1",
    "http:stall=100000,for=2#1",
    "http:slow=100000#1",
    "http:short=10#1",
    "http:no-length#1",
    "http:chunked=777#1",
    "http:bad-chunk=100000#1",
    "http:content-range=begin#1",
    "http:ignore-range#1",
    "http:status=403#1",
    "http:status=404#1",
    "http:status=503#1",
    "http:page#1",
    "http:redirect=self#1-3",
    "http:redirect=http#1",
    "http:huge-head=60000#1",
    "http:huge-head=70000#1",
    "http:header=no colon#1",
    "http:two-lengths#1",
    "http:garbage#1",
    "http:corrupt=100000#1",
    "http:other-file#1",
    "http:refuse#1",
    "http:hang-up#1",
    "http:away=1#1",
    "http:cert=expired#1",
    "http:cert=wrong-host#1",
    "http:old-tls#1",
    "http:cut-handshake#1",
    "mqtt:cut@publish#1",
    "mqtt:cut@downloading#1",
    "mqtt:reset@downloading#1",
    "mqtt:away=2@downloading#1",
    "mqtt:silent@downloading#1",
    "mqtt:no-answer@version#1",
    "mqtt:no-answer@burning#1",
    "mqtt:cut@done#1",
    "mqtt:half@subscribe#1",
    "mqtt:refuse-subscription#1",
    "mqtt:connack=3#1",
    "mqtt:hang-up#1",
    "mqtt:twice@message#1-3",
    "mqtt:lose@order#1",
    "mqtt:half@order#1",
    "mqtt:command=repeat@downloading#1",
    "mqtt:command=other@downloading#1",
    "mqtt:command=no-md5@version#1",
    "mqtt:command=version-long@version#1",
    "mqtt:command=nested@version#1",
    "mqtt:command=md5-wrong#1",
    "mqtt:send=type-0@downloading#1",
    "mqtt:send=publish-past-end@version#1",
    "mqtt:send=connack-again@version#1",
    "mqtt:send=suback-unknown@version#1",
    "mqtt:send=random@downloading#1",
    "mqtt:send=long-message@version#1",
];

/// Takes upgrades in one process for a long time.
#[derive(Args)]
pub struct SoakArgs {
    /// How long
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Which random faults: the same seed, the same faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The device's program; default: the one that `./test.sh faults` has built
    #[arg(long, value_name = "FILE")]
    device: Option<PathBuf>,
}

/// A device's memory after an attempt.
#[derive(Clone, Copy)]
struct Sample {
    rss_kb: u64,
    heap: u64,
}

#[derive(Default)]
struct Record {
    ok: usize,
    failed: usize,
    cancelled: usize,
    clean_failures: Vec<usize>,
    samples: Vec<Sample>,
    /// Heap in use when everything is destroyed.
    idle: Vec<u64>,
}

/// Runs it; true where all is well.
pub fn soak(args: &SoakArgs) -> bool {
    let mut desk = Desk::new(Build::Key, SIZE);
    let program = args.device.clone().unwrap_or_else(default_device);
    let mut command = Command::new(&program);
    command.current_dir(&desk.home).env("QCLOUD_IOT_MQTT_ENDPOINT", desk.endpoint());
    command.env("QCLOUD_IOT_CA_FILE", &desk.ca_file);
    // Without a cache in each thread, which counts as memory in use.
    command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    let secrets = Secrets::of_device_in(&desk.home);
    let mut device = Process::start_with_secrets("soak_device", &mut command, secrets);
    let record = drive(&mut desk, &mut device, Duration::from_secs(args.minutes * 60), args.seed);
    desk.hub.say("fault off");
    device.terminate();
    let code = device.finish().code();
    let met: Vec<String> =
        desk.hub.events_of("fault").iter().filter_map(|event| Some(event["rule"].as_str()?.to_owned())).collect();
    let kinds: BTreeSet<&String> = met.iter().collect();
    println!(
        "soak: {} min, {} upgrades done, {} attempts failed, {} cancelled, {} faults met ({} kinds)",
        args.minutes,
        record.ok,
        record.failed,
        record.cancelled,
        met.len(),
        kinds.len()
    );
    let bad = desk.hub.events_of("warning").into_iter().filter(|event| event["text"].as_str().is_some_and(is_bad_rule));
    let mut problems: Vec<String> = bad.map(|event| event.to_string()).collect();
    problems.extend(memory(&record.samples));
    problems.extend(idle(&record.idle));
    if code != 0 {
        problems.push(format!("the device ended with {code}"));
    }
    if !record.clean_failures.is_empty() {
        problems.push(format!("without a fault, these attempts failed: {:?}", record.clean_failures));
    }
    for problem in &problems {
        println!("soak: {problem}");
    }
    println!("soak: {}", if problems.is_empty() { "passed" } else { "FAILED" });
    problems.is_empty()
}

fn is_bad_rule(warning: &str) -> bool {
    warning.starts_with("bad fault rule")
}

fn default_device() -> PathBuf {
    let output = std::env::var_os("E2E_KEY_DIR").unwrap_or_default();
    let build = Path::new(&output).parent().unwrap_or(Path::new("."));
    build.join("tests/faults/soak_device")
}

/// Meets the device after each attempt with faults for the next one.
fn drive(desk: &mut Desk, device: &mut Process, time: Duration, seed: u64) -> Record {
    let (begin, mut minute) = (Instant::now(), 0);
    let mut record = Record::default();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut seen = 0;
    while begin.elapsed() < time {
        let seen_before = seen;
        device.say("go");
        let line = device.lines().wait(seen, "the device ends an attempt", |line| {
            seen += 1;
            record.idle.extend(line.strip_prefix("idle heap ").and_then(|heap| heap.parse::<u64>().ok()));
            line.starts_with("attempt ")
        });
        let number = record.samples.len() + 1;
        let words: Vec<&str> = line.split(' ').collect();
        let clean = number % CLEAN_EVERY == 1;
        match words.get(2) {
            Some(&"ok") => record.ok += 1,
            Some(&"cancelled") => record.cancelled += 1,
            _ if clean => {
                println!(
                    "attempt {number} failed without a fault:\n  {}",
                    device.lines().all()[seen_before..].join("\n  ")
                );
                record.clean_failures.push(number);
            }
            _ => record.failed += 1,
        }
        let heap = words.get(4).and_then(|heap| heap.parse().ok()).unwrap_or(0);
        record.samples.push(Sample { rss_kb: rss_kb(device.id()), heap });
        order(desk, "off");
        if (number + 1) % CLEAN_EVERY != 1 {
            for _ in 0..random.below(4) {
                order(desk, FAULTS[random.below(FAULTS.len())]);
            }
        }
        if begin.elapsed().as_secs() / 60 > minute {
            minute = begin.elapsed().as_secs() / 60;
            let now = record.samples[record.samples.len() - 1];
            println!(
                "{minute:3} min: {} upgrades, {} failed, RSS {} kB, heap {} bytes",
                record.ok, record.failed, now.rss_kb, now.heap
            );
        }
    }
    record
}

/// Gives a rule to the hub, which has taken it then.
fn order(desk: &mut Desk, rule: &str) {
    let before = desk.hub.out().mark();
    desk.hub.say(&format!("fault {rule}"));
    let taken = |line: &String| line.contains(r#""event":"note""#) || line.contains("bad fault rule");
    desk.hub.out().wait(before, "the hub takes a rule", taken);
}

fn rss_kb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Tells of the memory, and what is wrong with it.
fn memory(samples: &[Sample]) -> Vec<String> {
    let Some(warm) = samples.get(WARM_UP..).filter(|warm| warm.len() >= 8) else {
        return vec![format!("{} attempts are too few to tell of memory: more minutes are needed", samples.len())];
    };
    let (early, late) = (&warm[..warm.len() / 4], &warm[warm.len() * 3 / 4..]);
    let mut problems = Vec::new();
    let mut compare = |what: &str, slack: u64, value: &dyn Fn(&Sample) -> u64| {
        let (before, after) = (median(early, value), median(late, value));
        let first = samples.first().map_or(0, value);
        let last = samples.last().map_or(0, value);
        let max = samples.iter().map(value).max().unwrap_or(0);
        println!("soak: {what}: first {first}, last {last}, max {max}; median early {before}, late {after}");
        if after > before + slack {
            problems.push(format!("{what} grows from {before} to {after}"));
        }
    };
    compare("RSS in kB", RSS_SLACK_KB, &|sample| sample.rss_kb);
    compare("heap in bytes", HEAP_SLACK, &|sample| sample.heap);
    problems
}

/// The same of the heap when everything is destroyed.
fn idle(heaps: &[u64]) -> Option<String> {
    // The first ones were before all that is made once had been made.
    let early = *heaps.get(heaps.len() / 4)?;
    let last = *heaps.last()?;
    println!("soak: heap with everything destroyed, in bytes: {heaps:?}");
    (last > early + IDLE_SLACK).then(|| format!("the heap with everything destroyed grows from {early} to {last}"))
}

fn median(samples: &[Sample], value: &dyn Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(value).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Xorshift: which faults come need not be more random than that.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % limit as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(heap: impl Fn(u64) -> u64) -> usize {
        let samples: Vec<Sample> = (0..400).map(|n| Sample { rss_kb: 8000, heap: heap(n) }).collect();
        memory(&samples).len()
    }

    #[test]
    fn a_leak_is_found_and_noise_is_not() {
        assert_eq!(problems(|_| 100_000), 0);
        assert_eq!(problems(|n| 100_000 + n % 7 * 5000), 0);
        assert_eq!(problems(|n| 100_000 + n * 200), 1);
        assert_eq!(memory(&[]).len(), 1);
        assert_eq!(idle(&[5, 90_000, 90_000, 91_000, 90_000]), None);
        assert_eq!(idle(&[]), None);
        assert!(idle(&[5, 90_000, 91_000, 92_000, 93_000]).is_some());
    }
}
