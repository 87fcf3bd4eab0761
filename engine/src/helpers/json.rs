//! Looking into JSON text without taking it apart (`LITE_json_*`, behaviour.md section 6).
//!
//! The whole text is checked before anything in it is believed. Answers are pieces of the source text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How deep objects may lie in each other for [`keys_of`].
pub const MAX_DEPTH: usize = 128;
/// How long a dotted path may become in [`keys_of`], in bytes. Without a limit one long key around many short ones would
/// make the answer much larger than the text.
pub const MAX_PATH: usize = 1024;

/// Why a text could not be looked into.
#[derive(Debug)]
pub enum Error {
    /// Not UTF-8.
    Encoding,
    /// Not JSON, or not an object on the outside. Says where.
    Syntax(serde_json::Error),
    /// Objects nested deeper than [`MAX_DEPTH`].
    Depth,
    /// A path longer than [`MAX_PATH`].
    Path,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Encoding => f.write_str("the text is not UTF-8"),
            Error::Syntax(error) => write!(f, "the text is not a JSON object: {error}"),
            Error::Depth => write!(f, "objects are nested more than {MAX_DEPTH} deep"),
            Error::Path => write!(f, "a key's path is longer than {MAX_PATH} bytes"),
        }
    }
}

impl std::error::Error for Error {}

/// The source text of the value at `path`, keys joined by dots: `report.progress.state`. A string comes without its
/// quotes and with its escapes as they are; everything else as it stands. `None` where nothing lies at `path`.
/// Where a key comes twice, its first value counts. Paths don't lead into arrays.
///
/// # Errors
/// `source` is not one JSON object.
pub fn value_of<'a>(source: &'a [u8], path: &[u8]) -> Result<Option<&'a str>, Error> {
    let mut object = std::str::from_utf8(source).map_err(|_| Error::Encoding)?;
    let Ok(path) = std::str::from_utf8(path) else {
        check(object)?;
        return Ok(None);
    };
    let mut keys = path.split('.').peekable();
    loop {
        let wanted = keys.next().unwrap_or_default();
        let mut found = None;
        for_each_member(object, |key, value| {
            if found.is_none() && key == wanted {
                found = Some(value);
            }
        })?;
        match found {
            Some(value) if keys.peek().is_none() => return Ok(Some(without_quotes(value))),
            Some(value) if is_object(value) => object = value,
            _ => return Ok(None),
        }
    }
}

/// The paths of all keys, in the order of the text: each key, then the keys of the object that it may hold, joined by
/// dots. `prefix`, where it is not empty, goes before each, with a dot. Objects inside arrays are not looked into.
///
/// # Errors
/// `source` is not one JSON object, or too deep, or its paths are too long.
pub fn keys_of(source: &[u8], prefix: &[u8]) -> Result<Vec<String>, Error> {
    let object = std::str::from_utf8(source).map_err(|_| Error::Encoding)?;
    let prefix = std::str::from_utf8(prefix).map_err(|_| Error::Encoding)?;
    let mut paths = Vec::new();
    collect_keys(object, prefix, 1, &mut paths)?;
    Ok(paths)
}

fn collect_keys(object: &str, prefix: &str, depth: usize, paths: &mut Vec<String>) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Depth);
    }
    let mut inside = Ok(());
    for_each_member(object, |key, value| {
        if inside.is_err() {
            return;
        }
        let path = if prefix.is_empty() { key.into_owned() } else { format!("{prefix}.{key}") };
        if path.len() > MAX_PATH {
            inside = Err(Error::Path);
            return;
        }
        paths.push(path.clone());
        if is_object(value) {
            inside = collect_keys(value, &path, depth + 1, paths);
        }
    })?;
    inside
}

/// `value` without any backslash (`LITE_json_string_value_strip_transfer`).
#[must_use]
pub fn without_backslashes(value: &str) -> String {
    value.replace('\\', "")
}

fn is_object(value: &str) -> bool {
    value.starts_with('{')
}

fn without_quotes(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn check(object: &str) -> Result<(), Error> {
    for_each_member(object, |_, _| ())
}

/// Calls `visit` with each key, its escapes decoded, and its value's source text. All of `object` is checked, the
/// values' insides too; some members may have been visited when that fails.
fn for_each_member<'a>(object: &'a str, visit: impl FnMut(Cow<'a, str>, &'a str)) -> Result<(), Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Members(visit)).and_then(|()| deserializer.end()).map_err(Error::Syntax)
}

