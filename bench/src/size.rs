//! Sizes of stripped programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::Build;
use tempfile::TempDir;

use crate::c_sdk;
use crate::figures::{Figure, Goal, Row, Unit};

pub fn run() -> Vec<Row> {
    let sample = stripped(&Build::Key.program("ota_mqtt_sample"));
    let with = stripped(&Build::Key.program("own_tls"));
    let without = stripped(&Build::Key.program("own_tls_alone"));
    let kilobytes = |size: f64| Figure::once(Unit::Kilobytes, size);
    vec![
        Row::new("sample, static, TLS inside, stripped", kilobytes(sample))
            .beside("C SDK", &kilobytes(c_sdk::SIZE))
            .goal(Goal::at_most(2.0, sample / c_sdk::SIZE, "times the C SDK")),
        Row::new("what the library adds to the stripped sample whose platform brings TLS", kilobytes(with - without))
            .beside("the sample with its TLS code, linked without the library", &kilobytes(without))
            .goal(Goal::at_most(300.0, with - without, "kB")),
    ]
}

/// In kB.
pub fn stripped(program: &Path) -> f64 {
    let folder = TempDir::new().expect("a temporary folder");
    let output = folder.path().join("stripped");
    let status = Command::new("strip").arg("-o").arg(&output).arg(program).status().expect("strip runs");
    assert!(status.success(), "strip {}", program.display());
    let size = fs::metadata(&output).expect("the stripped program").len() as f64 / 1e3;
    println!("   {}: {size:.0} kB", program.file_name().unwrap_or_default().to_string_lossy());
    size
}
