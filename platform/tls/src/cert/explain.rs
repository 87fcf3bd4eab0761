//! rustls's errors in words for a human who has to do something about them.

use std::fmt;
use std::sync::Arc;

use iot_platform_posix::cause::Cause;
use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

use super::date::{clock_is_wrong, date};
use crate::stack::Failure;

/// So many names of a certificate are told. A server decides how many it has.
const MAX_NAMES: usize = 3;

/// What rustls has no error for, as the end of a sentence that begins with "certificate of HOST".
#[derive(Debug)]
pub struct Flaw(pub String);

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Flaw {}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Self {
        CertificateError::Other(OtherError(Arc::new(flaw))).into()
    }
}

/// What happened in a connection to `host`.
pub fn explain(error: &Error, host: &str) -> Failure {
    match error {
        Error::InvalidCertificate(reason) => Failure::Certificate(certificate(reason, host)),
        Error::NoCertificatesPresented => {
            Failure::Certificate(Cause::lasting(format!("certificate of {host} is missing: the server sent none")))
        }
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            Failure::lasting("no TLS version in common: the server has neither TLS 1.2 nor 1.3")
        }
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            Failure::lasting("no cipher suite in common")
        }
        Error::PeerIncompatible(_) => Failure::lasting("no TLS version, cipher suite or key exchange in common"),
        Error::PeerMisbehaved(_) => Failure::passing("the server breaks the rules of TLS"),
        Error::InvalidMessage(_) => Failure::passing("the server does not speak TLS, or sent damaged data"),
        Error::DecryptError => Failure::passing("received data can't be decrypted"),
        Error::PeerSentOversizedRecord => Failure::passing("the server sent too large a TLS record"),
        Error::General(text) => Failure::passing(text.clone()),
        _ => Failure::passing(error.to_string()),
    }
}

fn explain_alert(alert: AlertDescription) -> Failure {
    match alert {
        AlertDescription::CertificateRequired => Failure::lasting("the server asks for a client certificate"),
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => {
            Failure::lasting(format!("the server refused the client certificate ({})", alert_name(alert)))
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            Failure::lasting(format!("no cipher suite in common, says the server ({})", alert_name(alert)))
        }
        AlertDescription::ProtocolVersion => {
            Failure::lasting(format!("no TLS version in common, says the server ({})", alert_name(alert)))
        }
        AlertDescription::UnrecognisedName => {
            Failure::lasting(format!("the server does not know this host name ({})", alert_name(alert)))
        }
        _ => Failure::passing(format!("the server gave up ({})", alert_name(alert))),
    }
}

/// As the log of any other TLS library counts them.
fn alert_name(alert: AlertDescription) -> String {
    format!("alert {}", u8::from(alert))
}

fn certificate(reason: &CertificateError, host: &str) -> Cause {
    let of = format!("certificate of {host}");
    Cause::lasting(match reason {
        CertificateError::NotValidYetContext { time, not_before } => {
            let (now, says) = (time.as_secs(), date(time.as_secs()));
            if clock_is_wrong(now) {
                // Somebody will set it.
                return Cause::passing(format!(
                    "{of} not yet valid: this device's clock says {says}, which is before this library was built"
                ));
            }
            format!("{of} not yet valid: it begins {}, this device's clock says {says}", date(not_before.as_secs()))
        }
        CertificateError::ExpiredContext { not_after, .. } => format!("{of} expired {}", date(not_after.as_secs())),
        CertificateError::Expired => format!("{of} expired"),
        CertificateError::NotValidYet => format!("{of} not yet valid"),
        CertificateError::UnknownIssuer => format!("{of} is by a CA that this device does not trust"),
        CertificateError::BadSignature => {
            format!("{of} is not signed by the trusted CA that it names: another CA of the same name?")
        }
        CertificateError::NotValidForName => format!("{of} is for other hosts"),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("{of} has no subject alternative name: make it anew with {}", alternative_name(host))
        }
        CertificateError::NotValidForNameContext { presented, .. } if is_address_as_name(presented, host) => {
            format!("{of} has this address as a DNS name: make it anew with {}", alternative_name(host))
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(MAX_NAMES).map(|name| bare_name(name)).collect();
            let more = if presented.len() > MAX_NAMES { ", ..." } else { "" };
            format!("{of} is for other hosts: {}{more}", names.join(", "))
        }
        CertificateError::Revoked => format!("{of} was revoked"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{of} is not for servers: its extended key usage lacks serverAuth")
        }
        CertificateError::BadEncoding => format!("{of} can't be parsed"),
        CertificateError::UnhandledCriticalExtension => format!("{of} has a critical extension that is not supported"),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            format!(
                "{of} is signed in a way that is not supported: sign it with SHA-256 and RSA of 2048 bits, or ECDSA with P-256"
            )
        }
        CertificateError::Other(other) => match (other.0.downcast_ref(), other.0.downcast_ref()) {
            (Some(Flaw(text)), _) => format!("{of} {text}"),
            (_, Some(error)) => format!("{of} {}", flaw(error, host)),
            _ => format!("{of} is not valid"),
        },
        _ => format!("{of} is not valid"),
    })
}