/// A key, borrowed from the text when it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            (self.0)(key, value.get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: &str = r#"{"file_size":175436,"md5sum":"ad4615b8","type":"update_firmware",
        "url":"https:\/\/host\/a?b=1\u0026c=2", "nested" : { "a" : {"b": [1, {"c":2}], "e":""}, "t":true , "n":null},
        "f": -1.50e3, "":"empty", "k\u0065y": 1, "twice": 1, "twice": 2}"#;

    fn value(path: &str) -> Option<&'static str> {
        value_of(UPDATE.as_bytes(), path.as_bytes()).unwrap()
    }

    #[test]
    fn values_come_as_their_source_text() {
        assert_eq!(value("file_size"), Some("175436"));
        assert_eq!(value("f"), Some("-1.50e3"));
        assert_eq!(value("nested.t"), Some("true"));
        assert_eq!(value("nested.n"), Some("null"));
        assert_eq!(value("nested.a.b"), Some(r#"[1, {"c":2}]"#));
        assert_eq!(value("nested.a"), Some(r#"{"b": [1, {"c":2}], "e":""}"#));
    }

    #[test]
    fn strings_lose_their_quotes_and_keep_their_escapes() {
        assert_eq!(value("type"), Some("update_firmware"));
        assert_eq!(value("url"), Some(r"https:\/\/host\/a?b=1\u0026c=2"));
        assert_eq!(value("nested.a.e"), Some(""));
        assert_eq!(value_of(br#"{"a":"\"x\\"}"#, b"a").unwrap(), Some(r#"\"x\\"#));
        assert_eq!(without_backslashes(r#"\"x\\\/"#), "\"x/");
    }

    #[test]
    fn keys_are_compared_decoded_and_the_first_counts() {
        assert_eq!(value("key"), Some("1"));
        assert_eq!(value("twice"), Some("1"));
        assert_eq!(value(""), Some("empty"));
    }

    #[test]
    fn paths_that_lead_nowhere() {
        for path in ["missing", "file_size.x", "nested.a.b.c", "nested.a.b.0", "nested.", ".nested", "typ", "type "] {
            assert_eq!(value(path), None, "{path}");
        }
        assert_eq!(value_of(UPDATE.as_bytes(), b"\xFF").unwrap(), None);
    }

    #[test]
    fn malformed_text_is_refused_wherever_the_fault_lies() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":1} x",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1,\"b\":tru}",
            "{\"a\":1,\"b\":01}",
            "{\"a\":1,\"b\":\"\n\"}",
            "{\"a\":1,\"b\":\"\\x\"}",
            "{\"a\":1,\"b\":[1,}",
            "{\"a\":1,\"b\":{\"c\":}}",
            "{\"a\":1,\"b\":\"",
            "{\"a\":1,\"b\\",
        ] {
            assert!(value_of(text.as_bytes(), b"a").is_err(), "{text}");
            assert!(value_of(text.as_bytes(), b"\xFF").is_err(), "{text}");
            assert!(keys_of(text.as_bytes(), b"").is_err(), "{text}");
        }
        assert!(matches!(value_of(b"{\"a\":\"\xFF\"}", b"a"), Err(Error::Encoding)));
        assert!(matches!(keys_of(b"{}", b"\xFF"), Err(Error::Encoding)));
    }

    #[test]
    fn each_error_says_what_is_wrong() {
        let error = |source: &[u8]| keys_of(source, b"").unwrap_err().to_string();
        assert_eq!(error(b"{\"\xFF\":1}"), "the text is not UTF-8");
        assert_eq!(
            error(b"[]"),
            "the text is not a JSON object: invalid type: sequence, expected an object at line 1 column 0"
        );
        let deep = "{\"a\":".repeat(MAX_DEPTH) + "{}" + &"}".repeat(MAX_DEPTH);
        assert_eq!(error(deep.as_bytes()), "objects are nested more than 128 deep");
        let long = "k".repeat(MAX_PATH + 1);
        assert_eq!(error(format!("{{\"{long}\":1,\"b\":2}}").as_bytes()), "a key's path is longer than 1024 bytes");
    }

    #[test]
    fn an_error_says_where_and_repeats_nothing() {
        let error = value_of(br#"{"secret":"hunter2" "x":1}"#, b"x").unwrap_err().to_string();
        assert!(error.contains("column"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn numbers_need_not_fit_any_type() {
        assert_eq!(value_of(br#"{"a":1e999,"b":123456789012345678901234567890}"#, b"a").unwrap(), Some("1e999"));
        assert_eq!(keys_of(br#"{"a":1e999}"#, b"").unwrap(), ["a"]);
    }

    #[test]
    fn keys_come_with_those_of_inner_objects() {
        assert_eq!(
            keys_of(UPDATE.as_bytes(), b"").unwrap(),
            [
                "file_size",
                "md5sum",
                "type",
                "url",
                "nested",
                "nested.a",
                "nested.a.b",
                "nested.a.e",
                "nested.t",
                "nested.n",
                "f",
                "",
                "key",
                "twice",
                "twice"
            ]
        );
        assert_eq!(keys_of(br#"{"a":{"b":1}}"#, b"p.q").unwrap(), ["p.q.a", "p.q.a.b"]);
        assert!(keys_of(b"{}", b"").unwrap().is_empty());
    }

    #[test]
    fn each_key_found_leads_to_its_value() {
        for path in keys_of(UPDATE.as_bytes(), b"").unwrap() {
            assert!(value(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn deep_text_exhausts_nothing() {
        let nested = |depth: usize| "{\"a\":".repeat(depth) + "{}" + &"}".repeat(depth);
        assert_eq!(keys_of(nested(MAX_DEPTH - 1).as_bytes(), b"").unwrap().len(), MAX_DEPTH - 1);
        assert!(matches!(keys_of(nested(MAX_DEPTH).as_bytes(), b""), Err(Error::Depth)));
        assert!(value_of(nested(100_000).as_bytes(), b"a").unwrap().is_some());
        assert!(value_of("{\"a\":[".repeat(100_000).as_bytes(), b"a").is_err());
        assert!(keys_of("[".repeat(100_000).as_bytes(), b"").is_err());
    }

    #[test]
    fn long_paths_are_refused() {
        let long = format!("{{\"{}\":1}}", "k".repeat(MAX_PATH));
        assert_eq!(keys_of(long.as_bytes(), b"").unwrap().len(), 1);
        assert!(matches!(keys_of(long.as_bytes(), b"p"), Err(Error::Path)));
    }

    /// xorshift64*: the same bytes in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
        }
    }

    /// Whatever comes out must be a piece of `source`, and the two functions must agree on what is well-formed.
    fn probe(source: &[u8], path: &[u8]) {
        let answer = value_of(source, path);
        if let Ok(Some(value)) = answer {
            let (start, end) = (source.as_ptr_range().start as usize, source.as_ptr_range().end as usize);
            let at = value.as_ptr() as usize;
            assert!(start <= at && at + value.len() <= end);
        }
        if let Ok(keys) = keys_of(source, b"") {
            assert!(answer.is_ok());
            for key in keys.iter().take(20) {
                let _ = value_of(source, key.as_bytes()).unwrap();
            }
        }
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut random = Random(1);
        let alphabet = b"{}[]\":,.\\/ntrue0123456789-+eEfalsu \t\r\n\x00\x7F\x80\xC3\xFFabd";
        for round in 0..60_000 {
            let length = random.below(40);
            let source: Vec<u8> = (0..length)
                .map(|_| if round % 3 == 0 { random.below(256) as u8 } else { alphabet[random.below(alphabet.len())] })
                .collect();
            let path: Vec<u8> = (0..random.below(6)).map(|_| alphabet[random.below(alphabet.len())]).collect();
            probe(&source, &path);
        }
    }

    #[test]
    fn damaged_json_does_no_harm() {
        let mut random = Random(2);
        let tokens: [&[u8]; 12] =
            [b"{", b"}", b"[", b"]", b"\"", b"\\", b":", b",", b"null", b"\\u12", b"\xED\xA0\x80", b"{\"a\":{}}"];
        let paths: [&[u8]; 4] = [b"nested.a.b", b"type", b"a", b"twice"];
        for _ in 0..60_000 {
            let mut source = UPDATE.as_bytes().to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(source.len());
                match random.below(4) {
                    0 => source[at] = random.below(256) as u8,
                    1 => source.truncate(at.max(1)),
                    2 => drop(source.drain(at..(at + random.below(30)).min(source.len()).max(at))),
                    _ => drop(source.splice(at..at, tokens[random.below(tokens.len())].iter().copied())),
                }
                if source.is_empty() {
                    source.push(b'{');
                }
            }
            probe(&source, paths[random.below(paths.len())]);
        }
    }
}
