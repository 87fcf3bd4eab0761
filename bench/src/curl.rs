//! curl, which computes no MD5.

use std::path::Path;
use std::process::Command;

/// What curl says of one download.
#[derive(Clone, Copy, Debug)]
pub struct Curl {
    /// From its start to the last byte.
    pub total_s: f64,
    /// From its start to the first byte.
    pub first_byte_s: f64,
}

/// Downloads `url`. `wrapper` stands before the command, such as `ip netns exec`.
pub fn fetch(wrapper: &[&str], url: &str, roots: &Path, expected: usize) -> Curl {
    let mut words = wrapper.to_vec();
    words.extend(["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out"]);
    words.push("%{time_total} %{time_starttransfer} %{size_download}");
    let (program, arguments) = words.split_first().expect("curl at least");
    let output = Command::new(program).args(arguments).arg("--cacert").arg(roots).arg(url).output().expect("curl runs");
    assert!(output.status.success(), "curl failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [total_s, first_byte_s, size] = numbers[..] else { panic!("curl says {text:?}") };
    assert_eq!(size, expected as f64, "bytes that curl got");
    Curl { total_s, first_byte_s }
}
