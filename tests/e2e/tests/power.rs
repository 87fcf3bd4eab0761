//! kill -9 at random moments, many in one download: nothing that was saved is lost or fetched again.
//!
//! `POWER_KILLS` says how many (25), `POWER_SEED` repeats the moments of another run as far as the machine does.
//! `cargo test -p e2e --test power -- --nocapture` shows the figures.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use e2e::{ends, Build, Desk};
use serde_json::Value;

const SIZE: usize = 4_000_000;
/// What the server sends in a second, so that a download lasts for some kills.
const BYTES_PER_S: usize = 2_000_000;

/// Numbers without a pattern (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Mostly in the first part of a download, now and then after its end.
    fn moment(&mut self) -> Duration {
        let limit_ms = if self.below(4) == 0 { 3000 } else { 600 };
        Duration::from_millis(self.below(limit_ms))
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let text = env::var(variable);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} needs a number, not {text}")))
}

/// How much the state file says is there; 0 without one. Whatever it says must be true.
fn saved(desk: &Desk) -> usize {
    let Ok(text) = fs::read(desk.state_file()) else { return 0 };
    let shown = String::from_utf8_lossy(&text);
    let state: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("the state file: {error}: {shown}"));
    assert_eq!(state["version"], desk.firmware.version.as_str());
    assert_eq!(state["md5"], desk.firmware.md5().as_str());
    assert_eq!(state["size"], SIZE);
    let saved = state["downloaded"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count of bytes");
    let data = fs::read(desk.bin_file()).expect("the data that the state file speaks of");
    assert!(saved <= data.len(), "the state file speaks of {saved} bytes, there are {}", data.len());
    assert!(data[..saved] == desk.firmware.bytes[..saved], "what is saved is not the firmware");
    saved
}

fn stored(desk: &Desk) -> usize {
    fs::metadata(desk.bin_file()).map_or(0, |bin| usize::try_from(bin.len()).expect("a size in memory"))
}

/// How often `done` was reported.
fn done(desk: &Desk) -> usize {
    ends(&desk.hub, &desk.device).len()
}

/// The first byte of a request that the hub has answered, and how many bytes it sent.
fn request(event: &Value) -> (usize, usize) {
    let first = event["range"].as_str().and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    let sent = event["bytes"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count of bytes");
    (first.expect("the first byte of a range"), sent)
}

/// Each request must have asked for what one of the starts, in this order, had to fetch.
fn assert_asked_for(requests: &[(usize, usize)], starts: &[usize]) {
    let mut starts_left = starts.iter();
    for (number, (first, _)) in requests.iter().enumerate() {
        let due = starts_left.any(|saved| saved == first);
        assert!(
            due,
            "request {number} is for byte {first} on, which no start had to ask for: {requests:?}, {starts:?}"
        );
    }
}

#[test]
fn goes_on_after_each_of_many_kills() {
    let kills = number("POWER_KILLS", 25);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let seed = number("POWER_SEED", now.as_secs());
    println!("{kills} kills, POWER_SEED={seed}");
    let mut random = Random(seed);
    let slow = format!("http:slow={BYTES_PER_S}");
    let desk =
        Desk::with_args(Build::Key, SIZE, |_| ["--upgrade-on-report", "--fault", &slow].map(str::to_owned).to_vec());

    // What each start had to go on from.
    let mut starts = Vec::new();
    let (mut downloads, mut in_mid_download, mut dropped) = (0, 0, 0);
    for _ in 0..kills {
        let before = saved(&desk);
        let done_before = done(&desk);
        starts.push(before);
        let mut sample = desk.sample().start();
        thread::sleep(random.moment());
        sample.kill();
        desk.hub.settle();
        let after = saved(&desk);
        let reported = done(&desk) > done_before;
        assert!(after >= before || reported, "{before} bytes were saved, {after} are left");
        if reported && !desk.state_file().exists() {
            desk.assert_upgraded();
            fs::remove_file(desk.bin_file()).expect("the firmware can be removed");
            downloads += 1;
        } else if !reported {
            in_mid_download += usize::from(stored(&desk) > 0);
            dropped += stored(&desk) - after;
        }
    }
    starts.push(saved(&desk));
    desk.expect_upgrade(&mut desk.sample().start());
    downloads += 1;

    assert!(ends(&desk.hub, &desk.device).iter().all(|end| end == "done"), "a failure was reported");
    let requests: Vec<_> = desk.hub.events_of("http").iter().map(request).collect();
    assert_asked_for(&requests, &starts);
    let sent: usize = requests.iter().map(|(_, bytes)| bytes).sum();
    println!(
        "{in_mid_download} of {kills} kills in mid-download; {downloads} downloads of {SIZE} bytes took {sent} bytes, \
         {} of them sent twice, {dropped} written twice",
        sent - downloads * SIZE
    );
}
