use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Grant, Machine};

fn ask_for(client: &Arc<Client>, each_ms: u64, both_ms: u64) -> Result<Answered<Vec<u8>>, Error> {
    let inquiry = Inquiry { service: "test", answers: "$t/down", questions: "$t/up", text: "?", each_ms, both_ms };
    ask(client, &inquiry, |payload| payload.strip_prefix(b"answer ").map(<[u8]>::to_vec))
}

/// The cloud says `said` to the question.
fn machine(said: Option<&'static str>) -> Arc<Machine> {
    let machine = Machine::new(|_, _| Answer::new(""));
    machine.mqtt.world().cloud = Cloud::default().answer_with(move |_, payload| {
        assert_eq!(payload, b"?");
        said.map(|text| ("$t/down".to_owned(), text.as_bytes().to_vec()))
    });
    machine
}

#[test]
fn what_the_parser_takes_is_the_answer() {
    let machine = machine(Some("answer 7"));
    assert_eq!(ask_for(&machine.client(), 500, 500).unwrap().answer, b"7");
    assert_eq!(machine.take_published("$t/up").len(), 1);
}

#[test]
fn both_waits_end_with_the_shorter_limit() {
    for (each_ms, both_ms) in [(300, 600), (600, 300)] {
        for said in [None, Some("something else")] {
            let machine = machine(said);
            let client = machine.client();
            let began = machine.ms();
            assert_eq!(ask_for(&client, each_ms, both_ms), Err(Error::NoAnswer));
            assert!((300..400).contains(&(machine.ms() - began)), "{each_ms} {both_ms}");
        }
        let machine = machine(Some("answer 7"));
        let client = machine.client();
        machine.mqtt.world().grants(&[Grant::Silent]);
        let began = machine.ms();
        assert_eq!(ask_for(&client, each_ms, both_ms), Err(Error::NoAnswer));
        assert!((300..400).contains(&(machine.ms() - began)), "{each_ms} {both_ms}");
    }
}
