//! Who may use the console: who has the hub's own token, a user's, or is one of a proxy that is believed; or without a token
//! whoever sits at this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode};

use super::failure::Failure;
use hub_core::hub::Hub;
use hub_core::model::{Caller, Problem, ProblemKind, Role};
use hub_core::users;

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

/// The proxies that are believed when they say who asks, such as those that speak OpenID Connect with browsers.
#[derive(Clone, Debug)]
pub struct Proxies {
    /// Where their connections come from.
    pub addresses: Vec<IpAddr>,
    /// The header that holds the user's name. From anywhere else it says nothing.
    pub header: HeaderName,
}

impl Proxies {
    /// The header's name, as the command line has it.
    pub fn header(name: &str) -> Result<HeaderName, String> {
        name.parse().map_err(|_| format!("{name:?} cannot be the name of a header"))
    }

    /// Who asks, where one of the proxies says so.
    fn said(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        if !self.addresses.iter().any(|address| address.to_canonical() == peer.to_canonical()) {
            return Ok(None);
        }
        let mut values = headers.get_all(&self.header).iter();
        let (first, second) = (values.next(), values.next());
        match (first.map(|value| value.to_str().unwrap_or_default()), second) {
            (None, _) => Ok(None),
            (Some(name), None) if !name.is_empty() => Ok(Some(name.to_owned())),
            _ => Err(unauthorized("The proxy does not say who asks: its header is empty, or there are two.")),
        }
    }
}

/// Who somebody says to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Whoever sits at this machine.
    Local,
    /// Who has the token that the hub was started with.
    Console,
    /// Who has the token that this ticket is of, if there is one.
    Ticket(Vec<u8>),
    /// The user of this name, says a proxy.
    Named(String),
}

/// The rules of a listener.
pub struct Access {
    /// The ticket of the hub's own token; `None`: whoever sits at this machine may do everything.
    ticket: Option<Vec<u8>>,
    proxies: Proxies,
    /// Browsers keep cookies by host, not by port: hubs on one host need names of their own.
    cookie: String,
    /// Over TLS; then the cookie goes nowhere else.
    tls: bool,
}

impl Access {
    /// Rules for the listener on this port.
    pub fn new(token: Option<&str>, proxies: Proxies, port: u16, tls: bool) -> Self {
        Access { ticket: token.map(users::ticket), proxies, cookie: format!("hub_session_{port}"), tls }
    }

