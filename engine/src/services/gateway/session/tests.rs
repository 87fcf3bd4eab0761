use super::*;

const NOW: Millis = Millis(1_000);

fn device(name: &str) -> Identity {
    Identity::new("SP", name).unwrap()
}

fn answer(operation: &str, name: &str, result: &str) -> String {
    format!(
        r#"{{"type":"{operation}","payload":{{"devices":[{{"product_id":"SP","device_name":"{name}","result":{result}}}]}}}}"#
    )
}

fn list(names: &[&str]) -> String {
    let entries: Vec<_> = names.iter().map(|name| format!(r#"{{"product_id":"SP","device_name":"{name}"}}"#)).collect();
    format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":[{}]}}}}"#, entries.join(","))
}

/// Asks, answers with `result`, and returns what the call would.
fn ask(session: &mut Session, operation: Operation, name: &str, result: i32) -> Result<i32, Hindrance> {
    let (ticket, _) = session.ask(NOW, operation, &device(name), None)?;
    assert_eq!(session.take_outcome(ticket), None);
    assert_eq!(session.receive(answer(operation.name(), name, &result.to_string()).as_bytes()), Received::Answer);
    match session.take_outcome(ticket) {
        Some(Outcome::Result(result)) => Ok(result),
        other => panic!("{other:?}"),
    }
}

#[test]
fn case_4_online_twice_and_offline_twice() {
    let mut session = Session::default();
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Err(Hindrance::NotOnline));
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Err(Hindrance::AlreadyOnline));
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Err(Hindrance::NotOnline));
}

#[test]
fn cases_5_and_6_a_refused_online_leaves_nothing_and_a_refused_offline_everything() {
    let mut session = Session::default();
    for refusal in [-1, 806, 809] {
        assert_eq!(ask(&mut session, Operation::Online, "d", refusal), Ok(refusal));
        assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Err(Hindrance::NotOnline));
    }
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Offline, "d", -1), Ok(-1));
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Err(Hindrance::AlreadyOnline));
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Ok(0));
}

#[test]
fn case_8_names_that_begin_alike_are_different_devices() {
    for (first, second) in [("light1", "light10"), ("light10", "light1")] {
        let mut session = Session::default();
        assert_eq!(ask(&mut session, Operation::Online, first, 0), Ok(0));
        let (ticket, _) = session.ask(NOW, Operation::Online, &device(second), None).unwrap();
        assert_eq!(session.receive(answer("online", first, "0").as_bytes()), Received::Unasked);
        assert_eq!(session.receive(answer("online", second, "0").as_bytes()), Received::Answer);
        assert_eq!(session.take_outcome(ticket), Some(Outcome::Result(0)));
        assert_eq!(ask(&mut session, Operation::Offline, second, 0), Ok(0));
        assert_eq!(ask(&mut session, Operation::Online, first, 0), Err(Hindrance::AlreadyOnline));
    }
}

#[test]
fn case_10_answers_of_another_kind_are_ignored_and_the_right_one_counts() {
    let mut session = Session::default();
    let (ticket, _) = session.ask(NOW, Operation::Online, &device("d"), None).unwrap();
    for other in [
        answer("offline", "d", "0"),
        answer("online", "e", "0"),
        answer("online", "d", "0").replace("\"SP\"", "\"OTHER\""),
        list(&["d"]),
    ] {
        assert_eq!(session.receive(other.as_bytes()), Received::Unasked, "{other}");
    }
    for bad in ["1.9", "true", "null", "4294967296"] {
        assert_eq!(session.receive(answer("online", "d", bad).as_bytes()), Received::BadResult, "{bad}");
    }
    assert!(matches!(session.receive(b"{"), Received::NoAnswer(_)));
    assert_eq!(session.take_outcome(ticket), None);
    assert_eq!(session.receive(answer("online", "d", "0").as_bytes()), Received::Answer);
    assert_eq!(session.receive(answer("online", "d", "7").as_bytes()), Received::Unasked, "the first one counts");
    assert_eq!(session.take_outcome(ticket), Some(Outcome::Result(0)));
}

#[test]
fn cases_19_and_20_requests_for_different_devices_do_not_disturb_each_other_and_those_for_one_wait() {
    let mut session = Session::default();
    let (first, _) = session.ask(NOW, Operation::Online, &device("a"), None).unwrap();
    let (second, _) = session.ask(NOW, Operation::Online, &device("b"), None).unwrap();
    let (third, _) = session.ask_for_list(NOW).unwrap();
    assert_eq!(session.ask(NOW, Operation::Online, &device("a"), None), Err(Hindrance::Busy));
    assert_eq!(session.ask_for_list(NOW), Err(Hindrance::Busy));
    session.receive(answer("online", "b", "-1").as_bytes());
    session.receive(list(&["x", "y"]).as_bytes());
    session.receive(answer("online", "a", "0").as_bytes());
    assert_eq!(session.take_outcome(first), Some(Outcome::Result(0)));
    assert_eq!(session.take_outcome(second), Some(Outcome::Result(-1)));
    let Some(Outcome::List(bound)) = session.take_outcome(third) else { panic!() };
    assert_eq!(bound.iter().map(|bound| bound.device_name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(session.receive(list(&["x"]).as_bytes()), Received::Unasked, "lists do not add up");
}

#[test]
fn a_request_that_was_given_up_has_no_answer_any_more() {
    let mut session = Session::default();
    let (ticket, _) = session.ask(NOW, Operation::Online, &device("d"), None).unwrap();
    session.give_up(ticket);
    assert_eq!(session.receive(answer("online", "d", "0").as_bytes()), Received::Unasked);
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Err(Hindrance::NotOnline));
    // The answer came while it was being given up.
    let (ticket, _) = session.ask(NOW, Operation::Online, &device("d"), None).unwrap();
    session.receive(answer("online", "d", "0").as_bytes());
    session.give_up(ticket);
    assert_eq!(session.take_outcome(ticket), None);
}

#[test]
fn cases_12_and_18_after_a_reconnect_and_after_unbind_a_device_can_be_put_online_again() {
    let mut session = Session::default();
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Ok(0));
    assert!(session.link_restored().is_empty());
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Unbind, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Bind, "d", 0), Ok(0));
    assert_eq!(ask(&mut session, Operation::Online, "d", 0), Ok(0));
    session.link_restored();
    assert_eq!(ask(&mut session, Operation::Offline, "d", 0), Ok(0), "offline is sent as ever");
}

#[test]
fn case_17_online_offline_and_list_are_sent_again_after_a_reconnect_but_not_bind_and_unbind() {
    let mut session = Session::default();
    assert_eq!(ask(&mut session, Operation::Online, "on", 0), Ok(0));
    let mut texts = Vec::new();
    for (operation, name) in [(Operation::Online, "d"), (Operation::Offline, "on")] {
        texts.push(session.ask(NOW, operation, &device(name), None).unwrap().1);
    }
    for operation in [Operation::Bind, Operation::Unbind] {
        session.ask(NOW, operation, &device("d"), None).unwrap();
    }
    texts.push(session.ask_for_list(NOW).unwrap().1);
    assert_eq!(session.link_restored(), texts);
}

#[test]
fn only_so_many_requests_wait() {
    let mut session = Session::default();
    for index in 0..MAX_WAITING {
        session.ask(NOW, Operation::Bind, &device(&format!("d{index}")), None).unwrap();
    }
    assert_eq!(session.ask(NOW, Operation::Bind, &device("one more"), None), Err(Hindrance::Full));
}
