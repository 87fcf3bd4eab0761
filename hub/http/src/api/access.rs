//! Who may use the console: whoever has the token, or without one whoever sits at this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::failure::Failure;
use hub_core::model::{Problem, ProblemKind};

/// Characters a token must have.
const TOKEN_LENGTH: usize = 16;

/// Says what is wrong with a token.
pub fn check_token(token: &str) -> Result<(), String> {
    if token.chars().count() < TOKEN_LENGTH {
        return Err(format!("the token has fewer than {TOKEN_LENGTH} characters"));
    }
    // It travels in a header as it is.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the token may have printable ASCII characters only, and no spaces".to_owned());
    }
    Ok(())
}

/// The rules of a listener.
pub struct Access {
    token: Option<String>,
    /// Browsers keep cookies by host, not by port: hubs on one host need names of their own.
    cookie: String,
}

impl Access {
    /// Rules for the listener on this port.
    pub fn new(token: Option<String>, port: u16) -> Self {
        Access { token, cookie: format!("hub_session_{port}") }
    }

    /// Turns down what a foreign web page made a browser send.
    pub fn check_source(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST).unwrap_or_default();
        if self.token.is_none() && !is_loopback(host) {
            // Any name can be made to point here (DNS rebinding); only these always do.
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "Without a token the console answers to localhost, 127.0.0.1 and [::1] only; \
                 start the hub with --console-token-file to use another host name.",
            ));
        }
        let own = |origin: &str| {
            let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
        };
        if headers.contains_key(ORIGIN) && !headers.contains_key(AUTHORIZATION) && !text(ORIGIN).is_some_and(own) {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "This request comes from a page that is not the console's.",
            ));
        }
        Ok(())
    }

    /// Asks for the token, or for the cookie that was got for it.
    pub fn check_identity(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let refuse = |detail: &str| Err(unauthorized(detail));
        if let Some(value) = headers.get(AUTHORIZATION) {
            let given = value.to_str().ok().and_then(|value| value.split_once(' '));
            return match given {
                Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && is_token(token, given) => Ok(()),
                _ => refuse("The token is not the one that the hub was started with."),
            };
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        if pairs.any(|(name, value)| name == self.cookie && is_ticket(token, value)) {
            return Ok(());
        }
        refuse("This hub wants its token: send Authorization: Bearer TOKEN, or sign in at the console.")
    }

    /// The `Set-Cookie` line that a token gets. Without a token in force any will do, and changes nothing.
    pub fn sign_in(&self, given: &str) -> Result<String, Failure> {
        match &self.token {
            Some(token) if !is_token(token, given) => {
                Err(unauthorized("The token is not the one that the hub was started with."))
            }
            Some(token) => Ok(self.cookie(&hex::encode(ticket(token).finalize().into_bytes()), "")),
            None => Ok(self.sign_out()),
        }
    }

    /// The `Set-Cookie` line that takes the cookie back.
    pub fn sign_out(&self) -> String {
        self.cookie("", "; Max-Age=0")
    }

    fn cookie(&self, value: &str, end: &str) -> String {
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{end}", self.cookie)
    }
}

fn unauthorized(detail: &str) -> Failure {
    Problem::new(ProblemKind::Unauthorized, detail).into()
}

/// What a cookie proves the token with, so that the browser keeps no token and the hub no list of sessions.
fn ticket(token: &str) -> Hmac<Sha1> {
    let mac = Hmac::<Sha1>::new_from_slice(token.as_bytes());
    let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(b"hub console session");
    mac
}

fn is_ticket(token: &str, given: &str) -> bool {
    hex::decode(given).is_ok_and(|given| ticket(token).verify_slice(&given).is_ok())
}

/// Compares what was made of the two, in constant time: the time taken says nothing about the token.
fn is_token(token: &str, given: &str) -> bool {
    ticket(token).verify_slice(&ticket(given).finalize().into_bytes()).is_ok()
}

/// Whether a Host header names this machine and nothing else.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let by_address = name.parse::<IpAddr>().is_ok_and(|address| match address {
        IpAddr::V4(address) => address.octets()[0] == Ipv4Addr::LOCALHOST.octets()[0],
        IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST,
    });
    !host.contains('@') && (by_address || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    const TOKEN: &str = "0123456789abcdef";

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().expect("header"))).collect()
    }

    #[test]
    fn tokens() {
        assert!(check_token(TOKEN).is_ok());
        assert!(check_token("0123456789abcde").is_err_and(|text| text.contains("16")));
        assert!(check_token("0123456789 abcdef").is_err_and(|text| text.contains("spaces")));
        assert!(is_token(TOKEN, TOKEN));
        for other in ["", "0123456789abcdeF", "0123456789abcdef0"] {
            assert!(!is_token(TOKEN, other), "{other}");
        }
    }

    #[test]
    fn hosts() {
        for host in ["localhost", "LocalHost:80", "127.0.0.1:1", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.org", "localhost.example.org", "10.0.0.1", "[::2]", "x@localhost", "127.0.0.1.nip.io"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn sources() {
        let open = Access::new(None, 80);
        let closed = Access::new(Some(TOKEN.to_owned()), 80);
        let good = headers(&[(HOST, "localhost:80"), (ORIGIN, "http://localhost:80")]);
        assert!(open.check_source(&good).is_ok() && closed.check_source(&good).is_ok());
        let rebound = headers(&[(HOST, "evil.example"), (ORIGIN, "http://evil.example")]);
        assert!(open.check_source(&rebound).is_err());
        // That name may be the hub's own where there is a token.
        assert!(closed.check_source(&rebound).is_ok());
        for origin in
            ["http://evil.example", "null", "http://localhost:81", "http://localhost:80.evil.example", "localhost:80"]
        {
            let foreign = headers(&[(HOST, "localhost:80"), (ORIGIN, origin)]);
            assert!(open.check_source(&foreign).is_err() && closed.check_source(&foreign).is_err(), "{origin}");
        }
        assert!(open.check_source(&HeaderMap::new()).is_err());
    }

    #[test]
    fn identities() {
        let access = Access::new(Some(TOKEN.to_owned()), 80);
        assert!(access.check_identity(&HeaderMap::new()).is_err());
        let bearer = |value: &str| access.check_identity(&headers(&[(AUTHORIZATION, value)]));
        assert!(bearer("Bearer 0123456789abcdef").is_ok() && bearer("bearer 0123456789abcdef").is_ok());
        assert!(bearer("Bearer 0123456789abcdeX").is_err() && bearer("Basic 0123456789abcdef").is_err());
        assert!(bearer("Bearer").is_err() && bearer("").is_err());

        assert!(access.sign_in("wrong").is_err());
        let line = access.sign_in(TOKEN).expect("cookie");
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict") && !line.contains(TOKEN), "{line}");
        let pair = line.split(';').next().expect("pair");
        let cookie = |value: &str| access.check_identity(&headers(&[(COOKIE, value)]));
        assert!(cookie(pair).is_ok() && cookie(&format!("a=b; {pair}; c=d")).is_ok());
        assert!(cookie(&pair.replace("_80", "_81")).is_err());
        for value in ["hub_session_80=", "hub_session_80=00", "hub_session_80=x", "hub_session_80", ""] {
            assert!(cookie(value).is_err(), "{value}");
        }
        assert!(Access::new(None, 80).check_identity(&HeaderMap::new()).is_ok());
    }
}
