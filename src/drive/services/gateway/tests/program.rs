//! What the program does besides, on the gateway's client (gateway.md section 8).

use super::*;
use crate::drive::mqtt::{QoS, Subscriber, SubscriptionEvent};
use iot_engine::mqtt::Refusal;

/// Of the program; writes down what comes.
#[derive(Default, Clone)]
struct Heard(Arc<StdMutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Heard {
    fn message(&self, _: &Arc<Client>, topic: &str, payload: &[u8]) {
        self.0.lock().unwrap().push(format!("{topic} {}", String::from_utf8_lossy(payload)));
    }

    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}

fn subscribe(client: &Arc<Client>, filter: &str, heard: &Heard) -> Result<u16, Error> {
    let id = client.subscribe(filter, QoS::AtLeastOnce, Arc::new(heard.clone()));
    let _ = client.yield_for(10);
    id
}

#[test]
fn case_18_after_a_reconnect_the_gateways_subscription_comes_first_and_online_is_sent_again() {
    let machine = machine(|_| Some(result_of("online", "d", 0)));
    let notices = Notices::default();
    let client = machine.client_with(notices.clone());
    let gateway = gateway(&client);
    subscribe(&client, "SP/d/data", &Heard::default()).unwrap();
    assert_eq!(online(&gateway, "d"), Ok(0));
    assert_eq!(online(&gateway, "d"), Err(Unanswered::AlreadyOnline));
    machine.take_published(UP);
    take_subscribes(&machine);
    notices.take();
    machine.mqtt.world().closed = true;
    for _ in 0..40 {
        let _ = client.yield_for(100);
    }
    assert_eq!(notices.take(), ["Disconnected", "Reconnected", "Subscribed", "Subscribed"]);
    let filters: Vec<String> = take_subscribes(&machine).into_iter().map(|(filter, _)| filter).collect();
    assert_eq!(filters, [DOWN, "SP/d/data"]);
    assert!(machine.take_published(UP).is_empty(), "nothing is sent on its own");
    assert_eq!(online(&gateway, "d"), Ok(0));
    assert_eq!(machine.take_published(UP).len(), 1);
    gateway.close();
}

#[test]
fn case_23_a_wildcard_that_was_never_subscribed_takes_nothing_away() {
    let machine = machine(|_| Some(result_of("online", "d", 0)));
    let client = machine.client();
    let gateway = gateway(&client);
    for filter in ["A/+/x", "#", DOWN] {
        assert_eq!(client.unsubscribe(filter), Err(Error::Request(Refusal::UnknownTopic)), "{filter}");
        assert!(!client.is_subscribed("A/+/x"));
    }
    assert_eq!(online(&gateway, "d"), Ok(0));
}

#[test]
fn case_24_the_programs_topics_work_both_ways_and_it_has_ten_of_them() {
    let machine = machine(|_| None);
    machine.mqtt.world().cloud =
        Cloud::default().answer_with(|topic, payload| Some((topic.to_owned(), payload.to_vec())));
    let client = machine.client();
    let gateway = gateway(&client);
    let heard = Heard::default();
    assert!(!client.is_subscribed("SP/d/data"));
    subscribe(&client, "SP/d/data", &heard).unwrap();
    assert!(client.is_subscribed("SP/d/data"));
    client.publish("SP/d/data", QoS::AtLeastOnce, b"up").unwrap();
    let _ = client.yield_for(10);
    assert_eq!(heard.take(), ["SP/d/data up"]);
    for number in 2..=10 {
        subscribe(&client, &format!("SP/d{number}/data"), &heard).unwrap();
    }
    let eleventh = subscribe(&client, "SP/d11/data", &heard);
    assert_eq!(eleventh, Err(Error::Request(Refusal::TooManySubscriptions)));
    machine.send(&client, "SP/d10/data", b"down");
    assert_eq!(heard.take(), ["SP/d10/data down"]);
    gateway.close();
}

#[test]
fn case_25_messages_for_the_program_arrive_while_online_waits() {
    let machine = machine(|_| None);
    let client = machine.client();
    let gateway = gateway(&client);
    let heard = Heard::default();
    subscribe(&client, "SP/d/data", &heard).unwrap();
    machine.mqtt.world().cloud = Cloud::default()
        .answer_with(|topic, _| (topic == UP).then(|| ("SP/d/data".to_owned(), b"meanwhile".to_vec())))
        .answer_with(|topic, _| (topic == UP).then(|| (DOWN.to_owned(), result_of("online", "d", 0))));
    assert_eq!(online(&gateway, "d"), Ok(0));
    assert_eq!(heard.take(), ["SP/d/data meanwhile"]);
}

#[cfg(not(feature = "abi-3-3"))]
#[test]
fn case_26_what_only_later_versions_know_is_ignored_and_sessions_are_kept() {
    let machine = machine(|_| Some(result_of("online", "d", 0)));
    let notices = Notices::default();
    let client = machine.client_with(notices.clone());
    let gateway = gateway(&client);
    assert_eq!(online(&gateway, "d"), Ok(0));
    machine.take_published(UP);
    notices.take();
    for text in [
        r#"{"type":"search_devices","payload":{"status":1}}"#,
        r#"{"type":"unbind_all"}"#,
        r#"{"type":"change","payload":{"status":0,"devices":[{"product_id":"SP","device_name":"d"}]}}"#,
    ] {
        machine.send(&client, DOWN, text.as_bytes());
    }
    assert!(machine.take_published(UP).is_empty());
    assert_eq!(notices.take(), Vec::<String>::new());
    assert_eq!(online(&gateway, "d"), Err(Unanswered::AlreadyOnline));
}

#[cfg(feature = "abi-3-3")]
#[test]
fn case_27_what_the_cloud_begins_with_is_answered_then_told() {
    let machine = machine(|text| text.contains("online").then(|| result_of("online", "d", 0)));
    let notices = Notices::default();
    let client = machine.client_with(notices.clone());
    let gateway = gateway(&client);
    assert_eq!(online(&gateway, "d"), Ok(0));
    machine.take_published(UP);
    notices.take();
    let said = |text: &str| {
        machine.send(&client, DOWN, text.as_bytes());
        let answers: Vec<String> = machine.take_published(UP).into_iter().map(|(_, text)| text).collect();
        (answers, notices.take())
    };
    let search = r#"{"type":"search_devices", "payload":{"status":1, "result":0}}"#.to_owned();
    let told = said(r#"{"type":"search_devices","payload":{"status":1}}"#);
    assert_eq!(told, (vec![search], vec!["GatewaySearch".to_owned()]));
    assert_eq!(online(&gateway, "d"), Err(Unanswered::AlreadyOnline));
    let (answers, events) =
        said(r#"{"type":"change","payload":{"status":0,"devices":[{"product_id":"SP","device_name":"d"}]}}"#);
    assert_eq!((answers.len(), events.len()), (1, 0));
    // The cloud may have put it offline.
    assert_eq!(online(&gateway, "d"), Ok(0));
    machine.take_published(UP);
    let unbind = r#"{"type":"unbind_all", "payload":{"result":0}}"#.to_owned();
    assert_eq!(said(r#"{"type":"unbind_all"}"#), (vec![unbind], vec!["GatewayUnbindAll".to_owned()]));
    let offline = gateway.ask(gateway.client.identity(), Operation::Offline, &device("d"), None);
    assert_eq!(offline, Err(Unanswered::NotOnline));
}
