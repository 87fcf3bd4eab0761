//! The head of a request.

use super::Url;
use crate::helpers::base64;

const USER_AGENT: &str = concat!("iot-sdk/", env!("CARGO_PKG_VERSION"));

/// What stands in the log for credentials.
const HIDDEN: &str = "***";

/// A GET of the bytes from `begin` up to and without `end`. `None`: there is no memory for it.
///
/// Names have their usual spelling: there are servers that compare them by case.
#[must_use]
pub fn get_range(url: &Url, begin: u64, end: u64) -> Option<Vec<u8>> {
    let mut head = String::new();
    let long = url.target().len() + url.host().len() + url.authorization().map_or(0, str::len);
    // The rest is two numbers and words.
    head.try_reserve(long + 512).ok()?;
    for part in ["GET ", url.target(), " HTTP/1.1\r\n", &fields(url, begin, end, url.authorization()), "\r\n\r\n"] {
        head.push_str(part);
    }
    Some(head.into_bytes())
}

/// The header lines of [`get_range`] for the log, without secrets.
#[must_use]
pub fn shown(url: &Url, begin: u64, end: u64) -> String {
    fields(url, begin, end, url.authorization().map(|_| HIDDEN))
}

fn fields(url: &Url, begin: u64, end: u64, authorization: Option<&str>) -> String {
    let mut fields = format!(
        "Host: {}\r\nRange: {}\r\nAccept-Encoding: identity\r\nUser-Agent: {USER_AGENT}\r\n",
        url.host_and_port(),
        range(begin, end)
    );
    if let Some(authorization) = authorization {
        fields.extend(["Authorization: ", authorization, "\r\n"]);
    }
    fields.push_str("Connection: close");
    fields
}

/// A PUT of `size` bytes with this MD5. `None`: there is no memory for it.
///
/// Byte for byte the C SDK's (resource.md section 5): the URL's signature may cover these lines, and no others.
#[must_use]
pub fn put(url: &Url, md5: &[u8; 16], size: u32) -> Option<Vec<u8>> {
    let fields = format!(
        "Host: {}\r\nContent-MD5:{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {size}\r\n\r\n",
        url.host_and_port(),
        base64::text(md5)
    );
    let parts = ["PUT ", url.target(), " HTTP/1.1\r\n", &fields];
    let mut head = Vec::new();
    head.try_reserve_exact(parts.iter().map(|part| part.len()).sum()).ok()?;
    parts.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
    Some(head)
}

/// `Range` for the bytes from `begin` up to and without `end`.
fn range(begin: u64, end: u64) -> String {
    format!("bytes={begin}-{}", end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(url: &str) -> Vec<String> {
        let request = get_range(&Url::parse(url).unwrap(), 400, 1000).unwrap();
        let text = String::from_utf8(request).unwrap();
        text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn names_have_their_usual_spelling() {
        let expected = [
            "GET /a%20b?x=%2F%00 HTTP/1.1",
            "Host: h:8080",
            "Range: bytes=400-999",
            "Accept-Encoding: identity",
            &format!("User-Agent: {USER_AGENT}"),
            "Connection: close",
        ];
        assert_eq!(lines("http://h:8080/a%20b?x=%2F%00"), expected);
    }

    #[test]
    fn the_host_has_no_port_where_it_is_the_usual_one() {
        for (url, host) in [
            ("http://h/f", "Host: h"),
            ("http://h:80/f", "Host: h"),
            ("https://h:443/f", "Host: h"),
            ("https://h:80/f", "Host: h:80"),
            ("http://[::1]:8080/f", "Host: [::1]:8080"),
            ("http://u:p@[::1]/f", "Host: [::1]"),
        ] {
            assert!(lines(url).iter().any(|line| line == host), "{url}: {:?}", lines(url));
        }
    }

    #[test]
    fn a_put_is_the_contracts_byte_for_byte() {
        let md5 = crate::helpers::hex::bytes(b"fb60929c628a2e9471b049dd81ebbe5e").unwrap();
        let head = put(&Url::parse("http://h:8080/a/b?sign=x%20y").unwrap(), &md5, 7000).unwrap();
        let expected = "PUT /a/b?sign=x%20y HTTP/1.1\r\nHost: h:8080\r\nContent-MD5:+2CSnGKKLpRxsEndgeu+Xg==\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7000\r\n\r\n";
        assert_eq!(String::from_utf8(head).unwrap(), expected);
    }

    #[test]
    fn credentials_go_out_and_do_not_show() {
        let text = "http://u:p%20w@fw.example/f.bin?sign=s3cret";
        assert!(lines(text).contains(&"Authorization: Basic dTpwIHc=".to_owned()));
        let shown = shown(&Url::parse(text).unwrap(), 0, 1);
        assert!(shown.contains("Authorization: ***\r\nConnection: close"), "{shown}");
        assert!(!shown.contains("dTpw") && !shown.contains("s3cret"), "{shown}");
    }
}
