mod program;
mod upgrades;

use std::sync::Mutex as StdMutex;

use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::mqtt::{Listener, Notice};
use crate::drive::testing::mqtt_server::setup;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Grant, Machine};

const UP: &str = "$gateway/operation/PRODUCTIDX/device";
const DOWN: &str = "$gateway/operation/result/PRODUCTIDX/device";

fn device(name: &str) -> Identity {
    Identity::new("SP", name).unwrap()
}

fn result_of(operation: &str, name: &str, result: i32) -> Vec<u8> {
    format!(
        r#"{{"type":"{operation}","payload":{{"devices":[{{"product_id":"SP","device_name":"{name}","result":{result}}}]}}}}"#
    )
    .into_bytes()
}

/// The cloud answers every request with what `respond` makes of it.
fn machine(respond: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Arc<Machine> {
    let machine = Machine::new(|_, _| Answer::new(""));
    machine.mqtt.world().cloud = Cloud::default().answer_with(move |topic, payload| {
        assert_eq!(topic, UP);
        respond(std::str::from_utf8(payload).unwrap()).map(|answer| (DOWN.to_owned(), answer))
    });
    machine
}

fn gateway(client: &Arc<Client>) -> Gateway {
    Gateway::new(client.clone()).unwrap()
}

fn online(gateway: &Gateway, name: &str) -> Result<i32, Unanswered> {
    gateway.ask(gateway.client.identity(), Operation::Online, &device(name), None)
}

/// Filter and QoS of each SUBSCRIBE since the last call.
fn take_subscribes(machine: &Machine) -> Vec<(String, u8)> {
    let mut taken = Vec::new();
    machine.mqtt.world().received.retain(|packet| match packet {
        Packet::Subscribe(subscribe) => {
            taken.extend(subscribe.filters.iter().map(|filter| (filter.path.clone(), filter.qos as u8)));
            false
        }
        _ => true,
    });
    taken
}

/// The server hangs up as soon as it has the first request, whose answer is lost so.
fn cut_after_the_request(machine: &Machine) {
    let once = AtomicBool::new(false);
    let server = machine.mqtt.clone();
    machine.mqtt.world().on_packet = Some(Arc::new(move |packet| {
        let is_request = matches!(packet, Packet::Publish(publish) if publish.topic == UP);
        if is_request && !once.swap(true, Ordering::Relaxed) {
            server.world().closed = true;
        }
    }));
}

#[derive(Default, Clone)]
struct Notices(Arc<StdMutex<Vec<String>>>);

impl Notices {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Notices {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        let text = format!("{notice:?}");
        self.0.lock().unwrap().push(text.split('(').next().unwrap_or_default().to_owned());
    }
}

/// What the caller's struct holds afterwards: tests/support/services.c.
#[test]
fn case_1_the_gateway_subscribes_with_qos_1_and_the_program_hears_nothing_of_it() {
    let machine = machine(|_| None);
    let notices = Notices::default();
    let client = machine.client_with(notices.clone());
    let gateway = gateway(&client);
    assert_eq!(take_subscribes(&machine), [(DOWN.to_owned(), 1)]);
    client.yield_for(50).unwrap();
    assert_eq!(notices.take(), Vec::<String>::new());
    gateway.close();
}

/// The codes, and a wrong password: tests/faults/tests/gateway_and_shadow.rs.
#[test]
fn case_2_no_gateway_without_its_subscription_and_nothing_is_held() {
    for (grant, ended) in [(Grant::Refused, Ended::Refused), (Grant::Silent, Ended::TimedOut)] {
        let machine = machine(|_| None);
        let notices = Notices::default();
        let client = machine.client_with(notices.clone());
        machine.mqtt.world().grants(&[grant]);
        let began = machine.ms();
        assert_eq!(Gateway::new(client.clone()).err(), Some(ended));
        assert!(machine.ms() - began < 5_100);
        client.destroy();
        assert_eq!(notices.take(), Vec::<String>::new());
        assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
    }
}

#[test]
fn cases_4_and_7_online_is_the_contracts_bytes_with_qos_0_and_returns_with_the_answer() {
    let machine = machine(|_| Some(result_of("online", "d", 0)));
    let gateway = gateway(&machine.client());
    machine.mqtt.world().latency_ms = 5;
    let began = machine.ms();
    assert_eq!(online(&gateway, "d"), Ok(0));
    assert!(machine.ms() - began <= 50);
    let text = r#"{"type":"online","payload":{"devices":[{"product_id":"SP","device_name":"d"}]}}"#;
    assert_eq!(machine.take_published(UP), [(0, text.to_owned())]);
    assert_eq!(online(&gateway, "d"), Err(Unanswered::AlreadyOnline));
    assert!(machine.take_published(UP).is_empty());
}

#[test]
fn case_13_the_list_is_in_the_order_of_the_message() {
    let machine = machine(|text| {
        assert_eq!(text, r#"{"type":"describe_sub_devices"}"#);
        let entries =
            r#"{"product_id":"SP","device_name":"a"},{"product_id":"SP"},{"product_id":"SP","device_name":"b"}"#;
        Some(format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":[{entries}]}}}}"#).into_bytes())
    });
    let gateway = gateway(&machine.client());
    let bound = gateway.bound(gateway.client.identity()).unwrap();
    assert_eq!(bound.iter().map(|bound| bound.device_name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn case_7_no_answer_is_told_after_20_s_and_an_answer_after_19_s_counts() {
    let machine = machine(|_| None);
    let client = machine.client();
    let gateway = gateway(&client);
    let began = machine.ms();
    assert_eq!(online(&gateway, "d"), Err(Unanswered::NoAnswer(Ended::TimedOut)));
    let took = machine.ms() - began;
    assert!((20_000..20_500).contains(&took), "{took}");

    // What came late is for nobody; the next call has its own answer.
    machine.send(&client, DOWN, &result_of("online", "d", 0));
    machine.mqtt.world().latency_ms = 19_000;
    machine.mqtt.world().cloud =
        Cloud::default().answer_with(|_, _| Some((DOWN.to_owned(), result_of("online", "d", 7))));
    assert_eq!(online(&gateway, "d"), Ok(7));
}

#[test]
fn case_16_a_link_that_is_down_is_told_at_once() {
    let machine = machine(|_| None);
    let client = machine.client();
    let gateway = gateway(&client);
    machine.mqtt.world().closed = true;
    machine.mqtt.world().unreachable = true;
    let _ = client.yield_for(10);
    let began = machine.ms();
    assert_eq!(online(&gateway, "d"), Err(Unanswered::NotSent(Error::NotConnected)));
    assert_eq!(machine.ms(), began);
}

#[test]
fn case_17_a_cut_after_the_request_has_online_sent_again_and_bind_not() {
    for (operation, sent, result) in
        [(Operation::Online, 2, Ok(0)), (Operation::Bind, 1, Err(Unanswered::NoAnswer(Ended::TimedOut)))]
    {
        let machine = machine(|_| None);
        let client = machine.client();
        let gateway = gateway(&client);
        let asked = Arc::new(StdMutex::new(0));
        let count = asked.clone();
        machine.mqtt.world().cloud = Cloud::default().answer_with(move |topic, _| {
            let mut count = count.lock().unwrap();
            *count += usize::from(topic == UP);
            (*count == 2).then(|| (DOWN.to_owned(), result_of(operation.name(), "d", 0)))
        });
        cut_after_the_request(&machine);
        assert_eq!(gateway.ask(client.identity(), operation, &device("d"), None), result);
        assert_eq!(*asked.lock().unwrap(), sent);
        // It holds the server, which holds it.
        machine.mqtt.world().on_packet = None;
    }
}

#[test]
fn case_17_a_cut_ends_the_wait_at_once_where_the_client_does_not_connect_again() {
    let machine = machine(|_| None);
    let mut setup = setup(Notices::default(), Box::new(()));
    setup.config.auto_connect = false;
    let client = Client::offline(machine.clone(), setup);
    client.connect().unwrap();
    let gateway = gateway(&client);
    cut_after_the_request(&machine);
    let began = machine.ms();
    assert_eq!(online(&gateway, "d"), Err(Unanswered::NoAnswer(Ended::NoLink(Error::NotConnected))));
    assert!(machine.ms() - began <= 50);
    assert_eq!(machine.take_published(UP).len(), 1);
    // It holds the server, which holds it.
    machine.mqtt.world().on_packet = None;
}

#[test]
fn case_10_messages_that_are_not_its_answer_do_not_end_the_wait() {
    let machine = machine(|_| None);
    let client = machine.client();
    let gateway = gateway(&client);
    let right = String::from_utf8(result_of("online", "d", 7)).unwrap();
    let others = [
        String::new(),
        "{".to_owned(),
        right.replace("online", "offline"),
        right.replace("online", "online_x"),
        right.replace("\"SP\"", "\"OTHER\""),
        right.replace("\"d\"", "\"e\""),
        right.replace(",\"result\":7", ""),
        right.replace('}', ""),
        right.replace('{', &format!("{{{}", " ".repeat(17_000))),
    ];
    let mut cloud = Cloud::default();
    for payload in others.into_iter().chain([right.replace(":7", ":-5")]) {
        assert_ne!(payload, right);
        cloud = cloud.answer_with(move |_, _| Some((DOWN.to_owned(), payload.clone().into_bytes())));
    }
    machine.mqtt.world().cloud = cloud;
    assert_eq!(online(&gateway, "d"), Ok(-5));
}
