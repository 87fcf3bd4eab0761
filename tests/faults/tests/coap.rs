//! Upgrades that are announced over CoAP by a hub that misbehaves (`hub --fault`): DTLS, and the sample that repeats what
//! was not answered.

use e2e::{each_row, Build, Desk, Sample};

fn desk(rule: &str) -> Desk {
    let args = ["--upgrade-on-report", "--scheme", "https", "--fault", rule];
    Desk::with_args(Build::Coap, 1000, |_| args.map(str::to_owned).into())
}

fn sample(desk: &Desk) -> Sample {
    desk.program("ota_coap_sample").environment("QCLOUD_IOT_COAP_ENDPOINT", &desk.hub.ready("coap_psk"))
}

/// The rule must have bitten.
#[track_caller]
fn bitten(desk: &Desk, rule: &str) {
    desk.hub.wait("fault", |event| event["rule"] == rule);
}

#[test]
fn what_befalls_datagrams_does_not_keep_a_device_from_its_firmware() {
    // What the sample says on its way; nothing, where it must not notice.
    let rows = [
        // The longest first: the sample connects anew after half a minute without a command.
        ("coap:half@auth#1", "the answer is 4.01"),
        ("coap:forget@version#1", "the answer is 4.01"),
        ("coap:gone@version#1", ""),
        ("coap:silent@request#1-2", ""),
        ("coap:no-answer@auth#1", ""),
        ("coap:no-answer@version#1", ""),
        ("coap:no-answer@done#1", ""),
        ("coap:lose@ack#2", ""),
        ("coap:late=0.7@version#1", ""),
        ("coap:late=3@version#1", ""),
        ("coap:late=3@burning#1", ""),
        ("coap:twice@auth", ""),
        ("coap:twice@version", ""),
        ("coap:twice@done", ""),
        ("coap:swap@version#1", ""),
        ("coap:half@done#1", ""),
        ("coap:other-token@auth#1", ""),
        ("coap:other-token@version#1", ""),
        ("coap:no-token@version#1", ""),
        ("coap:reset@auth#1", "it was reset"),
        ("coap:reset@version#1", "it was reset"),
        ("coap:reset@done#1", "upgrade success did not arrive"),
        ("coap:code=5.00@auth#1", "the answer is 5.00"),
        ("coap:code=4.03@version#1", "the answer is 4.03"),
        ("coap:code=5.03@burning#1", "upgrade begin did not arrive"),
        ("coap:payload=0@version#1", "is empty"),
        ("coap:payload=1200@version#1", "1200 bytes"),
        ("coap:payload=4000@version#1", "4000 bytes"),
        ("coap:half@version#1", ""),
        ("coap:close@version#1", "upgrade begin did not arrive"),
        ("coap:forget@burning#1", "upgrade begin did not arrive"),
        ("coap:forget@done#1", "upgrade success did not arrive"),
        ("coap:command=no-md5@version#1", "md5sum"),
        ("coap:answer=apart@auth", ""),
        ("coap:payload=300@auth", ""),
        ("coap:answer=apart@version", ""),
        ("coap:answer=non@version", ""),
        ("coap:answer=empty-ack@version", ""),
        ("coap:answer=alone@version", ""),
        ("coap:send=random@version#1", ""),
        ("coap:send=option-cut@version#1", "was dropped"),
        ("coap:send=request@version#1", ""),
        ("coap:silent@handshake#1", ""),
        ("coap:no-cookie", ""),
    ];
    each_row(&rows, |(rule, text)| {
        let desk = desk(rule);
        let finished = sample(&desk).start().finish();
        assert_eq!(finished.code(), 0, "{rule}");
        finished.assert_says(&[text]);
        desk.hub.wait_state("done");
        desk.assert_upgraded();
        bitten(&desk, rule);
    });
}

#[test]
fn a_device_that_gets_no_token_gives_up() {
    let rule = "coap:code=4.01@auth";
    let desk = desk(rule);
    let finished = sample(&desk).start().finish();
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["the cloud gave no token", "the answer is 4.01"]);
    finished.assert_says(&["the device could not connect"]);
    bitten(&desk, rule);
}
