use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex as StdMutex;

use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::mqtt::{Driven, Listener, Notice};
use crate::drive::testing::mqtt_server::setup;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Grant, Machine};

const UP: &str = "$shadow/operation/PRODUCTIDX/device";
const DOWN: &str = "$shadow/operation/result/PRODUCTIDX/device";

/// The cloud answers every request with what `respond` makes of it.
fn machine(respond: impl Fn(&str) -> Option<String> + Send + 'static) -> Arc<Machine> {
    let machine = Machine::new(|_, _| Answer::new(""));
    machine.mqtt.world().cloud = Cloud::default().answer_with(move |topic, payload| {
        let answer = (topic == UP).then(|| respond(std::str::from_utf8(payload).unwrap())).flatten();
        answer.map(|answer| (DOWN.to_owned(), answer.into_bytes()))
    });
    machine
}

fn subscribed(client: &Arc<Client>) -> Arc<Shadow> {
    let shadow = Arc::new(Shadow::new(client.clone(), Kind::Shadow));
    assert_eq!(shadow.subscribe(), Ok(()));
    shadow
}

fn reply(kind: &str, token: &str, result: &str) -> String {
    format!(r#"{{"type":"{kind}","clientToken":"{token}","result":{result},"payload":{{}}}}"#)
}

/// How often the device has subscribed since the last call.
fn take_subscribes(machine: &Machine) -> usize {
    let mut count = 0;
    machine.mqtt.world().received.retain(|packet| {
        let is_one = matches!(packet, Packet::Subscribe(_));
        count += usize::from(is_one);
        !is_one
    });
    count
}

/// What happened, in order.
#[derive(Default, Clone)]
struct Seen(Arc<StdMutex<Vec<String>>>);

impl Seen {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn on_end(&self, name: &'static str) -> OnEnd {
        let seen = self.clone();
        Box::new(move |ack, text| seen.note(format!("{name} {ack:?} {}", String::from_utf8_lossy(text))))
    }
}

impl Listener for Seen {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        let text = format!("{notice:?}");
        self.note(text.split('(').next().unwrap_or_default());
    }
}

/// A property that is in the state where its name is.
struct Named {
    name: &'static str,
    seen: Seen,
    then: Box<dyn Fn() + Send + Sync>,
}

impl Property for Named {
    fn take(&self, state: &[u8]) -> bool {
        String::from_utf8_lossy(state).contains(self.name)
    }

    fn changed(&self, state: &[u8]) {
        self.seen.note(format!("{} {}", self.name, String::from_utf8_lossy(state)));
        (self.then)();
    }
}

fn named(name: &'static str, seen: &Seen, then: impl Fn() + Send + Sync + 'static) -> Arc<dyn Property> {
    Arc::new(Named { name, seen: seen.clone(), then: Box::new(then) })
}

