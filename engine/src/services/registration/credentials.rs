//! What a registered device proves itself with.

use std::fmt;

use zeroize::Zeroizing;

use super::Failure;
use crate::helpers::json::{self, Value};
use crate::identity::decode_secret;

/// Which of the two a device can use. The cloud's product decides which it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A secret, for a device in KEY mode.
    Secret,
    /// A certificate and its key, for a device in CERT mode.
    Certificate,
}

impl Wanted {
    /// `encryptionType` of a plain text that brings it.
    fn encryption_type(self) -> i64 {
        match self {
            Wanted::Secret => 2,
            Wanted::Certificate => 1,
        }
    }
}

/// What the cloud gave the device.
#[derive(PartialEq, Eq)]
pub enum Credentials {
    /// The device's secret, base64.
    Secret(Zeroizing<String>),
    /// A certificate and its private key.
    Certificate {
        /// The certificate, or a chain of them, as PEM.
        certificate: String,
        /// The private key, as PEM.
        key: Zeroizing<String>,
    },
    /// Nothing: the cloud knows the device by the certificate that it has.
    ItsOwn,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Secret(_) => "Secret(***)",
            Credentials::Certificate { .. } => "Certificate(***)",
            Credentials::ItsOwn => "ItsOwn",
        })
    }
}

/// Reads the plain text of a reply, to a device that has told the certificate of its own, or has none.
pub(super) fn read(plain: &[u8], wanted: Wanted, has_its_own: bool) -> Result<Credentials, Failure> {
    // A wrong key shows here.
    let unreadable = |_| Failure::Unusable("its payload does not become JSON by this product secret");
    let keys = ["encryptionType", "psk", "clientCert", "clientKey"];
    let [kind, psk, certificate, key] = json::values(json::message(plain), keys).map_err(unreadable)?;
    let kind = kind.and_then(|kind| kind.whole()).ok_or(Failure::Unusable("it tells no encryptionType"))?;
    if kind != wanted.encryption_type() {
        return Err(Failure::Unusable("its encryptionType is not that of this build"));
    }
    match wanted {
        Wanted::Secret => {
            let psk = text(psk).ok_or(Failure::Unusable("it holds no psk"))?;
            let decoded = decode_secret(&psk).map(Zeroizing::new);
            decoded.map_err(|_| Failure::Unusable("its psk is not 1 to 64 characters of base64"))?;
            Ok(Credentials::Secret(psk))
        }
        Wanted::Certificate if has_its_own => Ok(Credentials::ItsOwn),
        Wanted::Certificate => {
            let certificate = text(certificate).ok_or(Failure::Unusable("it holds no clientCert"))?;
            let key = text(key).ok_or(Failure::Unusable("it holds no clientKey"))?;
            Ok(Credentials::Certificate { certificate: certificate.to_string(), key })
        }
    }
}

/// A string that is not empty.
fn text(value: Option<Value<'_>>) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(value?.text()?.to_str().ok()?.into_owned());
    (!text.is_empty()).then_some(text)
}
