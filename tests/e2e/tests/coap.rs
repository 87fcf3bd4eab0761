//! CoAP with the hub, and the hub's CoAP with somebody else's client.

use std::process::{Command, Stdio};

use base64::prelude::{Engine, BASE64_STANDARD};
use e2e::{Build, Desk, Sample};
use serde_json::Value;

/// Has libcoap's client post something, and returns what the hub answered, or what the client complains of.
fn libcoap(program: &str, args: &[&str], payload: &str, url: &str) -> String {
    let mut command = Command::new(program);
    command.args(["-m", "post", "-B", "10", "-e", payload]).args(args).arg(url);
    let output = command.stdin(Stdio::null()).output().expect("libcoap's client");
    assert!(output.status.success(), "{output:?}");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned()
}

#[test]
fn libcoap_is_a_device() {
    // 2.03 is this cloud's own empty acknowledgement: to libcoap, as to the RFC, it is the response.
    let fault = "coap:answer=empty-ack@version";
    let desk =
        Desk::with_args(Build::Key, 1000, |_| ["--upgrade-on-report", "--fault", fault].map(str::to_owned).into());
    let (product, name, client_id) = (&desk.device.product_id, &desk.device.name, desk.device.client_id());
    let key = BASE64_STANDARD.decode(&desk.device.secret).expect("base64");
    let key = String::from_utf8(key).expect("a key that fits a command line");
    let by_key = ["-u", &client_id, "-k", &key];
    for (program, base, args) in [
        ("coap-client-notls", format!("coap://{}", desk.hub.ready("coap")), &[][..]),
        ("coap-client-openssl", format!("coaps://{}", desk.hub.ready("coap_psk")), &by_key),
    ] {
        let ask = |options: [&str; 2], payload: &str, path: String| {
            let options = [args, &["-O", options[0], "-O", options[1]]].concat();
            libcoap(program, &options, payload, &format!("{base}/{path}"))
        };
        let token = ask(["62,0", "62,0"], "21010406;abcde", format!("{product}/{name}/txauth9w0BAQsFA"));
        assert_eq!(token.len(), 32, "{program}: {token}");
        let token = format!("61,{token}");
        let report = r#"{"type": "report_version", "report":{"version":"1.0.0"}}"#;
        let command = ask([&token, "62,1"], report, format!("$ota/report/{product}/{name}"));
        let command: Value = serde_json::from_str(&command).expect(program);
        assert_eq!(command["type"], "update_firmware", "{program}");
        assert_eq!(ask([&token, "62,0"], "hello", format!("{product}/{name}/data")), "", "{program}");
        let foreign = ask([&token, "62,0"], "hello", format!("{product}/other/data"));
        assert!(foreign.contains("4.03"), "{program}: {foreign}");
        let unknown = ask(["61,0", "62,0"], "hello", format!("{product}/{name}/data"));
        assert!(unknown.contains("4.01"), "{program}: {unknown}");
    }
    desk.hub.wait("message", |event| event["payload"] == "hello");
}

/// The samples post over plain UDP, and the hub has their messages; what the hub does not acknowledge is told of.
#[test]
fn the_samples_post_over_plain_coap() {
    posts(Build::LogUpload, "coap", &[]);
}

/// A device upgrades: signals over `listener`, the firmware from the hub's server.
fn upgrades(desk: &Desk, listener: &str) {
    let upgraded = desk.finish(&mut sample(desk, "ota_coap_sample", listener).start());
    assert_eq!(upgraded.code(), 0);
    desk.assert_upgraded();
    desk.hub.wait_state("done");
}

#[test]
fn ten_megabytes_announced_over_dtls_come_over_https() {
    upgrades(&Desk::new(Build::Coap, 10_000_000), "coap_psk");
}

#[test]
fn an_upgrade_survives_the_loss_of_every_third_datagram() {
    let args = ["--upgrade-on-report", "--scheme", "http", "--fault", "coap:loss=30"].map(str::to_owned);
    upgrades(&Desk::with_args(Build::LogUpload, 100_000, |_| args.into()), "coap");
}

#[test]
#[ignore = "takes builds with CoAP in these modes: tests/targets/run.sh has them"]
fn the_samples_post_over_dtls() {
    posts(Build::Key, "coap_psk", &[]);
    posts(Build::Cert, "coap_cert", &[]);
}

#[test]
fn a_message_that_was_lost_is_sent_again() {
    posts(Build::LogUpload, "coap", &["--fault", "coap:silent@message#1"]);
}

#[test]
fn a_message_that_is_refused_is_told_of() {
    let desk =
        Desk::with_args(Build::LogUpload, 1000, |_| ["--fault", "coap:code=4.03@message"].map(str::to_owned).into());
    let refused = sample(&desk, "coap_sample", "coap").start().finish();
    assert_eq!(refused.code(), 1);
    refused.assert_says(&["did not arrive: event -2"]);
}

fn sample(desk: &Desk, name: &str, listener: &str) -> Sample {
    desk.program(name).environment("QCLOUD_IOT_COAP_ENDPOINT", &desk.hub.ready(listener))
}

fn posts(build: Build, listener: &str, args: &[&str]) {
    let desk = Desk::with_args(build, 1000, |_| args.iter().map(|arg| (*arg).to_owned()).collect());
    for (name, payload) in [
        ("coap_sample", r#"{"action":"hello world"}"#),
        ("door_coap_sample", r#"{"action": "come_home", "targetDevice": "air_conditioner"}"#),
    ] {
        let finished = sample(&desk, name, listener).start().finish();
        assert_eq!(finished.code(), 0, "{name}");
        finished.assert_says(&["inf|", "arrived"]);
        desk.hub.wait("message", |event| event["payload"] == payload);
    }
}
