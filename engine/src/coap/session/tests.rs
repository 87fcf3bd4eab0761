use super::*;
use crate::coap::Event;

const TERMS: Terms = Terms { command_timeout_ms: 600, max_repeats: 2 };
const BEGIN: Millis = Millis(1000);
/// Where ids begin in these tests, and tokens.
const FIRST_ID: u16 = 0xd27b;
const RANDOM: u64 = FIRST_ID as u64;

type Tested = Session<&'static str>;

fn identity() -> Identity {
    Identity::new("C1PRODUCT1", "dev01").unwrap()
}

fn begun() -> Tested {
    let mut session = Session::new(TERMS, RANDOM);
    session.authenticate(BEGIN, &identity(), "y6qo9").unwrap();
    session
}

/// A session that has `token` from the cloud.
fn authenticated(token: &[u8]) -> Tested {
    let mut session = begun();
    let answer = session.received(BEGIN, &datagram(0x60, 0x45, FIRST_ID, 0, token));
    assert_eq!(answer, nothing());
    assert_eq!(session.authentication(), &Authentication::Accepted);
    session
}

/// A datagram with the token of the `number`th message of the session, without options.
fn datagram(kind: u8, code: u8, id: u16, number: u32, payload: &[u8]) -> Vec<u8> {
    let head = [kind | 4, code, (id >> 8) as u8, id as u8];
    let marker: &[u8] = if payload.is_empty() { b"" } else { b"\xff" };
    [&head, &number.to_le_bytes()[..], marker, payload].concat()
}

fn nothing() -> Received<&'static str> {
    Received { reply: None, answered: None, malformed: None }
}

fn acknowledged(id: u16) -> Received<&'static str> {
    Received { reply: Some([0x60, 0, (id >> 8) as u8, id as u8]), ..nothing() }
}

fn answer(id: u16, ending: Ending, payload: &[u8]) -> Option<(&'static str, Answer)> {
    Some(("m", Answer { id, ending, payload: payload.to_vec() }))
}

fn response(code: u8, is_separate: bool) -> Ending {
    Ending::Response { code: Code::new(code >> 5, code & 0x1f), is_separate }
}

/// An authenticated session in which one message waits, the id of that, and its packet.
fn sent() -> (Tested, u16, Bytes) {
    let mut session = authenticated(b"TOKEN12345");
    let (id, packet) = session.send(BEGIN, "a/b", b"hi", true, "m").unwrap();
    assert_eq!(id, FIRST_ID + 1);
    (session, id, packet)
}

#[test]
fn case_01_each_way_to_be_given_a_token() {
    let mut piggybacked = begun();
    assert_eq!(piggybacked.received(BEGIN, b"\x64\x45\xd2\x7b\0\0\0\0\xffTOKEN12345"), nothing());
    assert_eq!(piggybacked.authentication(), &Authentication::Accepted);
    for acknowledgement in [&b"\x64\x43\xd2\x7b\0\0\0\0"[..], b"\x60\0\xd2\x7b"] {
        for (kind, expected) in [(0x40, acknowledged(9)), (0x50, nothing())] {
            let mut separate = begun();
            assert_eq!(separate.received(BEGIN, acknowledgement), nothing());
            assert_eq!(separate.authentication(), &Authentication::Pending);
            assert_eq!(separate.received(BEGIN, &datagram(kind, 0x45, 9, 0, b"T")), expected);
            assert_eq!(separate.authentication(), &Authentication::Accepted);
        }
    }
}

#[test]
fn case_02_authentication_is_repeated_byte_for_byte() {
    let mut session = Session::<()>::new(TERMS, RANDOM);
    let packet = session.authenticate(BEGIN, &identity(), "y6qo9").unwrap();
    assert_eq!(session.due(BEGIN + 599), None);
    assert_eq!(session.due(BEGIN + 600), Some(Due::Repeat(packet)));
    session.received(BEGIN + 700, &datagram(0x60, 0x45, FIRST_ID, 0, b"T"));
    assert_eq!(session.authentication(), &Authentication::Accepted);
    assert_eq!(session.deadline(), None);
}

