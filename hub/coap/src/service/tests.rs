use hub_fault::Faults;

use super::*;

const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 4000);
const DATA: &str = "P1/dev1/data";
const REPORT: &str = "$ota/report/P1/dev1";
const VERSION: &[u8] = br#"{"type": "report_version", "report":{"version":"1.0"}}"#;
const COMMAND: &str = r#"{"file_size":7,"md5sum":"00","type":"update_firmware","url":"http://h/f","version":"2.0"}"#;

/// A hub with the devices P1dev1 and P1dev2, which answers reports and remembers what it was told.
#[derive(Default)]
struct Hub {
    faults: Faults,
    said: Vec<String>,
    full: bool,
}

impl Cloud for Hub {
    fn knows(&self, owner: &Owner) -> bool {
        owner.product_id == "P1" && ["dev1", "dev2"].contains(&owner.device_name.as_str())
    }

    fn token(&self) -> Option<Vec<u8>> {
        Some(b"TOKEN12345".to_vec())
    }

    fn deliver(&mut self, client_id: &str, topic: &str, payload: &[u8]) -> Option<Vec<u8>> {
        if self.full {
            return None;
        }
        self.said.push(format!("{client_id} {topic} {}", String::from_utf8_lossy(payload)));
        Some(if payload == VERSION { COMMAND.as_bytes().to_vec() } else { Vec::new() })
    }

    fn emit(&self, _event: &Event) {}

    fn faults(&self, happened: &[CoapEvent]) -> Vec<CoapEffect> {
        self.faults.coap(happened)
    }
}

struct Bench {
    hub: Hub,
    service: Service,
    now: Instant,
}

impl Bench {
    fn new(rules: &[&str]) -> Self {
        let hub = Hub::default();
        rules.iter().for_each(|rule| hub.faults.add(rule).expect(rule));
        Bench { hub, service: Service::new(Listener::Coap, 0x7000), now: Instant::now() }
    }

    /// One whose device has its token.
    fn admitted(rules: &[&str]) -> Self {
        let mut bench = Bench::new(rules);
        assert_eq!(bench.hears(&auth("P1/dev1")), [b"\x62\x45\x00\x01ab\xffTOKEN12345".to_vec()]);
        bench
    }

    fn out(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.service.next_output()).map(|(_, datagram)| datagram).collect()
    }

    /// What comes back for a datagram at once.
    fn hears(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.hears_of(None, datagram)
    }

    fn hears_of(&mut self, proven: Option<&str>, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.service.receive(self.now, PEER.into(), proven, datagram, &mut self.hub);
        self.out()
    }

    /// The code of the only answer.
    fn code(&mut self, datagram: &[u8]) -> u8 {
        match self.hears(datagram).as_slice() {
            [answer] => answer[1],
            other => panic!("{other:x?}"),
        }
    }

    /// What comes after some time.
    fn after(&mut self, seconds: f64) -> Vec<Vec<u8>> {
        self.now += Duration::from_secs_f64(seconds);
        self.service.tick(self.now, &self.hub);
        self.out()
    }
}

fn option(out: &mut Vec<u8>, delta: usize, value: &[u8]) {
    let nibble = |number: usize| if number < 13 { (number, None) } else { (13, Some(number - 13)) };
    let ((delta, more_delta), (length, more_length)) = (nibble(delta), nibble(value.len()));
    let byte = |number: usize| u8::try_from(number).expect("a byte");
    out.push(byte(delta << 4 | length));
    out.extend([more_delta, more_length].into_iter().flatten().map(byte));
    out.extend(value);
}

fn message(id: u16, path: &str, proof: &[u8], wants: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x42, 2];
    out.extend(id.to_be_bytes());
    out.extend(b"ab");
    option(&mut out, 11, path.as_bytes());
    let before = if proof.is_empty() { 11 } else { 61 };
    if !proof.is_empty() {
        option(&mut out, 50, proof);
    }
    option(&mut out, 62 - before, wants);
    if !payload.is_empty() {
        out.push(0xff);
        out.extend(payload);
    }
    out
}

fn auth(device: &str) -> Vec<u8> {
    message(1, &format!("{device}/txauth9w0BAQsFA"), b"", b"0", b"21010406;y6qo9\0\0")
}

