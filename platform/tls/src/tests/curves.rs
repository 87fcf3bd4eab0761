//! Every way to agree on keys, and every kind of key that a certificate may have.

use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup};

use super::*;

const GROUPS: [&dyn SupportedKxGroup; 3] = [X25519, SECP256R1, SECP384R1];

/// A server that agrees on keys in one way only.
fn server_with(
    (chain, key): &(String, KeyPair),
    group: &'static dyn SupportedKxGroup,
    version: &'static SupportedProtocolVersion,
) -> (u16, JoinHandle<()>) {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.kx_groups = vec![group];
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let (listener, port) = listener();
    let thread = spawn(move || {
        let stream = listener.accept().unwrap().0;
        echo_and_drain(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream));
    });
    (port, thread)
}

/// A certificate for localhost with this key.
fn issue_for(ca: &Ca, key: KeyPair) -> (String, KeyPair) {
    (params_for(&["localhost"]).signed_by(&key, &ca.issuer).unwrap().pem(), key)
}

fn p256_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn p384_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

/// Always the same: rcgen by ring makes none.
fn rsa_key() -> KeyPair {
    KeyPair::from_pem_and_sign_algo(include_str!("../signature/tests/pkcs8.pem"), &PKCS_RSA_SHA256).unwrap()
}

#[test]
fn keys_are_agreed_on_in_each_way_with_each_kind_of_certificate() {
    for key in [p256_key, p384_key, rsa_key] {
        let ca = Ca::with_key("test CA", key());
        let identity = issue_for(&ca, key());
        for group in GROUPS {
            for &version in VERSIONS {
                let (port, server) = server_with(&identity, group, version);
                assert_echoes(&open(&ca.pem(), None, "localhost", port).unwrap());
                server.join().unwrap();
            }
        }
    }
}

#[test]
fn a_signature_of_another_ca_of_the_same_name_is_refused_whatever_its_kind() {
    for key in [p256_key, p384_key] {
        let (ca, another) = (Ca::with_key("test CA", key()), Ca::with_key("test CA", key()));
        let (port, server) = server_with(&issue_for(&another, key()), X25519, VERSIONS[0]);
        let text = open(&ca.pem(), None, "localhost", port).err().unwrap().text;
        assert_eq!(
            text,
            "certificate of localhost is not signed by the trusted CA that it names: another CA of the same name?"
        );
        server.join().unwrap();
    }
}

/// The order of P-256, the lowest byte first.
const ORDER: [u8; 32] = [
    0x51, 0x25, 0x63, 0xfc, 0xc2, 0xca, 0xb9, 0xf3, 0x84, 0x9e, 0x17, 0xa7, 0xad, 0xfa, 0xe6, 0xbc, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
];

/// A number of a signature, the lowest byte first.
type Number = [u8; 33];

type Spoil = fn([Number; 2]) -> [Number; 2];

/// Signs, and makes something else of the two numbers of the signature.
struct Spoiler<'a>(&'a KeyPair, Spoil);

impl PublicKeyData for Spoiler<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Spoiler<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(message)?;
        // A sequence of two integers, X.690 section 8.3: highest byte first, and no more of them than it takes.
        let mut rest = &signature[2..];
        let numbers = [(); 2].map(|()| {
            let (number, after) = rest[2..].split_at(usize::from(rest[1]));
            rest = after;
            let mut reversed = [0; 33];
            reversed.iter_mut().zip(number.iter().rev()).for_each(|(to, from)| *to = *from);
            reversed
        });
        let mut spoilt = Vec::new();
        for number in self.1(numbers) {
            let len = (1..33).rev().find(|i| number[*i] != 0 || number[i - 1] > 0x7f).unwrap_or(0) + 1;
            spoilt.extend([2, u8::try_from(len).unwrap()]);
            spoilt.extend(number[..len].iter().rev());
        }
        spoilt.splice(..0, [0x30, u8::try_from(spoilt.len()).unwrap()]);
        Ok(spoilt)
    }
}

fn small(number: u8) -> Number {
    let mut bytes = [0; 33];
    bytes[0] = number;
    bytes
}

