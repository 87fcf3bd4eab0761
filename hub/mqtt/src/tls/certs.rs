//! The hub's own CA and what it signs. Made with `rcgen` at first start, kept in the state folder.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, SignatureScheme, WantsVerifier};
use zeroize::Zeroizing;

use super::own;
use crate::auth::Identity;
use hub_core::devices::{is_client_id, Devices};
use hub_core::error::{Context, Fatal, Result};
use hub_core::events::CertPaths;
use hub_core::ports::{Certificates, NewClient};
use hub_fault::Flaw;

/// A list of more devices is long: each certificate takes its time, and those with a secret hardly need one.
const LONG_LIST: usize = 1000;

/// Certificates and key of a server, in DER.
pub struct ServerFiles {
    /// Of the CA.
    pub ca: Vec<u8>,
    /// The server's own certificate.
    pub own: Vec<u8>,
    /// Its key.
    pub key: Zeroizing<Vec<u8>>,
}

/// The CA of one state folder.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Takes the CA in `folder`, or makes one there.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        let folder = folder.canonicalize().context(|| format!("cannot find {}", folder.display()))?;
        let (ca, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let params = ca_params();
        let key_pair = if ca.exists() && key.exists() {
            let pem = fs::read_to_string(&key).context(|| format!("cannot read {}", key.display()))?;
            KeyPair::from_pem(&pem).context(|| format!("bad key in {}", key.display()))?
        } else {
            let pair = KeyPair::generate().context(|| "cannot make the CA's key".to_owned())?;
            let cert = params.self_signed(&pair).context(|| "cannot make the CA's certificate".to_owned())?;
            write(&key, &pair.serialize_pem(), 0o600)?;
            write(&ca, &cert.pem(), 0o644)?;
            pair
        };
        Ok(Authority { folder, issuer: Issuer::new(params, key_pair) })
    }

    /// The CA's certificate, for clients to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of one device for mutual TLS.
    pub fn client(&self, client_id: &str) -> Result<CertPaths> {
        if !is_client_id(client_id) {
            return Err(Fatal::new(format!("{client_id:?} is not a client id")));
        }
        let params = leaf_params(client_id, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)?;
        self.leaf(&self.folder.join("clients"), client_id, params)
    }

    /// A certificate for every device, by client id; in a long list only for those that have no secret.
    pub fn clients(&self, devices: &Devices) -> Result<BTreeMap<String, CertPaths>> {
        let is_long = devices.iter().nth(LONG_LIST).is_some();
        let wanted = devices.iter().filter(|(_, device)| !is_long || device.key.is_none());
        wanted.map(|(id, _)| Ok((id.to_owned(), self.client(id)?))).collect()
    }

    /// What the servers show: valid for `localhost`, both loopback addresses and `host`.
    pub fn server_config(&self, host: &str, client_certificates: bool) -> Result<Arc<ServerConfig>> {
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b)) {
            return Err(Fatal::new(format!("{host:?} is not a host name")));
        }
        let (cert, key) = self.server(host)?;
        self.config(cert, key, client_certificates)
    }

    /// What a server of DTLS shows, and whom it trusts.
    pub fn server_files(&self, host: &str) -> Result<ServerFiles> {
        let (own, key) = self.server(host)?;
        let ca = CertificateDer::from_pem_file(self.ca_file()).context(|| self.problem())?;
        let key = Zeroizing::new(key.secret_der().to_vec());
        Ok(ServerFiles { ca: ca.to_vec(), own: own.to_vec(), key })
    }

    /// The server's certificate and its key.
    fn server(&self, host: &str) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let params = leaf_params(host, server_names(host), ExtendedKeyUsagePurpose::ServerAuth)?;
        let paths = self.leaf(&self.folder.join("servers"), host, params)?;
        let cert = CertificateDer::from_pem_file(&paths.cert).context(|| self.problem())?;
        let key = PrivateKeyDer::from_pem_file(&paths.key).context(|| self.problem())?;
        Ok((cert, key))
    }

    /// The same with a certificate that no device must take.
    pub fn flawed_server_config(&self, host: &str, flaw: Flaw, client_certificates: bool) -> Result<Arc<ServerConfig>> {
        let names = match flaw {
            Flaw::WrongHost => vec!["elsewhere.example".to_owned()],
            _ => server_names(host),
        };
        let mut params = leaf_params(host, names, ExtendedKeyUsagePurpose::ServerAuth)?;
        match flaw {
            Flaw::Expired => params.not_after = date_time_ymd(2021, 1, 1),
            Flaw::NotYet => params.not_before = date_time_ymd(2089, 1, 1),
            _ => {}
        }
        let what = || format!("cannot make a certificate for {host}");
        let pair = KeyPair::generate().context(what)?;
        let cert = match flaw {
            Flaw::SelfSigned => params.self_signed(&pair),
            Flaw::Untrusted => {
                let stranger = Issuer::new(ca_params(), KeyPair::generate().context(what)?);
                params.signed_by(&pair, &stranger)
            }
            _ => params.signed_by(&pair, &self.issuer),
        };
        let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(Fatal::new)?;
        self.config(cert.context(what)?.der().clone(), key, client_certificates)
    }

    /// The same with a certificate of somebody else's: its file may hold those that it was signed with, too.
    pub fn given_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
        let what = |path: &Path| format!("bad certificate or key in {}", path.display());
        let certs = CertificateDer::pem_file_iter(cert).context(|| what(cert))?;
        let certs = certs.collect::<std::result::Result<Vec<_>, _>>().context(|| what(cert))?;
        let key_der = PrivateKeyDer::from_pem_file(key).context(|| what(key))?;
        let builder = builder(Arc::new(rustls::crypto::ring::default_provider()))?.with_no_client_auth();
        Ok(Arc::new(builder.with_single_cert(certs, key_der).context(|| what(cert))?))
    }

    fn problem(&self) -> String {
        format!("bad certificate in {}", self.folder.display())
    }

    fn config(
        &self,
        cert: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        client_certificates: bool,
    ) -> Result<Arc<ServerConfig>> {
        let problem = || self.problem();
        let ca = CertificateDer::from_pem_file(self.ca_file()).context(problem)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = builder(provider.clone())?;
        let builder = if client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(ca.clone()).context(problem)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let by_ca = verifier.build().context(problem)?;
            builder.with_client_cert_verifier(Arc::new(own::Verifier::new(by_ca, &self.folder)))
        } else {
            builder.with_no_client_auth()
        };
        Ok(Arc::new(builder.with_single_cert(vec![cert, ca], key).context(problem)?))
    }

    fn leaf(&self, folder: &Path, name: &str, params: CertificateParams) -> Result<CertPaths> {
        fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        let paths = CertPaths { cert: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
        if !(paths.cert.exists() && paths.key.exists()) {
            let what = || format!("cannot make a certificate for {name}");
            let pair = match own_key(&paths.key)? {
                Some(pair) => pair,
                None => {
                    let pair = KeyPair::generate().context(what)?;
                    write(&paths.key, &pair.serialize_pem(), 0o600)?;
                    pair
                }
            };
            let cert = params.signed_by(&pair, &self.issuer).context(what)?;
            write(&paths.cert, &cert.pem(), 0o644)?;
        }
        Ok(paths)
    }
}

