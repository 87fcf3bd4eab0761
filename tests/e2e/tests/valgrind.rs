//! The sample's whole life under valgrind.

use std::path::Path;

use e2e::{missing, Build, Desk};

const SIZE: usize = 200_000;

fn clean_run(build: Build, args: &[&str]) {
    let valgrind = ["/usr/bin/valgrind", "/usr/local/bin/valgrind"].into_iter().find(|path| Path::new(path).exists());
    let valgrind = valgrind.unwrap_or_else(|| panic!("{}", missing("valgrind", "valgrind")));
    let desk = Desk::new(build, SIZE);
    let options = [
        valgrind,
        "--error-exitcode=9",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=definite,indirect,possible",
        "--track-fds=no",
    ];
    let finished = desk.expect_upgrade(&mut desk.sample().args(args).under(&options).start());
    // Proof that valgrind was there.
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
}

#[test]
fn key_mode() {
    clean_run(Build::Key, &[]);
}

#[test]
fn key_mode_with_loop_thread() {
    clean_run(Build::Key, &["-l"]);
}

#[test]
fn cert_mode() {
    clean_run(Build::Cert, &[]);
}
