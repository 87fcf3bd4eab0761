//! What the cloud sends on the update topic (wire.md section 3).

use serde::Deserialize;
use serde_json::Value;

use super::MAX_VERSION_LEN;
use crate::http::Url;

/// A firmware to fetch. All fields have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateCommand {
    /// Where the firmware is. Its query is a secret.
    pub url: Url,
    /// Its version, 1 to 32 bytes.
    pub version: String,
    /// Its MD5, 32 hex digits as received.
    pub md5sum: String,
    /// Its size in bytes, at least 1.
    pub file_size: u32,
}

/// An `update_firmware` that can't be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCommand {
    /// Names the key and what is wrong with it.
    pub reason: String,
    /// The version it names, cut to 32 bytes; empty where it names none.
    pub version: String,
}

/// A message from the update topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudMessage {
    /// Answer to a version report.
    VersionResult {
        /// 0 is success.
        code: i64,
        /// `result_msg`, empty where there is none.
        text: String,
    },
    /// Firmware to fetch.
    Update(UpdateCommand),
    /// An `update_firmware` with missing or absurd fields.
    BadUpdate(BadCommand),
    /// Something else, with its type.
    Other(String),
}

/// The keys as they may stand in any message. Unknown ones are ignored.
#[derive(Deserialize)]
struct Keys {
    r#type: Option<Value>,
    result_code: Option<Value>,
    result_msg: Option<Value>,
    url: Option<Value>,
    version: Option<Value>,
    md5sum: Option<Value>,
    file_size: Option<Value>,
}

impl CloudMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, where not even the type can be told or a version answer has no result.
    pub fn parse(payload: &[u8]) -> Result<Self, String> {
        // What serde_json says of a text or an array quotes it, and it would take an array for the keys in their order.
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err("not a JSON object".to_owned());
        }
        let keys: Keys = serde_json::from_slice(payload).map_err(|error| format!("not a JSON object: {error}"))?;
        let kind = match &keys.r#type {
            Some(Value::String(kind)) => kind.as_str(),
            Some(_) => return Err("type is not a string".to_owned()),
            None => return Err("type is missing".to_owned()),
        };
        match kind {
            "report_version_rsp" => {
                let code = result_code(keys.result_code.as_ref())?;
                let text = keys.result_msg.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
                Ok(CloudMessage::VersionResult { code, text })
            }
            "update_firmware" => Ok(match keys.update() {
                Ok(command) => CloudMessage::Update(command),
                Err(reason) => CloudMessage::BadUpdate(BadCommand { reason, version: keys.version_for_report() }),
            }),
            other => Ok(CloudMessage::Other(other.to_owned())),
        }
    }
}

impl Keys {
    fn update(&self) -> Result<UpdateCommand, String> {
        let url = text("url", self.url.as_ref())?;
        let version = text("version", self.version.as_ref())?;
        let md5sum = text("md5sum", self.md5sum.as_ref())?;
        let url = Url::parse(url).map_err(|why| format!("url {why}"))?;
        if version.is_empty() {
            return Err("version is empty".to_owned());
        }
        if version.len() > MAX_VERSION_LEN {
            return Err(format!("version has {} characters, more than {MAX_VERSION_LEN}", version.len()));
        }
        if version.contains('\0') {
            return Err("version contains a NUL".to_owned());
        }
        if md5sum.len() != 32 || !md5sum.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err("md5sum is not 32 hex digits".to_owned());
        }
        let file_size = file_size(self.file_size.as_ref())?;
        Ok(UpdateCommand { url, version: version.to_owned(), md5sum: md5sum.to_owned(), file_size })
    }

    fn version_for_report(&self) -> String {
        let mut version = self.version.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        while version.len() > MAX_VERSION_LEN {
            version.pop();
        }
        version
    }
}

fn text<'a>(key: &str, value: Option<&'a Value>) -> Result<&'a str, String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{key} is not a string")),
        None => Err(format!("{key} is missing")),
    }
}

fn result_code(value: Option<&Value>) -> Result<i64, String> {
    match value {
        Some(Value::Number(number)) => number.as_i64().ok_or_else(|| "result_code is out of range".to_owned()),
        Some(Value::String(digits)) => {
            digits.trim().parse().map_err(|_| "result_code is neither a number nor a string of digits".to_owned())
        }
        Some(_) => Err("result_code is neither a number nor a string of digits".to_owned()),
        None => Err("result_code is missing".to_owned()),
    }
}

