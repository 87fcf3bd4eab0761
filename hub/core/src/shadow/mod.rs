//! The shadow of a device: what it reports, what is desired of it, and what is between the two (shadow contract, section 11).
//! No I/O and no clock.

pub mod message;

use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Levels of objects and lists below a state.
pub const MAX_DEPTH: usize = 16;
/// Bytes of what is reported and what is desired together, as JSON: a device must be able to read the answer to a get,
/// which may tell what is desired twice.
pub const MAX_DOCUMENT: usize = 8 * 1024;

/// Everything was fine.
pub const DONE: i64 = 0;
/// The request makes no sense. The contract has no number for it.
pub const BAD_REQUEST: i64 = 400;
/// The document would be too large or too deep. The contract has no number for it.
pub const TOO_LARGE: i64 = 413;
/// The document has another version than the device said.
pub const OTHER_VERSION: i64 = 5005;

/// A device's document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What the device said it is like.
    pub reported: Object,
    /// What it is to become.
    pub desired: Object,
    /// One more with every change.
    pub version: u64,
    /// When it changed last, UTC in milliseconds; 0: never.
    pub updated_at: u64,
}

/// What happens to one half of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Part {
    /// Nothing.
    #[default]
    Stays,
    /// It is emptied.
    Cleared,
    /// What is given is put into it; a null takes a field away.
    Merged(Object),
}

/// A change of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Of what is reported.
    pub reported: Part,
    /// Of what is desired.
    pub desired: Part,
    /// What is given takes the place of all that was reported.
    pub overwrites: bool,
    /// Nothing happens to a document of another version; 0: it may have any.
    pub version: u64,
}

impl Document {
    /// The document after a change, or the number of what is wrong with that.
    pub fn changed(&self, change: &Change, now: u64) -> Result<Document, i64> {
        if change.version != 0 && change.version != self.version {
            return Err(OTHER_VERSION);
        }
        let mut next = Document { version: self.version.saturating_add(1), updated_at: now, ..self.clone() };
        if change.overwrites && change.reported != Part::Stays {
            next.reported.clear();
        }
        for (half, part) in [(&mut next.reported, &change.reported), (&mut next.desired, &change.desired)] {
            match part {
                Part::Stays => {}
                Part::Cleared => half.clear(),
                Part::Merged(fields) if is_deep(fields) => return Err(TOO_LARGE),
                Part::Merged(fields) => merge(half, fields),
            }
        }
        if size(&next.reported) + size(&next.desired) > MAX_DOCUMENT {
            return Err(TOO_LARGE);
        }
        Ok(next)
    }

    /// What is desired and not reported so.
    pub fn delta(&self) -> Object {
        difference(&self.desired, &self.reported)
    }
}

fn size(object: &Object) -> usize {
    serde_json::to_vec(object).map_or(usize::MAX / 2, |text| text.len())
}

/// The parser has bounded how deep this can be.
fn is_deep(fields: &Object) -> bool {
    fn depth(value: &Value) -> usize {
        match value {
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
            Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
            _ => 0,
        }
    }
    fields.values().any(|value| depth(value) >= MAX_DEPTH)
}

fn merge(half: &mut Object, fields: &Object) {
    for (key, value) in fields {
        match value {
            Value::Null => {
                half.remove(key);
            }
            Value::Object(fields) => {
                let below = half.entry(key.as_str()).or_insert_with(|| Value::Object(Object::new()));
                if !below.is_object() {
                    *below = Value::Object(Object::new());
                }
                if let Value::Object(below) = below {
                    merge(below, fields);
                }
            }
            value => {
                half.insert(key.clone(), value.clone());
            }
        }
    }
}

fn difference(desired: &Object, reported: &Object) -> Object {
    let mut delta = Object::new();
    for (key, wanted) in desired {
        match (wanted, reported.get(key)) {
            (Value::Object(wanted), Some(Value::Object(there))) => {
                let below = difference(wanted, there);
                if !below.is_empty() {
                    delta.insert(key.clone(), Value::Object(below));
                }
            }
            (wanted, Some(there)) if same(wanted, there) => {}
            (wanted, _) => {
                delta.insert(key.clone(), wanted.clone());
            }
        }
    }
    delta
}