fn plus_order(number: Number) -> Number {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = u16::from(number[i]) + ORDER.get(i).copied().map_or(0, u16::from) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

#[test]
fn a_signature_whose_numbers_are_not_between_0_and_the_order_or_are_others_is_refused() {
    const RIGHT: Spoil = |numbers| numbers;
    const SPOILT: [Spoil; 12] = [
        |[_, s]| [small(0), s],
        |[r, _]| [r, small(0)],
        |_| [small(0); 2],
        |[_, s]| [plus_order(small(0)), s],
        |[r, _]| [r, plus_order(small(0))],
        |_| [plus_order(small(0)); 2],
        // The same numbers modulo the order.
        |[r, s]| [plus_order(r), s],
        |[r, s]| [r, plus_order(s)],
        |[r, s]| [s, r],
        |[_, s]| [small(1), s],
        |[r, _]| [r, small(1)],
        |_| [small(1); 2],
    ];
    let (ca_key, key) = (p256_key(), p256_key());
    let ca = Ca::with_key("test CA", KeyPair::from_pem(&ca_key.serialize_pem()).unwrap());
    let mut params = params_for(&[]);
    params.distinguished_name.push(DnType::CommonName, "test CA");
    for (spoil, is_right) in SPOILT.map(|spoil| (spoil, false)).into_iter().chain([(RIGHT, true)]) {
        let issuer = Issuer::new(params.clone(), Spoiler(&ca_key, spoil));
        let chain = params_for(&["localhost"]).signed_by(&key, &issuer).unwrap().pem();
        let identity = (chain, KeyPair::from_pem(&key.serialize_pem()).unwrap());
        let (port, server) = server_with(&identity, X25519, VERSIONS[0]);
        let opened = open(&ca.pem(), None, "localhost", port);
        if is_right {
            assert_echoes(&opened.unwrap());
        } else {
            let text = opened.err().unwrap().text;
            assert!(text.contains("is not signed by the trusted CA that it names"), "{text}");
        }
        server.join().unwrap();
    }
}

/// Says what is no public key instead of the one that it has made.
#[derive(Debug)]
struct Spoilt {
    group: &'static dyn SupportedKxGroup,
    said: &'static [u8],
}

struct SpoiltExchange(Box<dyn ActiveKeyExchange>, &'static [u8]);

impl SupportedKxGroup for Spoilt {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(SpoiltExchange(self.group.start()?, self.said)))
    }

    fn name(&self) -> NamedGroup {
        self.group.name()
    }
}

impl ActiveKeyExchange for SpoiltExchange {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        self.0.complete(peer_pub_key)
    }

    fn pub_key(&self) -> &[u8] {
        self.1
    }

    fn group(&self) -> NamedGroup {
        self.0.group()
    }
}

/// A tag and two equal coordinates, whatever their length, which are on none of the curves.
const NOWHERE: [u8; 97] = {
    let mut point = [1; 97];
    point[0] = 4;
    point
};

#[test]
fn what_is_no_public_key_ends_the_handshake() {
    // Of order 8, and 0: what is multiplied by any key gives 0 (RFC 7748 section 6.1).
    const OF_ORDER_8: [u8; 32] = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ];
    static TABLE: [Spoilt; 7] = [
        Spoilt { group: X25519, said: &[0; 32] },
        Spoilt { group: X25519, said: &OF_ORDER_8 },
        Spoilt { group: X25519, said: &[9; 31] },
        Spoilt { group: SECP256R1, said: NOWHERE.split_at(65).0 },
        Spoilt { group: SECP256R1, said: &[4; 33] },
        Spoilt { group: SECP256R1, said: &[0] },
        Spoilt { group: SECP384R1, said: &NOWHERE },
    ];
    let ca = Ca::new();
    let identity = ca.issue(&["localhost"], false);
    for spoilt in &TABLE {
        for &version in VERSIONS {
            let (port, server) = server_with(&identity, spoilt, version);
            let text = open(&ca.pem(), None, "localhost", port).err().unwrap().text;
            // mbedTLS has no closer word for it in TLS 1.3.
            let expected = match version.version {
                rustls::ProtocolVersion::TLSv1_3 if cfg!(feature = "tls-mbedtls") => {
                    "the server and this device do not agree on how to speak TLS"
                }
                _ => "the server breaks the rules of TLS",
            };
            assert_eq!(text, format!("TLS handshake with localhost:{port} failed: {expected}"), "{spoilt:?}");
            server.join().unwrap();
        }
    }
}