#[test]
fn case_03_each_way_to_be_refused() {
    for (datagram, ending) in [
        (datagram(0x60, 0x81, FIRST_ID, 0, b""), response(0x81, false)),
        (datagram(0x60, 0x83, FIRST_ID, 0, b"no"), response(0x83, false)),
        (datagram(0x60, 0xa0, FIRST_ID, 0, b"T"), response(0xa0, false)),
        (datagram(0x60, 0x44, FIRST_ID, 0, b"T"), response(0x44, false)),
        (datagram(0x60, 0x45, FIRST_ID, 0, b""), response(0x45, false)),
        (datagram(0x40, 0x81, 7, 0, b""), response(0x81, true)),
        (b"\x70\0\xd2\x7b".to_vec(), Ending::Reset),
    ] {
        let mut session = begun();
        session.received(BEGIN, &datagram);
        assert_eq!(session.authentication(), &Authentication::Failed(ending), "{datagram:02x?}");
        assert_eq!(session.waiting(), 0);
    }
    let mut silent = begun();
    for at in [600, 1200] {
        assert!(matches!(silent.due(BEGIN + at), Some(Due::Repeat(_))));
    }
    assert_eq!(silent.due(BEGIN + 1799), None);
    assert_eq!(silent.authentication(), &Authentication::Pending);
    assert_eq!(silent.due(BEGIN + 1800), None);
    assert_eq!(silent.authentication(), &Authentication::Failed(Ending::NotAcknowledged));
    let mut half = begun();
    half.received(BEGIN + 500, &datagram(0x60, 0x43, FIRST_ID, 0, b""));
    assert_eq!(half.due(BEGIN + 1099), None);
    assert_eq!(half.authentication(), &Authentication::Pending);
    assert_eq!(half.due(BEGIN + 1100), None);
    assert_eq!(half.authentication(), &Authentication::Failed(Ending::NotAnswered));
}

#[test]
fn case_04_authentication_has_the_bytes_of_the_contract() {
    let mut session = Session::<()>::new(TERMS, RANDOM);
    let expected =
        b"\x44\x02\xd2\x7b\0\0\0\0\xbd\x13C1PRODUCT1/dev01/txauth9w0BAQsFA\xd1\x26\x30\xff21010406;y6qo9\0\0";
    assert_eq!(session.authenticate(BEGIN, &identity(), "y6qo9").unwrap(), &expected[..]);
    assert_eq!(expected.len(), 62);
    for (len, head) in [(1, &[0xd1, 37][..]), (10, &[0xda, 37]), (13, &[0xdd, 37, 0]), (300, &[0xde, 37, 0, 31])] {
        let token: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
        let (_, packet) = authenticated(&token).send(BEGIN, "t", b"", false, "m").unwrap();
        let expected = [b"\x44\x02\xd2\x7c\x01\0\0\0\xb1t", head, &token, b"\x11\x30"].concat();
        assert_eq!(packet, expected, "token of {len}");
    }
}

#[test]
fn case_09_what_can_be_sent_and_what_not() {
    let mut session = authenticated(b"TOKEN12345");
    let topic = "t".repeat(21);
    for (topic_len, payload_len, expected) in [
        (21, 0, None),
        (21, 1, None),
        (21, 466, None),
        (21, 467, Some(Refusal::PacketTooLong)),
        (128, 1, None),
        (129, 1, Some(Refusal::TopicTooLong)),
    ] {
        let (before, topic) = (session.waiting(), topic.repeat(7)[..topic_len].to_owned());
        let sent = session.send(BEGIN, &topic, &vec![1; payload_len], false, "m");
        assert_eq!(sent.err(), expected, "{topic_len} {payload_len}");
        assert_eq!(session.waiting(), before + usize::from(expected.is_none()));
    }
    assert_eq!((session.room(&topic), session.room(&"t".repeat(600))), (466, 0));
    while session.waiting() < MAX_WAITING {
        session.send(BEGIN, "t", b"", false, "m").unwrap();
    }
    assert_eq!(session.send(BEGIN, "t", b"", false, "m"), Err(Refusal::TooManyWaiting));
}

#[test]
fn case_10_a_message_has_the_bytes_of_the_contract() {
    let mut session = authenticated(b"TOKEN12345");
    let (id, packet) =
        session.send(BEGIN, "C1PRODUCT1/dev01/data", b"{\"action\":\"hello world\"}", false, "m").unwrap();
    assert_eq!(id, FIRST_ID + 1);
    let expected = b"\x44\x02\xd2\x7c\x01\0\0\0\xbd\x08C1PRODUCT1/dev01/data\xda\x25TOKEN12345\x11\x30\xff{\"action\":\"hello world\"}";
    assert_eq!(packet, &expected[..]);
    let (id, packet) = session.send(BEGIN, "$a", b"", true, "m").unwrap();
    assert_eq!(id, FIRST_ID + 2);
    assert_eq!(packet, &b"\x44\x02\xd2\x7d\x02\0\0\0\xb2$a\xda\x25TOKEN12345\x11\x31"[..]);
}

