//! KEY mode against programs that are not ours: mosquitto with pre-shared keys, nginx over HTTPS.

use std::fs;

use e2e::{assert_good_run, reports, Authority, Build, Device, Firmware, HubSetup, Mosquitto, Nginx, Sample, Validity};
use tempfile::TempDir;

/// What the C SDK's manual downloads.
const SIZE: usize = 175_436;

fn upgrade(args: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("device");
    let content = folder.path().join("content");
    for path in [&home, &content] {
        fs::create_dir(path).expect("a folder");
    }
    let device = Device::default();
    device.write_info(&home);
    let firmware = Firmware::new(&content, "1.3.0", SIZE);
    let authority = Authority::new(folder.path());
    let nginx = Nginx::start(folder.path(), &content, &authority.server("localhost", Validity::Now));
    let mosquitto = Mosquitto::start(folder.path(), &device);
    let url = nginx.url("firmware-1.3.0?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dx%26q-signature%3Dy%00");
    let hub_args = ["--broker", &mosquitto.url(), "--upgrade-on-report", "--firmware-url", &url];
    let hub = HubSetup::new(folder.path(), &device).firmware(&firmware).args(&hub_args).start();

    let mut sample = Sample::new(Build::Key, "ota_mqtt_sample", &home)
        .endpoint(&mosquitto.psk_address())
        .trusts(authority.file())
        .args(&["-n", "1"])
        .args(args)
        .start();
    let finished = sample.finish();
    assert_eq!(finished.code(), 0);
    hub.wait_state("done");
    assert_good_run(&reports(&hub, &device));
    let stored = fs::read(Sample::bin_file(&home, &device, &firmware.version)).expect("the firmware on the device");
    assert!(stored == firmware.bytes, "the firmware on the device is not the one that was offered");
    assert!(!Sample::state_file(&home, &device).exists());
    // nginx can't open a path with a NUL in it, but a query is none of its business: it must come as it was sent.
    let log = nginx.access_log();
    assert!(log.contains("%26q-signature%3Dy%00 HTTP/1.1|"), "{log}");
}

#[test]
fn mosquitto_and_nginx() {
    upgrade(&[]);
}

#[test]
fn mosquitto_and_nginx_with_loop_thread() {
    upgrade(&["-l"]);
}
