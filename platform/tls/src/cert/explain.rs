//! rustls's errors in words for a human who has to do something about them.

use std::sync::Arc;

use rustls::{CertificateError, Error, OtherError, PeerIncompatible};

use crate::certificate::alert;
use crate::certificate::refusal::Refusal;
use crate::stack::Failure;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

/// What happened in a connection to `host`.
pub fn explain(error: &Error, host: &str) -> Failure {
    match error {
        Error::InvalidCertificate(reason) => Failure::Certificate(refusal(reason, host).cause(host)),
        Error::NoCertificatesPresented => Failure::Certificate(Refusal::Missing.cause(host)),
        Error::AlertReceived(number) => alert::explain(u8::from(*number)),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            Failure::lasting("no TLS version in common: the server has neither TLS 1.2 nor 1.3")
        }
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            Failure::lasting("no cipher suite in common")
        }
        Error::PeerIncompatible(_) => Failure::lasting("no TLS version, cipher suite or key exchange in common"),
        Error::PeerMisbehaved(_) | Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            Failure::passing("the server breaks the rules of TLS")
        }
        Error::InvalidMessage(_) => Failure::passing("the server does not speak TLS, or sent damaged data"),
        Error::DecryptError => Failure::passing("received data can't be decrypted"),
        Error::PeerSentOversizedRecord => Failure::passing("the server sent too large a TLS record"),
        Error::General(text) => Failure::passing(text.clone()),
        Error::EncryptError => Failure::passing("nothing more can be encrypted in this connection"),
        Error::FailedToGetRandomBytes => Failure::passing("the system has no random numbers"),
        Error::FailedToGetCurrentTime => Failure::passing("the system's clock can't be read"),
        // rustls's own texts have names of its own, and would draw the names of all there is in TLS into every firmware.
        _ => Failure::passing("TLS failed"),
    }
}

fn refusal(reason: &CertificateError, host: &str) -> Refusal {
    match reason {
        CertificateError::NotValidYetContext { time, not_before } => {
            Refusal::NotYet { now: time.as_secs(), begins: not_before.as_secs() }
        }
        CertificateError::ExpiredContext { not_after, .. } => Refusal::Expired(not_after.as_secs()),
        CertificateError::UnknownIssuer => Refusal::UnknownIssuer,
        CertificateError::BadSignature => Refusal::OtherKeyOfIssuer,
        CertificateError::NotValidForName => Refusal::OtherHosts(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            Refusal::NoAlternativeName
        }
        CertificateError::NotValidForNameContext { presented, .. } if is_address_as_name(presented, host) => {
            Refusal::AddressAsName
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            Refusal::OtherHosts(presented.iter().map(|name| bare_name(name).to_owned()).collect())
        }
        CertificateError::Revoked => Refusal::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Refusal::NotForServers,
        CertificateError::BadEncoding => Refusal::Unreadable,
        CertificateError::UnhandledCriticalExtension => Refusal::CriticalExtension,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Refusal::UnsupportedSignature,
        CertificateError::Other(other) => match (other.0.downcast_ref::<Refusal>(), other.0.downcast_ref()) {
            (Some(refusal), _) => refusal.clone(),
            (_, Some(error)) => by_webpki(error),
            _ => Refusal::Unknown,
        },
        _ => Refusal::Unknown,
    }
}

/// What rustls has no error of its own for.
fn by_webpki(error: &webpki::Error) -> Refusal {
    match error {
        webpki::Error::UnsupportedCertVersion => Refusal::OldVersion,
        webpki::Error::CaUsedAsEndEntity => Refusal::Authority,
        webpki::Error::EndEntityUsedAsCa => Refusal::NotByAuthority,
        webpki::Error::NameConstraintViolation => Refusal::NameConstraint,
        webpki::Error::PathLenConstraintViolated
        | webpki::Error::MaximumPathDepthExceeded
        | webpki::Error::MaximumPathBuildCallsExceeded
        | webpki::Error::MaximumSignatureChecksExceeded => Refusal::LongChain,
        _ => Refusal::Malformed,
    }
}

/// Whether `host` is an address, and the certificate has it as a DNS name.
fn is_address_as_name(presented: &[String], host: &str) -> bool {
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
    use super::*;
    use rustls::{AlertDescription, ContentType};

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
            Error::InappropriateMessage { expect_types: Vec::new(), got_type: ContentType::Alert },
            Error::HandshakeNotComplete,
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
