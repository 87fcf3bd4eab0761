//! MQTT over WebSocket, without TLS, with a pre-shared key and with certificates: the upgrade sample of the 3.3 interface against the hub, and
//! against mosquitto's listeners for WebSocket (resource.md section 9).

use e2e::{assert_good_run, reports, Answer, Build, Desk, Gate, Mosquitto, Server, Street};

const SIZE: usize = 175_436;
const BUILDS: [Build; 2] = [Build::WebSocket, Build::WebSocketCert];
/// A download of 4 s: something can happen meanwhile.
const SLOW: &str = "http:slow=40000";

fn desk(build: Build, faults: &[&str]) -> Desk {
    Desk::with_args(build, SIZE, |_| {
        let mut args = vec!["--upgrade-on-report".to_owned(), "--scheme".to_owned(), build.scheme().to_owned()];
        args.extend(faults.iter().flat_map(|rule| ["--fault".to_owned(), (*rule).to_owned()]));
        args
    })
}

#[test]
fn an_upgrade_over_websocket_goes_through_a_cut() {
    for build in BUILDS {
        for args in [&[][..], &["-l"]] {
            // The last of them bites on a frame of WebSocket only.
            let desk = desk(build, &[SLOW, "mqtt:cut@downloading#1", "mqtt:frame=pieces#1"]);
            desk.expect_upgrade(&mut desk.sample().args(args).start()).assert_says(&["connection is back"]);
            desk.hub.wait_state("done");
            desk.hub.wait("fault", |event| event["rule"] == "mqtt:frame=pieces#1");
            assert_eq!(desk.hub.events_of("connected").len(), 2, "{build:?}");
            assert_eq!(desk.hub.events_of("http").len(), 1, "the download went on untouched");
            assert_eq!(desk.hub.events_of("disconnected").last().map(|event| event["clean"] == true), Some(true));
        }
    }
}

/// KEY mode over TLS. This build's upgrades come by CoAP, so a sample without any shows it.
#[test]
fn messages_go_through_websocket_over_tls_with_a_pre_shared_key() {
    // Bites on a frame of WebSocket only.
    let pieces = "mqtt:frame=pieces#1";
    let whole = desk(Build::Coap, &[pieces]);
    assert_eq!(whole.finish(&mut whole.program("mqtt_sample").args(&["-n", "2"]).start()).code(), 0);
    whole.hub.wait("fault", |event| event["rule"] == pieces);
    assert_eq!(whole.hub.events_of("message").len(), 2);
    assert_eq!(whole.hub.events_of("connected")[0]["listener"], "psk");

    let cut = desk(Build::Coap, &["mqtt:frame=cut#4", "mqtt:websocket=forbidden#2"]);
    let mut sample = cut.program("mqtt_sample").args(&["-n", "1000"]).start();
    sample.wait_for(&["it answered 403, not 101"]);
    sample.wait_for(&["MQTT connection is back"]);
    let mark = sample.lines().mark();
    sample.wait_from(mark, &["was acknowledged"]);
    sample.terminate();
    sample.finish();

    whole.device.with_wrong_secret().write_info(&whole.home, whole.build);
    let refused = whole.finish(&mut whole.program("mqtt_sample").args(&["-n", "1"]).start());
    assert_ne!(refused.code(), 0);
    refused.assert_says(&["err|"]);
}

/// log_upload.md section 8: by the secret, or by the private key, both checked by the hub.
#[test]
fn lines_of_the_log_reach_the_hub_signed_as_3_3_0_does() {
    for build in BUILDS {
        let desk = desk(build, &[]);
        assert_eq!(desk.ask(&["log", &desk.device.client_id(), "--level", "3"]).code(), 0);
        let url = format!("{}/device/reportlog", desk.hub.ready("http"));
        let sample = desk.program("mqtt_sample").environment("QCLOUD_IOT_LOG_ENDPOINT", &url);
        let finished = desk.finish(&mut sample.args(&["-n", "1"]).start());
        assert_eq!(finished.code(), 0, "{build:?}");
        assert!(!finished.says(&[">>LOG-ERR>>"]), "{build:?}");
        desk.hub.wait("log", |event| event["lines"].to_string().contains("published message 1"));
        let refused =
            |event: &serde_json::Value| event["text"].to_string().contains("an upload of log lines is refused");
        assert!(!desk.hub.events_of("warning").iter().any(refused), "{build:?}");
    }
}

/// Says so where this machine's mosquitto has no WebSocket.
fn mosquitto_speaks_websocket() -> bool {
    let speaks = Mosquitto::speaks_websocket();
    if !speaks {
        eprintln!("skipped: this mosquitto was built without WebSocket; Debian's has it");
    }
    speaks
}

#[test]
fn an_upgrade_by_mosquitto_goes_through_its_restart() {
    if !mosquitto_speaks_websocket() {
        return;
    }
    for build in BUILDS {
        let gate = Gate::default();
        let mut server = None;
        let mut street = Street::new(build, SIZE, |site| {
            let (bytes, held) = (site.firmware.bytes.clone(), gate.clone());
            let server =
                server.insert(Server::http(move |request| Answer::file(&bytes, request).stall_after(50_000, &held)));
            server.url("/firmware")
        });
        let mut sample = street.sample().start();
        sample.wait_for(&["downloaded 50000 of"]);
        let before = sample.lines().mark();
        street.mosquitto.restart();
        sample.wait_from(before, &["MQTT connection is back"]);
        street.hub.wait("warning", |event| event["text"] == "connected to the broker again");
        gate.open();
        street.expect_upgrade(&mut sample);
        assert_good_run(&reports(&street.hub, &street.device));
    }
}
