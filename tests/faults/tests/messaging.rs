//! Broadcast, RRPC and remote configuration with a hub that misbehaves (`hub --fault`): what the samples make of each fault,
//! and that all is well after it.

use std::thread;

use e2e::{Build, Desk, Process};

/// How often a message is sent again to a device that may have lost its connection, at most.
const TRIES: usize = 1000;

fn desk(rule: &str) -> Desk {
    Desk::with_args(Build::NoTls, 1000, |_| vec!["--fault".to_owned(), rule.to_owned()])
}

fn start(desk: &Desk, program: &str, rounds: &str) -> Process {
    desk.program(program).args(&["-l", rounds]).start()
}

/// Runs each row on a thread of its own; most of them only wait.
fn each<T: Sync>(rows: &[T], run: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for row in rows {
            scope.spawn(|| run(row));
        }
    });
}

/// The rule must have bitten.
#[track_caller]
fn bitten(desk: &Desk, rule: &str) {
    desk.hub.wait("fault", |event| event["rule"] == rule);
}

#[test]
fn a_subscription_that_fails_is_told_by_every_sample() {
    let programs = [
        ("broadcast_sample", "no subscription to broadcasts"),
        ("rrpc_sample", "no subscription to requests"),
        ("remote_config_mqtt_sample", "no subscription to configurations"),
    ];
    // Remote configuration asks three times.
    let rules = ["mqtt:refuse-subscription", "mqtt:no-answer@subscribe", "mqtt:cut@subscribe"];
    let rows: Vec<_> = programs.iter().flat_map(|program| rules.map(|rule| (*program, rule))).collect();
    each(&rows, |((program, text), rule)| {
        let desk = desk(rule);
        let finished = start(&desk, program, "1").finish();
        assert_ne!(finished.code(), 0, "{program} {rule}");
        finished.assert_says(&[text]);
        bitten(&desk, rule);
    });
}

#[test]
fn broadcasts_that_go_wrong() {
    // What the sample says of the first broadcast; nothing, where it must not hear it.
    let rows = [
        ("mqtt:lose@broadcast#1", None),
        ("mqtt:twice@broadcast#1", Some("broadcast of 6 bytes: closed")),
        ("mqtt:late=1@broadcast#1", Some("broadcast of 6 bytes: closed")),
        ("mqtt:message=empty@broadcast#1", Some("broadcast of 0 bytes")),
        ("mqtt:message=zeros@broadcast#1", Some("broadcast of 5 bytes")),
        ("mqtt:message=noise@broadcast#1", Some("broadcast of 500 bytes")),
        ("mqtt:message=16-kb@broadcast#1", Some("broadcast of 16000 bytes")),
        ("mqtt:message=17-kb@broadcast#1", None),
        ("mqtt:message=elsewhere@broadcast#1", None),
        ("mqtt:cut@broadcast#1", None),
        ("mqtt:reset@broadcast#1", None),
        ("mqtt:late=1@subscribe#1", Some("broadcast of 6 bytes: closed")),
        ("mqtt:first=noise@broadcast#1", Some("broadcast of 6 bytes: closed")),
    ];
    each(&rows, |(rule, heard)| {
        let desk = desk(rule);
        let sample = start(&desk, "broadcast_sample", "1200");
        sample.wait_for(&["subscribed to broadcasts"]);
        let product = desk.device.product_id.as_str();
        assert_eq!(desk.ask(&["broadcast", "--product", product, "closed"]).code(), 0, "{rule}");
        bitten(&desk, rule);
        if let Some(text) = heard {
            sample.wait_for(&[text]);
        }
        // It goes on: the next one is heard, once the device is there again.
        let again = (0..TRIES).any(|_| {
            assert_eq!(desk.ask(&["broadcast", "--product", product, "open"]).code(), 0, "{rule}");
            sample.lines().all().iter().any(|line| line.contains("broadcast of 4 bytes: open"))
        });
        assert!(again, "{rule}: the device does not come back");
        if heard.is_none() {
            let all = sample.lines().all();
            assert!(!all.iter().any(|line| line.contains("bytes: closed")), "{rule}");
        }
    });
}

