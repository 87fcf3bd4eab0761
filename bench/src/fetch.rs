//! Runs of `bench/c/fetch.c`.

use std::path::Path;
use std::process::Command;

use e2e::{Build, Process};
use serde::Deserialize;

use crate::site::Site;

/// Its last line.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Fetched {
    bytes: usize,
    /// From the update command to the first block.
    pub first_byte_s: f64,
    /// From the update command to the last block.
    pub download_s: f64,
}

/// One upgrade by our program, or by the peer's.
pub fn run(peer: Option<&Path>, site: &Site, args: &[&str]) -> Fetched {
    let program = peer.map_or_else(|| Build::Key.program("fetch"), Path::to_owned);
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(&site.desk.home)
        .env("QCLOUD_IOT_MQTT_ENDPOINT", site.desk.endpoint())
        .env("QCLOUD_IOT_CA_FILE", &site.roots);
    let mut process = Process::start("fetch", &mut command);
    let finished = process.finish();
    let fetched: Option<Fetched> = finished.lines.iter().rev().find_map(|line| serde_json::from_str(line).ok());
    assert_eq!(finished.code(), 0, "exit code");
    let fetched = fetched.expect("a line of JSON");
    assert_eq!(fetched.bytes, site.size(), "bytes of firmware");
    fetched
}

/// Bytes in a time, in MB/s.
pub fn speed(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}
