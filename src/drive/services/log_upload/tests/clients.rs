//! The level that the cloud wants and the time that it tells, over MQTT clients.

use iot_engine::services::shadow::Kind;
use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::mqtt::{Listener, Notice, QoS, Subscriber, SubscriptionEvent};
use crate::drive::services::shadow::{Ack, Shadow};
use crate::drive::testing::{Cloud, Grant};

/// The cloud wants this level, and knows the time.
fn cloud(level: &'static str) -> Cloud {
    Cloud::that_knows_the_time("PRODUCTIDX", "device").answer_with(move |topic, payload| {
        let is_question =
            topic == LEVEL_UP && payload.starts_with(br#"{"type": "get_log_level", "clientToken": "PRODUCTIDX-"#);
        let answer = format!(r#"{{"type":"get_log_level","log_level":{level},"result":0}}"#);
        (is_question && !level.is_empty()).then(|| (LEVEL_DOWN.to_owned(), answer.into_bytes()))
    })
}

#[derive(Default, Clone)]
struct Notices(Arc<Mutex<Vec<String>>>);

impl Listener for Notices {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        let text = format!("{notice:?}");
        lock(&self.0).push(text.split('(').next().unwrap_or_default().to_owned());
    }
}

fn subscribes(machine: &Machine) -> usize {
    let is_it =
        |packet: &&Packet| matches!(packet, Packet::Subscribe(subscribe) if subscribe.filters[0].path == LEVEL_DOWN);
    machine.mqtt.world().received.iter().filter(is_it).count()
}

#[test]
fn a_client_asks_for_the_level_and_uploads_what_waits() {
    let (machine, uploader) = device(&[], None);
    uploader.collect(b"before");
    machine.mqtt.world().cloud = cloud("4");
    let notices = Notices::default();
    let client = machine.client_with(notices.clone());
    let began = machine.ms();
    level::join(&client, find);
    assert!(machine.ms() - began < 300);
    assert_eq!(LEVEL.get(), 4);
    assert_eq!(uploads(&machine), [("1604458421".to_owned(), "before|".to_owned())]);
    assert_eq!(*lock(&notices.0), ["Subscribed"], "as any other");
    assert_eq!(machine.take_published(LEVEL_UP).len(), 1);

    // Pushed at any time.
    machine.send(&client, LEVEL_DOWN, br#"{"log_level":"2"}"#);
    assert_eq!(LEVEL.get(), 2);
    for nothing in [r#"{"log_level":9}"#, "{", r#"{"result":0}"#] {
        machine.send(&client, LEVEL_DOWN, nothing.as_bytes());
        assert_eq!(LEVEL.get(), 2);
    }
}

/// shadow.md section 12, case 27. That Construct's events find a whole shadow is tests/support/services.c's.
#[test]
fn case_17_a_shadows_client_asks_and_uploads_and_the_shadow_works_on() {
    let (machine, uploader) = device(&[], None);
    uploader.collect(b"before");
    machine.mqtt.world().cloud = cloud("4");
    let notices = Notices::default();
    let shadow = Shadow::new(machine.client_with(notices.clone()), Kind::Shadow);
    shadow.subscribe().unwrap();
    level::join(shadow.client(), find);
    assert_eq!(LEVEL.get(), 4);
    assert_eq!(lines_of(&machine), ["before|"]);
    assert_eq!(*lock(&notices.0), ["Subscribed", "Subscribed"], "its own, and that to the level");

    let result = shadow.result_topic().to_owned();
    machine.mqtt.world().cloud = Cloud::default().answer_with(move |topic, payload| {
        let token = std::str::from_utf8(payload).unwrap().split('"').find(|part| part.starts_with("PRODUCTIDX-"));
        let answer = format!(r#"{{"type":"get","clientToken":"{}","result":0,"payload":{{}}}}"#, token?);
        topic.starts_with("$shadow/").then(|| (result.clone(), answer.into_bytes()))
    });
    assert_eq!(shadow.get_and_wait(1_000), Ok(Ack::Accepted));
    uploader.collect(b"later");
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["later|"]);
}

#[test]
fn case_11_without_an_answer_a_client_is_held_for_two_seconds() {
    use Grant::{Refused, Silent};
    for (grants, limit, later) in
        [(&[][..], 2_400, 1), (&[Refused, Refused, Refused], 400, 0), (&[Silent, Silent, Silent], 400, 0)]
    {
        let (machine, _uploader) = device(&[], None);
        machine.mqtt.world().cloud = cloud("");
        let client = machine.client();
        machine.mqtt.world().grants(grants);
        let began = machine.ms();
        level::join(&client, find);
        assert!(machine.ms() - began <= limit, "{}", machine.ms() - began);
        assert_eq!(machine.take_published(LEVEL_UP).len(), later);
        // Asked again with the next connection.
        machine.mqtt.world().cloud = cloud("3");
        machine.mqtt.world().closed = true;
        let _ = client.yield_for(10_000);
        assert_eq!(LEVEL.get(), 3);
    }
}

#[test]
fn case_12_after_each_reconnect_the_question_is_asked_again_with_one_subscription() {
    let (machine, _uploader) = device(&[], None);
    machine.mqtt.world().cloud = cloud("4");
    let client = machine.client();
    level::join(&client, find);
    for _ in 0..2 {
        machine.mqtt.world().received.clear();
        LEVEL.set(1);
        machine.mqtt.world().closed = true;
        let _ = client.yield_for(10_000);
        assert_eq!(LEVEL.get(), 4);
        assert_eq!((subscribes(&machine), machine.take_published(LEVEL_UP).len()), (1, 1));
    }
}

#[test]
fn a_client_that_was_there_before_the_uploader_asks_from_the_next_connection_on() {
    let machine = Machine::new(|_, _| Answer::new(GOOD));
    machine.mqtt.world().cloud = cloud("4");
    UP.set(None);
    let client = machine.client();
    level::join(&client, find);
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(10_000);
    assert_eq!(subscribes(&machine), 0);
    let _uploader = uploader(&machine, None);
    for _ in 0..2 {
        machine.mqtt.world().closed = true;
        let _ = client.yield_for(10_000);
        assert_eq!((LEVEL.get(), machine.take_published(LEVEL_UP).len()), (4, 1));
    }
}

#[test]
fn case_13_the_time_is_asked_for_once_and_its_lack_stops_nothing() {
    let (machine, uploader) = device(&[], None);
    machine.mqtt.world().cloud = cloud("1");
    let client = machine.client();
    level::join(&client, find);
    for number in 0..3 {
        uploader.collect(b"x");
        uploader.upload(Urgency::Demanded);
        assert_eq!(machine.take_published(TIME_UP).len(), usize::from(number == 0));
        machine.http.pass(5_000);
    }
    let times: Vec<_> = uploads(&machine).into_iter().map(|(time, _)| time.parse::<u64>().unwrap()).collect();
    assert!(times[0] == 1_604_458_421 && times[1] >= times[0] + 5 && times[2] >= times[1] + 5, "{times:?}");

    let (machine, uploader) = device(&[], None);
    machine.mqtt.world().cloud = Cloud::default();
    uploader.know(&machine.client());
    uploader.collect(b"x");
    uploader.upload(Urgency::Demanded);
    assert_eq!(uploads(&machine)[0].0, "0000000000");
}

/// A program that logs what it hears.
struct Logs;

impl Subscriber for Logs {
    fn message(&self, _: &Arc<Client>, _: &str, _: &[u8]) {
        let uploader = find().unwrap();
        uploader.collect(b"heard");
        // Ends at once: this very thread uploads.
        uploader.upload(Urgency::Demanded);
        uploader.finish();
    }

    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}

#[test]
fn what_the_program_logs_while_the_time_is_asked_for_is_not_lost() {
    let (machine, uploader) = device(&[], None);
    let say = |topic: &str, _: &[u8]| (topic == TIME_UP).then(|| ("t".to_owned(), b"x".to_vec()));
    machine.mqtt.world().cloud = Cloud::default().answer_with(say);
    let client = machine.client();
    client.subscribe("t", QoS::AtMostOnce, Arc::new(Logs)).unwrap();
    uploader.know(&client);
    uploader.collect(b"x");
    uploader.upload(Urgency::Demanded);
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["x|", "heard|"]);
}

#[test]
fn case_16_any_client_that_lives_tells_the_time() {
    for first in [true, false] {
        let (machine, uploader) = device(&[], None);
        machine.mqtt.world().cloud = cloud("1");
        let clients = [machine.client(), machine.client()];
        clients.iter().for_each(|client| uploader.know(client));
        clients[usize::from(first)].destroy();
        machine.mqtt.world().closed = false;
        uploader.collect(b"x");
        uploader.upload(Urgency::Demanded);
        assert_eq!(uploads(&machine).len(), 1);
    }
}