#[test]
fn requests_that_go_wrong() {
    // Whether the first one is answered in time, and what the hub says of an answer.
    let rows = [
        ("mqtt:lose@request#1", false, None),
        ("mqtt:twice@request#1", true, Some("again")),
        ("mqtt:late=3@request#1", false, Some("late")),
        ("mqtt:message=empty@request#1", true, None),
        ("mqtt:message=zeros@request#1", true, None),
        ("mqtt:message=16-kb@request#1", true, None),
        ("mqtt:message=17-kb@request#1", false, None),
        ("mqtt:message=elsewhere@request#1", false, None),
        ("mqtt:message=id:@request#1", false, None),
        ("mqtt:message=id:12345678901234567@request#1", false, None),
        ("mqtt:message=id:7777@request#1", false, Some("never_asked")),
        ("mqtt:cut@request#1", false, None),
        ("mqtt:cut@answer#1", false, None),
        ("mqtt:reset@answer#1", false, None),
        ("mqtt:late=1@subscribe#1", true, None),
        ("mqtt:first=17-kb@request#1", true, None),
    ];
    each(&rows, |(rule, answered, outcome)| {
        let desk = desk(rule);
        let sample = start(&desk, "rrpc_sample", "1200");
        sample.wait_for(&["ready for requests"]);
        let client_id = desk.device.client_id();
        // Where it must answer, a slow machine may take its time.
        let limit = if *answered { "30000" } else { "2000" };
        let first = desk.ask(&["rrpc", &client_id, "closed", "--timeout", limit]);
        assert_eq!(first.code(), i32::from(!answered), "{rule}");
        bitten(&desk, rule);
        if let Some(outcome) = outcome {
            desk.hub.wait("rrpc", |event| event["outcome"] == *outcome);
        }
        let again = (0..TRIES).any(|_| desk.ask(&["rrpc", &client_id, "open", "--timeout", "30000"]).code() == 0);
        assert!(again, "{rule}: the device does not answer any more");
    });
}

const CONFIGURATION: &str = r#"{"parity":"NONE","baud rate":9600}"#;

#[test]
fn configurations_that_go_wrong() {
    // What the sample says of the first reply.
    let rows = [
        ("mqtt:lose@config#1", "no reply of the cloud: -111"),
        ("mqtt:twice@config#1", "parity: NONE"),
        ("mqtt:late=1@config#1", "parity: NONE"),
        ("mqtt:message=empty@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=noise@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=half@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=zeros@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=nested@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=no-type@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=other-type@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=no-result@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=result-null@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=result-odd@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=elsewhere@config#1", "no reply of the cloud: -111"),
        ("mqtt:message=result-off@config#1", "no configuration: 1001"),
        ("mqtt:message=result-bad@config#1", "no configuration: 1003"),
        ("mqtt:message=no-payload@config#1", "no configuration: 0"),
        ("mqtt:message=16-kb@config#1", "parity: NONE"),
        ("mqtt:late=1@subscribe#1", "parity: NONE"),
        ("mqtt:first=push@config#1", "parity: NONE"),
        ("mqtt:first=half@config#1", "parity: NONE"),
    ];
    each(&rows, |(rule, text)| {
        let desk = desk(rule);
        let set = desk.ask(&["config", "set", &desk.device.product_id, CONFIGURATION]);
        assert_eq!(set.code(), 0, "{rule}");
        start(&desk, "remote_config_mqtt_sample", "1").finish().assert_says(&[text]);
        bitten(&desk, rule);
        let finished = start(&desk, "remote_config_mqtt_sample", "1").finish();
        assert_eq!(finished.code(), 0, "{rule}");
        finished.assert_says(&["parity: NONE"]);
    });
}