fn builder(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>> {
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().context(|| "TLS".to_owned())
}

impl Certificates for Authority {
    fn renew_client(&self, client_id: &str) -> Result<NewClient> {
        let what = || format!("cannot make a certificate for {client_id}");
        let folder = self.folder.join("clients");
        let (cert, key) = (folder.join(format!("{client_id}.crt")), folder.join(format!("{client_id}.key")));
        let keeps_its_key = is_client_id(client_id) && own_key(&key)?.is_some();
        let own = Some(own::file(&self.folder, client_id)).filter(|_| is_client_id(client_id));
        for file in [Some(cert), Some(key).filter(|_| !keeps_its_key), own].into_iter().flatten() {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context(what),
                _ => {}
            }
        }
        let paths = self.client(client_id)?;
        let certificate = fs::read_to_string(&paths.cert).context(what)?;
        let private_key = fs::read_to_string(&paths.key).context(what)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).context(what)?;
        let serial = Identity::of_certificate(&der).and_then(|identity| identity.serial);
        let serial = serial.ok_or_else(|| Fatal::new(what()))?;
        Ok(NewClient { certificate, private_key, serial })
    }

    fn client_certificate(&self, client_id: &str) -> Option<Vec<u8>> {
        if !is_client_id(client_id) {
            return None;
        }
        if let Ok(own) = fs::read(own::file(&self.folder, client_id)) {
            return Some(own);
        }
        fs::read(self.folder.join("clients").join(format!("{client_id}.crt"))).ok()
    }

    fn adopt_client(&self, client_id: &str, pem: &str) -> Result<String> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes());
        let identity = der
            .ok()
            .and_then(|der| Identity::of_certificate(&der))
            .ok_or_else(|| Fatal::new("it is none that can be read"))?;
        let serial = identity.serial.filter(|_| is_client_id(client_id) && identity.name == client_id);
        let serial = serial.ok_or_else(|| Fatal::new(format!("its common name is {:?}", identity.name)))?;
        let file = own::file(&self.folder, client_id);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        write(&file, pem, 0o644)?;
        Ok(serial)
    }

    fn is_signed(&self, client_id: &str, text: &[u8], signature: &[u8]) -> bool {
        let certificate = self.client_certificate(client_id);
        let Some(der) = certificate.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok()) else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
        let key = &certificate.public_key().subject_public_key.data;
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let by_rsa = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256);
        let mut verifiers = by_rsa.flat_map(|(_, verifiers)| verifiers.iter());
        verifiers.any(|verifier| verifier.verify_signature(key, text, signature).is_ok())
    }
}

