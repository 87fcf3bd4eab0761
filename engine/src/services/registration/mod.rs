//! Dynamic registration (`docs/contract/dynreg.md`): a device that knows its product's secret asks the cloud over HTTP for
//! a secret or a certificate of its own. What is asked and what comes back; the driver brings the bytes there and back.
//!
//! Product secret, device secret, private key and what they were decrypted from are wiped when they are dropped, and
//! `Debug` shows none of them.

mod credentials;
mod payload;
mod reply;
mod request;

pub use credentials::{Credentials, Wanted};
pub use request::Request;

use std::fmt;

use zeroize::Zeroizing;

use crate::http::reply::Answer;
use crate::identity::{Identity, IdentityError};
use crate::region::Region;

/// Shortest product secret in characters: so many are the key of the reply.
pub const MIN_PRODUCT_SECRET: usize = 16;
/// Longest body of a reply in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Why a device was not registered. Displays without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Product id or device name can't be.
    Name(IdentityError),
    /// The device name can't be part of a file name.
    NameInPath,
    /// The product secret has less than [`MIN_PRODUCT_SECRET`] characters.
    ShortSecret,
    /// The server answered with another status than 2xx.
    Status(u16),
    /// The reply holds no code.
    NoCode,
    /// The cloud refused, with its code and what it says of it.
    Refused(i32, String),
    /// The cloud refused; what it says.
    Declined(String),
    /// The reply is of no use; what is wrong with it.
    Unusable(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Name(error) => write!(f, "{error}"),
            Failure::NameInPath => write!(f, "the device name holds \"..\""),
            Failure::ShortSecret => {
                write!(f, "the product secret has less than {MIN_PRODUCT_SECRET} characters")
            }
            Failure::Status(status) => write!(f, "the server answered with status {status}"),
            Failure::NoCode => write!(f, "the reply holds no code"),
            Failure::Refused(code, message) if message.is_empty() => write!(f, "the cloud refused with code {code}"),
            Failure::Refused(code, message) => write!(f, "the cloud refused with code {code}: {message}"),
            Failure::Declined(why) => write!(f, "the cloud refused: {why}"),
            Failure::Unusable(what) => write!(f, "the reply is of no use: {what}"),
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Failure::Name(error)
    }
}

/// The registration of one device.
pub struct Registration {
    identity: Identity,
    product_secret: Zeroizing<String>,
    wanted: Wanted,
    form: Form,
    certificate: Option<String>,
}

/// How device and cloud talk: as the C SDK 3.2.3 does, or as 3.3.0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// 3.2.3: the signature stands in the body, and there is one server.
    #[default]
    SignedBody,
    /// 3.3.0: the signature stands in the head, and each region has a server.
    SignedHead,
}

/// The server of [`Form::SignedBody`].
const SERVER: &str = "gateway.tencentdevices.com";

impl Registration {
    /// Checks what the device knows.
    ///
    /// # Errors
    /// What can't be registered.
    pub fn new(product_id: &str, device_name: &str, product_secret: &str, wanted: Wanted) -> Result<Self, Failure> {
        let identity = Identity::new(product_id, device_name)?;
        if device_name.contains("..") {
            return Err(Failure::NameInPath);
        }
        if product_secret.len() < MIN_PRODUCT_SECRET {
            return Err(Failure::ShortSecret);
        }
        Ok(Registration {
            identity,
            product_secret: Zeroizing::new(product_secret.to_owned()),
            wanted,
            form: Form::default(),
            certificate: None,
        })
    }

    /// The same for a device that has a certificate of its own, as PEM, by which the cloud is to know it. Only
    /// [`Form::SignedHead`] tells it.
    #[must_use]
    pub fn with_certificate(self, pem: String) -> Self {
        Registration { certificate: Some(pem), ..self }
    }

    /// The same with a server of `region`, as the C SDK 3.3.0 does it.
    #[must_use]
    pub fn with_signed_head(self, region: Region) -> Self {
        Registration { identity: self.identity.in_region(region), form: Form::SignedHead, ..self }
    }

    /// The server to ask.
    #[must_use]
    pub fn server(&self) -> &'static str {
        match self.form {
            Form::SignedBody => SERVER,
            Form::SignedHead => self.identity.region().gateway(),
        }
    }

    /// Who is to be registered.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The request to `host`, which has its port with it where that is not the usual one. `timestamp` is in UTC seconds;
    /// of `random` 31 bits become the nonce.
    #[must_use]
    pub fn request(&self, host: &str, random: u64, timestamp: u64) -> Request {
        let nonce = u32::try_from(random >> 33).unwrap_or(0).max(1);
        match self.form {
            Form::SignedBody => Request::new(&self.identity, &self.product_secret, host, nonce, timestamp),
            Form::SignedHead => {
                Request::signed_in_head(&self.identity, &self.product_secret, host, nonce, self.certificate.as_deref())
            }
        }
    }

    /// What the cloud's answer brings.
    ///
    /// # Errors
    /// Why the device was not registered.
    pub fn read(&self, answer: &Answer) -> Result<Credentials, Failure> {
        if !(200..=299).contains(&answer.status) {
            return Err(Failure::Status(answer.status));
        }
        let reply = match self.form {
            Form::SignedBody => reply::Reply::parse(&answer.body),
            Form::SignedHead => reply::Reply::parse_signed(&answer.body),
        }?;
        let plain = payload::decrypt(&reply.payload, reply.len, &self.product_secret)?;
        let has_its_own = self.form == Form::SignedHead && self.certificate.is_some();
        credentials::read(&plain, self.wanted, has_its_own)
    }
}

#[cfg(test)]
mod tests;