fn plain(id: u16, path: &str) -> Vec<u8> {
    message(id, path, b"TOKEN12345", b"0", b"{}")
}

fn version(id: u16) -> Vec<u8> {
    message(id, REPORT, b"TOKEN12345", b"1", VERSION)
}

#[test]
fn only_known_devices_get_a_token() {
    let mut bench = Bench::admitted(&[]);
    assert_eq!(bench.hears(&auth("P1/dev3")), [b"\x62\x81\x00\x01ab"]);
    // The client id is the same, the device is not.
    assert_eq!(bench.code(&auth("P/1dev1")), code::UNAUTHORIZED);
    for path in ["P1/dev1/txauth9w0BAQsFA/x", "P1/dev1/txauth", "/dev1/txauth9w0BAQsFA", "P1//txauth9w0BAQsFA"] {
        assert_eq!(bench.code(&message(2, path, b"", b"0", b"21010406;y6qo9\0\0")), code::UNAUTHORIZED, "{path}");
    }
    let bad = message(3, "P1/dev1/txauth9w0BAQsFA", b"", b"0", b"21010407;y6qo9\0\0");
    assert_eq!(bench.code(&bad), code::BAD_REQUEST);
    assert!(bench.hub.said.is_empty());
}

#[test]
fn what_dtls_has_proved_counts() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.hears_of(Some("P1dev2"), &auth("P1/dev1"))[0][1], code::UNAUTHORIZED);
    assert_eq!(
        bench.hears_of(Some("P1dev1"), &message(2, "P1/dev1/txauth9w0BAQsFA", b"", b"0", b"21010406;"))[0][1],
        0x45
    );
    assert_eq!(bench.hears_of(Some("P1dev2"), &plain(3, "P1/dev2/data"))[0][1], code::UNAUTHORIZED);
    assert_eq!(bench.hears_of(Some("P1dev1"), &plain(4, DATA))[0][1], code::CONTENT);
}

#[test]
fn messages_need_a_token_and_their_own_topic() {
    let mut bench = Bench::admitted(&[]);
    assert_eq!(bench.hears(&plain(2, DATA)), [b"\x62\x45\x00\x02ab"]);
    assert_eq!(bench.code(&plain(3, "P1/dev2/data")), code::FORBIDDEN);
    assert_eq!(bench.code(&plain(4, "$ota/report/P1/dev2")), code::FORBIDDEN);
    assert_eq!(bench.code(&plain(5, "$sys/operation/P1/dev1")), code::FORBIDDEN);
    assert_eq!(bench.code(&message(6, DATA, b"TOKEN1234", b"0", b"{}")), code::UNAUTHORIZED);
    assert_eq!(bench.code(&message(7, DATA, b"", b"0", b"{}")), code::UNAUTHORIZED);
    assert_eq!(bench.code(b"\x40\x01\0\x08\xb1a"), code::METHOD_NOT_ALLOWED);
    assert_eq!(bench.hub.said, ["P1dev1 P1/dev1/data {}"]);
}

#[test]
fn a_repeated_request_is_answered_alike_and_taken_once() {
    let mut bench = Bench::admitted(&[]);
    let first = bench.hears(&plain(2, DATA));
    assert_eq!(bench.hears(&plain(2, DATA)), first);
    assert_eq!(bench.hub.said.len(), 1);
    // Another one with the same id, such as of a device that has started again.
    assert_eq!(bench.hears(&plain(2, "P1/dev1/event")), first);
    assert_eq!(bench.hub.said.len(), 2);
    bench.after(EXCHANGE_LIFETIME.as_secs_f64());
    assert!(bench.service.exchanges.is_empty() && bench.service.order.is_empty());
}

