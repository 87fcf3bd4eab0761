//! What the cloud sends to a device (resource.md section 1).

use super::{is_name, Direction, MAX_NAME_LEN};
use crate::helpers::json::{self, Value};
use crate::http::Url;
use crate::services::fields::{given, md5sum, result_code, shown, size, string};

/// Longest URL in bytes.
const MAX_URL: usize = 16 * 1024;
/// Largest file that a device can upload: the program tells its size as a C `int`.
const MAX_UPLOAD: u32 = i32::MAX.unsigned_abs();
/// Where `upload_result` has its code.
const NESTED_RESULT: &str = "report.progress.result_code";

/// A file to transfer. All fields have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name, 1 to 64 bytes.
    pub name: String,
    /// Its size in bytes, at least 1.
    pub size: u32,
    /// Its MD5, 32 hex digits as received.
    pub md5sum: String,
    /// Where it is, or goes. Its query is a secret.
    pub url: Url,
}

/// A message of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudMessage {
    /// A file to transfer.
    Task(Direction, Task),
    /// One that can't be transferred.
    BadTask {
        /// Which way it would go.
        direction: Direction,
        /// Names the key and what is wrong with it.
        reason: String,
        /// Its name, where the cloud waits for the end of a transfer of that name.
        name: Option<String>,
    },
    /// There is no task, or no leave to upload. What the cloud says, for the log.
    Refused(Direction, String),
    /// Answer to a report.
    Result {
        /// Of which transfer.
        direction: Direction,
        /// 0 is success.
        code: i32,
        /// The beginning of `result_msg`, empty where there is none.
        text: String,
    },
    /// What the cloud made of an upload.
    UploadResult(i32),
    /// Something else, with the beginning of its type.
    Other(String),
}

/// What of a message belongs to a task, and what the cloud says of a refused one.
struct Fields<'a> {
    size: Option<Value<'a>>,
    name: Option<Value<'a>>,
    md5sum: Option<Value<'a>>,
    url: Option<Value<'a>>,
    result_code: Option<Value<'a>>,
    result_msg: Option<Value<'a>>,
}

impl CloudMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, where it has no type or no result.
    pub fn parse(payload: &[u8]) -> Result<Self, String> {
        use Direction::{Download, Upload};
        let text = json::message(payload);
        let keys = ["type", "size", "name", "md5sum", "url", "result_code", "result_msg"];
        let values = json::values(text, keys).map_err(|error| error.to_string())?;
        let [kind, size, name, md5sum, url, result_code, result_msg] = values;
        let fields = Fields { size, name, md5sum, url, result_code, result_msg };
        match &*string("type", kind)? {
            "download" => Ok(fields.task(Download)),
            "get_download_task_rsp" => Ok(fields.answer(Download)),
            "create_upload_task_rsp" => Ok(fields.answer(Upload)),
            "report_download_progress_rsp" => fields.result(Download),
            "report_upload_progress_rsp" => fields.result(Upload),
            "upload_result" => {
                let nested = json::find(text, NESTED_RESULT.as_bytes()).unwrap_or_default();
                Ok(CloudMessage::UploadResult(code(nested)?))
            }
            _ => Ok(CloudMessage::Other(shown(kind))),
        }
    }
}

impl Fields<'_> {
    /// What answers a question of the device; one that has no URL refuses.
    fn answer(&self, direction: Direction) -> CloudMessage {
        if given("url", self.url).is_ok() {
            return self.task(direction);
        }
        let code = code(self.result_code).map_or_else(|_| "none".to_owned(), |code| code.to_string());
        CloudMessage::Refused(direction, format!("result_code {code}, {}", shown(self.result_msg)))
    }

    fn task(&self, direction: Direction) -> CloudMessage {
        self.checked(direction).map_or_else(
            |reason| {
                let name = self.checked_name().ok().filter(|_| given("url", self.url).is_ok());
                CloudMessage::BadTask { direction, reason, name }
            },
            |task| CloudMessage::Task(direction, task),
        )
    }

    fn checked(&self, direction: Direction) -> Result<Task, String> {
        let url = string("url", self.url)?;
        if url.len() > MAX_URL {
            return Err(format!("url has more than {} kB", MAX_URL / 1024));
        }
        let url = Url::parse(&url).map_err(|why| format!("url {why}"))?;
        let name = self.checked_name()?;
        let md5sum = md5sum("md5sum", self.md5sum)?;
        let size = size("size", self.size)?;
        if direction == Direction::Upload && size > MAX_UPLOAD {
            return Err(format!("size is above {MAX_UPLOAD}"));
        }
        Ok(Task { name, size, md5sum, url })
    }

    fn checked_name(&self) -> Result<String, String> {
        let name = string("name", self.name)?;
        if is_name(&name) {
            return Ok(name.into_owned());
        }
        Err(match name.len() {
            0 => "name is empty".to_owned(),
            1..=MAX_NAME_LEN => "name contains a NUL".to_owned(),
            count => format!("name has {count} characters, more than {MAX_NAME_LEN}"),
        })
    }

    fn result(&self, direction: Direction) -> Result<CloudMessage, String> {
        Ok(CloudMessage::Result { direction, code: code(self.result_code)?, text: shown(self.result_msg) })
    }
}