/// What rustls has no error of its own for.
fn flaw(error: &webpki::Error, host: &str) -> String {
    match error {
        webpki::Error::UnsupportedCertVersion => format!(
            "is not of X.509 version 3: make it anew with {}, or trust this very certificate",
            alternative_name(host)
        ),
        webpki::Error::CaUsedAsEndEntity => {
            "is a CA's (CA:TRUE): make one for the server, or trust this very certificate".to_owned()
        }
        webpki::Error::EndEntityUsedAsCa => "is signed by a certificate that is no CA's (CA:FALSE)".to_owned(),
        webpki::Error::NameConstraintViolation => "is for a name that its CA may not sign for".to_owned(),
        webpki::Error::PathLenConstraintViolated
        | webpki::Error::MaximumPathDepthExceeded
        | webpki::Error::MaximumPathBuildCallsExceeded
        | webpki::Error::MaximumSignatureChecksExceeded => "has too long a chain of CAs".to_owned(),
        _ => "breaks the rules of X.509".to_owned(),
    }
}

/// The argument for openssl.
fn alternative_name(host: &str) -> String {
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!("subjectAltName={kind}:{host}")
}

/// Whether `host` is an address, and the certificate has it as a name. mbedTLS knows no other way.
pub fn is_address_as_name(presented: &[String], host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
        && presented.iter().any(|name| name.starts_with("DnsName(") && bare_name(name) == host)
}

/// webpki writes names as `DnsName("a.example")` and `IpAddress(10.0.0.7)`.
fn bare_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::UnixTime;

    use super::*;

    fn not_yet(now: u64, begins: u64) -> Cause {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let reason = CertificateError::NotValidYetContext { time: at(now), not_before: at(begins) };
        match explain(&reason.into(), "fw.example") {
            Failure::Certificate(cause) => cause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_clock_that_nobody_has_set_is_told_and_will_be_set() {
        let text = "certificate of fw.example not yet valid: this device's clock says 1970-01-01, which is before \
                    this library was built";
        assert_eq!(not_yet(5, 1_772_323_200), Cause::passing(text.to_owned()));
        let text = "certificate of fw.example not yet valid: it begins 2100-03-01, this device's clock says 2100-02-28";
        assert_eq!(not_yet(4_107_542_399, 4_107_542_400), Cause::lasting(text.to_owned()));
    }

    #[test]
    fn no_text_shows_a_name_of_rusts() {
        use rustls::{InvalidMessage, PeerMisbehaved};

        let flaws = [
            webpki::Error::CaUsedAsEndEntity,
            webpki::Error::EndEntityUsedAsCa,
            webpki::Error::UnsupportedCertVersion,
            webpki::Error::NameConstraintViolation,
            webpki::Error::MaximumPathDepthExceeded,
            webpki::Error::MalformedExtensions,
        ];
        let errors = flaws.into_iter().map(|flaw| CertificateError::Other(OtherError(Arc::new(flaw))).into()).chain([
            CertificateError::BadEncoding.into(),
            CertificateError::Revoked.into(),
            CertificateError::UnhandledCriticalExtension.into(),
            CertificateError::ApplicationVerificationFailure.into(),
            Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
            Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
            Error::InvalidMessage(InvalidMessage::InvalidContentType),
            Error::AlertReceived(AlertDescription::InternalError),
            Error::NoCertificatesPresented,
        ]);
        for error in errors {
            let (Failure::Certificate(cause) | Failure::Error(cause)) = explain(&error, "fw.example") else {
                panic!("{error:?}")
            };
            // A name such as CaUsedAsEndEntity: a small letter before a large one.
            let letters = cause.text.replace("serverAuth", "").replace("subjectAltName", "").into_bytes();
            let is_name = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
            assert!(!letters.windows(2).any(is_name), "{}", cause.text);
        }
    }
}
