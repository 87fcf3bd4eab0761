//! rustls's errors in words for a human who has to do something about them.

use rustls::{AlertDescription, CertificateError, Error};

/// What happened, and what to do about it.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => explain_certificate(reason),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server asks for a client certificate".to_owned(),
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => {
                format!("the server refused the client certificate (alert {alert:?})")
            }
            _ => format!("the server sent a fatal alert ({alert:?})"),
        },
        Error::PeerIncompatible(reason) => format!("the server has no TLS version or cipher in common ({reason:?})"),
        Error::PeerMisbehaved(reason) => format!("the server breaks the rules of TLS ({reason:?})"),
        Error::InvalidMessage(reason) => format!("the server does not speak TLS, or sent damaged data ({reason:?})"),
        Error::DecryptError => "received data can't be decrypted".to_owned(),
        _ => error.to_string(),
    }
}

fn explain_certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired (or the clock of this device is wrong)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (or the clock of this device is wrong)".to_owned()
        }
        CertificateError::UnknownIssuer => "the server's certificate has an unknown issuer".to_owned(),
        CertificateError::NotValidForName => "the server's certificate is not valid for this host name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("certificate is not valid for {} (it names no host)", expected.to_str())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("certificate is not valid for {} (but for {})", expected.to_str(), presented.join(", "))
        }
        CertificateError::Revoked => "the server's certificate is revoked".to_owned(),
        CertificateError::BadSignature => "the server's certificate is not signed by the CA it names".to_owned(),
        other => format!("the server's certificate is invalid ({other})"),
    }
}