fn delta(state: &str) -> Vec<u8> {
    format!(r#"{{"type":"delta","payload":{{"state":{state}}}}}"#).into_bytes()
}

/// shadow.md section 12, case 1.
#[test]
fn get_and_update_are_the_contracts_bytes_with_qos_0_and_return_with_the_reply() {
    for (kind, root) in [(Kind::Shadow, "$shadow"), (Kind::Template, "$template")] {
        let machine = Machine::new(|_, _| Answer::new(""));
        let (up, down) =
            (format!("{root}/operation/PRODUCTIDX/device"), format!("{root}/operation/result/PRODUCTIDX/device"));
        machine.mqtt.world().cloud = Cloud::default().answer_with(move |_, payload| {
            let text = std::str::from_utf8(payload).unwrap();
            let (kind, token) = if text.contains("get") { ("get", "PRODUCTIDX-0") } else { ("update", "mine") };
            Some((down.clone(), reply(kind, token, "0").into_bytes()))
        });
        let client = machine.client();
        let shadow = Shadow::new(client, kind);
        assert_eq!(shadow.subscribe(), Ok(()));
        let began = machine.ms();
        assert_eq!(shadow.get_and_wait(5000), Ok(Ack::Accepted));
        let mut buffer = br#"{"clientToken":"mine"}"#.to_vec();
        let length = buffer.len();
        buffer.resize(length + 18, b'#');
        assert_eq!(shadow.update_and_wait(&mut buffer, length, 5000), Ok(Ack::Accepted));
        assert!(machine.ms() - began <= 50);
        let get = r#"{"type":"get", "clientToken":"PRODUCTIDX-0"}"#;
        let update = r#"{"type":"update", "clientToken":"mine"}"#;
        assert_eq!(machine.take_published(&up), [(0, get.to_owned()), (0, update.to_owned())]);
        assert_eq!(buffer, format!("{update}\0").as_bytes());
    }
}

/// Case 10.
#[test]
fn only_the_result_0_accepts_and_none_hangs() {
    for (result, ack) in
        [("0", Ack::Accepted), ("\"0\"", Ack::Accepted), ("5005", Ack::Rejected), ("null", Ack::Rejected)]
    {
        let machine = machine(move |_| Some(reply("get", "PRODUCTIDX-0", result)));
        let shadow = subscribed(&machine.client());
        assert_eq!(shadow.get_and_wait(1000), Ok(ack), "{result}");
    }
}

/// Cases 11 and 12.
#[test]
fn a_request_ends_after_its_time_and_a_reply_that_came_in_time_counts_however_late_it_is_read() {
    for ms in [1, 500, 999, 2500, 256_000] {
        let machine = machine(|_| None);
        let mut setup = setup(Seen::default(), Box::new(()));
        // The cloud answers no pings.
        setup.config.keep_alive_s = 0;
        let client = Client::offline(machine.clone(), setup);
        client.connect().unwrap();
        let (shadow, seen) = (subscribed(&client), Seen::default());
        shadow.get(ms, seen.on_end("get")).unwrap();
        let began = machine.ms();
        while seen.0.lock().unwrap().is_empty() {
            client.yield_for(100).unwrap();
        }
        assert!((u64::from(ms)..=u64::from(ms) + 100).contains(&(machine.ms() - began)), "{ms}");
        assert_eq!(seen.take(), ["get TimedOut "]);
        machine.send(&client, DOWN, reply("get", "PRODUCTIDX-0", "0").as_bytes());
        assert!(seen.take().is_empty(), "a late reply is nobody's");

        shadow.get(ms, seen.on_end("get")).unwrap();
        let text = reply("get", "PRODUCTIDX-1", "0");
        machine.mqtt.world().publish(0, DOWN, text.as_bytes());
        machine.mqtt.world().clock.pass(u64::from(ms) * 2);
        client.yield_for(1).unwrap();
        assert_eq!(seen.take(), [format!("get Accepted {text}")]);
    }
}

#[test]
fn a_call_that_waits_ends_in_time_without_a_reply_and_early_where_none_can_come() {
    let machine = machine(|_| None);
    let client = machine.client();
    let shadow = subscribed(&client);
    let began = machine.ms();
    assert_eq!(shadow.get_and_wait(3000), Ok(Ack::TimedOut));
    assert!((3000..=3100).contains(&(machine.ms() - began)));

    // Cut after the request: with auto-connect the wait goes on over the reconnect.
    let server = machine.mqtt.clone();
    machine.mqtt.world().on_packet = Some(Arc::new(move |packet| {
        if matches!(packet, Packet::Publish(_)) {
            server.world().closed = true;
        }
    }));
    let began = machine.ms();
    assert_eq!(shadow.get_and_wait(3000), Ok(Ack::TimedOut));
    assert!((3000..=3100).contains(&(machine.ms() - began)));
    // It holds the server, which holds it.
    machine.mqtt.world().on_packet = None;

    machine.mqtt.world().unreachable = true;
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(10);
    assert_eq!(shadow.get_and_wait(3000), Err(Unsent::NotConnected));
}

/// Case 9.
#[test]
fn the_eleventh_request_is_refused_and_not_sent() {
    let machine = machine(|_| None);
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    for _ in 0..10 {
        shadow.get(5000, seen.on_end("get")).unwrap();
    }
    assert_eq!(machine.take_published(UP).len(), 10);
    let document = r#"{"clientToken":"x"}"#;
    let mut buffer = [document.as_bytes(), &[0; 40]].concat();
    let before = buffer.clone();
    assert_eq!(shadow.update(&mut buffer, document.len(), 5000, seen.on_end("update")), Err(Unsent::TooMany));
    assert_eq!((buffer, machine.take_published(UP).len()), (before.clone(), 0));
    machine.send(&client, DOWN, reply("get", "PRODUCTIDX-3", "0").as_bytes());
    assert_eq!(seen.take().len(), 1);
    let mut buffer = before;
    assert!(shadow.update(&mut buffer, document.len(), 5000, seen.on_end("update")).is_ok());
}

#[test]
fn a_document_that_is_too_long_is_refused_changed_and_nobody_is_told() {
    let machine = machine(|_| None);
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    let document = format!(r#"{{"clientToken":"x","a":"{}"}}"#, "y".repeat(2100));
    let mut buffer = [document.as_bytes(), &[0; 40]].concat();
    let refused = shadow.update(&mut buffer, document.len(), 5000, seen.on_end("update"));
    assert_eq!(refused, Err(Unsent::Failed(Error::Request(Refusal::PacketTooLong))));
    assert!(buffer.starts_with(br#"{"type":"update", "clientToken":"x""#));
    for _ in 0..60 {
        client.yield_for(100).unwrap();
    }
    assert!(seen.take().is_empty());
}

/// Cases 16 and 17.
#[test]
fn a_delta_goes_to_the_properties_from_the_newest_on_and_before_the_reply() {
    let machine = machine(|_| None);
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    for (id, name) in [(1, "a"), (2, "b"), (3, "x")] {
        shadow.register(id, named(name, &seen, || {})).unwrap();
    }
    machine.send(&client, DOWN, &delta(r#"{"b":1,"a":2}"#));
    assert_eq!(seen.take(), [r#"b {"b":1,"a":2}"#, r#"a {"b":1,"a":2}"#]);

    for (kind, result, told) in [("get", 0, true), ("get", 1, true), ("update", 0, false)] {
        let token = format!("PRODUCTIDX-{}", shadow.take_token() + 1);
        shadow.get(5000, seen.on_end("get")).unwrap();
        let text = format!(
            r#"{{"type":"{kind}","clientToken":"{token}","result":{result},"payload":{{"state":{{"delta":{{"a":1}}}}}}}}"#
        );
        machine.send(&client, DOWN, text.as_bytes());
        let ack = if result == 0 { "Accepted" } else { "Rejected" };
        let mut expected = vec![r#"a {"a":1}"#.to_owned(), format!("get {ack} {text}")];
        expected.drain(..usize::from(!told));
        assert_eq!(seen.take(), expected);
    }

    assert_eq!((shadow.unregister(1), shadow.unregister(1)), (Ok(true), Ok(false)));
    machine.send(&client, DOWN, &delta(r#"{"a":2}"#));
    assert!(seen.take().is_empty());
}

/// Case 18.
#[test]
fn everything_may_be_called_from_inside_callbacks() {
    let machine = machine(|text| {
        // The requests of the callbacks are answered, the one that waits outside is not.
        let token = text.split("clientToken\":\"").nth(1)?.split('"').next()?;
        (token != "PRODUCTIDX-0").then(|| reply("get", token, "0"))
    });
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    let (inner, note) = (shadow.clone(), seen.clone());
    let all = move || {
        let mut buffer = [&br#"{"clientToken":"u"}"#[..], &[0; 40]].concat();
        assert!(inner.update(&mut buffer, 19, 5000, note.on_end("update")).is_ok());
        assert_eq!(inner.get_and_wait(1000), Ok(Ack::Accepted));
        assert_eq!(inner.register(7, named("p", &note, || {})), Ok(()));
        assert_eq!(inner.unregister(1), Ok(true));
    };
    let run = Arc::new(all);
    let from_property = run.clone();
    shadow.register(1, named("p", &seen, move || from_property())).unwrap();
    let (inner, note) = (shadow.clone(), seen.clone());
    let from_end = move |_, _: &[u8]| {
        note.note("ended");
        inner.register(1, named("q", &note, || {})).unwrap();
        run();
    };
    shadow.get(5000, Box::new(from_end)).unwrap();
    machine.send(&client, DOWN, &delta(r#"{"p":1}"#));
    // The property that the callback registered waits for the next delta.
    let first = seen.take();
    assert_eq!(first[0], r#"p {"p":1}"#);
    assert!(first[1].starts_with("update Accepted") && first.len() == 2, "{first:?}");
    machine.send(&client, DOWN, reply("get", "PRODUCTIDX-0", "0").as_bytes());
    let second = seen.take();
    assert_eq!(second[0], "ended");
    assert!(second[1].starts_with("update Accepted") && second.len() == 2, "{second:?}");
    machine.send(&client, DOWN, &delta(r#"{"p":1}"#));
    assert_eq!(seen.take(), [r#"p {"p":1}"#]);
    shadow.close();
}

/// Case 19.
#[test]
fn a_subscription_that_failed_is_asked_for_with_the_next_request_until_one_worked() {
    for (grant, ended) in [(Grant::Refused, Ended::Refused), (Grant::Silent, Ended::TimedOut)] {
        let machine = machine(|text| text.contains("-1").then(|| reply("get", "PRODUCTIDX-1", "0")));
        let client = machine.client();
        machine.mqtt.world().grants(&[grant, grant]);
        let shadow = Shadow::new(client.clone(), Kind::Shadow);
        let began = machine.ms();
        assert_eq!(shadow.subscribe(), Err(ended));
        assert!(machine.ms() - began <= 5100);
        assert_eq!(take_subscribes(&machine), 1);
        // The second subscription fails too, and the requests still time out.
        let seen = Seen::default();
        shadow.get(500, seen.on_end("first")).unwrap();
        for _ in 0..60 {
            client.yield_for(100).unwrap();
        }
        assert_eq!(seen.take(), ["first TimedOut "]);
        assert_eq!(take_subscribes(&machine), 1);
        assert_eq!(shadow.get_and_wait(1000), Ok(Ack::Accepted));
        let _ = shadow.get_and_wait(100);
        assert_eq!(take_subscribes(&machine), 1, "once it has worked, no more");
    }
}

/// Case 20.
#[test]
fn a_cut_while_subscribing_ends_in_time_and_the_reconnect_brings_the_subscription() {
    for auto_connect in [true, false] {
        let machine = machine(|_| Some(reply("get", "PRODUCTIDX-0", "0")));
        let mut setup = setup(Seen::default(), Box::new(()));
        setup.config.auto_connect = auto_connect;
        let client = Client::offline(machine.clone(), setup);
        client.connect().unwrap();
        let once = AtomicBool::new(false);
        let server = machine.mqtt.clone();
        machine.mqtt.world().on_packet = Some(Arc::new(move |packet| {
            if matches!(packet, Packet::Subscribe(_)) && !once.swap(true, Ordering::Relaxed) {
                server.world().closed = true;
            }
        }));
        machine.mqtt.world().grants(&[Grant::Silent]);
        let shadow = Shadow::new(client, Kind::Shadow);
        let began = machine.ms();
        assert_eq!(shadow.subscribe().is_ok(), auto_connect);
        assert!(machine.ms() - began <= 5100);
        let got = shadow.get_and_wait(1000);
        assert_eq!(got, if auto_connect { Ok(Ack::Accepted) } else { Err(Unsent::NotConnected) });
        machine.mqtt.world().on_packet = None;
    }
}

#[test]
fn a_subscription_that_no_link_brought_in_time_comes_with_the_link() {
    let machine = machine(|_| Some(reply("get", "PRODUCTIDX-0", "0")));
    let client = machine.client();
    machine.mqtt.world().closed = true;
    machine.mqtt.world().unreachable = true;
    let _ = client.yield_for(10);
    let shadow = Shadow::new(client.clone(), Kind::Shadow);
    assert!(shadow.subscribe().is_err());
    machine.mqtt.world().unreachable = false;
    while !client.is_connected() {
        let _ = client.yield_for(1000);
    }
    let _ = client.yield_for(100);
    assert_eq!(take_subscribes(&machine), 1);
    assert_eq!(shadow.get_and_wait(1000), Ok(Ack::Accepted));
    assert_eq!(take_subscribes(&machine), 0);
}

/// Case 21.
#[test]
fn a_lost_reply_times_out_and_the_new_link_has_one_subscription() {
    let machine = machine(|text| text.contains("-1").then(|| reply("get", "PRODUCTIDX-1", "0")));
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    shadow.register(1, named("a", &seen, || {})).unwrap();
    shadow.get(4000, seen.on_end("lost")).unwrap();
    take_subscribes(&machine);
    machine.mqtt.world().closed = true;
    for _ in 0..60 {
        let _ = client.yield_for(100);
    }
    assert_eq!(seen.take(), ["lost TimedOut "]);
    assert_eq!(take_subscribes(&machine), 1);
    assert_eq!(machine.take_published(UP).len(), 1, "nothing is sent again");
    assert_eq!(shadow.get_and_wait(1000), Ok(Ack::Accepted));
    machine.send(&client, DOWN, &delta(r#"{"a":2}"#));
    assert_eq!(seen.take(), [r#"a {"a":2}"#]);
}

/// Case 22.
#[test]
fn without_a_link_nothing_begins_and_what_waits_still_ends() {
    let machine = machine(|_| None);
    let mut setup = setup(Seen::default(), Box::new(()));
    setup.config.auto_connect = false;
    let client = Client::offline(machine.clone(), setup);
    client.connect().unwrap();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    shadow.get(2000, seen.on_end("get")).unwrap();
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(10);
    assert_eq!(shadow.get(1, seen.on_end("never")), Err(Unsent::NotConnected));
    assert_eq!(shadow.update(&mut [0; 40], 3, 1, seen.on_end("never")), Err(Unsent::NotConnected));
    assert_eq!(shadow.register(1, named("a", &seen, || {})), Err(Error::NotConnected));
    assert_eq!(shadow.unregister(1), Err(Error::NotConnected));
    machine.mqtt.world().clock.pass(2000);
    assert_eq!(client.yield_for(10), Err(Error::NotConnected));
    assert_eq!(seen.take(), ["get TimedOut "]);
}

/// Case 23.
#[test]
fn the_end_calls_nobody_and_releases_who_waits() {
    let machine = machine(|_| None);
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    shadow.get(1000, seen.on_end("get")).unwrap();
    let (other, ends) = (shadow.clone(), Arc::new(AtomicUsize::new(0)));
    let ended = ends.clone();
    shadow
        .register(
            1,
            named("a", &seen, move || {
                if ended.fetch_add(1, Ordering::Relaxed) == 0 {
                    other.close();
                    other.client().destroy();
                }
            }),
        )
        .unwrap();
    shadow.register(2, named("b", &seen, || {})).unwrap();
    assert_eq!(machine.take_published(UP).len(), 1);
    machine.mqtt.world().publish(0, DOWN, &delta(r#"{"a":1}"#));
    let began = machine.ms();
    assert_eq!(shadow.get_and_wait(5000), Ok(Ack::TimedOut));
    assert!(machine.ms() - began < 100, "it ended with the client");
    assert_eq!(seen.take(), [r#"a {"a":1}"#]);
    assert_eq!(client.yield_for(2000), Ok(Driven::Closed));
    assert!(seen.take().is_empty());
    let unsubscribed = machine.mqtt.world().received.iter().any(|packet| matches!(packet, Packet::Unsubscribe(_)));
    assert!(unsubscribed);
}

/// Cases 26 and 28.
#[test]
fn the_program_hears_of_the_shadows_subscription_and_may_take_it_away() {
    let machine = machine(|_| Some(reply("get", "PRODUCTIDX-0", "0")));
    let seen = Seen::default();
    let client = machine.client_with(seen.clone());
    let shadow = subscribed(&client);
    assert_eq!(seen.take(), ["Subscribed"]);
    assert_eq!(shadow.unsubscribe("never"), Err(Error::Request(Refusal::UnknownTopic)));
    assert!(shadow.unsubscribe(DOWN).is_ok());
    take_subscribes(&machine);
    assert_eq!(shadow.get_and_wait(500), Ok(Ack::TimedOut));
    assert_eq!(seen.take(), ["Unsubscribed", "Message"]);
    assert_eq!(take_subscribes(&machine), 0);
    assert_eq!(shadow.unsubscribe(DOWN), Err(Error::Request(Refusal::UnknownTopic)));
}

/// Cases 13 and 14.
#[test]
fn what_is_no_message_changes_nothing() {
    let machine = machine(|_| None);
    let client = machine.client();
    let (shadow, seen) = (subscribed(&client), Seen::default());
    shadow.get(5000, seen.on_end("get")).unwrap();
    let long = |length: usize| format!(r#"{{"type":"get","x":"{}","clientToken":"y"}}"#, "z".repeat(length));
    for payload in ["", "{", "[1]", r#"{"clientToken":"PRODUCTIDX-0"}"#, &reply("get", "other", "0"), &long(17_000)] {
        machine.send(&client, DOWN, payload.as_bytes());
    }
    assert!(seen.take().is_empty());
    for length in [1_000, 2_000, 15_000] {
        let token = format!("PRODUCTIDX-{}", shadow.take_token() + 1);
        shadow.get(5000, seen.on_end("long")).unwrap();
        let text = long(length).replace("\"y\"", &format!("\"{token}\""));
        machine.send(&client, DOWN, text.as_bytes());
        for _ in 0..20 {
            client.yield_for(1).unwrap();
        }
        assert_eq!(seen.take(), [format!("long Rejected {text}")]);
    }
    assert_eq!(shadow.get(5000, seen.on_end("get")).map(drop), Ok(()));
}