#[test]
fn a_response_comes_apart_until_it_is_acknowledged() {
    for acknowledgement in [&b"\x60\x00\x70\x01"[..], b"\x60\x02\x70\x01", b"\x70\x00\x70\x01"] {
        let mut bench = Bench::admitted(&[]);
        let response = [b"\x42\x45\x70\x01ab\xff", COMMAND.as_bytes()].concat();
        let ack = b"\x62\x43\x00\x02ab".to_vec();
        assert_eq!(bench.hears(&version(2)), [ack.clone(), response.clone()]);
        // Its acknowledgement got lost.
        assert_eq!(bench.hears(&version(2)), [ack]);
        assert_eq!(bench.after(0.9), [b""; 0]);
        assert_eq!(bench.after(0.1)[0], response);
        assert_eq!(bench.after(1.9), [b""; 0]);
        assert_eq!(bench.after(0.1), [response]);
        assert_eq!(bench.hears(b"\x60\x00\x70\x02"), [b""; 0]);
        assert_eq!(bench.hears(acknowledgement), [b""; 0]);
        assert_eq!(bench.service.deadline(), None);
        assert_eq!(bench.hub.said, [format!("P1dev1 {REPORT} {}", String::from_utf8_lossy(VERSION))]);
    }
}

#[test]
fn a_response_that_nobody_acknowledges_ends() {
    let mut bench = Bench::admitted(&[]);
    let mut sent = bench.hears(&version(2)).len() - 1;
    while let Some(due) = bench.service.deadline() {
        sent += bench.after((due - bench.now).as_secs_f64()).len();
    }
    assert_eq!(sent, 5);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut bench = Bench::admitted(&[]);
    for id in 0..=u16::try_from(MAX_EXCHANGES).expect("an id") {
        bench.hears(&message(id, DATA, b"TOKEN12345", b"0", b""));
    }
    for id in 20_000..20_001 + u16::try_from(MAX_WAITING).expect("an id") {
        bench.hears(&message(id, DATA, b"TOKEN12345", b"1", b""));
    }
    assert_eq!((bench.service.exchanges.len(), bench.service.order.len()), (MAX_EXCHANGES, MAX_EXCHANGES));
    assert_eq!(bench.service.waiting.len(), MAX_WAITING);
    let together = bench.hears(&version(0xfff0));
    assert_eq!(together, [[b"\x62\x45\xff\xf0ab\xff", COMMAND.as_bytes()].concat()]);
}

#[test]
fn what_could_not_be_kept_is_not_answered() {
    let mut bench = Bench::admitted(&[]);
    bench.hub.full = true;
    assert!(bench.hears(&plain(2, DATA)).is_empty());
    bench.hub.full = false;
    assert_eq!(bench.hears(&plain(2, DATA)), [b"\x62\x45\x00\x02ab"]);
}

#[test]
fn other_messages() {
    let mut bench = Bench::admitted(&[]);
    assert_eq!(bench.hears(b"\x40\x00\x12\x34"), [b"\x70\x00\x12\x34"]);
    assert!(bench.hears(b"\x50\x45\x12\x34").is_empty() && bench.hears(b"\x80\x00").is_empty());
    let mut not_confirmable = plain(2, DATA);
    not_confirmable[0] = 0x52;
    assert_eq!(bench.hears(&not_confirmable), [b"\x52\x45\x70\x01ab"]);
    assert_eq!(bench.hears(&not_confirmable), [b"\x52\x45\x70\x01ab"]);
    assert_eq!(bench.service.deadline(), None);
}

/// What the second message gets at once where this rule holds.
fn faulty(rule: &str) -> Vec<Vec<u8>> {
    Bench::admitted(&[rule]).hears(&plain(2, DATA))
}

#[test]
fn faults_of_an_answer() {
    const GOOD: &[u8] = b"\x62\x45\x00\x02ab";
    for (rule, expected) in [
        ("coap:silent@message", &[][..]),
        ("coap:no-answer@message", &[]),
        ("coap:lose@ack#2", &[]),
        ("coap:twice@message", &[GOOD, GOOD]),
        ("coap:swap@message", &[]),
        ("coap:half@ack#2", &[b"\x62\x45\x00"]),
        ("coap:other-token@message", &[b"\x62\x45\x00\x02\x9e\x9d"]),
        ("coap:no-token@message", &[b"\x60\x45\x00\x02"]),
        ("coap:code=5.00@message", &[b"\x62\xa0\x00\x02ab"]),
        ("coap:reset@message", &[b"\x70\x00\x00\x02"]),
        ("coap:forget@message", &[b"\x62\x81\x00\x02ab"]),
        ("coap:payload=3@message", &[b"\x62\x45\x00\x02ab\xffabc"]),
        ("coap:answer=apart@message", &[b"\x62\x43\x00\x02ab", b"\x42\x45\x70\x01ab"]),
        ("coap:answer=non@message", &[b"\x62\x43\x00\x02ab", b"\x52\x45\x70\x01ab"]),
        ("coap:answer=empty-ack@message", &[b"\x60\x00\x00\x02", b"\x42\x45\x70\x01ab"]),
        ("coap:answer=alone@message", &[b"\x42\x45\x70\x01ab"]),
        ("coap:send=marker@message", &[b"\x60\x45\x12\x34\xff", GOOD]),
        ("coap:send=hex:0102@message", &[b"\x01\x02", GOOD]),
        ("coap:gone@message", &[]),
        ("coap:close@message", &[GOOD]),
    ] {
        assert_eq!(faulty(rule), expected, "{rule}");
    }
}

