//! What the server says to an upload (log_upload.md sections 3 and 8).

use super::form::Form;
use crate::helpers::json::{self, Kind};
use crate::http::reply::{self, Fault, Reply};

/// Longest head and longest body that are read, in bytes each.
const MAX_LEN: usize = 16 * 1024;

/// An answer of which nothing has come.
#[must_use]
pub fn answer() -> Reply {
    Reply::new(MAX_LEN).with_max_head(MAX_LEN)
}

/// What came of an upload: what `reply` was when no more came for it.
///
/// # Errors
/// Why the upload failed.
pub fn verdict(form: Form, reply: Reply) -> Result<(), String> {
    let has_head = reply.has_head();
    let reply::Answer { status, body } = reply.into_answer().map_err(|fault| match fault {
        Fault::Malformed(why) => why,
        Fault::TooLong(limit) => format!("the answer is longer than {limit} bytes"),
        Fault::NoMemory => "no memory for the answer".to_owned(),
        Fault::Ended if has_head => "the connection was closed in the middle of the answer".to_owned(),
        Fault::Ended => "the connection was closed before an answer came".to_owned(),
    })?;
    if !matches!(status, 200..=299) {
        return Err(format!("the server answered {status}"));
    }
    if form == Form::Json {
        return verdict_of_json(&body);
    }
    let code = json::values(json::message(&body), ["Retcode"]);
    match code.ok().and_then(|[code]| code?.whole()) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("the server refused the lines: Retcode {code}")),
        None => Err(format!("the server's answer of {} bytes has no Retcode", body.len())),
    }
}

fn verdict_of_json(body: &[u8]) -> Result<(), String> {
    let response = json::values(json::message(body), ["Response"]).ok().and_then(|[response]| response);
    let Some(response) = response.filter(|response| response.kind() == Kind::Object) else {
        return Err(format!("the server's answer of {} bytes has no Response", body.len()));
    };
    match json::values(response.source(), ["Error"]) {
        Ok([None]) => Ok(()),
        _ => Err("the server refused the lines".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Retcode":0,"Msg":"success"}"#;

    /// The verdict on an answer that comes in pieces of `len` bytes, and then the end of the connection.
    fn verdict_on(text: &str, len: usize) -> Result<(), String> {
        let mut reply = answer();
        for piece in text.as_bytes().chunks(len) {
            if reply.need().is_none() {
                break;
            }
            reply.room(piece.len()).copy_from_slice(piece);
            reply.received(piece.len());
        }
        reply.closed();
        verdict(Form::Plain, reply)
    }

    #[test]
    fn case_21_an_answer_of_json_is_good_without_an_error() {
        for (body, expected) in [
            (r#"{"Response":{"RequestId":"f4da4f1f"}}"#, Ok(())),
            (r#"{"Response":{}}"#, Ok(())),
            (r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"sign"},"RequestId":"r"}}"#, Err("refused")),
            (r#"{"Response":{"Error":null}}"#, Err("refused")),
            (r#"{"Response":"x"}"#, Err("no Response")),
            (r#"{"Retcode":0}"#, Err("no Response")),
            ("", Err("no Response")),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let mut reply = answer();
            reply.room(text.len()).copy_from_slice(text.as_bytes());
            reply.received(text.len());
            match (verdict(Form::Json, reply), expected) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(words)) => assert!(why.contains(words), "{body}: {why}"),
                (found, _) => panic!("{body}: {found:?}"),
            }
        }
    }

    fn assert_each(answer: &str, expected: Result<(), &str>) {
        for len in [1, 7, answer.len().max(1)] {
            match (verdict_on(answer, len), expected) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(words)) => assert!(why.contains(words), "{answer}: {why}"),
                (found, _) => panic!("{answer}: {found:?}"),
            }
        }
    }

    #[test]
    fn case_09_good_answers_in_every_framing() {
        let len = GOOD.len();
        let (first, second) = GOOD.split_at(10);
        for answer in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{GOOD}"),
            format!("HTTP/1.1 200 OK\r\ncontent-length:{len}\r\n\r\n{GOOD}and more"),
            format!("HTTP/1.1 204 x\r\nContent-Length: {len}\r\n\r\n").replace("204", "201") + GOOD,
            format!("HTTP/1.0 200 OK\r\n\r\n{GOOD}"),
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
                len - 10
            ),
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{GOOD}"),
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"Retcode\":\"0\"}".to_owned(),
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"Msg\":\"{}\",\"Retcode\":0}}", "x".repeat(1_000)),
        ] {
            assert_each(&answer, Ok(()));
        }
    }

    #[test]
    fn an_answer_without_memory_is_none() {
        let mut reply = answer();
        assert!(reply.room(usize::MAX).is_empty());
        assert_eq!(verdict(Form::Plain, reply), Err("no memory for the answer".to_owned()));
    }

    #[test]
    fn case_09_every_other_answer_says_why() {
        let with =
            |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        for (answer, words) in [
            (with("403 Forbidden", GOOD), "answered 403"),
            (with("404 Not Found", ""), "answered 404"),
            (with("500 Error", GOOD), "answered 500"),
            (with("302 Found", GOOD), "answered 302"),
            (with("200 OK", ""), "no Retcode"),
            ("HTTP/1.1 204 None\r\n\r\n".to_owned(), "no Retcode"),
            (with("200 OK", "<html>"), "no Retcode"),
            (with("200 OK", r#"{"Retcode":-1,"Msg":"sign"}"#), "Retcode -1"),
            (with("200 OK", r#"{"Retcode":null}"#), "no Retcode"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}".to_owned(), "in the middle"),
            ("HTTP/1.1 200 OK\r\nContent-Le".to_owned(), "before an answer"),
            (String::new(), "before an answer"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(), "no number"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), "no number"),
            ("SSH-2.0\r\n\r\n".to_owned(), "HTTP"),
            (with("200 OK", &" ".repeat(20_000)), "longer than"),
            (format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(20_000)), "longer than"),
            (format!("HTTP/1.0 200 OK\r\n\r\n{}", " ".repeat(20_000)), "longer than"),
        ] {
            assert_each(&answer, Err(words));
        }
    }
}