#[test]
fn an_id_is_never_0_and_never_that_of_a_waiting_message() {
    let mut session = Session::new(TERMS, 0xffff_ffff_fffe);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(session.send(BEGIN, "t", b"", false, ids.len()).unwrap().0);
    }
    assert_eq!(ids, [65534, 65535, 1]);
    session.next_id = 65534;
    let (id, packet) = session.send(BEGIN, "t", b"", false, 3).unwrap();
    assert_eq!(id, 2);
    assert_eq!(packet[4..8], 2_u32.to_le_bytes(), "tokens go on counting, and begin anew behind the last");
}

#[test]
fn case_11_a_message_is_repeated_as_often_as_asked_and_then_given_up_once() {
    for repeats in [0, 2, 5] {
        let mut session = Session::new(Terms { max_repeats: repeats, ..TERMS }, RANDOM);
        let (id, packet) = session.send(BEGIN, "t", b"x", false, "m").unwrap();
        for repeat in 1..=u64::from(repeats) {
            assert_eq!(session.deadline(), Some(BEGIN + 600 * repeat));
            assert_eq!(session.due(BEGIN + (600 * repeat - 1)), None);
            assert_eq!(session.due(BEGIN + 600 * repeat), Some(Due::Repeat(packet.clone())));
            assert_eq!(session.due(BEGIN + 600 * repeat), None);
        }
        let end = BEGIN + 600 * (u64::from(repeats) + 1);
        assert_eq!(session.due(Millis(end.0 - 1)), None);
        let given_up = Answer { id, ending: Ending::NotAcknowledged, payload: Vec::new() };
        assert_eq!((given_up.event(), given_up.verdict()), (Event::NotAcknowledged, Event::NotAcknowledged));
        assert_eq!(session.due(end), Some(Due::Ended("m", given_up)));
        assert_eq!(session.due(end + 10_000), None);
        assert_eq!(session.deadline(), None);
    }
}

#[test]
fn case_12_each_row_of_the_answer_table() {
    use Event::*;
    for (code, event, verdict) in [
        (0x45, Acknowledged, Content),
        (0x81, Unauthorized, Unauthorized),
        (0x83, Forbidden, Forbidden),
        (0x80, ServerError, Forbidden),
        (0x84, ServerError, Forbidden),
        (0x9f, ServerError, Forbidden),
        (0xa0, ServerError, ServerError),
        (0xa5, ServerError, ServerError),
        (0x41, Acknowledged, Content),
        (0x42, Acknowledged, Content),
        (0x44, Acknowledged, Content),
        (0x5f, ServerError, Content),
    ] {
        for (kind, is_separate) in [(0x60, false), (0x40, true), (0x50, true)] {
            let (mut session, id, _) = sent();
            let their_id = if is_separate { 7 } else { id };
            let received = session.received(BEGIN, &datagram(kind, code, their_id, 1, b"yes"));
            assert_eq!(received.reply, (kind == 0x40).then_some([0x60, 0, 0, 7]), "{code:02x}");
            assert_eq!(received.answered, answer(id, response(code, is_separate), b"yes"));
            let (_, answer) = received.answered.unwrap();
            let event = if code == 0x45 && is_separate { Content } else { event };
            assert_eq!((answer.event(), answer.verdict()), (event, verdict), "{code:02x}");
            assert_eq!(answer.content(), (code == 0x45).then_some(&b"yes"[..]));
            assert_eq!(session.waiting(), 0);
        }
    }
}

#[test]
fn case_12_an_acknowledgement_alone_ends_repeats_and_grants_time_once() {
    for code in [0x43, 0x00] {
        for kind in [0x60, 0x50] {
            if (kind, code) == (0x50, 0) {
                continue;
            }
            let (mut session, id, _) = sent();
            let their_id = if kind == 0x60 { id } else { 7 };
            assert_eq!(session.received(BEGIN + 500, &datagram(kind, code, their_id, 1, b"")), nothing());
            assert_eq!(session.received(BEGIN + 900, &datagram(kind, code, their_id, 1, b"")), nothing());
            assert_eq!(session.due(BEGIN + 1099), None);
            let (owner, ended) = answer(id, Ending::NotAnswered, b"").unwrap();
            assert_eq!((ended.event(), ended.verdict()), (Event::NotAnswered, Event::NotAnswered));
            assert_eq!(ended.content(), None);
            assert_eq!(session.due(BEGIN + 1100), Some(Due::Ended(owner, ended)));
        }
    }
    let (mut session, id, _) = sent();
    session.received(BEGIN, &datagram(0x60, 0x43, id, 1, b""));
    let answered = session.received(BEGIN, &datagram(0x40, 0x45, 3, 1, b"")).answered;
    assert_eq!(answered, answer(id, response(0x45, true), b""));
}

