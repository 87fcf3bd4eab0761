use super::*;

const UPDATE: &str = r#"{"file_size":175436,"md5sum":"ad4615b8","type":"update_firmware",
    "url":"https:\/\/host\/a?b=1\u0026c=2", "nested" : { "a" : {"b": [1, {"c":2}], "e":""}, "t":true , "n":null},
    "f": -1.50e3, "":"empty", "k\u0065y": 1, "twice": 1, "twice": 2}"#;

fn value(path: &str) -> Option<&'static str> {
    value_of(UPDATE.as_bytes(), path.as_bytes()).unwrap().map(|value| std::str::from_utf8(value).unwrap())
}

fn keys(source: &str) -> Vec<String> {
    keys_of(source.as_bytes(), b"").unwrap().into_iter().map(|key| String::from_utf8(key).unwrap()).collect()
}

/// Reads every member of `text`, so all of it is checked.
fn read(text: &str) -> Result<usize, Error> {
    let mut object = Object::open(text.as_bytes())?;
    let mut count = 0;
    while object.next_key()?.is_some() {
        object.value()?;
        count += 1;
    }
    Ok(count)
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
    assert_eq!(value_of(br#"{"a":"\"x\\"}"#, b"a").unwrap(), Some(&br#"\"x\\"#[..]));
    assert_eq!(without_backslashes(br#"\"x\\\/"#), b"\"x/");
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
fn the_kind_of_a_value_is_told() {
    let text = br#"{"t":"x","n":-1,"b":false,"z":null,"o":{},"a":[],"i":-Infinity,"j":Infinity,"q":NaN,"T":TRUE,"F":FALSE,"N":NULL}"#;
    let mut object = Object::open(text).unwrap();
    let mut kinds = Vec::new();
    while object.next_key().unwrap().is_some() {
        let value = object.value().unwrap();
        assert_eq!(value.text().is_some(), value.kind() == Kind::Text);
        kinds.push(value.kind());
    }
    let number = Kind::Number;
    assert_eq!(kinds[..6], [Kind::Text, number, Kind::Bool, Kind::Null, Kind::Object, Kind::Array]);
    assert_eq!(kinds[6..], [number, number, number, Kind::Bool, Kind::Bool, Kind::Null]);
}

#[test]
fn whole_numbers_are_read_from_numbers_and_from_digits() {
    let whole = |value: &str| {
        let text = format!("{{\"a\":{value}}}");
        let mut object = Object::open(text.as_bytes()).unwrap();
        object.next_key().unwrap();
        object.value().unwrap().whole()
    };
    assert_eq!((whole("5.0"), whole(r#"" 5 ""#), whole("-1e2")), (Some(5), Some(5), Some(-100)));
    for value in ["5.5", r#""5.0""#, r#""""#, "true", "null", "[5]", "NaN"] {
        assert_eq!(whole(value), None, "{value}");
    }
}

const FAULTS: [(&str, &str, usize); 33] = [
    ("", "it ends too early", 0),
    (" ", "it ends too early", 1),
    ("{", "it ends too early", 1),
    ("}", "no opening brace", 0),
    ("[]", "no opening brace", 0),
    ("null", "no opening brace", 0),
    ("{a:1}", "no key", 1),
    ("{'a':1}", "no key", 1),
    ("{,}", "no key", 1),
    ("{\"a\":1", "it ends too early", 6),
    ("{\"a\":1,}", "no key", 7),
    ("{\"a\":1 \"b\":2}", "no comma between members", 7),
    ("{\"a\" 1}", "no colon behind a key", 5),
    ("{\"a\":}", "no value", 5),
    ("{\"a\":tru}", "no value", 8),
    ("{\"a\":nulL}", "no value", 8),
    ("{\"a\":01}", "something else right behind a value", 6),
    ("{\"a\":truex}", "something else right behind a value", 9),
    ("{\"a\":[1\"b\"]}", "something else right behind a value", 7),
    ("{\"a\":-}", "no digit in a number", 6),
    ("{\"a\":1.}", "no digit in a number", 7),
    ("{\"a\":1e+}", "no digit in a number", 8),
    ("{\"a\":\"\\x\"}", "no such escape", 7),
    ("{\"a\":\"\\u12g4\"}", "no hex digit in an escape", 10),
    ("{\"a\":\"", "it ends too early", 6),
    ("{\"a\\", "it ends too early", 4),
    ("{\"a\":[1,}", "no value", 8),
    ("{\"a\":[1,]}", "no value", 8),
    ("{\"a\":[1}", "neither a comma nor the right bracket", 7),
    ("{\"a\":[1 2]}", "neither a comma nor the right bracket", 8),
    ("{\"a\":{\"c\":}}", "no value", 10),
    ("{\"a\":{\"c\":1]}", "neither a comma nor the right bracket", 11),
    ("{\"a\":{\"c\":1,}}", "no key", 12),
];

#[test]
fn malformed_text_is_refused_with_what_and_where() {
    for (text, what, at) in FAULTS {
        let error = Error::Syntax(what, at);
        assert_eq!(read(text), Err(error), "{text}");
        assert_eq!(value_of(text.as_bytes(), b"\xFF"), Err(error), "{text}");
        assert_eq!(keys_of(text.as_bytes(), b""), Err(error), "{text}");
    }
}

#[test]
fn what_stands_behind_the_wanted_value_does_not_matter() {
    for rest in ["", ",", "}}", ",\"b\":tru}", " x", ",\"b\":{\"c\":"] {
        assert_eq!(value_of(format!("{{\"a\":1{rest}").as_bytes(), b"a").unwrap(), Some(&b"1"[..]), "{rest}");
        let inner = format!("{{\"o\":{{\"a\":\"1\"{rest}");
        assert_eq!(value_of(inner.as_bytes(), b"o.a").unwrap(), Some(&b"1"[..]), "{rest}");
    }
    assert!(value_of(b"{\"b\":tru,\"a\":1}", b"a").is_err());
    assert!(value_of(b"{\"a\":{\"b\":1", b"a").is_err());
    assert_eq!(keys("{\"a\":1}} trailing"), ["a"]);
}

#[test]
fn other_bytes_than_utf8_and_control_characters_are_taken() {
    let text = b"{\"notes\":\"a\tb\r\n\x01\xC4\xE3\",\"\xFF\":\"\xFE\"}";
    assert_eq!(value_of(text, b"\xFF").unwrap(), Some(&b"\xFE"[..]));
    assert_eq!(keys_of(text, b"").unwrap(), [b"notes".to_vec(), b"\xFF".to_vec()]);
}

#[test]
fn each_error_says_what_is_wrong_and_repeats_nothing() {
    let error = |source: &[u8]| keys_of(source, b"").unwrap_err().to_string();
    assert_eq!(error(b"[]"), "the text is not a JSON object: no opening brace at byte 0");
    let deep = "{\"a\":".repeat(MAX_DEPTH) + "{}" + &"}".repeat(MAX_DEPTH);
    assert_eq!(error(deep.as_bytes()), "objects are nested more than 128 deep");
    let long = "k".repeat(MAX_PATH + 1);
    assert_eq!(error(format!("{{\"{long}\":1,\"b\":2}}").as_bytes()), "a key's path is longer than 1024 bytes");
    assert_eq!(
        error(br#"{"secret":"hunter2","\ud83d":1}"#),
        "the text is not a JSON object: half a character in a key at byte 29"
    );
    assert_eq!(Error::Memory.to_string(), "no memory");
}

#[test]
fn keys_come_with_those_of_inner_objects() {
    assert_eq!(
        keys(UPDATE),
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
    assert_eq!(keys_of(br#"{"a":{"b":1}}"#, b"p.q").unwrap(), [b"p.q.a".to_vec(), b"p.q.a.b".to_vec()]);
    assert!(keys("{}").is_empty());
    assert!(keys(UPDATE).iter().all(|path| value(path).is_some()));
}

#[test]
fn depth_needs_no_stack_and_is_checked_as_far_as_it_is_known() {
    let nested = |depth: usize, inner: &str| "{\"a\":[".repeat(depth) + inner + &"]}".repeat(depth);
    for depth in [1, 60, 511, 512, 513, 100_000] {
        let text = nested(depth, "[{}, {\"b\":[1,2]}, \"]\"]");
        assert_eq!(value_of(text.as_bytes(), b"a").unwrap(), Some(&text.as_bytes()[5..text.len() - 1]), "{depth}");
        assert!(value_of(nested(depth, "[").as_bytes(), b"a").is_err(), "{depth}");
        assert!(value_of("{\"a\":[".repeat(depth).as_bytes(), b"a").is_err(), "{depth}");
        assert!(value_of(nested(depth, "[\"").as_bytes(), b"a").is_err(), "{depth}");
    }
    // The outermost object is not among those that the scanner remembers.
    let faulty = |depth| read(&nested(depth, "1 2")).is_err();
    assert!(faulty(512) && !faulty(513));
    let objects = |depth: usize| "{\"a\":".repeat(depth) + "{}" + &"}".repeat(depth);
    assert_eq!(keys(&objects(MAX_DEPTH - 1)).len(), MAX_DEPTH - 1);
    assert_eq!(keys_of(objects(MAX_DEPTH).as_bytes(), b""), Err(Error::Depth));
}

#[test]
fn long_paths_are_refused() {
    let long = format!("{{\"{}\":1}}", "k".repeat(MAX_PATH));
    assert_eq!(keys(&long).len(), 1);
    assert_eq!(keys_of(long.as_bytes(), b"p"), Err(Error::Path));
}

#[test]
fn a_message_begins_behind_its_mark_and_ends_at_its_nul() {
    for payload in [&b"{}"[..], b"{}\0", b"{}\0\0\0", b"\xEF\xBB\xBF{}", b"\xEF\xBB\xBF{}\0", b"{}\0{\"old\":1}"] {
        assert_eq!(message(payload), b"{}");
    }
    assert_eq!((message(b""), message(b"\0{}")), (&b""[..], &b""[..]));
}

mod against_serde {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value as Tree};

    /// What serde_json makes of the text that the scanner says lies there.
    fn members(text: &[u8]) -> Result<Map<String, Tree>, Error> {
        let mut object = Object::open(text)?;
        let mut members = Map::new();
        while let Some(key) = object.next_key()? {
            let value = object.value()?;
            let source = value.source();
            let tree = match value.kind() {
                Kind::Text => Tree::from(value.text().unwrap().to_str().unwrap()),
                _ => serde_json::from_slice(source).unwrap(),
            };
            members.insert(key.to_str().unwrap().into_owned(), tree);
        }
        Ok(members)
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::from),
            any::<i64>().prop_map(Tree::from),
            (-1e9..1e9).prop_map(Tree::from),
            any::<String>().prop_map(Tree::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Tree::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_object_is_read_as_serde_reads_it(
            object in prop::collection::hash_map(any::<String>(), tree(), 0..6),
            pretty in any::<bool>(),
        ) {
            let expected: Map<String, Tree> = object.into_iter().collect();
            let text =
                if pretty { serde_json::to_string_pretty(&expected) } else { serde_json::to_string(&expected) }.unwrap();
            // Read again: the last bit of a number may differ from what was written.
            let expected = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(members(text.as_bytes()), Ok(expected));
        }

        /// Where serde_json takes an object, so does the scanner.
        #[test]
        fn nothing_is_refused_that_serde_takes(text in r#"\{[ \t]{0,1}("[a\\"/u0b]{0,4}"|[0-9eE.+\-]{0,4}|[{}\[\]:,truefalsn]){0,8}\}"#) {
            if serde_json::from_str::<Map<String, Tree>>(&text).is_ok() {
                prop_assert!(read(&text).is_ok(), "{}", text);
            } else {
                // Only the outermost end and a surrogate's half are no business of the scanner's.
                let end = text.rfind('}').unwrap_or(0);
                prop_assert!(read(&text).is_err() || text[..end].contains('}') || text.contains("\\u"), "{}", text);
            }
        }

        /// Whatever is done to a text, answers are pieces of it.
        #[test]
        fn damaged_text_does_no_harm(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
            path in prop::sample::select(vec!["nested.a.b", "type", "a", "twice"]),
        ) {
            let mut source = UPDATE.as_bytes().to_vec();
            for (at, byte, kind) in damage {
                let at = at.index(source.len());
                match kind {
                    0 => source[at] = byte,
                    1 => source.truncate(at.max(1)),
                    _ => source.insert(at, b"{}[]\":,\\"[usize::from(byte % 8)]),
                }
            }
            if let Ok(Some(value)) = value_of(&source, path.as_bytes()) {
                let range = source.as_ptr_range();
                prop_assert!(range.contains(&value.as_ptr()) && value.as_ptr_range().end <= range.end);
            }
            if let Ok(keys) = keys_of(&source, b"") {
                for key in keys {
                    prop_assert!(value_of(&source, &key).is_ok());
                }
            }
        }
    }
}

#[test]
fn values_of_a_few_keys_are_the_first_of_their_name() {
    let text = br#"{"b":{"a":9},"\u0061":1,"c":null,"a":2,"x":[3]}"#;
    let [a, c, missing] = values(text, ["a", "c", "d"]).unwrap();
    assert_eq!((a.unwrap().whole(), c.unwrap().kind(), missing), (Some(1), Kind::Null, None));
}

#[test]
fn values_before_an_error_are_still_told() {
    let text = br#"{"a":1,"b":2,"c":tru}"#;
    assert!(values(text, ["a"]).is_err());
    let ([a, c], error) = Object::open(text).unwrap().values(["a", "c"]);
    assert_eq!((a.unwrap().whole(), c), (Some(1), None));
    assert!(matches!(error, Some(Error::Syntax(_, 17..))), "{error:?}");
}
