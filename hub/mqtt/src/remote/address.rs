//! Where somebody else's broker is, how to prove who it is, and how to prove who the hub is.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use rumqttc::mqttbytes::v4::Login;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use hub_core::error::{Context, Fatal, Result};

/// Holds the password where no file does.
const PASSWORD_VARIABLE: &str = "HUB_BROKER_PASSWORD";
/// The group that means: share with nobody.
const NO_GROUP: &str = "off";

/// How to reach an existing broker; the names are those of the command line.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// mqtt:// or mqtts://, host and perhaps a port; `None`: there is none.
    pub broker: Option<String>,
    /// CAs the broker's certificate may be signed by, PEM; `None`: the system's.
    pub broker_ca: Option<PathBuf>,
    /// The hub's client certificate, PEM.
    pub broker_cert: Option<PathBuf>,
    /// The key of that, PEM.
    pub broker_key: Option<PathBuf>,
    /// The hub's user name.
    pub broker_user: Option<String>,
    /// Holds the user's password; `None`: a variable of the environment does.
    pub broker_password_file: Option<PathBuf>,
    /// The group that shares subscriptions; `off`: none.
    pub broker_group: Option<String>,
}

/// What it takes to reach the broker.
pub struct Address {
    /// As the user gave it; there is nothing secret in it.
    pub url: String,
    pub host: String,
    pub port: u16,
    pub tls: Option<(TlsConnector, ServerName<'static>)>,
    pub login: Option<Login>,
    ca: Option<PathBuf>,
}

impl Address {
    /// Checks everything that can be checked without the broker. `None` where the own broker is meant.
    pub fn of(args: &BrokerOptions) -> Result<Option<Self>> {
        let Some(url) = &args.broker else {
            return Ok(None);
        };
        let (secure, host, port) = parse(url)?;
        let tls = if secure {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| Fatal::new(format!("--broker {url}: {host:?} is no host name a certificate can have")))?;
            Some((connector(args)?, name))
        } else if args.broker_ca.is_some() || args.broker_cert.is_some() {
            return Err(Fatal::new("--broker-ca and --broker-cert need TLS: --broker mqtts://..."));
        } else {
            None
        };
        let login = match &args.broker_user {
            Some(name) => Some(Login::new(name, password(args.broker_password_file.as_deref())?)),
            None => None,
        };
        Ok(Some(Address { url: url.clone(), host, port, tls, login, ca: args.broker_ca.clone() }))
    }

    /// An error of the TLS library in words that say what to do.
    pub fn explain(&self, error: &io::Error) -> String {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let advice = match inner {
            // A bad signature is that of another CA by the same name.
            Some(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => match &self.ca {
                Some(file) => format!("its certificate is not signed by a CA in --broker-ca {}", file.display()),
                None => "its certificate is not signed by a CA of the system: name it with --broker-ca FILE".to_owned(),
            },
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => format!("its certificate is for another host than {}", self.host),
            Some(rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
            )) => "it may want a client certificate: --broker-cert and --broker-key".to_owned(),
            Some(rustls::Error::InvalidMessage(_)) => {
                "it does not speak TLS there: is it mqtt:// instead of mqtts://?".to_owned()
            }
            _ => return error.to_string(),
        };
        format!("{advice} ({error})")
    }
}

/// Whether TLS, the host, and the port of a broker's URL.
fn parse(url: &str) -> Result<(bool, String, u16)> {
    if url.contains('@') {
        // Not repeated: a password may be in it.
        return Err(Fatal::new(
            "--broker: a user name does not belong in the URL; use --broker-user and --broker-password-file",
        ));
    }
    let bad = || Fatal::new(format!("--broker {url:?}: expected mqtt://host:port or mqtts://host:port"));
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let secure = match uri.scheme_str() {
        Some("mqtt") => false,
        Some("mqtts") => true,
        _ => return Err(bad()),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
    // What stands beside the host is a port or nothing; the parser lets bad ports through.
    let port = match uri.authority().and_then(|authority| authority.as_str().strip_prefix(host)) {
        Some("") if secure => 8883,
        Some("") => 1883,
        Some(_) => uri.port_u16().filter(|port| *port > 0).ok_or_else(bad)?,
        None => return Err(bad()),
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad());
    }
    Ok((secure, host.trim_matches(['[', ']']).to_owned(), port))
}

