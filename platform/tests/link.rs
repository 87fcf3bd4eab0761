//! C programs against the platform as a static archive: a user's own `HAL_X` wins, and what it replaces stays out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The archive, built as the tests are: unoptimised, where crates are most entangled.
fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        // The folder of this test run, where the dependencies are built already.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp is inside the target folder");
        run(Command::new(env!("CARGO"))
            .args(["rustc", "--quiet", "--package", "iot-platform", "--lib", "--crate-type", "staticlib"])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target));
        target.join("debug/libiot_platform.a")
    })
}

/// Links and runs a program, without `--gc-sections`; returns its symbols.
fn link_and_run(program: &str) -> String {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program);
    run(Command::new("cc")
        .args(["-std=gnu99", "-Wall", "-Wextra", "-o"])
        .arg(&binary)
        .arg(sources.join(program).with_extension("c"))
        .arg(archive())
        .args(["-lpthread", "-ldl", "-lm"]));
    run(&mut Command::new(&binary));
    run(Command::new("nm").arg(&binary))
}

fn has_tls_stack(symbols: &str) -> bool {
    ["rustls", "ring_core", "4ring", "mbedtls"].iter().any(|name| symbols.contains(name))
}

#[test]
fn own_tls_keeps_ours_out() {
    assert!(!has_tls_stack(&link_and_run("own_tls")));
}

#[test]
fn one_function_of_the_user_wins_and_the_rest_is_ours() {
    let symbols = link_and_run("own_sleep");
    assert!(has_tls_stack(&symbols), "the check for a TLS stack finds one");
}

#[test]
fn one_function_for_datagrams_of_the_user_wins_and_the_rest_is_ours() {
    link_and_run("own_datagrams");
}

#[test]
fn the_library_can_tell_whose_functions_they_are() {
    link_and_run("own_read");
}
