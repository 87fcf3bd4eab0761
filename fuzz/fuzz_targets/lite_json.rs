//! Any text as JSON for the C helpers. Input: a key path, a line feed, the text.
//!
//! What is found is compared with a tree that serde_json builds, and the C functions with the engine they stand on.
#![no_main]

use std::ffi::{c_char, c_int, CStr, CString};
use std::fmt;
use std::mem::offset_of;

use iot_abi::import::HAL_Free;
use iot_abi::lite_list::list_head_t;
use iot_abi::lite_utils::json_key_t;
use iot_engine::helpers::json;
use iot_sdk::ffi::json as ffi;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

fuzz_target!(init: iot_fuzz::silence(), |data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (path, source) = (&data[..at], &data[(at + 1).min(data.len())..]);
    engine(path, source);
    surface(path, source);
});

/// JSON as a tree that keeps every member of an object, in order.
#[derive(Debug, PartialEq)]
enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Number(f64),
    Other(Option<bool>),
}

impl Node {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value at `path`: in each object the first member with the key counts.
    fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, wanted| match node {
            Node::Object(members) => members.iter().find(|(key, _)| key == wanted).map(|(_, value)| value),
            _ => None,
        })
    }

    fn paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let Node::Object(members) = self else { return };
        for (key, value) in members {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            paths.push(path.clone());
            value.paths(&path, paths);
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;

        impl<'de> Visitor<'de> for AnyNode {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Other(Some(value)))
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Other(None))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value as f64))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Number(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }
        }

        deserializer.deserialize_any(AnyNode)
    }
}

fn engine(path: &[u8], source: &[u8]) {
    let found = json::value_of(source, path);
    let text = std::str::from_utf8(source).ok();
    // The scanner takes more than serde_json: control characters, any bytes in strings, what stands behind the value, any
    // depth and any number. What serde_json takes, it must take, and read the same.
    let tree = text.and_then(Node::read);
    if let Some(tree @ Node::Object(_)) = &tree {
        let expected = std::str::from_utf8(path).ok().and_then(|path| tree.at(path));
        let found = found.as_ref().expect("an object can be looked into");
        match (expected, found) {
            (None, None) => {}
            (Some(Node::Text(expected)), Some(text)) => {
                let quoted = [b"\"", *text, b"\""].concat();
                let text = String::from_utf8(quoted).expect("a piece of UTF-8");
                assert_eq!(Node::read(&text), Some(Node::Text(expected.clone())));
            }
            (Some(expected), Some(text)) => {
                assert_eq!(Node::read(std::str::from_utf8(text).expect("a piece of UTF-8")).as_ref(), Some(expected));
            }
            _ => panic!("{expected:?} is expected, {found:?} is found"),
        }
    } else if tree.is_some() {
        assert!(found.is_err(), "only objects can be looked into");
    }
    if let Ok(Some(value)) = &found {
        let within = source.as_ptr_range();
        assert!(within.start <= value.as_ptr() && value.as_ptr_range().end <= within.end);
    }

    match json::keys_of(source, path) {
        Ok(keys) => {
            assert!(found.is_ok());
            if let (Some(tree), Ok(prefix)) = (tree, std::str::from_utf8(path)) {
                let mut expected = Vec::new();
                tree.paths(prefix, &mut expected);
                let expected: Vec<Vec<u8>> = expected.into_iter().map(String::into_bytes).collect();
                assert_eq!(keys, expected);
            }
            assert!(keys.iter().all(|key| key.len() <= json::MAX_PATH));
        }
        Err(json::Error::Depth | json::Error::Path | json::Error::Memory) => {}
        Err(json::Error::Syntax(what, at)) => {
            assert!(at <= source.len());
            // serde_json, too, refuses half a surrogate pair in a key.
            assert!(!matches!(tree, Some(Node::Object(_))), "{what} at {at}");
        }
    }
}

/// The part of `bytes` that C can see.
fn c(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("no NUL")
}

/// The text behind a result, which is freed.
fn taken(result: *mut c_char) -> Option<Vec<u8>> {
    if result.is_null() {
        return None;
    }
    // SAFETY: the library's strings end with a NUL and come from HAL_Malloc.
    unsafe {
        let text = CStr::from_ptr(result).to_bytes().to_vec();
        HAL_Free(result.cast());
        Some(text)
    }
}