    /// Turns down what a foreign web page made a browser send.
    pub fn check_source(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST).unwrap_or_default();
        if self.ticket.is_none() && !is_loopback(host) {
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
        // A proxy may put that header on whatever a browser sends.
        let by_program = headers.contains_key(AUTHORIZATION) && self.proxies.said(peer, headers)?.is_none();
        if headers.contains_key(ORIGIN) && !by_program && !text(ORIGIN).is_some_and(own) {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "This request comes from a page that is not the console's.",
            ));
        }
        Ok(())
    }

    /// Who asks, as far as the request says it: by a proxy, a token, or the cookie that was got for one.
    pub fn claim(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Claim, Failure> {
        if self.ticket.is_none() {
            return Ok(Claim::Local);
        }
        if let Some(name) = self.proxies.said(peer, headers)? {
            return Ok(Claim::Named(name));
        }
        if let Some(value) = headers.get(AUTHORIZATION) {
            let given = value.to_str().ok().and_then(|value| value.split_once(' '));
            return match given {
                Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Ok(self.claim_of(&users::ticket(given)))
                }
                _ => Err(unknown_token()),
            };
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let cookie = pairs.find(|(name, _)| *name == self.cookie).and_then(|(_, value)| hex::decode(value).ok());
        cookie.map(|ticket| self.claim_of(&ticket)).ok_or_else(|| {
            unauthorized("This hub wants its token: send Authorization: Bearer TOKEN, or sign in at the console.")
        })
    }

    /// Whose a ticket is. Without a token in force any will do.
    pub fn claim_of(&self, given: &[u8]) -> Claim {
        match &self.ticket {
            None => Claim::Local,
            // Hashes are compared: the time taken says nothing about the ticket.
            Some(own) if users::hash(own) == users::hash(given) => Claim::Console,
            Some(_) => Claim::Ticket(given.to_vec()),
        }
    }

    /// The `Set-Cookie` line that a good ticket gets.
    pub fn sign_in(&self, ticket: &[u8]) -> String {
        match &self.ticket {
            Some(_) => self.cookie(&hex::encode(ticket), ""),
            None => self.sign_out(),
        }
    }

    /// The `Set-Cookie` line that takes the cookie back.
    pub fn sign_out(&self) -> String {
        self.cookie("", "; Max-Age=0")
    }

    fn cookie(&self, value: &str, end: &str) -> String {
        let secure = if self.tls { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{end}", self.cookie)
    }
}

fn unauthorized(detail: &str) -> Failure {
    Problem::new(ProblemKind::Unauthorized, detail).into()
}

/// A token or a cookie that is nobody's.
pub fn unknown_token() -> Failure {
    unauthorized("The token is not the one that the hub was started with, and no user's.")
}

/// Who asks, and what that one may do.
pub fn caller(hub: &Hub, claim: Claim) -> Result<Option<Caller>, Problem> {
    let whole = |name: &str| Some(Caller { name: name.to_owned(), role: Role::Administer });
    let user = match claim {
        Claim::Local => return Ok(whole(users::LOCAL)),
        Claim::Console => return Ok(whole(users::CONSOLE)),
        Claim::Ticket(ticket) => hub.user_of_ticket(&ticket)?,
        Claim::Named(name) => match hub.user(&name)? {
            Some(user) => Some(user),
            None => {
                let text = format!("There is no user {name:?} at this hub: somebody who administers it can add one.");
                return Err(Problem::new(ProblemKind::Forbidden, text));
            }
        },
    };
    Ok(user.map(|user| Caller { name: user.name, role: user.role }))
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

    const TOKEN: &str = "0123456789abcdef";

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().expect("header"))).collect()
    }

    const NEAR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn nobody() -> Proxies {
        Proxies { addresses: Vec::new(), header: HeaderName::from_static("x-forwarded-user") }
    }

    #[test]
    fn tokens() {
        assert!(check_token(TOKEN).is_ok());
        assert!(check_token("0123456789abcde").is_err_and(|text| text.contains("16")));
        assert!(check_token("0123456789 abcdef").is_err_and(|text| text.contains("spaces")));
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
        let open = Access::new(None, nobody(), 80, false);
        let closed = Access::new(Some(TOKEN), nobody(), 80, false);
        let good = headers(&[(HOST, "localhost:80"), (ORIGIN, "http://localhost:80")]);
        assert!(open.check_source(NEAR, &good).is_ok() && closed.check_source(NEAR, &good).is_ok());
        let rebound = headers(&[(HOST, "evil.example"), (ORIGIN, "http://evil.example")]);
        assert!(open.check_source(NEAR, &rebound).is_err());
        // That name may be the hub's own where there is a token.
        assert!(closed.check_source(NEAR, &rebound).is_ok());
        for origin in
            ["http://evil.example", "null", "http://localhost:81", "http://localhost:80.evil.example", "localhost:80"]
        {
            let foreign = headers(&[(HOST, "localhost:80"), (ORIGIN, origin)]);
            assert!(
                open.check_source(NEAR, &foreign).is_err() && closed.check_source(NEAR, &foreign).is_err(),
                "{origin}"
            );
        }
        assert!(open.check_source(NEAR, &HeaderMap::new()).is_err());
    }

    #[test]
    fn identities() {
        let access = Access::new(Some(TOKEN), nobody(), 80, false);
        let claim = |list: &[(HeaderName, &str)]| access.claim(NEAR, &headers(list)).ok();
        let bearer = |value: &str| claim(&[(AUTHORIZATION, value)]);
        let of = |token: &str| Some(Claim::Ticket(users::ticket(token)));
        assert_eq!(claim(&[]), None);
        assert_eq!(bearer("Bearer 0123456789abcdef"), Some(Claim::Console));
        assert_eq!(bearer("bearer 0123456789abcdef"), Some(Claim::Console));
        assert_eq!((bearer("Bearer another"), bearer("Basic 0123456789abcdef")), (of("another"), None));
        assert_eq!((bearer("Bearer"), bearer("")), (None, None));
        // A ticket is no token.
        let ticket = hex::encode(users::ticket(TOKEN));
        assert_eq!(bearer(&format!("Bearer {ticket}")), of(&ticket));

        let line = access.sign_in(&users::ticket(TOKEN));
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict") && !line.contains(TOKEN), "{line}");
        assert!(
            !line.contains("Secure") && Access::new(Some(TOKEN), nobody(), 80, true).sign_in(b"x").contains("Secure")
        );
        let pair = line.split(';').next().expect("pair");
        let cookie = |value: &str| claim(&[(COOKIE, value)]);
        assert_eq!(cookie(&format!("a=b; {pair}; c=d")), Some(Claim::Console));
        assert_eq!(cookie(&pair.replace("_80", "_81")), None);
        for value in ["hub_session_80=", "hub_session_80=00", "hub_session_80=x", "hub_session_80", ""] {
            assert_ne!(cookie(value), Some(Claim::Console), "{value}");
        }
        assert_eq!(Access::new(None, nobody(), 80, false).claim(NEAR, &HeaderMap::new()).ok(), Some(Claim::Local));
    }

    #[test]
    fn a_proxy_is_believed_by_its_address_alone() {
        let header = Proxies::header("X-Forwarded-User").expect("a header");
        let own: IpAddr = "10.0.0.7".parse().expect("an address");
        let mapped: IpAddr = "::ffff:10.0.0.7".parse().expect("an address");
        let access = Access::new(Some(TOKEN), Proxies { addresses: vec![own], header: header.clone() }, 80, false);
        let alice = headers(&[(header.clone(), "alice")]);
        let named = Some(Claim::Named("alice".to_owned()));
        assert_eq!(access.claim(own, &alice).ok(), named);
        assert_eq!(access.claim(mapped, &alice).ok(), named);
        assert_eq!(access.claim(NEAR, &alice).ok(), None);
        assert_eq!(access.claim(own, &HeaderMap::new()).ok(), None);
        let mut twice = alice.clone();
        twice.append(&header, "mallory".parse().expect("header"));
        assert!(access.claim(own, &twice).is_err() && access.claim(own, &headers(&[(header.clone(), "")])).is_err());
        // What the proxy puts on a foreign page's request does not make it a program's.
        let foreign =
            [(header, "alice"), (HOST, "hub.example"), (ORIGIN, "http://evil.example"), (AUTHORIZATION, "Bearer x")];
        assert!(access.check_source(own, &headers(&foreign)).is_err());
        assert!(access.check_source(NEAR, &headers(&foreign)).is_ok());
        assert!(Proxies::header("no header").is_err());
    }
}
