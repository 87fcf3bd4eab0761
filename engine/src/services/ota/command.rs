//! What the cloud sends on the update topic (wire.md section 3).

use super::MAX_VERSION_LEN;
use crate::helpers::json::{self, Object, Value};
use crate::http::Url;
use crate::services::fields::{beginning, md5sum, result_code, shown, size, string};

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
        /// The beginning of `result_msg`, empty where there is none.
        text: String,
    },
    /// Firmware to fetch.
    Update(UpdateCommand),
    /// An `update_firmware` with a field that is missing or not valid.
    BadUpdate(BadCommand),
    /// Something else, with the beginning of its type.
    Other(String),
}

/// The values of the keys that are known, as they may stand in any message. Unknown keys are ignored.
struct Fields<'a> {
    kind: Option<Value<'a>>,
    result_code: Option<Value<'a>>,
    result_msg: Option<Value<'a>>,
    url: Option<Value<'a>>,
    version: Option<Value<'a>>,
    md5sum: Option<Value<'a>>,
    file_size: Option<Value<'a>>,
}

const UPDATE: &str = "update_firmware";

impl CloudMessage {
    /// Reads a message. An update command that can't be read is a bad one, not an error: whoever ordered the upgrade waits
    /// for an answer.
    ///
    /// # Errors
    /// What is wrong with it, where not even the type can be told or a version answer has no result.
    pub fn parse(payload: &[u8]) -> Result<Self, String> {
        let text = json::message(payload);
        let object = Object::open(text).map_err(|error| error.to_string())?;
        let (fields, error) = Fields::read(object);
        if let Some(error) = error {
            // Where it goes wrong behind everything that a command needs, the command is better followed than lost. A text
            // that was cut short is not: its last value may be, too.
            let is_cut = matches!(error, json::Error::Syntax(_, at) if at >= text.len());
            if !is_cut && fields.is_update() {
                if let Ok(command) = fields.update() {
                    return Ok(CloudMessage::Update(command));
                }
            }
            let reason = error.to_string();
            let is_update = text.windows(UPDATE.len()).any(|piece| piece == UPDATE.as_bytes());
            return if is_update { Ok(fields.bad_update(reason)) } else { Err(reason) };
        }
        let kind = string("type", fields.kind)?;
        match &*kind {
            "report_version_rsp" => {
                let code = result_code(fields.result_code)?;
                Ok(CloudMessage::VersionResult { code, text: shown(fields.result_msg) })
            }
            UPDATE => Ok(fields.update().map_or_else(|why| fields.bad_update(why), CloudMessage::Update)),
            _ => Ok(CloudMessage::Other(shown(fields.kind))),
        }
    }
}

impl<'a> Fields<'a> {
    /// The fields as far as the text is JSON, and what is wrong behind them.
    fn read(object: Object<'a>) -> (Self, Option<json::Error>) {
        let keys = ["type", "result_code", "result_msg", "url", "version", "md5sum", "file_size"];
        let (values, error) = object.values(keys);
        let [kind, result_code, result_msg, url, version, md5sum, file_size] = values;
        (Fields { kind, result_code, result_msg, url, version, md5sum, file_size }, error)
    }

    fn is_update(&self) -> bool {
        string("type", self.kind).is_ok_and(|kind| kind == UPDATE)
    }

    fn update(&self) -> Result<UpdateCommand, String> {
        let url = string("url", self.url)?;
        let version = string("version", self.version)?;
        let md5sum = md5sum("md5sum", self.md5sum);
        let url = Url::parse(&url).map_err(|why| format!("url {why}"))?;
        if version.is_empty() {
            return Err("version is empty".to_owned());
        }
        if version.len() > MAX_VERSION_LEN {
            return Err(format!("version has {} characters, more than {MAX_VERSION_LEN}", version.len()));
        }
        if version.contains('\0') {
            return Err("version contains a NUL".to_owned());
        }
        let md5sum = md5sum?;
        let file_size = size("file_size", self.file_size)?;
        Ok(UpdateCommand { url, version: version.into_owned(), md5sum, file_size })
    }