fn surface(path: &[u8], source: &[u8]) {
    let (path, source) = (c(path), c(source));
    let (key, src) = (path.as_ptr().cast_mut(), source.as_ptr().cast_mut());
    let expected = json::value_of(source.to_bytes(), path.to_bytes()).ok().flatten();
    // SAFETY: strings that end with a NUL; no function writes to them.
    let (value, stripped, copy) = unsafe {
        (ffi::LITE_json_value_of(key, src), ffi::LITE_json_string_value_strip_transfer(key, src), ffi::LITE_strdup(src))
    };
    assert_eq!(taken(value).as_deref(), expected);
    let without: Option<Vec<u8>> = expected.map(|text| text.iter().copied().filter(|byte| *byte != b'\\').collect());
    assert_eq!(taken(stripped), without);
    let fits = source.as_bytes().len() <= 1024;
    assert_eq!(taken(copy).as_deref(), fits.then_some(source.as_bytes()));

    let expected = json::keys_of(source.to_bytes(), path.to_bytes()).ok();
    // A key may hold an escaped NUL, which C sees as the end of its text.
    let expected: Option<Vec<CString>> = expected.map(|keys| keys.iter().map(|key| c(key)).collect());
    // SAFETY: as above.
    assert_eq!(keys(unsafe { ffi::LITE_json_keys_of(src, key) }), expected);
    // Paths serve as numbers, too: they are short and may be anything.
    numbers(&path);
    hex(source.as_bytes());
}

/// Walks a list both ways as C code does, and releases it.
fn keys(list: *mut list_head_t) -> Option<Vec<CString>> {
    if list.is_null() {
        return None;
    }
    let mut keys = Vec::new();
    // SAFETY: a list as LITE_json_keys_of describes it.
    unsafe {
        let key = |node: *mut list_head_t| (*node.byte_sub(offset_of!(json_key_t, list)).cast::<json_key_t>()).key;
        let mut node = (*list).next;
        while !key(node).is_null() {
            keys.push(CStr::from_ptr(key(node)).to_owned());
            assert_eq!((*(*node).next).prev, node);
            node = (*node).next;
        }
        assert_eq!(node, list);
        ffi::LITE_json_keys_release(list);
    }
    Some(keys)
}

fn numbers(text: &CStr) {
    let src = text.as_ptr().cast_mut();
    let trimmed = std::str::from_utf8(text.to_bytes().trim_ascii()).ok();
    let (mut int, mut float, mut yes) = (7_i32, 7.5_f64, true);
    // SAFETY: each may be written, the text ends with a NUL.
    let codes: [c_int; 3] = unsafe {
        [
            ffi::LITE_get_int32(&raw mut int, src),
            ffi::LITE_get_double(&raw mut float, src),
            ffi::LITE_get_boolean(&raw mut yes, src),
        ]
    };
    let expected: Option<i32> = trimmed.and_then(|text| text.parse().ok());
    assert_eq!((codes[0] == 0, int), (expected.is_some(), expected.unwrap_or(7)));
    assert!(float.is_finite() && (codes[1] == 0 || float == 7.5));
    assert!(codes[2] == 0 || yes);
}

fn hex(text: &[u8]) {
    let source = c(text);
    let pairs = source.as_bytes().len() / 2;
    let mut bytes = vec![0_u8; pairs];
    let len = c_int::try_from(source.as_bytes().len()).expect("short");
    // SAFETY: the text has `len` characters, the buffers are as large as the functions say.
    unsafe { ffi::LITE_hexstr_convert(source.as_ptr().cast_mut(), bytes.as_mut_ptr(), len) };
    let is_hex = source.as_bytes().iter().all(u8::is_ascii_hexdigit);
    let mut again = vec![0_u8; 2 * pairs];
    // SAFETY: as above.
    unsafe { ffi::LITE_hexbuf_convert(bytes.as_mut_ptr(), again.as_mut_ptr().cast(), pairs as c_int, 0) };
    if is_hex {
        assert!(again.eq_ignore_ascii_case(&source.as_bytes()[..2 * pairs]));
    }
}
