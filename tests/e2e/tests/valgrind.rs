//! The sample's whole life under valgrind, without a single suppression.
//!
//! The servers take ChaCha20 only: crate ring's AES-GCM (`crypto/fipsmodule/aes/asm/ghash-x86_64.pl`) zeroes registers
//! by copying one and XORing it with its copy, whatever was in it. Memcheck does not see that the result is 0, and
//! takes each tag computed that way for uninitialised.

use std::path::Path;

use e2e::{missing, Answer, Build, Request, Sample, Server, Street, Validity};

const SIZE: usize = 200_000;

fn clean_run(build: Build, args: &[&str]) {
    let valgrind = ["/usr/bin/valgrind", "/usr/local/bin/valgrind"].into_iter().find(|path| Path::new(path).exists());
    let valgrind = valgrind.unwrap_or_else(|| panic!("{}", missing("valgrind", "valgrind")));
    let mut server = None;
    let street = Street::new(build, SIZE, |site| {
        let image = site.firmware.bytes.clone();
        let identity = site.authority.server("localhost", Validity::Now).only_chacha20();
        // One cut, so that the way through a retry is looked at too.
        let script = move |request: &Request| match request.number {
            1 => Answer::file(&image, request).cut_after(SIZE / 4),
            _ => Answer::file(&image, request),
        };
        server.insert(Server::https(&identity, script)).url("/firmware")
    });
    // And the way through a resume.
    Sample::store(&street.home, &street.device, &street.firmware, SIZE / 2);
    let options = [
        valgrind,
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        "--track-origins=yes",
    ];
    let finished = street.expect_upgrade(&mut street.sample().args(args).under(&options).start());
    // Proof that valgrind was there.
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    let last = Some(SIZE - 1);
    let ranges = [Some(SIZE / 2), Some(SIZE / 4 * 3)].map(|first| first.zip(last));
    assert_eq!(server.map(|server| server.ranges()), Some(ranges.to_vec()));
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
