//! The head of an HTTP answer: finding its end, reading it, and what it says about the body's length.

use std::fmt::Write;

use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvResponseResult, RedirectAuthHeaders};
use ureq_proto::http::{header, Response, Uri, Version};
use ureq_proto::parser::try_parse_response;
use ureq_proto::BodyMode;

/// Longest head in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Header fields that are read without a larger stack frame.
const USUAL_HEADERS: usize = 100;
/// Most header fields.
const MAX_HEADERS: usize = 2000;

/// How the end of a body is told.
pub enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// The connection is closed.
    Close,
    /// Chunked transfer coding.
    Chunked(Box<Call<RecvBody>>),
}

/// Length of the head at the start of `bytes` with its empty line, when that is in. Looks from `seen` on.
pub fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a whole head.
pub fn parse(head: &[u8]) -> Result<Response<()>, String> {
    let parsed = match try_parse_response::<USUAL_HEADERS>(head) {
        Err(ureq_proto::Error::HttpParseTooManyHeaders) => parse_many(head),
        other => other,
    };
    match parsed {
        Ok(Some((_, response))) => Ok(response),
        Ok(None) => Err("the head of the answer is not complete".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Apart from [`parse`], because its stack frame is large.
#[inline(never)]
fn parse_many(head: &[u8]) -> Result<Option<(usize, Response<()>)>, ureq_proto::Error> {
    try_parse_response::<MAX_HEADERS>(head)
}

/// How the body of `response` ends.
pub fn framing(call: Call<RecvResponse>, response: &Response<()>) -> Result<Framing, String> {
    let names = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    let RecvResponseResult::RecvBody(call) = answer(call, response, &names, "")? else {
        return Ok(Framing::Length(0));
    };
    Ok(match call.body_mode() {
        BodyMode::LengthDelimited(length) => Framing::Length(length),
        BodyMode::Chunked => Framing::Chunked(Box::new(call)),
        // Where there is no body, there is none to receive.
        BodyMode::CloseDelimited | BodyMode::NoBody => Framing::Close,
    })
}

/// Where a redirect leads. `None`: nowhere that could be understood.
pub fn location(call: Call<RecvResponse>, response: &Response<()>) -> Option<Uri> {
    let result = answer(call, response, &[header::LOCATION], "content-length: 0\r\n").ok()?;
    let RecvResponseResult::Redirect(mut call) = result else { return None };
    let next = call.as_new_call(RedirectAuthHeaders::Never).ok()??;
    Some(next.uri().clone())
}

/// Gives `call` the fields of `response` that it needs. It takes at most 128, and answers may have more.
fn answer(
    mut call: Call<RecvResponse>,
    response: &Response<()>,
    names: &[header::HeaderName],
    more: &str,
) -> Result<RecvResponseResult, String> {
    let version = if response.version() == Version::HTTP_10 { "1.0" } else { "1.1" };
    let mut head = Vec::from(format!("HTTP/{version} {} \r\n", response.status().as_u16()));
    for name in names {
        for value in response.headers().get_all(name) {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(more.as_bytes());
    head.extend_from_slice(b"\r\n");
    call.try_response(&head, false).map_err(|error| error.to_string())?;
    call.proceed().ok_or_else(|| "the head of the answer is not complete".to_owned())
}

/// `Range` for the bytes from `begin` up to and without `end`.
pub fn range(begin: u64, end: u64) -> String {
    let mut value = String::new();
    let _ = write!(value, "bytes={begin}-{}", end.saturating_sub(1));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_bytes_were_cut() {
        for head in ["HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            let bytes = format!("{head}body\n\n").into_bytes();
            assert_eq!(end(&bytes, 0), Some(head.len()));
            for cut in 0..head.len() {
                assert_eq!(end(&bytes[..cut], 0), None, "{cut}");
                assert_eq!(end(&bytes, cut), Some(head.len()), "{cut}");
            }
        }
        assert_eq!(end(b"", 0), None);
        assert_eq!(end(b"x", 9), None);
    }

    #[test]
    fn many_fields_and_odd_heads() {
        let many: String = (0..1500).map(|i| format!("X-{i}: {i}\r\n")).collect();
        let response = parse(format!("HTTP/1.1 200 OK\r\n{many}\r\n").as_bytes()).unwrap();
        assert_eq!(response.headers().len(), 1500);
        for head in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "\r\n\r\n"]
        {
            assert!(parse(head.as_bytes()).is_err(), "{head}");
        }
        assert!(parse(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(3000)).as_bytes()).is_err());
    }

    #[test]
    fn a_range_ends_with_its_last_byte() {
        assert_eq!(range(0, 1000), "bytes=0-999");
        assert_eq!(range(999, 1000), "bytes=999-999");
    }
}