fn connector(args: &BrokerOptions) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match &args.broker_ca {
        Some(file) => {
            for cert in certificates("--broker-ca", file)? {
                roots.add(cert).context(|| format!("--broker-ca {}", file.display()))?;
            }
        }
        None => {
            // A damaged file among many is no reason to trust none of them.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(Fatal::new(
                    "this system has no list of CAs (Debian: package ca-certificates): name the broker's with --broker-ca FILE",
                ));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context(|| "TLS".to_owned())?
        .with_root_certificates(roots);
    let config = match (&args.broker_cert, &args.broker_key) {
        (Some(cert), Some(key)) => {
            let chain = certificates("--broker-cert", cert)?;
            let secret = PrivateKeyDer::from_pem_file(key)
                .context(|| format!("--broker-key {}: no private key in PEM", key.display()))?;
            config
                .with_client_auth_cert(chain, secret)
                .context(|| format!("--broker-cert {} and --broker-key {}", cert.display(), key.display()))?
        }
        _ => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(option: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let what = || format!("{option} {}", file.display());
    let text = fs::read(file).context(what)?;
    let certs: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<_, _>>().context(what)?;
    if certs.is_empty() {
        return Err(Fatal::new(format!("{}: no certificate in PEM", what())));
    }
    Ok(certs)
}

fn password(file: Option<&Path>) -> Result<String> {
    let variable = env::var_os(PASSWORD_VARIABLE);
    let text = match (file, &variable) {
        (Some(file), _) => {
            let text = fs::read_to_string(file).context(|| format!("--broker-password-file {}", file.display()))?;
            // Editors end a line.
            text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).to_owned()).unwrap_or(text)
        }
        (None, Some(text)) => {
            OsStr::to_str(text).ok_or_else(|| Fatal::new(format!("{PASSWORD_VARIABLE} is not UTF-8")))?.to_owned()
        }
        (None, None) => {
            return Err(Fatal::new(format!(
                "--broker-user needs a password: --broker-password-file FILE or the variable {PASSWORD_VARIABLE}"
            )))
        }
    };
    if text.is_empty() {
        return Err(Fatal::new("the broker's password is empty"));
    }
    Ok(text)
}

/// The group that the user wants; `None` for plain subscriptions.
pub fn group(args: &BrokerOptions) -> Result<Option<String>> {
    match args.broker_group.as_deref() {
        None | Some(NO_GROUP) => Ok(None),
        Some(name) if name.is_empty() || name.contains(['/', '+', '#', '\0', '\n']) => {
            Err(Fatal::new(format!("--broker-group {name:?}: expected a name without / + #, or off")))
        }
        Some(name) => Ok(Some(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Option<(bool, String, u16)> {
        parse(url).ok()
    }

    #[test]
    fn broker_urls() {
        assert_eq!(parsed("mqtt://localhost:1884"), Some((false, "localhost".to_owned(), 1884)));
        assert_eq!(parsed("mqtt://10.0.0.1"), Some((false, "10.0.0.1".to_owned(), 1883)));
        assert_eq!(parsed("mqtts://broker.example/"), Some((true, "broker.example".to_owned(), 8883)));
        assert_eq!(parsed("mqtts://[::1]:1"), Some((true, "::1".to_owned(), 1)));
        for bad in [
            "localhost:1883",
            "http://localhost",
            "mqtt://",
            "mqtt://h:x",
            "mqtt://h:0",
            "mqtt://h:1/topic",
            "mqtt://h:1/?x",
            "",
        ] {
            assert!(parse(bad).is_err_and(|error| error.to_string().contains("mqtts://host:port")), "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_turned_down_and_not_repeated() {
        let error = parse("mqtts://user:swordfish@host").expect_err("must be refused").to_string();
        assert!(error.contains("--broker-user") && !error.contains("swordfish"), "{error}");
    }

    #[test]
    fn passwords_come_without_the_line_end() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        for (text, want) in [("secret\n", "secret"), ("se cret\r\n", "se cret"), (" x", " x")] {
            fs::write(file.path(), text).expect("write");
            assert_eq!(password(Some(file.path())).ok().as_deref(), Some(want));
        }
        fs::write(file.path(), "\n").expect("write");
        assert!(password(Some(file.path())).is_err());
    }

    #[test]
    fn files_that_hold_no_certificate_are_named() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let error = certificates("--broker-ca", file.path()).expect_err("must be refused").to_string();
        assert!(error.contains("--broker-ca") && error.contains("no certificate"), "{error}");
    }
}