#[test]
fn case_12_a_reset_ends_a_message_at_once() {
    let (mut session, id, _) = sent();
    for other in [&b"\x70\0\0\x01"[..], &datagram(0x70, 0x45, id, 1, b"")] {
        assert_eq!(session.received(BEGIN, other), nothing());
    }
    let reset = session.received(BEGIN, &datagram(0x70, 0, id, 9, b"")).answered.unwrap().1;
    assert_eq!((reset.id, reset.event(), reset.verdict()), (id, Event::ServerError, Event::ServerError));
    assert_eq!(reset.content(), None);
}

#[test]
fn case_13_an_answer_is_acknowledged_once_per_copy_and_delivered_once() {
    let (mut session, id, _) = sent();
    let copy = datagram(0x40, 0x45, 7, 1, b"yes");
    assert_eq!(session.received(BEGIN, &copy).answered, answer(id, response(0x45, true), b"yes"));
    assert_eq!(session.received(BEGIN, &copy), acknowledged(7));
    assert_eq!(session.received(BEGIN, &datagram(0x40, 0x45, 8, 99, b"yes")), acknowledged(8));
    assert_eq!(session.received(BEGIN, b"\x40\x45\0\x09\xffyes"), acknowledged(9));
    assert_eq!(session.received(BEGIN, &datagram(0x50, 0x45, 8, 1, b"yes")), nothing());
}

#[test]
fn case_14_an_acknowledgement_with_a_wrong_token_counts_for_nothing() {
    let (mut session, id, _) = sent();
    assert_eq!(session.received(BEGIN, &datagram(0x60, 0x45, id, 2, b"no")), nothing());
    assert_eq!(session.received(BEGIN, &datagram(0x60, 0x45, id + 1, 1, b"no")), nothing());
    assert_eq!(session.received(BEGIN, &datagram(0x60, 0x02, id, 1, b"no")), nothing());
    let [high, low] = id.to_be_bytes();
    let without = session.received(BEGIN, &[0x60, 0x45, high, low, 0xff, b'x']).answered;
    assert_eq!(without, answer(id, response(0x45, false), b"x"));
}

#[test]
fn case_15_what_comes_after_the_time_out_is_dropped() {
    let (mut session, id, _) = sent();
    let mut ended = 0;
    for at in 0..=1800 {
        while let Some(due) = session.due(BEGIN + at) {
            ended += u8::from(matches!(due, Due::Ended(..)));
        }
    }
    assert_eq!(ended, 1);
    assert_eq!(session.received(BEGIN + 1801, &datagram(0x60, 0x45, id, 1, b"late")), nothing());
    assert_eq!(session.received(BEGIN + 1801, &datagram(0x40, 0x45, 7, 1, b"late")), acknowledged(7));
}

#[test]
fn case_18_what_expires_together_ends_in_the_order_in_which_it_was_sent() {
    let mut session = Session::new(Terms { max_repeats: 0, ..TERMS }, RANDOM);
    for owner in 1..=3 {
        session.send(BEGIN, "t", b"", false, owner).unwrap();
    }
    let owners: Vec<i32> = std::iter::from_fn(|| match session.due(BEGIN + 600) {
        Some(Due::Ended(owner, _)) => Some(owner),
        other => {
            assert_eq!(other, None);
            None
        }
    })
    .collect();
    assert_eq!(owners, [1, 2, 3]);
}

#[test]
fn case_19_a_malformed_datagram_leaves_the_message_waiting() {
    let (mut session, id, _) = sent();
    let [high, low] = id.to_be_bytes();
    for datagram in [&[0xa0, 0x45, high, low][..], &[0x60, 0x25, high, low], &[0x60, 0x45, high, low, 0xff], b"\0"] {
        let received = session.received(BEGIN, datagram);
        assert!(received.malformed.is_some() && received.answered.is_none() && received.reply.is_none());
    }
    assert_eq!(session.waiting(), 1);
}

#[test]
fn case_20_answers_of_any_length_are_handed_on_whole() {
    for len in [0, 1, 503, 504, 1200, 4000] {
        let (mut session, id, _) = sent();
        let payload: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
        let answered = session.received(BEGIN, &datagram(0x60, 0x45, id, 1, &payload)).answered;
        assert_eq!(answered, answer(id, response(0x45, false), &payload));
    }
}

