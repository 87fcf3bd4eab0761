//! `host:port`, as the environment variable that points a device at another cloud gives it.

/// Splits `host:port`; an IPv6 address stands in brackets. `None` when either part is missing or the port is not
/// between 1 and 65535.
#[must_use]
pub fn parse(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.trim().rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty() && !host.contains(char::is_whitespace)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn host_and_port_are_both_needed() {
        assert_eq!(parse("localhost:8883"), Some(("localhost", 8883)));
        assert_eq!(parse(" 127.0.0.1:1 "), Some(("127.0.0.1", 1)));
        assert_eq!(parse("[::1]:8883"), Some(("::1", 8883)));
        for text in
            ["", "localhost", "localhost:", ":1", "h:0", "h:65536", "h:x", "::1:8883", "[::1:1", "a b:1", "[]:1"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