fn code(value: Option<Value<'_>>) -> Result<i32, String> {
    i32::try_from(result_code(value)?).map_err(|_| "result_code has more than 32 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "935c4b721df0ac41d1b09a7cf6a4cc22";

    fn parse(text: &str) -> CloudMessage {
        CloudMessage::parse(text.as_bytes()).unwrap()
    }

    /// A message with one key's JSON value replaced; `None` leaves the key out.
    fn with(kind: &str, key: &str, value: Option<&str>) -> String {
        let mut keys = vec![
            ("type", format!("\"{kind}\"")),
            ("size", "401463".to_owned()),
            ("name", "\"test\"".to_owned()),
            ("md5sum", format!("\"{MD5}\"")),
            ("url", "\"https://b.cos.ap-x.example/f?sign=x\"".to_owned()),
        ];
        keys.retain(|(name, _)| *name != key);
        keys.extend(value.map(|value| (key, value.to_owned())));
        let members: Vec<String> = keys.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        format!("{{{}}}", members.join(","))
    }

    fn task(text: &str) -> Task {
        match parse(text) {
            CloudMessage::Task(_, task) => task,
            other => panic!("{other:?}"),
        }
    }

    fn bad(text: &str) -> (String, Option<String>) {
        match parse(text) {
            CloudMessage::BadTask { reason, name, .. } => (reason, name),
            other => panic!("{other:?}"),
        }
    }

    /// Case 2.
    #[test]
    fn a_task_comes_by_itself_or_as_an_answer() {
        for (kind, direction) in [
            ("download", Direction::Download),
            ("get_download_task_rsp", Direction::Download),
            ("create_upload_task_rsp", Direction::Upload),
        ] {
            let CloudMessage::Task(way, task) = parse(&with(kind, "", None)) else { panic!("{kind}") };
            assert_eq!((way, task.size, task.name.as_str(), task.md5sum.as_str()), (direction, 401_463, "test", MD5));
            assert_eq!(task.url.target(), "/f?sign=x");
        }
        assert_eq!(parse(r#"{"type":"downloadx"}"#), CloudMessage::Other("downloadx".to_owned()));
        assert_eq!(task(&(with("download", "unknown", Some("[1,{}]")) + "\0x")).name, "test");
    }

    /// Case 6.
    #[test]
    fn a_size_is_a_whole_number_of_bytes() {
        for (size, bytes) in [("1", 1), ("\"7\"", 7), ("4294967295", u32::MAX)] {
            assert_eq!(task(&with("download", "size", Some(size))).size, bytes);
        }
        for (size, wrong) in [
            (Some("0"), "size is 0"),
            (Some("-1"), "size is negative"),
            (Some("\"many\""), "size is neither a whole number nor a string of digits"),
            (Some("4294967296"), "size is above 4294967295"),
            (Some("null"), "size is missing"),
            (None, "size is missing"),
        ] {
            assert_eq!(bad(&with("download", "size", size)), (wrong.to_owned(), Some("test".to_owned())));
        }
        assert_eq!(task(&with("create_upload_task_rsp", "size", Some("2147483647"))).size, MAX_UPLOAD);
        let (reason, _) = bad(&with("create_upload_task_rsp", "size", Some("2147483648")));
        assert_eq!(reason, "size is above 2147483647");
    }

    /// Case 7.
    #[test]
    fn a_name_has_1_to_64_characters() {
        let quoted = |count: usize| format!("\"{}\"", "n".repeat(count));
        assert_eq!(task(&with("download", "name", Some(&quoted(64)))).name.len(), 64);
        assert_eq!(task(&with("download", "name", Some(r#""a\"b""#))).name, "a\"b");
        for (name, wrong) in [
            (Some(quoted(65)), "name has 65 characters, more than 64"),
            (Some(quoted(0)), "name is empty"),
            (Some(r#""a\u0000b""#.to_owned()), "name contains a NUL"),
            (Some("7".to_owned()), "name is not a string"),
            (None, "name is missing"),
        ] {
            assert_eq!(bad(&with("download", "name", name.as_deref())), (wrong.to_owned(), None));
        }
    }

    /// Case 8.
    #[test]
    fn an_md5_has_32_digits_of_either_case() {
        let upper = MD5.to_uppercase();
        assert_eq!(task(&with("download", "md5sum", Some(&format!("\"{upper}\"")))).md5sum, upper);
        for count in [31, 40] {
            let (reason, name) = bad(&with("download", "md5sum", Some(&format!("\"{}\"", "a".repeat(count)))));
            assert_eq!((reason.as_str(), name.as_deref()), ("md5sum is not 32 hex digits", Some("test")));
        }
    }

    /// Case 9.
    #[test]
    fn a_url_is_decoded_once_and_may_be_long() {
        let url = |text: &str| task(&with("download", "url", Some(text))).url;
        assert_eq!(url(r#""http:\/\/h:8080\/f?a=1\u0026b=%2526""#).target(), "/f?a=1&b=%2526");
        assert_eq!(url(r#""http://h:8080/f""#).port(), 8080);
        let long = |count: usize| format!("\"http://h/{}\"", "u".repeat(count - 9));
        assert_eq!(url(&long(16_384)).target().len(), 16_384 - 8);
        for (text, wrong) in [
            (long(16_385), "url has more than 16 kB"),
            (r#""h/f""#.to_owned(), "url does not begin with http:// or https://"),
            (r#""""#.to_owned(), "url is empty"),
            ("7".to_owned(), "url is not a string"),
        ] {
            let (reason, name) = bad(&with("download", "url", Some(&text)));
            assert_eq!((reason.as_str(), name.as_deref()), (wrong, Some("test")));
        }
        assert_eq!(bad(&with("download", "url", None)), ("url is missing".to_owned(), None));
    }

    #[test]
    fn an_answer_without_a_url_refuses() {
        for (kind, direction) in
            [("get_download_task_rsp", Direction::Download), ("create_upload_task_rsp", Direction::Upload)]
        {
            let refused = |text: &str| CloudMessage::Refused(direction, text.to_owned());
            assert_eq!(parse(&with(kind, "url", None)), refused("result_code none, "));
            let text = format!(r#"{{"type":"{kind}","result_code":7,"result_msg":"no"}}"#);
            assert_eq!(parse(&text), refused("result_code 7, no"));
        }
    }

    #[test]
    fn results_are_numbers_of_32_bits() {
        let result = |direction, code, text: &str| CloudMessage::Result { direction, code, text: text.to_owned() };
        assert_eq!(
            parse(r#"{"type":"report_upload_progress_rsp","result_code":0,"result_msg":"ok"}"#),
            result(Direction::Upload, 0, "ok")
        );
        assert_eq!(
            parse(r#"{"result_code":"-5","type":"report_download_progress_rsp"}"#),
            result(Direction::Download, -5, "")
        );
        // Case 20.
        assert_eq!(
            parse(r#"{"type":"upload_result","report":{"progress":{"result_code":3}}}"#),
            CloudMessage::UploadResult(3)
        );
        for (text, wrong) in [
            (r#"{"type":"report_upload_progress_rsp"}"#, "result_code is missing"),
            (r#"{"type":"upload_result","result_code":3}"#, "result_code is missing"),
            (r#"{"type":"report_upload_progress_rsp","result_code":4294967296}"#, "result_code has more than 32 bits"),
            (r#"{"name":"n"}"#, "type is missing"),
            ("[]", "the text is not a JSON object"),
        ] {
            let error = CloudMessage::parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(wrong), "{text}: {error}");
        }
    }
}
