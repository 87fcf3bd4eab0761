//! The server's side: many peers, of which nothing is kept before they have shown that they get what is sent to them.

use std::ffi::{c_int, c_uchar, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

#[cfg(feature = "certificates")]
use super::CERTIFICATE_SUITES;
use super::{Error, Owner, Session};
use crate::SERVER_SUITES;
#[cfg(feature = "certificates")]
use crate::{Peer, Trust};

/// Bytes of a cookie, and of the key that it is made with. c/shim.h knows it as `IOT_MBEDTLS_COOKIE_LEN`.
const COOKIE_LEN: usize = 32;

// c/dtls.c, c/shim.c.
extern "C" {
    fn iot_mbedtls_set_cookie(session: *mut c_void, key: *const c_uchar, peer: *const c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_random(unused: *mut c_void, out: *mut c_uchar, len: usize) -> c_int;
}

/// Finds the key of an identity.
type Keys = dyn Fn(&[u8]) -> Option<Zeroizing<Vec<u8>>> + Send + Sync;

/// Decides about a client's certificate.
#[cfg(feature = "certificates")]
type Judges = dyn Fn(&Peer<'_>) -> bool + Send + Sync;

enum Proof {
    Key(Arc<Keys>),
    #[cfg(feature = "certificates")]
    Certificate(Arc<Trust>, Arc<Judges>),
}

/// What the client of a session has shown: the identity of its key, or its certificate.
pub(super) type Shown = Mutex<Option<Vec<u8>>>;

fn keep(shown: &Shown, what: &[u8]) {
    *shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.to_vec());
}

/// What the sessions of a server have in common. Feature `server`.
pub struct Server {
    proof: Proof,
    suites: &'static [i32],
    cookie_key: Option<Zeroizing<[u8; COOKIE_LEN]>>,
}

/// What has become of the first datagram from a peer.
pub enum First {
    /// A handshake has begun. The session has something to send.
    Session(Session),
    /// To be sent. Nothing has to be kept: the client comes again with the cookie that is in it.
    Cookie(Vec<u8>),
    /// There will be no connection, for that reason. To be sent, so that the client knows.
    Refused(Error, Vec<Vec<u8>>),
    /// It begins no handshake. Nothing is to be sent.
    Nothing,
}

/// Whether a datagram begins a handshake. One from a peer that has a session is a client that began anew at the same
/// address: [`Server::accept`] says whether that is so, and until then the session stays.
#[must_use]
pub fn is_client_hello(datagram: &[u8]) -> bool {
    // Type, version, epoch 0, six bytes of number, two of length, and the type of the message (RFC 6347, 4.1 and 4.2.2).
    matches!(datagram, [22, 0xfe, _, 0, 0, _, _, _, _, _, _, _, _, 1, ..])
}

impl Server {
    /// A server whose clients have a pre-shared key. It asks for cookies.
    ///
    /// # Errors
    /// No random numbers.
    pub fn with_keys(
        keys: impl Fn(&[u8]) -> Option<Zeroizing<Vec<u8>>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::new(Proof::Key(Arc::new(keys)), &SERVER_SUITES)
    }

    /// A server with the certificate and key of `trust`, whose clients show one that `judge` takes. It asks for cookies.
    ///
    /// # Errors
    /// No random numbers.
    #[cfg(feature = "certificates")]
    pub fn with_certificates(
        trust: Arc<Trust>,
        judge: impl Fn(&Peer<'_>) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::new(Proof::Certificate(trust, Arc::new(judge)), &CERTIFICATE_SUITES)
    }

    fn new(proof: Proof, suites: &'static [i32]) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; COOKIE_LEN]);
        // SAFETY: as many writable bytes as said.
        Error::check(unsafe { iot_mbedtls_random(std::ptr::null_mut(), key.as_mut_ptr(), key.len()) })?;
        Ok(Self { proof, suites, cookie_key: Some(key) })
    }

    /// The same that begins a handshake with whoever asks, also for somebody else.
    #[must_use]
    pub fn without_cookies(self) -> Self {
        Self { cookie_key: None, ..self }
    }

    /// The same that takes other cipher suites, 0 last.
    #[must_use]
    pub fn with_suites(self, suites: &'static [i32]) -> Self {
        Self { suites, ..self }
    }

    /// Looks at a datagram from somebody that has no session: `peer` is any name of where it came from, address and port.
    /// `now` as in [`Session::receive`].
    ///
    /// # Errors
    /// No memory.
    pub fn accept(&self, peer: &[u8], datagram: &[u8], now: Duration) -> Result<First, Error> {
        if !is_client_hello(datagram) {
            return Ok(First::Nothing);
        }
        let mut session = self.session(peer)?;
        let result = session.receive(datagram, now);
        let answer: Vec<_> = std::iter::from_fn(|| session.next_datagram()).collect();
        Ok(match (result, answer.len()) {
            (Err(Error::HELLO_VERIFY_REQUIRED), 1) => First::Cookie(answer.concat()),
            (Err(error), _) => First::Refused(error, answer),
            // Damaged.
            (Ok(()), 0) => First::Nothing,
            (Ok(()), _) => {
                session.datagrams().to_send = answer.into();
                First::Session(session)
            }
        })
    }

    fn session(&self, peer: &[u8]) -> Result<Session, Error> {
        let shown = Arc::new(Shown::default());
        let (seen, owner) = (Arc::clone(&shown), Owner::of_datagrams());
        let inner = match &self.proof {
            Proof::Key(keys) => {
                let keys = Arc::clone(keys);
                let find = move |identity: &[u8]| {
                    keep(&seen, identity);
                    keys(identity)
                };
                let owner = Owner { keys: Some(Box::new(find)), ..owner };
                crate::Session::with_key(self.suites, owner, &[], "", None)?
            }
            #[cfg(feature = "certificates")]
            Proof::Certificate(trust, judge) => {
                let judge = Arc::clone(judge);
                let decide = move |certificate: &Peer<'_>| {
                    keep(&seen, certificate.der);
                    judge(certificate)
                };
                let owner = Owner { judge: Some(Box::new(decide)), ..owner };
                crate::Session::server_of(Arc::clone(trust), self.suites, owner)?
            }
        };
        let key = self.cookie_key.as_ref().map_or(std::ptr::null(), |key| key.as_ptr());
        // SAFETY: the session is live and nobody else has it; the key is NULL or has its length, as `peer` has, and both
        // are copied.
        let code = unsafe { iot_mbedtls_set_cookie(inner.raw.as_ptr(), key, peer.as_ptr(), peer.len()) };
        Error::check(code)?;
        let mut session = Session::over(inner);
        session.shown = Some(shown);
        Ok(session)
    }
}

impl Session {
    /// Who the client of a server's session has proved to be, once the handshake is done: the identity of its key, or its
    /// certificate (DER).
    #[must_use]
    pub fn proved(&self) -> Option<Vec<u8>> {
        let shown = self.shown.as_ref().filter(|_| self.is_open() || self.is_closed())?;
        shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who the client says it is, for the log.
    #[must_use]
    pub fn claimed(&self) -> Option<Vec<u8>> {
        self.shown.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
