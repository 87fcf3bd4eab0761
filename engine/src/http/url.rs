//! Where a firmware is.

use std::fmt;
use std::sync::Arc;

use super::{basic, reference};

/// Longest host name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// An `http://` or `https://` URL. Path and query are kept as received; a space in them, which no request line can
/// hold, becomes `%20`.
///
/// `Display` and `Debug` leave out the query and user information, which are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    tls: bool,
    parts: Arc<Parts>,
}

#[derive(PartialEq, Eq)]
struct Parts {
    /// With the brackets of an IPv6 address, without its zone.
    host: String,
    /// A link-local IPv6 address with its zone, `fe80::1%eth0`. Only this device knows what the zone means.
    zoned: Option<String>,
    port: Option<u16>,
    /// Value of the `Authorization` field.
    authorization: Option<String>,
    /// Path and query.
    target: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, worded to follow the word "url". Never quotes the URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        let (scheme, rest) = reference::split_scheme(text);
        let tls = match scheme {
            Some(scheme) => reference::is_tls(scheme)?,
            None => return Err("does not begin with http:// or https://".to_owned()),
        };
        let rest = rest.strip_prefix("//").ok_or("has no // behind its scheme")?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Self::from_parts(tls, authority, target)
    }

    /// Where `reference`, a `Location` of an answer to this URL, leads. User and password go along to the same scheme,
    /// host and port only.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, reference: &[u8]) -> Result<Self, String> {
        let resolved = reference::resolve(self.tls, self.target(), reference)?;
        let Some(authority) = resolved.authority else {
            let parts = Parts {
                host: self.parts.host.clone(),
                zoned: self.parts.zoned.clone(),
                port: self.parts.port,
                authorization: self.parts.authorization.clone(),
                target: target(&resolved.target)?,
            };
            return Ok(Url { tls: self.tls, parts: Arc::new(parts) });
        };
        let mut url = Self::from_parts(resolved.tls, &authority, &resolved.target)?;
        let is_same_server =
            url.tls == self.tls && url.port() == self.port() && url.parts.host.eq_ignore_ascii_case(&self.parts.host);
        if let Some(parts) = Arc::get_mut(&mut url.parts).filter(|_| is_same_server) {
            if parts.authorization.is_none() {
                parts.authorization.clone_from(&self.parts.authorization);
            }
        }
        Ok(url)
    }

    fn from_parts(tls: bool, authority: &str, path_and_query: &str) -> Result<Self, String> {
        let (user_info, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = split_port(host_and_port)?;
        let (host, zoned) = without_zone(host)?;
        check_host(&host)?;
        let parts =
            Parts { host, zoned, port, authorization: basic::credentials(user_info)?, target: target(path_and_query)? };
        Ok(Url { tls, parts: Arc::new(parts) })
    }

    /// Whether it is `https://`.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Host name or address to connect to, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.parts.zoned.as_deref().unwrap_or(without_brackets(&self.parts.host))
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.parts.port.unwrap_or(self.default_port())
    }

    fn default_port(&self) -> u16 {
        if self.tls {
            443
        } else {
            80
        }
    }

    /// Host, and port where it is not the usual one: the value of a `Host` field.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        match self.parts.port.filter(|port| *port != self.default_port()) {
            Some(port) => format!("{}:{port}", self.parts.host),
            None => self.parts.host.clone(),
        }
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.parts.target
    }

    /// Value of the `Authorization` field, where the URL has a user or a password. A secret.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.parts.authorization.as_deref()
    }
}

fn split_port(host_and_port: &str) -> Result<(&str, Option<u16>), String> {
    let end = match host_and_port.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host_and_port.find(':').unwrap_or(host_and_port.len()),
    };
    let (host, port) = host_and_port.split_at(end);
    // A colon without a number is the usual port (RFC 3986 section 3.2.3).
    if matches!(port, "" | ":") {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port) if port > 0 => Ok((host, Some(port))),
        _ => Err("has a port that is not a number from 1 to 65535".to_owned()),
    }
}

/// The host as it goes into a request. Where it has a zone (RFC 6874), also the address with it, without brackets and
/// escape.
fn without_zone(host: &str) -> Result<(String, Option<String>), String> {
    let Some((address, zone)) = without_brackets(host).split_once("%25").filter(|_| host.starts_with('[')) else {
        return Ok((host.to_owned(), None));
    };
    if zone.is_empty() || !zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
        return Err("has an IPv6 address with a zone that is none".to_owned());
    }
    Ok((format!("[{address}]"), Some(format!("{address}%{zone}"))))
}

fn check_host(host: &str) -> Result<(), String> {
    let name = without_brackets(host);
    if name.is_empty() {
        return Err("names no host".to_owned());
    }
    if host.len() > MAX_HOST {
        return Err(format!("has a host of more than {MAX_HOST} characters"));
    }
    let is_address = host.starts_with('[') && host.ends_with(']');
    if !is_address && host.contains(['[', ']']) {
        return Err("has a bracket inside its host".to_owned());
    }
    if !host.is_ascii() {
        return Err("has a host with letters beyond ASCII".to_owned());
    }
    let may_stand = |byte: u8| match byte {
        b'.' => true,
        _ if is_address => byte.is_ascii_hexdigit() || byte == b':',
        // RFC 3986 section 3.2.2, without escapes.
        _ => byte.is_ascii_alphanumeric() || b"-_~!$&'()*+,;=".contains(&byte),
    };
    match name.chars().find(|character| !may_stand(*character as u8)) {
        Some(_) if is_address => Err("has an IPv6 address that is none".to_owned()),
        Some(character) => Err(format!("has the character {character:?} in its host")),
        None => Ok(()),
    }
}