/// A device reports a whole number that is a `float` to it as `22.000000`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().expect("an object").clone()
    }

    fn document(reported: Value, desired: Value, version: u64) -> Document {
        Document { reported: object(reported), desired: object(desired), version, updated_at: 1 }
    }

    fn reports(value: Value) -> Change {
        Change { reported: Part::Merged(object(value)), ..Change::default() }
    }

    #[test]
    fn what_is_reported_is_merged() {
        let before = document(json!({ "a": 1, "b": { "c": 1, "d": 2 } }), json!({ "a": 5 }), 7);
        let after = before.changed(&reports(json!({ "a": null, "b": { "c": null, "e": [1] }, "f": { "g": null } })), 9);
        let expected = document(json!({ "b": { "d": 2, "e": [1] }, "f": {} }), json!({ "a": 5 }), 8);
        assert_eq!(after, Ok(Document { updated_at: 9, ..expected }));
        let overwriting = Change { overwrites: true, ..reports(json!({ "x": null, "y": 1 })) };
        assert_eq!(before.changed(&overwriting, 1), Ok(document(json!({ "y": 1 }), json!({ "a": 5 }), 8)));
        let replaced = before.changed(&reports(json!({ "a": { "b": 1 } })), 1).expect("fine");
        assert_eq!(replaced.reported["a"], json!({ "b": 1 }));
    }

    #[test]
    fn what_is_desired_goes_with_null() {
        let before = document(json!({ "a": 1 }), json!({ "a": 5, "b": 6 }), 7);
        let cleared = Change { desired: Part::Cleared, ..Change::default() };
        assert_eq!(before.changed(&cleared, 1), Ok(document(json!({ "a": 1 }), json!({}), 8)));
        let one = Change { desired: Part::Merged(object(json!({ "a": null }))), ..Change::default() };
        assert_eq!(before.changed(&one, 1), Ok(document(json!({ "a": 1 }), json!({ "b": 6 }), 8)));
        // Nothing was overwritten, because nothing was reported.
        let overwriting = Change { overwrites: true, ..cleared };
        assert_eq!(before.changed(&overwriting, 1).map(|after| after.reported), Ok(object(json!({ "a": 1 }))));
    }

    #[test]
    fn only_the_version_that_was_meant_changes() {
        let before = document(json!({}), json!({}), 7);
        for (version, fits) in [(0, true), (7, true), (6, false), (8, false)] {
            let change = Change { version, ..reports(json!({ "a": 1 })) };
            let outcome = before.changed(&change, 1).map(|after| after.version);
            assert_eq!(outcome, if fits { Ok(8) } else { Err(OTHER_VERSION) }, "{version}");
        }
    }

    #[test]
    fn the_delta_is_what_differs() {
        let delta = |desired, reported| Value::Object(document(reported, desired, 1).delta());
        assert_eq!(delta(json!({ "a": 1, "b": 2 }), json!({ "a": 1, "c": 3 })), json!({ "b": 2 }));
        assert_eq!(
            delta(json!({ "a": { "b": 1, "c": 2 } }), json!({ "a": { "b": 1, "c": 3 } })),
            json!({ "a": { "c": 2 } })
        );
        assert_eq!(delta(json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": 3 } })), json!({}));
        assert_eq!(delta(json!({ "a": { "b": 1 } }), json!({ "a": 1 })), json!({ "a": { "b": 1 } }));
        assert_eq!(delta(json!({ "a": [1, 2] }), json!({ "a": [1, 3] })), json!({ "a": [1, 2] }));
        assert_eq!(delta(json!({ "a": "1" }), json!({ "a": 1 })), json!({ "a": "1" }));
        // As the SDK writes a `float`.
        let reported: Value = serde_json::from_str(r#"{"a":22.000000,"b":[{"c":-0.000000}]}"#).expect("JSON");
        assert_eq!(delta(json!({ "a": 22, "b": [{ "c": 0 }] }), reported), json!({}));
    }

    #[test]
    fn documents_have_limits() {
        let before = document(json!({}), json!({ "d": "x".repeat(4000) }), 7);
        let text = |length: usize| reports(json!({ "a": "x".repeat(length) }));
        // {"a":""} and {"d":""}
        let room = MAX_DOCUMENT - 4000 - 16;
        assert!(before.changed(&text(room), 1).is_ok());
        assert_eq!(before.changed(&text(room + 1), 1), Err(TOO_LARGE));
        let deep = |levels: usize| reports(json!({ "a": (0..levels).fold(json!(1), |below, _| json!([below])) }));
        assert!(before.changed(&deep(MAX_DEPTH - 1), 1).is_ok());
        assert_eq!(before.changed(&deep(MAX_DEPTH), 1), Err(TOO_LARGE));
    }
}
