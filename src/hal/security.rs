//! How a connection is secured, and whom it trusts.

use std::ffi::CStr;
use std::ops::Deref;
use std::sync::Arc;

/// Trusted roots as PEM. Too large for the reserve, so memory for them is asked for in a way that may fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Arc<String>);

impl Roots {
    /// These texts, one after the other. `None` without memory.
    #[must_use]
    pub fn of(parts: &[&str]) -> Option<Roots> {
        Self::written(parts.iter().map(|part| part.len()).sum(), |text| {
            parts.iter().for_each(|part| text.push_str(part))
        })
    }

    /// What `write` appends, which is `size` bytes. `None` without memory.
    #[must_use]
    pub fn written(size: usize, write: impl FnOnce(&mut String)) -> Option<Roots> {
        let mut text = String::new();
        text.try_reserve_exact(size + 1).ok()?;
        write(&mut text);
        // As a platform is handed it.
        text.push('\0');
        Some(Roots(Arc::new(text)))
    }

    /// None: a server that shows any certificate will do.
    #[cfg(all(feature = "auth-mode-cert", feature = "websocket-unverified"))]
    #[must_use]
    pub fn none() -> Roots {
        Roots(Arc::new("\0".to_owned()))
    }

    /// For a platform; `None` where there is another NUL in it.
    #[must_use]
    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(self.0.as_bytes()).ok()
    }
}

impl Deref for Roots {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.strip_suffix('\0').unwrap_or_default()
    }
}

/// How a connection is to be secured.
#[derive(Clone)]
pub enum Security {
    /// TCP only.
    None,
    /// TLS 1.2 with a pre-shared key (wire.md section 2). No certificate is involved.
    #[cfg(not(any(feature = "auth-mode-cert", feature = "auth-with-notls")))]
    Psk {
        /// Identity sent to the server.
        identity: String,
        /// The key, raw bytes.
        key: Vec<u8>,
    },
    /// TLS; the server is verified against `ca_pem` and the host name.
    #[cfg(not(feature = "auth-with-notls"))]
    Server {
        /// Trusted roots as PEM; below 65,535 bytes (`SSLConnectParams.ca_crt_len` has 16 bits).
        ca_pem: Roots,
    },
    /// TLS with a client certificate; the server is verified as in `Server`, unless there are no roots.
    #[cfg(feature = "auth-mode-cert")]
    Mutual {
        /// Trusted roots as PEM; below 65,535 bytes.
        ca_pem: Roots,
        /// Path of the client certificate.
        cert_file: String,
        /// Path of its private key.
        key_file: String,
    },
}
