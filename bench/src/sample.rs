//! The sample as it stands in `c_examples/`: 5,000-byte buffers, `IOT_MQTT_Yield(100)` after each, its state on disk.

use std::path::Path;
use std::time::Instant;

use e2e::{Build, Desk, Sample};

use crate::fetch::{self, speed};
use crate::figures::{in_turns, BarKind, Figure, Goal, Row, Unit};
use crate::link::Link;
use crate::site::Site;
use crate::{curl, Plan};

const BYTES: usize = 10_000_000;
const ROUNDS: usize = 9;
/// Of the link, which takes its time.
const LINK_ROUNDS: usize = 3;
/// What a C SDK gets through in the time there is.
const PEER_BYTES: usize = 500_000;

/// Seconds of one run.
struct Run {
    /// From its start to its end, which comes after the acknowledgement of the result.
    whole: f64,
    /// From the update command until the MD5 is checked.
    download: f64,
}

/// The sample's command line, as a user types it.
pub fn command(desk: &Desk, roots: &Path) -> Sample {
    Sample::new(Build::Key, "ota_mqtt_sample", &desk.home).endpoint(&desk.endpoint()).trusts(roots).args(&["-n", "1"])
}

fn run(desk: &Desk, command: &Sample) -> Run {
    let begin = Instant::now();
    let mut process = command.start();
    process.wait_for(&["update command: version"]);
    let ordered = Instant::now();
    process.wait_for(&["MD5 matches"]);
    let download = ordered.elapsed().as_secs_f64();
    let finished = process.finish();
    let whole = begin.elapsed().as_secs_f64();
    assert_eq!(finished.code(), 0, "exit code");
    desk.assert_upgraded();
    Run { whole, download }
}

pub fn on_loopback(plan: &Plan) -> Vec<Row> {
    let site = Site::new("https", plan.bytes(BYTES));
    let command = command(&site.desk, &site.roots);
    let mut download = Figure::new(Unit::MegabytesPerSecond);
    let mut ours = || {
        let run = run(&site.desk, &command);
        download.push(speed(site.size(), run.download));
        speed(site.size(), run.whole)
    };
    let figures = in_turns(plan.rounds(ROUNDS), Unit::MegabytesPerSecond, &mut [("from start to end", &mut ours)]);
    let [whole] = figures.as_slice() else { unreachable!("one figure") };
    let mut row =
        Row::new("sample unchanged, 10 MB over HTTPS, MQTT over PSK, from its start to its end", whole.clone())
            .beside("the download alone", &download)
            .goal(Goal::at_least(5.0, whole.median(), "MB/s"))
            .bar("this library", whole.median(), BarKind::Ours);
    if let Some(peer) = &plan.peer {
        let site = Site::new("https", PEER_BYTES);
        println!("   the C SDK, {PEER_BYTES} bytes");
        let fetched = fetch::run(Some(peer), &site, &["-b", "5000", "-y", "100"]);
        let c_sdk = Figure::once(Unit::MegabytesPerSecond, speed(site.size(), fetched.download_s));
        row = row
            .beside("C SDK, the download alone", &c_sdk)
            .goal(Goal::at_least(100.0, whole.median() / c_sdk.median(), "times the C SDK"))
            .bar("C SDK", c_sdk.median(), BarKind::CSdk);
    }
    vec![row]
}

pub fn over_link(plan: &Plan) -> Vec<Row> {
    let case = "the same over a link of 10 Mbit/s and 50 ms, the download alone";
    let link = match Link::new() {
        Ok(link) => link,
        Err(reason) => return vec![Row::skipped(case, &reason)],
    };
    let address = format!("{}:0", link.address());
    let desk = Desk::with_args(Build::Key, plan.bytes(BYTES), |_| {
        let words = ["--upgrade-on-report", "--mqtt-psk", &address, "--https", &address, "--host", link.address()];
        words.map(str::to_owned).to_vec()
    });
    let wrapper = link.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let command = command(&desk, &desk.ca_file).under(&wrapper);
    let bytes = desk.firmware.size();
    let url = format!("{}/firmware/{}", desk.hub.ready("https"), desk.firmware.version);
    let mut whole = Figure::new(Unit::Seconds);
    let mut ours = || {
        let run = run(&desk, &command);
        whole.push(run.whole);
        speed(bytes, run.download)
    };
    let mut by_curl = || speed(bytes, curl::fetch(&wrapper, &url, &desk.ca_file, bytes).total_s);
    let figures = in_turns(
        plan.rounds(LINK_ROUNDS),
        Unit::MegabytesPerSecond,
        &mut [("sample", &mut ours), ("curl", &mut by_curl)],
    );
    let [ours, by_curl] = figures.as_slice() else { unreachable!("one figure each") };
    let row = Row::new(case, ours.clone())
        .beside("curl over the same link", by_curl)
        .beside("the sample from its start to its end", &whole)
        .goal(Goal::at_least(0.9, ours.median() / by_curl.median(), "of curl"));
    vec![row]
}