/// Checks path and query and gives them their first slash.
fn target(text: &str) -> Result<String, String> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("has a control character in its path or query".to_owned());
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    let spaces = text.bytes().filter(|byte| *byte == b' ').count();
    let mut target = String::new();
    target.try_reserve_exact(slash.len() + text.len() + 2 * spaces).map_err(|_| reference::NO_MEMORY)?;
    target.push_str(slash);
    for (index, part) in text.split(' ').enumerate() {
        target.push_str(if index > 0 { "%20" } else { "" });
        target.push_str(part);
    }
    Ok(target)
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.parts.host)?;
        if let Some(port) = self.parts.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.target().split('?').next().unwrap_or_default())
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
            ("http://[::ffff:10.0.0.1]/f", false, "::ffff:10.0.0.1", 80, "/f"),
            ("http://[fe80::1%25eth0]:81/f", false, "fe80::1%eth0", 81, "/f"),
            ("http://10.0.0.1", false, "10.0.0.1", 80, "/"),
            ("http://user:pw@h:81/f#fragment", false, "h", 81, "/f"),
            ("http://user:pw@h/f", false, "h", 80, "/f"),
            ("http://user:p@w@h/f", false, "h", 80, "/f"),
            ("http://user:pw@[::1]/f", false, "::1", 80, "/f"),
            ("http://h?x=1", false, "h", 80, "/?x=1"),
            ("http://h#x", false, "h", 80, "/"),
            ("http://h:/f", false, "h", 80, "/f"),
            ("http://h:00081/f", false, "h", 81, "/f"),
            ("http://h_1-a.b./f?a/../b?c", false, "h_1-a.b.", 80, "/f?a/../b?c"),
            ("http://h/a/./../b//c", false, "h", 80, "/a/./../b//c"),
            ("http://h/\u{56fa}?\u{4ef6}", false, "h", 80, "/\u{56fa}?\u{4ef6}"),
            (" http://h/a b?c d \n", false, "h", 80, "/a%20b?c%20d"),
        ];
        for (text, tls, host, port, target) in cases {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.tls(), url.host(), url.port(), url.target()), (tls, host, port, target), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_quoting_it() {
        let long_host = format!("http://{}/s3cret", "h".repeat(256));
        for text in [
            "",
            " ",
            "h/s3cret",
            "ftp://h/s3cret",
            "http:/h/s3cret",
            "http://",
            "http:///s3cret",
            "http://:80/s3cret",
            "http://h:99999/s3cret",
            "http://h:0/s3cret",
            "http://[::1]x/s3cret",
            "http://[::1]8080/s3cret",
            "http://[::g]/s3cret",
            "http://[fe80::1%25]/s3cret",
            "http://[fe80::1%25a%41]/s3cret",
            "http://[fe80::1%eth0]/s3cret",
            "http://[x%25eth0]/s3cret",
            "http://h%25eth0/s3cret",
            "http:s3cret",
            "123://s3cret",
            "http://s3cret@h:x/f",
            "http://s3cret@/f",
            "http://[]/s3cret",
            "http://h:[::1]x:80/s3cret",
            "http://h:+80/s3cret",
            "http://h:80:81/s3cret",
            "http://h[::1]/s3cret",
            "http://h[::1]:80/s3cret",
            "http://h h/s3cret",
            "http://h%41/s3cret",
            "http://h\\s3cret",
            "http://\u{56fa}/s3cret",
            "http://h/\ns3cret",
            "http://h/?\u{7f}s3cret",
            "http://h\r\nHost: evil/s3cret",
            &long_host,
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let other = Url::parse("ftp://h/f").unwrap_err();
        assert_eq!(other, "begins with ftp:, only http:// and https:// are possible");
        let user = Url::parse("secretuser:password@h/f").unwrap_err();
        assert_eq!(user, "begins with another scheme, only http:// and https:// are possible");
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

    /// Case url_with_user.
    #[test]
    fn user_and_password_stay_with_their_server() {
        let url = Url::parse("http://u:p%20w@Fw.example/f.bin").unwrap();
        assert_eq!(url.authorization(), Some("Basic dTpwIHc="));
        for (location, goes_along) in [
            ("/g", true),
            ("?x", true),
            ("http://fw.example/g", true),
            ("//fw.EXAMPLE:80/g", true),
            ("https://fw.example/g", false),
            ("http://fw.example:8080/g", false),
            ("http://other/g", false),
            ("//other.fw.example/g", false),
        ] {
            let next = url.join(location.as_bytes()).unwrap();
            assert_eq!(next.authorization().is_some(), goes_along, "{location}");
        }
        let other = url.join(b"http://a:b@other/g").unwrap();
        assert_eq!(other.authorization(), Some("Basic YTpi"));
        assert_eq!(url.join(b"http://a:b@fw.example/g").unwrap().authorization(), Some("Basic YTpi"));
        assert!(Url::parse(&format!("http://{}@h/", "u".repeat(2000))).unwrap_err().contains("password"));
    }
}