#[test]
fn faults_of_a_response() {
    let response = [b"\x42\x45\x70\x01ab\xff", COMMAND.as_bytes()].concat();
    let ack = b"\x62\x43\x00\x02ab".to_vec();
    let with = |rule: &str| Bench::admitted(&[rule]).hears(&version(2));
    assert_eq!(with("coap:swap@version"), [response.clone(), ack.clone()]);
    assert_eq!(with("coap:lose@response#1")[..], *std::slice::from_ref(&ack));
    assert_eq!(with("coap:no-answer@version")[..], *std::slice::from_ref(&ack));
    assert_eq!(with("coap:answer=together@version"), [[b"\x62\x45\x00\x02ab\xff", COMMAND.as_bytes()].concat()]);
    let cut = with("coap:command=half@version");
    assert!(cut[1].len() < response.len() && cut[1].starts_with(b"\x42\x45\x70\x01ab\xff{"), "{cut:x?}");
    let mut late = Bench::admitted(&["coap:late=0.5@version"]);
    assert_eq!(late.hears(&version(2)), [ack]);
    assert_eq!(late.after(0.5), [response]);
}

#[test]
fn silence_is_counted_by_arrivals() {
    let mut bench = Bench::new(&["coap:silent@request#1-2"]);
    assert!(bench.hears(&auth("P1/dev1")).is_empty() && bench.hears(&auth("P1/dev1")).is_empty());
    assert_eq!(bench.code(&auth("P1/dev1")), code::CONTENT);
}

#[test]
fn a_token_of_any_length() {
    for count in [1, 13, 300] {
        let mut bench = Bench::new(&[&format!("coap:payload={count}@auth")]);
        let token = bench.hears(&auth("P1/dev1"))[0][7..].to_vec();
        assert_eq!(token.len(), count);
        let owner = bench.service.tokens.owner(&token).map(Owner::client_id);
        assert_eq!(owner.as_deref(), Some("P1dev1"));
    }
}

#[test]
fn sessions_that_a_rule_ends() {
    let mut bench = Bench::admitted(&["coap:close@message#1", "coap:gone@message#2"]);
    assert_eq!(bench.hears(&plain(2, DATA)).len(), 1);
    assert_eq!(bench.service.next_end(), Some((PEER.into(), Ending::Close)));
    assert!(bench.hears(&plain(3, DATA)).is_empty());
    assert_eq!(bench.service.next_end(), Some((PEER.into(), Ending::Gone)));
    assert_eq!(bench.service.next_end(), None);
}

#[test]
fn events_have_their_names() {
    let report = |state: &str| {
        let payload = format!(
            r#"{{"type": "report_progress", "report":{{"progress":{{"state":"{state}", "percent":"1", "result_code":"0", "result_msg":""}}, "version":"2.0"}}}}"#
        );
        message(9, REPORT, b"TOKEN12345", b"0", payload.as_bytes())
    };
    for (state, event) in [
        ("downloading", CoapEvent::Downloading),
        ("burning", CoapEvent::Burning),
        ("done", CoapEvent::Done),
        ("fail", CoapEvent::Fail),
    ] {
        match message::read(&report(state)) {
            Ok(Incoming::Request(request)) => assert_eq!(kinds(&request), Some(event), "{state}"),
            other => panic!("{other:?}"),
        }
    }
}
