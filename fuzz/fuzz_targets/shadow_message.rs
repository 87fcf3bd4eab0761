//! Any payload on a shadow's result topic. What the session believes must stand in the JSON as serde_json reads it, and what
//! becomes of values must be within their types. A document of the program's is the same text.
#![no_main]

use iot_engine::helpers::json;
use iot_engine::services::shadow::{delta, message, Session};
use iot_engine::time::Millis;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|payload: &[u8]| {
    let text = json::message(payload);
    let token = message::token_of(text);
    update(text);
    let mut session = Session::default();
    if let Some(token) = &token {
        assert!(!token.is_empty());
        session.begin(Millis(0), token, 1, 1_u8).expect("there is room");
    }
    session.begin(Millis(0), b"PID-0", 1, 2_u8).expect("there is room");
    let Ok(received) = session.receive(text) else {
        assert_eq!(session.end().len(), 1 + usize::from(token.is_some()));
        return;
    };
    assert!(received.is_reply || received.delta.is_some() && received.ended.is_empty());
    if received.is_reply && token.is_some() {
        assert!(received.ended.contains(&1));
    }
    if let Some(state) = received.delta {
        assert!(state.first() == Some(&b'{') && state.last() == Some(&b'}'));
        for key in json::keys_of(state, b"").unwrap_or_default() {
            if let Some(value) = delta::wanted(state, &key) {
                convert(value.source());
            }
        }
    }
    let read: Option<Value> = serde_json::from_slice(text).ok();
    if let (Some(read), true) = (read, received.is_accepted) {
        let result = &read["result"];
        assert!(result.as_f64() == Some(0.0) || result.is_string() || has_a_key_twice(text), "{result}");
    }
});

/// An update holds the document as it was.
fn update(text: &[u8]) {
    let mut buffer = text.to_vec();
    buffer.resize(text.len() + 18, 0xA5);
    if let Some(length) = message::make_update(&mut buffer, text.len()) {
        assert_eq!(&buffer[length - text.len() + 1..length], &text[1..]);
        assert_eq!((length, buffer[length]), (text.len() + 17, 0));
    }
}

fn convert(text: &[u8]) {
    if let Some(number) = delta::signed::<i8>(text) {
        assert_eq!(delta::signed::<i32>(text), Some(number.into()));
    }
    if let Some(number) = delta::unsigned::<u8>(text) {
        assert_eq!(delta::unsigned::<u32>(text), Some(number.into()));
    }
    assert!(delta::number::<f32>(text).is_none_or(f32::is_finite));
    assert!(delta::number::<f64>(text).is_none_or(f64::is_finite));
    let _ = delta::boolean(text);
}

/// Of two members with one key serde_json takes the last, the library the first.
fn has_a_key_twice(text: &[u8]) -> bool {
    let mut keys = json::keys_of(text, b"").unwrap_or_default();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    keys.len() != count
}
