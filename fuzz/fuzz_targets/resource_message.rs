//! Any payload on the topic of resources. What the session believes must stand in the JSON as serde_json reads it, and keep to
//! the rules of a task; whatever comes, no transfer gets out of its bounds.
#![no_main]

use iot_engine::helpers::json;
use iot_engine::services::resource::{Direction, Received, Session, State};
use iot_engine::time::Millis;
use iot_fuzz::has_a_key_twice;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: Millis = Millis(1_000_000);

fuzz_target!(|payload: &[u8]| {
    let mut session = Session::default();
    let received = session.receive(payload, NOW);
    for direction in [Direction::Download, Direction::Upload] {
        let side = session.side(direction);
        let is_begun = matches!(&received, Received::Task { direction: way, .. } if *way == direction);
        assert_eq!(side.state(), if is_begun { State::Start } else { State::Inited });
    }
    match &received {
        Received::Task { direction, name, size, location } => {
            assert!((1..=64).contains(&name.len()) && *size > 0 && !location.contains('?'));
            let side = session.side(*direction);
            side.started(0, NOW);
            for _ in 0..3 {
                let reports = side.moved(*size / 2 + 1, NOW);
                assert!(reports.iter().all(|report| serde_json::from_str::<Value>(&report.payload).is_ok()));
            }
            assert_eq!((side.state(), side.count()), (State::End, *size));
            assert!(matches!(session.receive(payload, NOW), Received::Ignored(_)));
        }
        Received::BadTask(why, report) => {
            assert!(!why.is_empty());
            assert!(report.iter().all(|report| serde_json::from_str::<Value>(&report.payload).is_ok()));
        }
        Received::Malformed(why) | Received::Ignored(why) => assert!(!why.is_empty()),
        Received::Refused(..) | Received::Result(..) => {}
    }
    // The library takes more than serde_json does: compared is what both read.
    let Ok(text) = std::str::from_utf8(json::message(payload)) else { return };
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return };
    if payload.contains(&0) || has_a_key_twice(text) {
        return;
    }
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let is = |key: &str, value: &str| object.get(key).and_then(Value::as_str) == Some(value);
    match &received {
        Received::Task { direction, name, .. } => {
            assert!(is("name", name) && object.contains_key("url"));
            assert_eq!(kind == "create_upload_task_rsp", *direction == Direction::Upload);
        }
        Received::Result(..) => {
            assert!(["report_download_progress_rsp", "report_upload_progress_rsp", "upload_result"].contains(&kind));
        }
        Received::Refused(..) => assert!(object.get("url").is_none_or(Value::is_null)),
        Received::BadTask(..) | Received::Malformed(_) | Received::Ignored(_) => {}
    }
});
