//! Subscriptions of the program and of the library's own services.

use super::*;

#[test]
fn a_subscription_is_ready_with_its_suback() {
    let mut session = connected();
    let id = session.subscribe(Millis(0), "a/+", QoS::AtLeastOnce, "h", never_same).unwrap();
    assert!(!session.is_subscribed("a/+"));
    receive(&mut session, Millis(1), &suback(id, true)).unwrap();
    assert!(session.is_subscribed("a/+"));
    assert_eq!(events(&mut session), [Event::Subscribed(id, "h")]);
}

#[test]
fn a_refused_or_unanswered_subscription_is_dropped() {
    let mut session = connected();
    let id = session.subscribe(Millis(0), "a", QoS::AtLeastOnce, "h", never_same).unwrap();
    receive(&mut session, Millis(1), &suback(id, false)).unwrap();
    assert_eq!(events(&mut session), [Event::SubscribeRefused(id, "h")]);
    let id = session.subscribe(Millis(0), "b", QoS::AtLeastOnce, "h", never_same).unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::SubscribeTimedOut(id, "h")]);
    receive(&mut session, Millis(TIMEOUT), &suback(id, true)).unwrap();
    assert!(!session.is_subscribed("b"), "too late");
    assert_eq!(session.unsubscribe(Millis(TIMEOUT), "b"), Err(Refusal::UnknownTopic));
}

#[test]
fn ten_subscriptions_may_exist_those_waiting_counted() {
    let mut session = connected();
    for filter in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        session.subscribe(Millis(0), filter, QoS::AtMostOnce, "h", never_same).unwrap();
    }
    let next = session.subscribe(Millis(0), "x", QoS::AtMostOnce, "h", never_same);
    assert_eq!(next, Err(Refusal::TooManySubscriptions));
    assert!(session.subscribe(Millis(0), "0", QoS::AtMostOnce, "i", |_, _| true).is_ok(), "the same one again");
}

#[test]
fn the_same_subscription_again_replaces_its_handler() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "first");
    let id = session.subscribe(Millis(0), "a", QoS::AtLeastOnce, "second", |_, _| true).unwrap();
    receive(&mut session, Millis(0), &suback(id, true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(id, "second")]);
    receive(&mut session, Millis(0), &incoming(0, "a", b"")).unwrap();
    assert!(matches!(&events(&mut session)[..], [Event::Message(_)]));
    assert_eq!(session.recipients("a", |_| true), ["second"]);
}

#[test]
fn a_message_goes_to_the_first_subscription_that_matches() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a/#", "wide");
    subscribe(&mut session, Millis(0), "a/b", "narrow");
    receive(&mut session, Millis(0), &incoming(0, "a/b", b"x")).unwrap();
    receive(&mut session, Millis(0), &incoming(0, "z", b"y")).unwrap();
    let news = events(&mut session);
    let [Event::Message(first), Event::Message(second)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((&first.payload[..], &second.payload[..]), (&b"x"[..], &b"y"[..]));
}

#[test]
fn unsubscribing_takes_effect_at_once() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    receive(&mut session, Millis(0), &incoming(0, "a", b"")).unwrap();
    let id = session.unsubscribe(Millis(0), "a").unwrap();
    assert_eq!(session.take_removed(), ["h"]);
    assert!(session.take_removed().is_empty());
    assert!(matches!(&events(&mut session)[..], [Event::Message(_)]));
    assert!(session.recipients("a", |_| true).is_empty(), "what arrived before is not for it any more");
    receive(&mut session, Millis(1), &Packet::UnsubAck(rumqttc::mqttbytes::v4::UnsubAck::new(id))).unwrap();
    assert_eq!(events(&mut session), [Event::Unsubscribed(id)]);
    assert_eq!(session.unsubscribe(Millis(1), "a"), Err(Refusal::UnknownTopic));
}