    fn bad_update(&self, reason: String) -> CloudMessage {
        let version = string("version", self.version).unwrap_or_default();
        CloudMessage::BadUpdate(BadCommand { reason, version: beginning(&version, MAX_VERSION_LEN).to_owned() })
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
            ("url", Some(r#""http://h/\ud83d""#), "url holds half a character"),
            ("url", Some(r#""ftp://h/f""#), "url begins with ftp:, only http:// and https:// are possible"),
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
        let version = "1".repeat(31) + "你";
        assert_eq!(bad(&with("version", Some(&format!("\"{version}\"")))).version, "1".repeat(31));
    }

    #[test]
    fn what_c_and_scripts_add_to_a_message_is_left_out() {
        let usual = with("file_size", Some("175436"));
        let notes = usual.replace("}", ",\"notes\":\"one\ttwo\nthree\",\"ratio\":NaN}");
        for text in [
            usual.clone() + "\0",
            usual.clone() + "\0\0\0",
            format!("\u{FEFF}{usual}\0"),
            usual.clone() + "\r\n",
            notes,
        ] {
            assert_eq!(update(&text), update(&usual), "{text:?}");
        }
        for size in ["175436.0", "1.75436e5", r#""175436""#, r#"" 175436 ""#] {
            assert_eq!(update(&with("file_size", Some(size))), update(&usual), "{size}");
        }
    }

    #[test]
    fn the_first_of_two_keys_counts() {
        let twice = with("version", Some(r#""1","version":"2""#));
        assert_eq!(update(&twice).version, "1");
        assert_eq!(bad(&with("version", Some(r#"null,"version":"2""#))).reason, "version is missing");
    }

    #[test]
    fn a_command_that_can_not_be_read_to_its_end_is_a_bad_one() {
        let broken = with("md5sum", Some(r#""\x""#));
        let bad = bad(&broken);
        assert!(bad.reason.contains("no such escape at byte"), "{}", bad.reason);
        assert_eq!(bad.version, "1.3.0");
        let text = with("file_size", Some("5"));
        for end in 2..text.len() {
            match CloudMessage::parse(&text.as_bytes()[..end]) {
                Ok(CloudMessage::BadUpdate(bad)) => {
                    assert!(bad.reason.ends_with(&format!("it ends too early at byte {end}")), "{}", bad.reason);
                }
                other => assert!(other.is_err() && end < 30, "{end}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_goes_wrong_behind_all_that_a_command_needs_does_not_matter() {
        for rest in [r#""\x""#, "True", "None", "'x'", "1,,", "1,", "{/* a comment */}"] {
            let text = with("notes", Some(rest));
            assert!(matches!(CloudMessage::parse(text.as_bytes()), Ok(CloudMessage::Update(_))), "{text}");
        }
        assert_eq!(update(&with("md5sum", Some(&format!("\" {}\\n\"", "ab".repeat(16))))).md5sum, "ab".repeat(16));
    }

    #[test]
    fn nothing_in_a_message_decides_how_much_stack_is_used() {
        let run = || {
            for key in ["type", "url", "version", "md5sum", "file_size", "result_msg", "unknown"] {
                for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                    for depth in [120, 100_000] {
                        let value = open.repeat(depth) + "1" + &close.repeat(depth);
                        let parsed = CloudMessage::parse(with(key, Some(&value)).as_bytes());
                        match key {
                            "type" => assert_eq!(parsed, Err("type is not a string".to_owned())),
                            "unknown" | "result_msg" => assert!(matches!(parsed, Ok(CloudMessage::Update(_)))),
                            _ => {
                                let Ok(CloudMessage::BadUpdate(bad)) = parsed else { panic!("{key}: {parsed:?}") };
                                assert!(bad.reason.starts_with(&format!("{key} is n")), "{}", bad.reason);
                            }
                        }
                    }
                }
            }
        };
        std::thread::Builder::new().stack_size(32 * 1024).spawn(run).unwrap().join().unwrap();
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
            format!(r#"{{"type":"update_firmware","url":{URL} {URL}}}"#),
            format!(r#"{{"type":"report_version_rsp","result_code":{URL}}}"#),
            with("url", Some(&format!("[{URL}]"))),
            with("url", Some(&URL.replace("http", "gopher"))),
            with("url", Some(&URL.replace("h/f", "h:x/f"))),
            with("url", Some(&URL.replace("h/f", "h/\\nf"))),
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
        for code in ["true", "null", "[]", "1.5", r#""x""#, r#""""#] {
            let text = format!(r#"{{"type":"report_version_rsp","result_code":{code}}}"#);
            let error = CloudMessage::parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with("result_code is "), "{code}: {error}");
        }
        let array = r#"["update_firmware"]"#;
        let error = "the text is not a JSON object: no opening brace at byte 0".to_owned();
        assert_eq!(CloudMessage::parse(array.as_bytes()), Err(error));
        let other = CloudMessage::parse(br#"{"type":"future"}"#);
        assert_eq!(other, Ok(CloudMessage::Other("future".to_owned())));
    }
}