/// A key that somebody has laid there: RSA, of which we make none. It signs what devices sign since 3.3.0.
fn own_key(file: &Path) -> Result<Option<KeyPair>> {
    if !file.exists() {
        return Ok(None);
    }
    let bad = || format!("bad key in {}", file.display());
    let pair = KeyPair::from_pem(&fs::read_to_string(file).context(bad)?).context(bad)?;
    Ok(Some(pair).filter(|pair| pair.algorithm() == &PKCS_RSA_SHA256))
}

fn server_names(host: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    names
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "iot hub on a desk");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(name: &str, subjects: Vec<String>, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(subjects).context(|| format!("cannot make a certificate for {name}"))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Written whole or not at all: another process may be looking.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let draft = path.with_extension(format!("draft{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft).context(what)?;
    file.write_all(text.as_bytes()).context(what)?;
    fs::rename(&draft, path).context(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = Authority::open(folder.path()).expect("CA");
        let paths = first.client("P1dev1").expect("certificate");
        let cert = fs::read(&paths.cert).expect("certificate file");
        let der = CertificateDer::from_pem_slice(&cert).expect("PEM");
        assert_eq!(Identity::of_certificate(&der).map(|identity| identity.name).as_deref(), Some("P1dev1"));
        let ca = fs::read(first.ca_file()).expect("CA file");

        let second = Authority::open(folder.path()).expect("CA again");
        assert_eq!(fs::read(second.ca_file()).expect("CA file"), ca);
        assert_eq!(fs::read(second.client("P1dev1").expect("again").cert).expect("file"), cert);
        let renewed = second.renew_client("P1dev1").expect("another certificate");
        assert_ne!(renewed.certificate.as_bytes(), cert);
        assert_ne!(Some(renewed.serial), Identity::of_certificate(&der).and_then(|identity| identity.serial));
        assert!(second.client("../x").is_err() && second.renew_client("../x").is_err());
        assert!(second.server_config("localhost", true).is_ok());
        assert!(second.server_config("a/b", false).is_err());
    }

    #[test]
    fn of_a_long_list_only_devices_without_a_secret_get_certificates() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let authority = Authority::open(folder.path()).expect("CA");
        let made = |secrets: usize| {
            let with =
                (0..secrets).map(|at| format!(r#"{{"productId":"P1","deviceName":"d{at}","deviceSecret":"AQID"}}"#));
            let list: Vec<String> = with.chain([r#"{"productId":"P1","deviceName":"cert"}"#.to_owned()]).collect();
            let list = Devices::parse(&format!(r#"{{"devices":[{}]}}"#, list.join(","))).expect("good list");
            authority.clients(&list).expect("certificates").into_keys().collect::<Vec<_>>()
        };
        assert_eq!((made(1), made(1000)), (vec!["P1cert".to_owned(), "P1d0".to_owned()], vec!["P1cert".to_owned()]));
    }

    #[test]
    fn a_certificate_of_somebody_else_is_known_once_its_device_has_it() {
        use rustls::server::danger::ClientCertVerifier;

        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another one"));
        let (here, there) = (Authority::open(folder.path()), Authority::open(elsewhere.path()));
        let (here, there) = (here.expect("CA"), there.expect("another CA"));
        let pem = |id: &str| fs::read_to_string(there.client(id).expect("certificate").cert).expect("file");
        let own = pem("P1dev1");
        let der = CertificateDer::from_pem_slice(own.as_bytes()).expect("PEM");
        let ca = CertificateDer::from_pem_file(here.ca_file()).expect("the CA's");
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_ca = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a verifier");
        let verifier = own::Verifier::new(by_ca, &here.folder);
        let takes = |shown: &CertificateDer<'_>| {
            verifier.verify_client_cert(shown, &[], rustls::pki_types::UnixTime::now()).is_ok()
        };
        assert!(!takes(&der));
        let serial = here.adopt_client("P1dev1", &own).expect("adopted");
        assert_eq!(Identity::of_certificate(&der).and_then(|identity| identity.serial), Some(serial));
        assert!(takes(&der));
        assert_eq!(here.client_certificate("P1dev1"), Some(own.clone().into_bytes()));
        // Another one of the same name is another one.
        there.renew_client("P1dev1").expect("another certificate");
        let other = CertificateDer::from_pem_slice(pem("P1dev1").as_bytes()).expect("PEM");
        assert!(!takes(&other));
        for (id, pem) in [("P1dev2", own.as_str()), ("P1dev1", "no PEM"), ("../x", own.as_str())] {
            assert!(here.adopt_client(id, pem).is_err(), "{id}");
        }
        here.renew_client("P1dev1").expect("one from here");
        assert!(!takes(&der));
    }

    #[test]
    fn a_key_of_rsa_that_lies_there_is_taken_and_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let authority = Authority::open(folder.path()).expect("CA");
        let key = include_str!("../../../../platform/tls/src/signature/tests/pkcs8.pem");
        let file = folder.path().join("clients/P1dev1.key");
        fs::create_dir(folder.path().join("clients")).expect("a folder");
        fs::write(&file, key).expect("a key");
        let first = fs::read(authority.client("P1dev1").expect("certificate").cert).expect("file");
        let renewed = authority.renew_client("P1dev1").expect("another certificate");
        assert_ne!(renewed.certificate.as_bytes(), first);
        // The text and the signature of the platform's own test.
        let signature = include_str!("../../../../platform/tls/src/signature/tests/signature.hex").trim_end();
        let signature = hex::decode(signature).expect("hex");
        let text = b"PRODUCTID0lamp;12010126;abcde;4294967295";
        assert!(authority.is_signed("P1dev1", text, &signature));
        assert!(!authority.is_signed("P1dev1", b"another text", &signature));
        authority.client("P1dev2").expect("a certificate of another kind");
        assert!(["P1dev2", "P1dev3", "../P1dev1"].iter().all(|id| !authority.is_signed(id, text, &signature)));
        assert_eq!((renewed.private_key.as_str(), fs::read_to_string(&file).expect("file").as_str()), (key, key));
        fs::write(&file, "no key").expect("a file");
        assert!(authority.renew_client("P1dev1").is_err_and(|error| error.to_string().contains("bad key in")));
    }
}