#[test]
fn after_a_loss_every_subscription_is_made_again() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    subscribe(&mut session, Millis(0), "b", "i");
    session.lost(Millis(100), 0);
    assert_eq!(events(&mut session), [Event::Disconnected]);
    assert_eq!(session.link(), LinkState::Waiting(Millis(1100)));
    assert!(!session.is_subscribed("a"));
    session.lost(Millis(1100), 0);
    assert_eq!(events(&mut session), [], "told once");
    assert_eq!(session.link(), LinkState::Waiting(Millis(3100)), "twice as long");
    connect(&mut session, Millis(3100));
    assert_eq!(events(&mut session), [RECONNECTED]);
    let sent = packets(&mut session);
    let filters: Vec<_> = sent
        .iter()
        .map(|packet| match packet {
            Packet::Subscribe(subscribe) => (subscribe.pkid, subscribe.filters[0].path.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(matches!(&filters[..], [(_, "a"), (_, "b")]), "{filters:?}");
    let repeated = session.take_repeated();
    assert!(repeated.iter().map(|(id, filter)| (*id, filter.as_str())).eq(filters.iter().copied()), "{repeated:?}");
    receive(&mut session, Millis(3100), &suback(filters[0].0, true)).unwrap();
    assert!(session.is_subscribed("a"));
    // The second one stays without an answer: it is asked for again, not dropped.
    session.tick(Millis(3100 + TIMEOUT)).unwrap();
    assert!(events(&mut session).contains(&Event::SubscribeTimedOut(filters[1].0, "i")));
    assert_eq!(session.deadline(), Some(Millis(3101 + TIMEOUT)));
    session.tick(Millis(3101 + TIMEOUT)).unwrap();
    assert!(matches!(&packets(&mut session)[..], [Packet::Subscribe(again)] if again.filters[0].path == "b"));
}

#[test]
fn closing_says_goodbye_and_returns_the_subscribers() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    assert_eq!(session.close(), ["h"]);
    assert_eq!(packets(&mut session), [Packet::Disconnect]);
    assert_eq!(session.link(), LinkState::Closed);
    session.lost(Millis(0), 0);
    assert_eq!(session.link(), LinkState::Closed);
    assert_eq!(session.publish(Millis(0), "t", b"", QoS::AtMostOnce, false), Err(Refusal::NotConnected));
}

#[test]
fn a_subscription_granted_once_is_asked_for_again_where_it_is_refused_later() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    session.lost(Millis(1), 0);
    connect(&mut session, Millis(2000));
    let refused = |session: &mut TestSession, now: Millis| {
        let sent = packets(session);
        let [Packet::Subscribe(again)] = &sent[..] else { panic!("{sent:?}") };
        receive(session, now, &suback(again.pkid, false)).unwrap();
        again.pkid
    };
    let id = refused(&mut session, Millis(2000));
    let told = events(&mut session);
    assert_eq!(told, [Event::Disconnected, RECONNECTED, Event::SubscribeRefused(id, "handler")]);
    assert!(!session.is_subscribed("a"));
    assert_eq!(session.deadline(), Some(Millis(62_000)));
    session.tick(Millis(61_999)).unwrap();
    assert!(packets(&mut session).is_empty());
    session.tick(Millis(62_000)).unwrap();
    let id = refused(&mut session, Millis(62_000));
    assert_eq!(events(&mut session), [Event::SubscribeRefused(id, "handler")]);
    session.tick(Millis(122_000)).unwrap();
    let sent = packets(&mut session);
    let [Packet::Subscribe(again)] = &sent[..] else { panic!("{sent:?}") };
    receive(&mut session, Millis(122_000), &suback(again.pkid, true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(again.pkid, "handler")]);
    assert!(session.is_subscribed("a"));
}

#[test]
fn each_subscribe_to_the_same_subscription_gets_its_own_answer() {
    let twice = |session: &mut TestSession| {
        let ids = [0, 1].map(|ms| session.subscribe(Millis(ms), "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap());
        packets(session);
        ids
    };
    let mut refused = connected();
    let [first, second] = twice(&mut refused);
    receive(&mut refused, Millis(2), &suback(first, false)).unwrap();
    receive(&mut refused, Millis(2), &suback(second, true)).unwrap();
    assert_eq!(events(&mut refused), [Event::SubscribeRefused(first, "h"), Event::Subscribed(second, "h")]);
    assert!(refused.is_subscribed("a"));

    let mut late = connected();
    let [first, second] = twice(&mut late);
    late.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut late), [Event::SubscribeTimedOut(first, "h")]);
    late.tick(Millis(TIMEOUT + 1)).unwrap();
    assert_eq!(events(&mut late), [Event::SubscribeTimedOut(second, "h")]);
    assert_eq!(late.unsubscribe(Millis(TIMEOUT + 1), "a"), Err(Refusal::UnknownTopic));

    let mut both_late = connected();
    let [first, second] = twice(&mut both_late);
    both_late.tick(Millis(TIMEOUT + 1)).unwrap();
    let told = events(&mut both_late);
    assert_eq!(told, [Event::SubscribeTimedOut(first, "h"), Event::SubscribeTimedOut(second, "h")]);
    assert_eq!(both_late.unsubscribe(Millis(TIMEOUT + 1), "a"), Err(Refusal::UnknownTopic));
}

