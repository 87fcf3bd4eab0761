//! Where a firmware is.

use std::fmt;

use ureq_proto::http::Uri;

/// An `http://` or `https://` URL. Path and query are kept exactly as received.
///
/// `Display` and `Debug` leave out the query and user information, which are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    uri: Uri,
    tls: bool,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, worded to follow the word "url". Never quotes the URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("is neither http:// nor https://".to_owned());
        }
        let uri: Uri = text.parse().map_err(|error| format!("is not valid: {error}"))?;
        Self::from_uri(uri)
    }

    /// Takes over a parsed URI.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn from_uri(uri: Uri) -> Result<Self, String> {
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("is neither http:// nor https://".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        let host = authority.host();
        if without_brackets(host).is_empty() {
            return Err("names no host".to_owned());
        }
        if without_brackets(host).contains(['[', ']']) {
            return Err("has a bracket inside its host".to_owned());
        }
        let host_and_port = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, after)| after);
        let after_host = host_and_port.strip_prefix(host).unwrap_or(host_and_port);
        let is_port = |text: &str| {
            text.bytes().all(|digit| digit.is_ascii_digit()) && text.parse().is_ok_and(|port: u16| port > 0)
        };
        if !after_host.is_empty() && !after_host.strip_prefix(':').is_some_and(is_port) {
            return Err("has a port that is not a number from 1 to 65535".to_owned());
        }
        Ok(Url { uri, tls })
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether it is `https://`.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Host name or address, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        without_brackets(self.uri.host().unwrap_or_default())
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// Path and query exactly as received.
    #[must_use]
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.uri.host().unwrap_or_default())?;
        if let Some(port) = self.uri.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.uri.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_out_as_they_went_in() {
        let cases = [
            ("http://h/f", false, "h", 80, "/f"),
            ("https://h/f", true, "h", 443, "/f"),
            ("HTTPS://h:8443/a%20b?x=%2F%00&y=%25", true, "h", 8443, "/a%20b?x=%2F%00&y=%25"),
            ("http://[::1]:8080/f", false, "::1", 8080, "/f"),
            ("http://[::1]/f", false, "::1", 80, "/f"),
            ("http://10.0.0.1", false, "10.0.0.1", 80, "/"),
            ("http://user:pw@h:81/f#fragment", false, "h", 81, "/f"),
            ("http://user:pw@h/f", false, "h", 80, "/f"),
            ("http://user:pw@[::1]/f", false, "::1", 80, "/f"),
            ("http://h?x=1", false, "h", 80, "?x=1"),
        ];
        for (text, tls, host, port, target) in cases {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.tls(), url.host(), url.port(), url.target()), (tls, host, port, target), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_quoting_it() {
        for text in [
            "",
            "h/s3cret",
            "ftp://h/s3cret",
            "http://",
            "http:///s3cret",
            "http://h:99999/s3cret",
            "http://h:0/s3cret",
            "http://h:/s3cret",
            "http://[::1]x/s3cret",
            "http://[::1]8080/s3cret",
            "http://s3cret@h:x/f",
            "http://s3cret@/f",
            "http://[]/s3cret",
            "http://h:[::1]x:80/s3cret",
            "http://h:+80/s3cret",
            "http://h[::1]/s3cret",
            "http://h[::1]:80/s3cret",
            "http://h/s3cret x",
            "http://h/\ns3cret",
            "http://h\r\nHost: evil/s3cret",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_url_of_several_kilobytes_is_fine() {
        let text = format!("https://h/f?sign={}", "%41".repeat(1500));
        assert_eq!(Url::parse(&text).unwrap().target(), &text["https://h".len()..]);
    }

    #[test]
    fn secrets_do_not_show() {
        let url = Url::parse("https://user:s3cret@h:8443/f?sign=s3cret").unwrap();
        assert_eq!(url.to_string(), "https://h:8443/f");
        assert_eq!(format!("{url:?}"), "https://h:8443/f");
    }
}
