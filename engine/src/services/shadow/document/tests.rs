use super::*;

const ALL: [Form; 5] =
    [Form::Report, Form::OverwriteReport, Form::ReportAndDesireNull, Form::DesireAllNull, Form::Desire];

fn build(form: Form, size: usize, properties: &[(&str, Value<'_>)]) -> (Result<(), Fault>, String) {
    let mut document = Document::new(form, size);
    let mut write = || {
        document.begin()?;
        for (key, value) in properties {
            document.property(key.as_bytes(), *value)?;
        }
        document.end("PID", 7)
    };
    let result = write();
    (result, String::from_utf8(document.text().to_vec()).unwrap())
}

fn value(value: Value<'_>) -> String {
    let (result, text) = build(Form::Report, 4096, &[("k", value)]);
    assert_eq!(result, Ok(()));
    let text = text.strip_prefix(r#"{"state":{"reported":{"k":"#).unwrap();
    text.strip_suffix(r#"}}, "clientToken":"PID-7"}"#).unwrap().to_owned()
}

/// shadow.md section 12, case 2.
#[test]
fn each_form_has_the_bytes_of_the_contract() {
    let two = [("a", Value::Whole(1)), ("b", Value::Null)];
    for (form, text) in [
        (Form::Report, r#"{"state":{"reported":{"a":1,"b":null}}, "clientToken":"PID-7"}"#),
        (
            Form::OverwriteReport,
            r#"{"overwriteUpdate":true, "state":{"reported":{"a":1,"b":null}}, "clientToken":"PID-7"}"#,
        ),
        (
            Form::ReportAndDesireNull,
            r#"{"state":{"reported":{"a":1,"b":null},"desired": null}, "clientToken":"PID-7"}"#,
        ),
        (Form::Desire, r#"{"state":{"desired":{"a":1,"b":null}}, "clientToken":"PID-7"}"#),
    ] {
        assert_eq!(build(form, 200, &two), (Ok(()), text.to_owned()), "{form:?}");
    }
    let cleared = r#"{"state":{"desired": null}, "clientToken":"PID-7"}"#;
    assert_eq!(build(Form::DesireAllNull, 200, &[]), (Ok(()), cleared.to_owned()));
}

/// Case 3: no property, and as many as a count has room for.
#[test]
fn a_document_holds_none_to_255_properties() {
    for count in [0, 127, 128, 255] {
        let (result, text) = build(Form::Report, 9000, &vec![("k", Value::Whole(0)); count]);
        let properties = vec![r#""k":0"#; count].join(",");
        assert_eq!(result, Ok(()));
        assert_eq!(text, format!(r#"{{"state":{{"reported":{{{properties}}}}}, "clientToken":"PID-7"}}"#));
    }
}

/// Case 4: whatever the room, the text is a beginning of the whole one, and whole exactly when its NUL fits too.
#[test]
fn every_size_of_0_to_300_holds_what_fits_of_every_form_and_type() {
    let values = [
        Value::Null,
        Value::Whole(i64::from(i32::MIN)),
        Value::Whole(i64::from(u32::MAX)),
        Value::Number(-0.1),
        Value::Number(1e60),
        Value::Bool(true),
        Value::Bool(false),
        Value::Text(b"a\nb\x01c"),
        Value::Text(b""),
        Value::Json(br#"{"x":[1]}"#),
    ];
    for form in ALL {
        for value in values {
            let properties = if form == Form::DesireAllNull { vec![] } else { vec![("key", value), ("", value)] };
            let (result, whole) = build(form, 4096, &properties);
            assert_eq!(result, Ok(()));
            assert!(whole.len() < 280, "the largest sizes must hold it");
            for size in 0..=300 {
                let (result, text) = build(form, size, &properties);
                let expected = if size > whole.len() { Ok(()) } else { Err(Fault::NoRoom) };
                assert_eq!(result, expected, "{form:?} {value:?} {size}");
                assert_eq!(text, whole[..whole.len().min(size.saturating_sub(1))], "{form:?} {value:?} {size}");
            }
        }
    }
}

/// Case 6.
#[test]
fn numbers_have_six_decimals_and_no_exponent() {
    for (number, text) in [
        (0.1, "0.100000"),
        (1e-7, "0.000000"),
        (-0.0, "-0.000000"),
        (0.000_000_5, "0.000000"),
        (0.000_001_5, "0.000002"),
        (f64::from(0.1_f32), "0.100000"),
        (f64::from(f32::MAX), "340282346638528859811704183484516925440.000000"),
    ] {
        assert_eq!(value(Value::Number(number)), text);
    }
    let large = value(Value::Number(1e300));
    assert!(
        large.len() == 308 && large.starts_with("1000000000000000052504760255204420248704468581108159154915854115")
    );
    assert_eq!(value(Value::Number(f64::MAX)).len(), 309 + 7);
}

#[test]
fn infinity_and_nan_are_refused_with_the_text_so_far() {
    for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let (result, text) = build(Form::Report, 200, &[("a", Value::Whole(1)), ("b", Value::Number(number))]);
        assert_eq!((result, text.as_str()), (Err(Fault::NotFinite), r#"{"state":{"reported":{"a":1"#));
    }
}

#[test]
fn strings_keep_their_bytes_but_raw_control_characters() {
    assert_eq!(value(Value::Text("a\\\"b\\\\ 你".as_bytes())), "\"a\\\"b\\\\ 你\"");
    assert_eq!(value(Value::Text(b"\x01\t\n\r\x1f\x7f")), "\"\\u0001\\t\\n\\r\\u001f\x7f\"");
    assert_eq!(value(Value::Text(b"")), "\"\"");
    assert_eq!(value(Value::Json(b"[1, 2]")), "[1, 2]");
    assert_eq!(value(Value::Bool(true)) + &value(Value::Bool(false)), "truefalse");
}

#[test]
fn an_empty_key_is_a_key() {
    let text = r#"{"state":{"reported":{"":-5}}, "clientToken":"PID-7"}"#;
    assert_eq!(build(Form::Report, 99, &[("", Value::Whole(-5))]), (Ok(()), text.to_owned()));
}