#[test]
fn subscribe_and_unsubscribe_checks_come_before_sending() {
    let subscribe = |session: &mut TestSession, filter: &str| {
        session.subscribe(Millis(0), filter, QoS::AtLeastOnce, "handler", never_same)
    };
    let mut session = connected();
    assert_eq!(subscribe(&mut session, &"t".repeat(129)), Err(Refusal::TopicTooLong));
    for filter in ["", "a/#/b", "a+", "a\0b"] {
        assert_eq!(subscribe(&mut session, filter), Err(Refusal::BadTopic), "{filter:?}");
    }
    assert_eq!(session.unsubscribe(Millis(0), &"t".repeat(129)), Err(Refusal::TopicTooLong));
    assert_eq!(session.unsubscribe(Millis(0), "a"), Err(Refusal::UnknownTopic));
    assert!(session.take_output().is_empty());

    session.lost(Millis(0), 0);
    assert_eq!(subscribe(&mut session, "a"), Err(Refusal::NotConnected));
}

#[test]
fn a_subscription_taken_away_while_the_link_is_down_is_not_made_again() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    session.lost(Millis(0), 0);
    assert_eq!(session.unsubscribe(Millis(0), "a"), Err(Refusal::NotConnected));
    assert_eq!(session.take_removed(), ["handler"]);
    assert_eq!(events(&mut session), [Event::Disconnected]);
    connect(&mut session, Millis(2000));
    assert!(packets(&mut session).is_empty());
}

#[test]
fn an_unsubscribe_without_an_answer_times_out() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    let id = session.unsubscribe(Millis(0), "a").unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::UnsubscribeTimedOut(id)]);
}