fn file_size(value: Option<&Value>) -> Result<u32, String> {
    const NOT_A_NUMBER: &str = "file_size is neither a whole number nor a string of digits";
    let digits = match value {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(digits)) => digits.clone(),
        Some(_) => return Err(NOT_A_NUMBER.to_owned()),
        None => return Err("file_size is missing".to_owned()),
    };
    let (negative, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.as_str()),
    };
    // serde_json turns whole numbers beyond 64 bits into floating point, exponent included.
    let beyond_64_bits =
        matches!(value, Some(Value::Number(number)) if number.as_f64().is_some_and(|n| n >= 2f64.powi(64)));
    if !beyond_64_bits && (magnitude.is_empty() || !magnitude.bytes().all(|digit| digit.is_ascii_digit())) {
        return Err(NOT_A_NUMBER.to_owned());
    }
    if negative {
        return Err("file_size is negative".to_owned());
    }
    match magnitude.parse::<u32>() {
        Ok(0) => Err("file_size is 0".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("file_size is above 4294967295".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = r#"{"file_size":175436,"md5sum":"ad4615b866c13afb8b293a679bfa5dc4","type":"update_firmware","url":"https://ota-1255858890.cos.ap-guangzhou.myqcloud.com/100008768029_S3EUVBRJLB_1.3.0?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dx%26q-signature%3Dy%00","version":"1.3.0"}"#;

    fn update(text: &str) -> UpdateCommand {
        match CloudMessage::parse(text.as_bytes()) {
            Ok(CloudMessage::Update(command)) => command,
            other => panic!("{other:?}"),
        }
    }

    fn bad(text: &str) -> BadCommand {
        match CloudMessage::parse(text.as_bytes()) {
            Ok(CloudMessage::BadUpdate(bad)) => bad,
            other => panic!("{other:?}"),
        }
    }

    /// The command with one key's JSON value replaced; `None` leaves the key out.
    fn with(key: &str, value: Option<&str>) -> String {
        let mut keys = vec![
            ("type", r#""update_firmware""#),
            ("url", r#""http://h/f""#),
            ("version", r#""1.3.0""#),
            ("md5sum", r#""AD4615b866c13afb8b293a679bfa5dc4""#),
            ("file_size", "5"),
        ];
        keys.retain(|(name, _)| *name != key);
        keys.extend(value.map(|value| (key, value)));
        let members: Vec<String> = keys.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn the_example_from_the_field_is_understood() {
        let command = update(REAL);
        assert_eq!(command.version, "1.3.0");
        assert_eq!(command.file_size, 175_436);
        assert_eq!(command.md5sum, "ad4615b866c13afb8b293a679bfa5dc4");
        assert!(command.url.target().ends_with("q-signature%3Dy%00"), "{}", command.url.target());
        let answer = CloudMessage::parse(
            br#"{"result_code":0,"result_msg":"success","type":"report_version_rsp","version":"1.0.0"}"#,
        );
        assert_eq!(answer, Ok(CloudMessage::VersionResult { code: 0, text: "success".to_owned() }));
    }

    #[test]
    fn json_escapes_are_decoded_once() {
        let command = update(&with("url", Some(r#""http:\/\/h\/f?a=1\u0026b=%2526""#)));
        assert_eq!(command.url.target(), "/f?a=1&b=%2526");
    }

    #[test]
    fn unknown_keys_and_spelling_of_numbers_do_not_matter() {
        let text = with("file_size", Some(r#""4294967295","unknown":{"deep":[1,2,{}]},"another":null"#));
        assert_eq!(update(&text).file_size, u32::MAX);
        for (code, expected) in [("0", 0), (r#""0""#, 0), (r#""-3""#, -3), ("7", 7)] {
            let text = format!(r#"{{"type":"report_version_rsp","result_code":{code}}}"#);
            let expected = CloudMessage::VersionResult { code: expected, text: String::new() };
            assert_eq!(CloudMessage::parse(text.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn each_bad_field_is_named() {
        let cases = [
            ("url", None, "url is missing"),
            ("url", Some("null"), "url is missing"),
            ("url", Some("5"), "url is not a string"),
            ("url", Some(r#""ftp://h/f""#), "url is neither http:// nor https://"),
            ("url", Some(r#""""#), "url is empty"),
            ("version", None, "version is missing"),
            ("version", Some(r#""""#), "version is empty"),
            ("version", Some(r#""123456789012345678901234567890123""#), "version has 33 characters, more than 32"),
            ("version", Some(r#""1\u0000""#), "version contains a NUL"),
            ("md5sum", None, "md5sum is missing"),
            ("md5sum", Some(r#""ad4615b866c13afb8b293a679bfa5dc""#), "md5sum is not 32 hex digits"),
            ("md5sum", Some(r#""gd4615b866c13afb8b293a679bfa5dc4""#), "md5sum is not 32 hex digits"),
            ("file_size", None, "file_size is missing"),
            ("file_size", Some("0"), "file_size is 0"),
            ("file_size", Some(r#""0""#), "file_size is 0"),
            ("file_size", Some("-5"), "file_size is negative"),
            ("file_size", Some(r#""-5""#), "file_size is negative"),
            ("file_size", Some("4294967296"), "file_size is above 4294967295"),
            ("file_size", Some("99999999999999999999999"), "file_size is above 4294967295"),
            ("file_size", Some(r#""99999999999999999999999""#), "file_size is above 4294967295"),
            ("file_size", Some("1.5"), "file_size is neither a whole number nor a string of digits"),
            ("file_size", Some(r#""12a""#), "file_size is neither a whole number nor a string of digits"),
            ("file_size", Some(r#""""#), "file_size is neither a whole number nor a string of digits"),
            ("file_size", Some("true"), "file_size is neither a whole number nor a string of digits"),
        ];
        for (key, value, reason) in cases {
            assert_eq!(bad(&with(key, value)).reason, reason, "{key} {value:?}");
        }
    }

    #[test]
    fn a_bad_command_still_tells_its_version() {
        assert_eq!(bad(&with("file_size", Some("0"))).version, "1.3.0");
        assert_eq!(bad(&with("version", None)).version, "");
        assert_eq!(bad(&with("version", Some(r#""123456789012345678901234567890123""#))).version.len(), 32);
    }

    #[test]
    fn no_error_quotes_what_may_be_a_signed_url() {
        const URL: &str = r#""http://h/f?sign=s3cret""#;
        for text in [
            URL.to_owned(),
            format!("[{URL}]"),
            format!("{{{URL}}}"),
            format!("{{{URL}:1}}"),
            format!(r#"{{"type":"update_firmware","url":{URL}"#),
            format!(r#"{{"type":"update_firmware","url":{URL},"url":{URL}}}"#),
            format!(r#"{{"type":"report_version_rsp","result_code":{URL}}}"#),
            with("url", Some(&format!("[{URL}]"))),
            with("url", Some(&URL.replace("http", "gopher"))),
            with("url", Some(&URL.replace("h/f", "h:x/f"))),
            with("url", Some(&URL.replace("s3cret", "s3cret\\n"))),
            with("md5sum", Some(URL)),
            with("file_size", Some(URL)),
        ] {
            match CloudMessage::parse(text.as_bytes()) {
                Err(error) => assert!(!error.contains("s3cret"), "{error}"),
                Ok(CloudMessage::BadUpdate(bad)) => assert!(!bad.reason.contains("s3cret"), "{}", bad.reason),
                Ok(other) => panic!("{text} gave {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for text in ["", "[]", "{", r#"{"a":1}"#, r#"{"type":5}"#, r#"{"type":"report_version_rsp"}"#, "\u{0}", "\"x\""]
        {
            assert!(CloudMessage::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(CloudMessage::parse(b"{\"type\":\"\xff\"}").is_err());
        for code in ["true", "null", "[]", "1.5", "18446744073709551615", r#""x""#, r#""""#] {
            let text = format!(r#"{{"type":"report_version_rsp","result_code":{code}}}"#);
            let error = CloudMessage::parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with("result_code is "), "{code}: {error}");
        }
        // The keys of an update command, without their names.
        let array = r#"["update_firmware",0,"","http://h/f","1.3.0","ad4615b866c13afb8b293a679bfa5dc4",5]"#;
        assert_eq!(CloudMessage::parse(array.as_bytes()), Err("not a JSON object".to_owned()));
        let nested = "[".repeat(100_000);
        assert!(CloudMessage::parse(nested.as_bytes()).is_err());
        let other = CloudMessage::parse(br#"{"type":"future"}"#);
        assert_eq!(other, Ok(CloudMessage::Other("future".to_owned())));
    }
}
