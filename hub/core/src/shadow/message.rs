//! What a device asks of its shadow, and what it is told.

use serde_json::{json, Value};

use super::{Change, Document, Object, Part, BAD_REQUEST, DONE, TOO_LARGE};

/// Bytes a device may send at once.
const MAX_REQUEST: usize = 16 * 1024;
/// Bytes of a token, which is sent back.
const MAX_TOKEN: usize = 1024;
/// Bytes of a type, which is sent back.
const MAX_KIND: usize = 32;

/// A request that can be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What tells its answer from others.
    pub token: String,
    /// Its type, as it stands there.
    pub kind: String,
    /// What it asks for, or the number of what is wrong with it.
    pub wish: Result<Wish, i64>,
}

/// What a device may ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// The document.
    Get,
    /// A change of it, and the state as it was sent.
    Update(Change, Object),
}

/// Reads a request. The error says in words why it cannot be answered.
pub fn read(payload: &[u8]) -> Result<Request, String> {
    let parsed: Value =
        serde_json::from_slice(payload).map_err(|error| format!("a shadow request that cannot be read: {error}"))?;
    let Value::Object(mut message) = parsed else {
        return Err("a shadow request that is no object".to_owned());
    };
    let token = match message.get("clientToken") {
        Some(Value::String(token)) => token.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    if token.is_empty() {
        return Err("a shadow request without a client token".to_owned());
    }
    if token.len() > MAX_TOKEN {
        return Err(format!("a shadow request with a client token of more than {MAX_TOKEN} bytes"));
    }
    let kind = match message.get("type") {
        Some(Value::String(kind)) if kind.len() <= MAX_KIND => kind.clone(),
        _ => return Err("a shadow request of no known type".to_owned()),
    };
    let wish = match kind.as_str() {
        _ if payload.len() > MAX_REQUEST => Err(TOO_LARGE),
        "get" => Ok(Wish::Get),
        "update" => update(&mut message),
        _ => Err(BAD_REQUEST),
    };
    Ok(Request { token, kind, wish })
}

fn update(message: &mut Object) -> Result<Wish, i64> {
    let Some(Value::Object(state)) = message.remove("state") else {
        return Err(BAD_REQUEST);
    };
    let version = match message.get("version") {
        None | Some(Value::Null) => 0,
        Some(version) => version.as_u64().ok_or(BAD_REQUEST)?,
    };
    let (reported, desired) = (part(state.get("reported"))?, part(state.get("desired"))?);
    if reported == Part::Stays && desired == Part::Stays {
        return Err(BAD_REQUEST);
    }
    let overwrites = message.get("overwriteUpdate") == Some(&Value::Bool(true));
    Ok(Wish::Update(Change { reported, desired, overwrites, version }, state))
}

fn part(value: Option<&Value>) -> Result<Part, i64> {
    match value {
        None => Ok(Part::Stays),
        Some(Value::Null) => Ok(Part::Cleared),
        Some(Value::Object(fields)) => Ok(Part::Merged(fields.clone())),
        Some(_) => Err(BAD_REQUEST),
    }
}

/// The whole document as an answer tells it.
fn whole(document: &Document) -> Value {
    let mut state = json!({ "reported": document.reported });
    if !document.desired.is_empty() {
        state["desired"] = json!(document.desired);
        let delta = document.delta();
        if !delta.is_empty() {
            state["delta"] = json!(delta);
        }
    }
    json!({ "state": state, "timestamp": document.updated_at, "version": document.version })
}

fn answer(request: &Request, payload: &Value, result: i64, now: u64) -> String {
    let Request { token, kind, .. } = request;
    json!({ "clientToken": token, "payload": payload, "result": result, "timestamp": now / 1000, "type": kind })
        .to_string()
}

/// The answer to a get. `now` is UTC in milliseconds, here and below.
pub fn document(request: &Request, document: &Document, now: u64) -> String {
    answer(request, &whole(document), DONE, now)
}

/// The answer to an update that was made: just the state that was sent.
pub fn updated(request: &Request, state: &Object, document: &Document, now: u64) -> String {
    let payload = json!({ "state": state, "timestamp": document.updated_at, "version": document.version });
    answer(request, &payload, DONE, now)
}

/// The answer to a request that was turned down: the document as it is.
pub fn refused(request: &Request, result: i64, document: &Document, now: u64) -> String {
    answer(request, &whole(document), result, now)
}

/// Tells a device what is desired of it and not so; `None` where nothing is.
pub fn delta(document: &Document, now: u64) -> Option<String> {
    let state = document.delta();
    if state.is_empty() {
        return None;
    }
    let payload = json!({ "state": state, "timestamp": document.updated_at, "version": document.version });
    Some(json!({ "payload": payload, "timestamp": now / 1000, "type": "delta" }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Request {
        read(text.as_bytes()).expect(text)
    }

    fn there() -> Document {
        let text = br#"{"temperature":32}"#;
        let reported: Object = serde_json::from_slice(text).expect("JSON");
        let desired: Object = serde_json::from_slice(br#"{"alarmvalue":"50"}"#).expect("JSON");
        Document { reported, desired, version: 14, updated_at: 1_678_783_950_012 }
    }

    #[test]
    fn requests_as_the_sdk_writes_them() {
        let get = good(r#"{"type":"get", "clientToken":"P-0"}"#);
        assert_eq!(get, Request { token: "P-0".to_owned(), kind: "get".to_owned(), wish: Ok(Wish::Get) });
        assert_eq!(good(r#"{"clientToken":12,"type":"get"}"#).token, "12");
        let text = r#"{"type":"update", "overwriteUpdate":true, "state":{"reported":{"a":1}}, "clientToken":"P-1"}"#;
        let Ok(Wish::Update(change, state)) = good(text).wish else { panic!("an update") };
        assert_eq!((change.overwrites, change.version, &change.desired), (true, 0, &Part::Stays));
        assert_eq!(Value::Object(state), json!({ "reported": { "a": 1 } }));
        let text = r#"{"type":"update", "state":{"desired": null}, "version":3, "clientToken":"P-1"}"#;
        let Ok(Wish::Update(change, _)) = good(text).wish else { panic!("an update") };
        assert_eq!((change.reported, change.desired, change.version), (Part::Stays, Part::Cleared, 3));
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let long = format!(r#"{{"type":"get","clientToken":"{}"}}"#, "t".repeat(MAX_TOKEN + 1));
        for (payload, part) in [
            ("", "cannot be read"),
            ("[]", "no object"),
            (r#"{"type":"get"}"#, "token"),
            (r#"{"type":"get","clientToken":""}"#, "token"),
            (r#"{"type":"get","clientToken":{}}"#, "token"),
            (r#"{"clientToken":"t"}"#, "type"),
            (long.as_str(), "1024"),
        ] {
            assert!(read(payload.as_bytes()).is_err_and(|text| text.contains(part)), "{payload}");
        }
        let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(nested.as_bytes()).is_err());
    }

    #[test]
    fn what_makes_no_sense_has_a_number() {
        for rest in [
            r#""type":"update""#,
            r#""type":"update","state":[]"#,
            r#""type":"update","state":{}"#,
            r#""type":"update","state":{"reported":1}"#,
            r#""type":"update","state":{"reported":{}},"version":-1"#,
            r#""type":"update","state":{"reported":{}},"version":"x""#,
            r#""type":"delete""#,
        ] {
            assert_eq!(good(&format!(r#"{{"clientToken":"t",{rest}}}"#)).wish, Err(BAD_REQUEST), "{rest}");
        }
        let large = format!(r#"{{"clientToken":"t","type":"get","x":"{}"}}"#, "x".repeat(MAX_REQUEST));
        assert_eq!(good(&large).wish, Err(TOO_LARGE));
    }

    #[test]
    fn answers_byte_for_byte() {
        let get = good(r#"{"type":"get", "clientToken":"8480"}"#);
        assert_eq!(
            document(&get, &there(), 1_678_783_991_000),
            r#"{"clientToken":"8480","payload":{"state":{"delta":{"alarmvalue":"50"},"desired":{"alarmvalue":"50"},"reported":{"temperature":32}},"timestamp":1678783950012,"version":14},"result":0,"timestamp":1678783991,"type":"get"}"#
        );
        assert_eq!(
            document(&get, &Document::default(), 1999),
            r#"{"clientToken":"8480","payload":{"state":{"reported":{}},"timestamp":0,"version":0},"result":0,"timestamp":1,"type":"get"}"#
        );
        let update = good(r#"{"type":"update", "state":{"desired": null}, "clientToken":"t"}"#);
        let Ok(Wish::Update(_, state)) = &update.wish else { panic!("an update") };
        assert_eq!(
            updated(&update, state, &Document { version: 3, updated_at: 5000, ..Document::default() }, 5000),
            r#"{"clientToken":"t","payload":{"state":{"desired":null},"timestamp":5000,"version":3},"result":0,"timestamp":5,"type":"update"}"#
        );
        assert_eq!(
            refused(&update, 5005, &Document::default(), 5000),
            r#"{"clientToken":"t","payload":{"state":{"reported":{}},"timestamp":0,"version":0},"result":5005,"timestamp":5,"type":"update"}"#
        );
        assert_eq!(
            delta(&there(), 1_678_783_991_000).as_deref(),
            Some(
                r#"{"payload":{"state":{"alarmvalue":"50"},"timestamp":1678783950012,"version":14},"timestamp":1678783991,"type":"delta"}"#
            )
        );
        assert_eq!(delta(&Document::default(), 1), None);
    }
}