#[test]
fn a_withdrawn_subscribe_leaves_another_one_its_answer() {
    let mut session = connected();
    let ids = [0, 1].map(|ms| session.subscribe(Millis(ms), "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap());
    session.withdraw(ids[1]);
    receive(&mut session, Millis(2), &suback(ids[0], true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(ids[0], "h")]);
    assert!(session.is_subscribed("a"));
}

#[test]
fn a_caller_that_asks_again_itself_doubles_nothing() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    session.lost(Millis(1), 0);
    connect(&mut session, Millis(2000));
    let _ = (packets(&mut session), events(&mut session));
    let mut now = Millis(2000);
    for _ in 0..20 {
        now = session.deadline().unwrap();
        session.tick(now).unwrap();
        let told = events(&mut session);
        assert!(matches!(told[..], [Event::SubscribeTimedOut(_, "h")]), "{told:?}");
        session.subscribe(now, "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap();
        assert_eq!(packets(&mut session).len(), 1);
    }
    session.tick(now + 1).unwrap();
    assert!(packets(&mut session).is_empty());
}

/// A session in which a service and the program have subscribed to one filter, at QoS 1 and 0. Returns the service's key.
fn shared() -> (TestSession, u64) {
    let mut session = connected();
    let (id, key) = session.subscribe_for_service(Millis(0), "a", QoS::AtLeastOnce, "service").unwrap();
    packets(&mut session);
    receive(&mut session, Millis(0), &suback(id, true)).unwrap();
    let id = session.subscribe(Millis(0), "a", QoS::AtMostOnce, "program", never_same).unwrap();
    let sent = packets(&mut session);
    let [Packet::Subscribe(second)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(second.filters[0].qos, QoS::AtLeastOnce.into(), "the program does not take QoS 1 from the service");
    receive(&mut session, Millis(0), &suback(id, true)).unwrap();
    assert!(session.is_ready(key));
    events(&mut session);
    (session, key)
}

#[test]
fn a_service_does_not_use_up_the_programs_subscriptions() {
    let mut session = connected();
    for _ in 0..20 {
        session.subscribe_for_service(Millis(0), "s", QoS::AtLeastOnce, "service").unwrap();
    }
    for filter in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        session.subscribe(Millis(0), filter, QoS::AtMostOnce, "h", never_same).unwrap();
    }
    let next = session.subscribe(Millis(0), "s", QoS::AtMostOnce, "h", |_, _| true);
    assert_eq!(next, Err(Refusal::TooManySubscriptions), "a service's subscription is never taken for the program's");
    assert_eq!(session.services().len(), 20);
}

#[test]
fn an_attached_service_is_one_until_the_end_and_gets_no_messages() {
    let (mut session, key) = shared();
    let before = session.services().len();
    session.attach("attached");
    assert_eq!(session.services().len(), before + 1);
    session.unsubscribe_for_service(Millis(1), key, false);
    assert!(session.services().contains(&"attached"));
    assert!(!session.recipients("a", |_| true).contains(&"attached"));
    assert!(session.close().contains(&"attached") && session.services().is_empty());
}

#[test]
fn a_message_goes_to_every_service_and_to_the_programs_first_handler() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a/#", "without handler");
    subscribe(&mut session, Millis(0), "a/+", "first");
    subscribe(&mut session, Millis(0), "a/b", "second");
    for service in ["x", "y"] {
        session.subscribe_for_service(Millis(0), "a/b", QoS::AtMostOnce, service).unwrap();
    }
    let recipients = |topic| session.recipients(topic, |handler| *handler != "without handler");
    assert_eq!(recipients("a/b"), ["x", "y", "first"]);
    assert_eq!(recipients("a/b/c"), [""; 0], "the global handler gets what nobody takes");
}

#[test]
fn taking_a_services_subscription_away_leaves_the_programs() {
    let (mut session, key) = shared();
    assert_eq!(session.unsubscribe_for_service(Millis(1), key, true), None);
    assert_eq!(session.unsubscribe_for_service(Millis(1), key, true), None, "it is gone");
    assert!(packets(&mut session).is_empty());
    assert_eq!(session.recipients("a", |_| true), ["program"]);
    let id = session.unsubscribe(Millis(1), "a").unwrap();
    assert!(matches!(&packets(&mut session)[..], [Packet::Unsubscribe(sent)] if sent.pkid == id));
}

#[test]
fn taking_the_programs_subscription_away_leaves_the_services() {
    let (mut session, key) = shared();
    let id = session.unsubscribe(Millis(1), "a").unwrap();
    assert_eq!(session.take_removed(), ["program"]);
    assert!(packets(&mut session).is_empty());
    assert_eq!(events(&mut session), [Event::Unsubscribed(id)], "the program is told what it waits for");
    assert_eq!(session.unsubscribe(Millis(1), "a"), Err(Refusal::UnknownTopic));
    assert!(session.is_ready(key) && session.is_subscribed("a"));
    let id = session.unsubscribe_for_service(Millis(1), key, false).unwrap();
    assert!(matches!(&packets(&mut session)[..], [Packet::Unsubscribe(sent)] if sent.pkid == id));
}

#[test]
fn the_end_of_a_services_subscription_is_told_where_the_program_knew_of_it() {
    for told in [false, true] {
        let mut session = connected();
        let unsubscribe = |session: &mut TestSession| {
            let (_, key) = session.subscribe_for_service(Millis(0), "a", QoS::AtLeastOnce, "s").unwrap();
            session.unsubscribe_for_service(Millis(1), key, told).unwrap()
        };
        let id = unsubscribe(&mut session);
        receive(&mut session, Millis(1), &Packet::UnsubAck(rumqttc::mqttbytes::v4::UnsubAck::new(id))).unwrap();
        let heard = events(&mut session);
        assert_eq!(heard.contains(&Event::Unsubscribed(id)), told);
        let id = unsubscribe(&mut session);
        session.tick(Millis(1 + TIMEOUT)).unwrap();
        assert_eq!(events(&mut session).contains(&Event::UnsubscribeTimedOut(id)), told);
    }
}

#[test]
fn a_services_subscription_is_made_again_and_ends_without_a_link() {
    let (mut session, key) = shared();
    session.lost(Millis(1), 0);
    assert!(!session.is_ready(key));
    connect(&mut session, Millis(2000));
    let filters = packets(&mut session);
    assert_eq!(filters.len(), 2, "{filters:?}");
    session.lost(Millis(2001), 0);
    assert_eq!(session.unsubscribe_for_service(Millis(2002), key, true), None);
    assert_eq!(session.close(), ["program"]);
}