#[test]
fn what_the_cloud_asks_is_reset() {
    let (mut session, _, _) = sent();
    for code in [0, 1, 2, 31] {
        let reset = Received { reply: Some([0x70, 0, 0, 5]), ..nothing() };
        assert_eq!(session.received(BEGIN, &datagram(0x40, code, 5, 1, b"")), reset);
        assert_eq!(session.received(BEGIN, &datagram(0x50, code, 5, 1, b"")), nothing());
    }
    assert_eq!(session.waiting(), 1);
}

#[test]
fn case_26_a_token_that_is_refused_later_is_kept() {
    let (mut session, id, _) = sent();
    session.received(BEGIN, &datagram(0x60, 0x81, id, 1, b""));
    assert_eq!(session.authentication(), &Authentication::Accepted);
    assert!(session.send(BEGIN, "t", b"", false, "m").unwrap().1.ends_with(b"TOKEN12345\x11\x30"));
}

#[test]
fn a_message_that_could_not_be_sent_is_forgotten() {
    let (mut session, id, _) = sent();
    assert_eq!(session.forget(id), Some("m"));
    assert_eq!(session.forget(id), None);
    assert_eq!((session.waiting(), session.deadline()), (0, None));
    let mut begun = begun();
    assert_eq!(begun.forget(FIRST_ID), None);
    assert_eq!(begun.waiting(), 0);
}

#[test]
fn case_31_a_followed_message_takes_further_answers_for_a_minute() {
    for first in [0x60, 0x40, 0x50] {
        let mut session = authenticated(b"T");
        let (id, packet) = session.send_followed(BEGIN, "$ota", b"", "m").unwrap();
        assert!(packet.ends_with(b"\x11\x31"), "an answer is wanted");
        let their_id = if first == 0x60 { id } else { 7 };
        let first = datagram(first, 0x45, their_id, 1, b"1");
        assert!(session.received(BEGIN, &first).answered.is_some());
        assert_eq!(session.received(BEGIN, &first).answered, None, "a copy");
        let second = datagram(0x40, 0x45, 8, 1, b"2");
        let expected = answer(id, response(0x45, true), b"2");
        let handed_on = Received { answered: expected.clone(), ..acknowledged(8) };
        assert_eq!(session.received(BEGIN + 59_999, &second), handed_on);
        assert_eq!(session.received(BEGIN + 59_999, &second), acknowledged(8));
        assert_eq!(session.received(BEGIN + 59_999, &datagram(0x40, 0x84, 9, 1, b"")), acknowledged(9));
        assert_eq!(session.received(BEGIN + 59_999, &datagram(0x50, 0x45, 10, 1, b"2")).answered, expected);
        assert_eq!(session.received(BEGIN + 60_000, &datagram(0x40, 0x45, 11, 1, b"2")), acknowledged(11));
    }
}

#[test]
fn case_31_only_the_last_followed_message_takes_further_answers() {
    let mut session = authenticated(b"T");
    let (first, _) = session.send_followed(BEGIN, "$ota", b"", "m").unwrap();
    session.send_followed(BEGIN, "$ota", b"", "m").unwrap();
    let answered = session.received(BEGIN, &datagram(0x60, 0x45, first, 1, b"1")).answered;
    assert!(answered.is_some());
    assert_eq!(session.received(BEGIN, &datagram(0x40, 0x45, 7, 1, b"2")), acknowledged(7));
    assert!(session.received(BEGIN, &datagram(0x50, 0x45, 8, 2, b"1")).answered.is_some());
    assert!(session.received(BEGIN, &datagram(0x50, 0x45, 9, 2, b"2")).answered.is_some());
    session.send_followed(BEGIN, "$ota", b"", "m").unwrap();
    assert_eq!(session.received(BEGIN, &datagram(0x50, 0x45, 10, 2, b"3")), nothing());
}

#[test]
fn a_cloud_that_never_stops_answering_is_not_listened_to_for_ever() {
    let mut session = authenticated(b"T");
    let (id, _) = session.send_followed(BEGIN, "$ota", b"", "m").unwrap();
    session.received(BEGIN, &datagram(0x60, 0x45, id, 1, b"1"));
    let taken = (0..100).filter(|id| session.received(BEGIN, &datagram(0x50, 0x45, *id, 1, b"x")).answered.is_some());
    assert_eq!(taken.count(), MAX_FOLLOWING);
}
