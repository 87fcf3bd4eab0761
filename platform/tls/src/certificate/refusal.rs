//! Why a server's certificate is not taken, in words for a human who has to do something about it.

use std::fmt;

use iot_platform_posix::cause::Cause;

use super::date::{clock_is_wrong, date};

/// So many names of a certificate are told. A server decides how many it has.
const MAX_NAMES: usize = 3;

/// Why a server's certificate is not taken. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code)] // neither rustls nor mbedTLS tells all
pub enum Refusal {
    /// The server sent none.
    Missing,
    /// Since then.
    Expired(u64),
    /// Until then.
    NotYet {
        /// What the device's clock says.
        now: u64,
        /// When its time begins.
        begins: u64,
    },
    /// No CA that is trusted.
    UnknownIssuer,
    /// A CA is trusted that has the issuer's name, and another key.
    OtherKeyOfIssuer,
    /// The names that it is for.
    OtherHosts(Vec<String>),
    /// No host by alternative name.
    NoAlternativeName,
    /// The right address as a DNS name.
    AddressAsName,
    /// No host at all.
    NamesNoHost,
    /// By its CA.
    Revoked,
    /// For clients, or something else.
    NotForServers,
    /// By its key usage.
    KeyUsage,
    /// Not X.509.
    Unreadable,
    /// An extension that must be understood, and is not.
    CriticalExtension,
    /// A way to sign that is not supported.
    UnsupportedSignature,
    /// Of X.509 version 1 or 2.
    OldVersion,
    /// A CA's.
    Authority,
    /// By one that is no CA's.
    NotByAuthority,
    /// The CA may not sign for that name.
    NameConstraint,
    /// Too many CAs.
    LongChain,
    /// An RSA key of fewer than 2048 bits.
    ShortKey,
    /// The server has not the key of it.
    NotProved,
    /// X.509, but not as it should be.
    Malformed,
    /// Nobody says why.
    Unknown,
}

impl Refusal {
    /// The whole of it.
    pub fn cause(&self, host: &str) -> Cause {
        let text = format!("certificate of {host} {}", self.text(host));
        match self {
            // Somebody will set the clock.
            Self::NotYet { now, .. } if clock_is_wrong(*now) => Cause::passing(text),
            _ => Cause::lasting(text),
        }
    }

    fn text(&self, host: &str) -> String {
        match self {
            Self::Missing => "is missing: the server sent none",
            Self::Expired(end) => return format!("expired {}", date(*end)),
            Self::NotYet { now, .. } if clock_is_wrong(*now) => {
                let says = date(*now);
                return format!(
                    "not yet valid: this device's clock says {says}, which is before this library was built"
                );
            }
            Self::NotYet { now, begins } => {
                let (begins, says) = (date(*begins), date(*now));
                return format!("not yet valid: it begins {begins}, this device's clock says {says}");
            }
            Self::UnknownIssuer => "is by a CA that this device does not trust",
            Self::OtherKeyOfIssuer => "is not signed by the trusted CA that it names: another CA of the same name?",
            Self::OtherHosts(names) if names.is_empty() => "is for other hosts",
            Self::OtherHosts(names) => {
                let more = if names.len() > MAX_NAMES { ", ..." } else { "" };
                let told: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
                return format!("is for other hosts: {}{more}", told.join(", "));
            }
            Self::NoAlternativeName => {
                return format!("has no subject alternative name: make it anew with {}", alternative_name(host))
            }
            Self::AddressAsName => {
                return format!("has this address as a DNS name: make it anew with {}", alternative_name(host))
            }
            Self::NamesNoHost => "names no host, neither as subject alternative name nor as common name",
            Self::Revoked => "was revoked",
            Self::NotForServers => "is not for servers: its extended key usage lacks serverAuth",
            Self::KeyUsage => "is not for servers: its key usage lacks digitalSignature",
            Self::Unreadable => "can't be parsed",
            Self::CriticalExtension => "has a critical extension that is not supported",
            Self::UnsupportedSignature => {
                "is signed in a way that is not supported: sign it with SHA-256 and RSA of 2048 bits, or ECDSA with P-256"
            }
            Self::OldVersion => {
                let name = alternative_name(host);
                return format!("is not of X.509 version 3: make it anew with {name}, or trust this very certificate");
            }
            Self::Authority => "is a CA's (CA:TRUE): make one for the server, or trust this very certificate",
            Self::NotByAuthority => "is signed by a certificate that is no CA's (CA:FALSE)",
            Self::NameConstraint => "is for a name that its CA may not sign for",
            Self::LongChain => "has too long a chain of CAs",
            Self::ShortKey => "has an RSA key of fewer than 2048 bits: make it anew with a longer one",
            Self::NotProved => "is not the server's: it has not proved that it has the key",
            Self::Malformed => "breaks the rules of X.509",
            Self::Unknown => "is not valid",
        }
        .to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("the host"))
    }
}

impl std::error::Error for Refusal {}

/// The argument for openssl.
fn alternative_name(host: &str) -> String {
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!("subjectAltName={kind}:{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_has_set_is_told_and_will_be_set() {
        let text = "certificate of fw.example not yet valid: this device's clock says 1970-01-01, which is before \
                    this library was built";
        let cause = Refusal::NotYet { now: 5, begins: 1_772_323_200 }.cause("fw.example");
        assert_eq!(cause, Cause::passing(text.to_owned()));
        let text = "certificate of fw.example not yet valid: it begins 2100-03-01, this device's clock says 2100-02-28";
        let cause = Refusal::NotYet { now: 4_107_542_399, begins: 4_107_542_400 }.cause("fw.example");
        assert_eq!(cause, Cause::lasting(text.to_owned()));
    }

    #[test]
    fn not_more_than_a_few_names_are_told() {
        let names = |count: usize| (0..count).map(|i| format!("h{i}")).collect();
        let told = |count| Refusal::OtherHosts(names(count)).cause("x").text;
        assert_eq!(told(0), "certificate of x is for other hosts");
        assert_eq!(told(3), "certificate of x is for other hosts: h0, h1, h2");
        assert_eq!(told(4), "certificate of x is for other hosts: h0, h1, h2, ...");
    }
}
