//! What the server says to an upload (log_upload.md section 3).

use crate::helpers::json;
use crate::http::chunk::Chunked;
use crate::http::framing::Framing;
use crate::http::{head, Head};

/// Longest head and longest body that are read, in bytes each.
const MAX_LEN: usize = 16 * 1024;

/// An answer that comes in bit by bit.
#[derive(Debug, Default)]
pub struct Answer {
    /// What has come and was not looked at yet.
    waiting: Vec<u8>,
    body: Vec<u8>,
    /// Status and how the body ends; `None` before the head's end.
    begun: Option<(u16, Framing)>,
}

impl Answer {
    /// Bytes came. What came of the upload, as soon as that is known.
    ///
    /// # Errors
    /// Why it failed.
    pub fn received(&mut self, bytes: &[u8]) -> Option<Result<(), String>> {
        match self.read(bytes) {
            Ok(false) => None,
            Ok(true) => Some(self.verdict()),
            Err(why) => Some(Err(why)),
        }
    }

    /// The server has closed the connection.
    ///
    /// # Errors
    /// As [`received`](Self::received).
    pub fn closed(&self) -> Result<(), String> {
        match self.begun {
            Some((_, Framing::Close)) => self.verdict(),
            Some(_) => Err("the connection was closed in the middle of the answer".to_owned()),
            None => Err("the connection was closed before an answer came".to_owned()),
        }
    }

    /// Whether the answer is whole.
    fn read(&mut self, bytes: &[u8]) -> Result<bool, String> {
        let seen = self.waiting.len();
        append(&mut self.waiting, bytes)?;
        if self.begun.is_none() {
            self.read_head(seen)?;
        }
        let Some((_, framing)) = &mut self.begun else {
            return Ok(false);
        };
        match framing {
            Framing::Chunked(chunked) => read_chunks(chunked, &mut self.waiting, &mut self.body),
            Framing::Close => {
                append(&mut self.body, &self.waiting)?;
                self.waiting.clear();
                Ok(false)
            }
            Framing::Length(left) => {
                let count = self.waiting.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                append(&mut self.body, self.waiting.get(..count).unwrap_or_default())?;
                self.waiting.drain(..count);
                *left -= count as u64;
                Ok(*left == 0)
            }
        }
    }

    fn read_head(&mut self, mut seen: usize) -> Result<(), String> {
        while let Some(end) = head::end(&self.waiting, seen) {
            let mut bytes: Vec<u8> = self.waiting.drain(..end).collect();
            let head = Head::parse(&mut bytes)?;
            // One that says only "go on" comes before the real one.
            if !matches!(head.status(), 100..=199) {
                self.begun = Some((head.status(), Framing::of(&head)?));
                break;
            }
            seen = 0;
        }
        Ok(())
    }

    fn verdict(&self) -> Result<(), String> {
        let status = self.begun.as_ref().map_or(0, |(status, _)| *status);
        if !matches!(status, 200..=299) {
            return Err(format!("the server answered {status}"));
        }
        let code = json::values(json::message(&self.body), ["Retcode"]);
        match code.ok().and_then(|[code]| code?.whole()) {
            Some(0) => Ok(()),
            Some(code) => Err(format!("the server refused the lines: Retcode {code}")),
            None => Err(format!("the server's answer of {} bytes has no Retcode", self.body.len())),
        }
    }
}

fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
    if to.len().saturating_add(bytes.len()) > MAX_LEN {
        return Err(format!("the answer is longer than {MAX_LEN} bytes"));
    }
    to.try_reserve(bytes.len()).map_err(|_| "no memory for the answer")?;
    to.extend_from_slice(bytes);
    Ok(())
}

/// Whether the last chunk has come.
fn read_chunks(chunked: &mut Chunked, waiting: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<bool, String> {
    let mut at = 0;
    loop {
        let mut data = [0; 512];
        let (used, count) = chunked.read(waiting.get(at..).unwrap_or_default(), &mut data)?;
        append(body, data.get(..count).unwrap_or_default())?;
        at += used;
        if used == 0 {
            waiting.drain(..at);
            return Ok(chunked.is_done());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Retcode":0,"Msg":"success"}"#;

    /// The verdict on an answer that comes in pieces of `len` bytes, and then the end of the connection.
    fn verdict(answer: &str, len: usize) -> Result<(), String> {
        let mut reader = Answer::default();
        answer.as_bytes().chunks(len).find_map(|bytes| reader.received(bytes)).unwrap_or_else(|| reader.closed())
    }

    fn assert_each(answer: &str, expected: Result<(), &str>) {
        for len in [1, 7, answer.len().max(1)] {
            match (verdict(answer, len), expected) {
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
