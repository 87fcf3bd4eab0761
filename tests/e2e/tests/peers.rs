//! Programs that are not ours: mosquitto with pre-shared keys or mutual TLS, nginx over HTTPS.

use e2e::{assert_good_run, reports, Build, Nginx, Street, Validity};

/// What the C SDK's manual downloads.
const SIZE: usize = 175_436;

fn upgrade(build: Build, args: &[&str]) {
    let mut nginx = None;
    let street = Street::new(build, SIZE, |site| {
        let content = site.firmware.path.parent().expect("a folder");
        let server =
            nginx.insert(Nginx::start(site.folder, content, &site.authority.server("localhost", Validity::Now)));
        server.url("firmware-1.3.0?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dx%26q-signature%3Dy%00")
    });
    street.expect_upgrade(&mut street.sample().args(args).start());
    assert_good_run(&reports(&street.hub, &street.device));
    // The query came as it was sent, escapes and all.
    let log = nginx.expect("it was started").access_log();
    assert!(log.contains("%26q-signature%3Dy%00 HTTP/1.1|"), "{log}");
}

#[test]
fn mosquitto_and_nginx() {
    upgrade(Build::Key, &[]);
}

#[test]
fn mosquitto_and_nginx_with_loop_thread() {
    upgrade(Build::Key, &["-l"]);
}

#[test]
fn mosquitto_with_certificates_and_nginx() {
    upgrade(Build::Cert, &[]);
}
