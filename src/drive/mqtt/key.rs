//! The device's own key, for a service that signs by it.

use super::Client;
#[cfg(not(feature = "auth-with-notls"))]
use crate::hal::Security;

impl Client {
    /// The device's secret, decoded.
    #[cfg(not(feature = "auth-mode-cert"))]
    pub(crate) fn secret(&self) -> Option<&[u8]> {
        match (&self.setup.endpoint.security, &self.setup.proof) {
            (_, super::Proof::Password(key)) => Some(key),
            #[cfg(not(feature = "auth-with-notls"))]
            (Security::Psk { key, .. }, _) => Some(key),
            _ => None,
        }
    }

    /// The file of the device's private key.
    #[cfg(feature = "auth-mode-cert")]
    pub(crate) fn key_file(&self) -> Option<&str> {
        match &self.setup.endpoint.security {
            Security::Mutual { key_file, .. } => Some(key_file),
            _ => None,
        }
    }
}
