//! Any payload on the topic of configurations. What is believed must stand in the JSON as serde_json reads it, and what is
//! good there must be believed.
#![no_main]

use iot_engine::helpers::json;
use iot_engine::services::remote_config::message::{parse, NoConfiguration};
use iot_fuzz::has_a_key_twice;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|payload: &[u8]| {
    let parsed = parse(payload);
    if let Err(why) = &parsed {
        assert!(!why.to_string().is_empty());
    }
    // The library takes more than serde_json does: compared is what both read.
    let Ok(text) = std::str::from_utf8(json::message(payload)) else { return };
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return };
    if payload.contains(&0) || has_a_key_twice(text) {
        return;
    }
    let kind = object.get("type").and_then(Value::as_str);
    let result = object.get("result").and_then(Value::as_i64).and_then(|result| i32::try_from(result).ok());
    match parsed {
        Ok(configuration) => {
            assert_eq!(kind, Some(if configuration.is_reply { "reply" } else { "push" }));
            assert!(configuration.is_reply || configuration.result == 0);
            assert!(!configuration.is_reply || result.is_none_or(|result| result == configuration.result));
            let source = std::str::from_utf8(configuration.text).expect("a piece of the text");
            match object.get("payload") {
                None => assert_eq!(source, ""),
                Some(Value::String(string)) => {
                    let quoted = format!("\"{source}\"");
                    assert_eq!(serde_json::from_str::<String>(&quoted).ok().as_ref(), Some(string));
                }
                Some(value) => assert_eq!(serde_json::from_str::<Value>(source).ok().as_ref(), Some(value)),
            }
        }
        Err(NoConfiguration::Type) => assert!(kind != Some("reply") && kind != Some("push")),
        Err(NoConfiguration::Result) => assert!(kind == Some("reply") && result.is_none()),
        Err(NoConfiguration::Syntax(_) | NoConfiguration::Zero(_)) => panic!("{text} is JSON"),
    }
});
