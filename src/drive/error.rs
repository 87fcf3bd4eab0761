//! Why a call of this ring failed. The C surface makes the contract's numbers of it (`ffi/code.rs`).

use std::fmt;

#[cfg(feature = "coap")]
use iot_engine::coap;
#[cfg(feature = "dev-dyn-reg")]
use iot_engine::http::reply::Fault;
use iot_engine::mqtt::{LinkFault, Refusal};
use iot_engine::services::ota::OtaError;
#[cfg(feature = "dev-dyn-reg")]
use iot_engine::services::registration::Failure;
#[cfg(feature = "resource")]
use iot_engine::services::resource::ResourceError;

#[cfg(feature = "dev-dyn-reg")]
use super::http_exchange::ExchangeFault;
#[cfg(feature = "multithread")]
use crate::hal::thread::NotStarted;
use crate::hal::{ConnectError, TransportError};

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The MQTT session does not carry out the request.
    Request(Refusal),
    /// The CoAP session does not carry out the request.
    #[cfg(feature = "coap")]
    Coap(coap::Refusal),
    /// The cloud gave the device no token; how the request for it ended.
    #[cfg(feature = "coap")]
    NotAuthenticated(coap::Ending),
    /// A report to the cloud could not be sent over CoAP; the log says why.
    #[cfg(feature = "coap")]
    NotReported,
    /// The client is not connected and will not connect by itself.
    NotConnected,
    /// The client is not connected and is about to connect again.
    Reconnecting,
    /// The wait between two attempts to connect has passed its limit.
    ReconnectTimedOut,
    /// The connection was not made in time.
    ConnectTimedOut,
    /// The connection could not be made.
    Unreachable(ConnectError),
    /// The platform made no password of the device's key; the log says why.
    #[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
    NoPassword,
    /// The connection has ended.
    Transport(TransportError),
    /// The server took nothing in time.
    WriteTimedOut,
    /// The MQTT link was given up because of what the server sent or did not send.
    Link(LinkFault),
    /// The cloud gave no answer in time, or refused to.
    NoAnswer,
    /// The platform started no thread.
    #[cfg(feature = "multithread")]
    NoThread(NotStarted),
    /// The upgrade does not allow it.
    Ota(OtaError),
    /// A version to report is empty or too long.
    BadVersion,
    /// The resource service does not allow it.
    #[cfg(feature = "resource")]
    Resource(ResourceError),
    /// The download or upload could not be started.
    Start(StartFault),
}

/// Why a download or upload could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFault {
    /// The server can't be reached.
    Unreachable(ConnectError),
    /// The request or its answer is of no use.
    Unusable,
    /// The library was built without https.
    NoHttps,
    /// The trusted roots can't be read.
    NoRoots,
}

/// Why a device was not registered. No part of [`Error`], whose text every program has.
#[cfg(feature = "dev-dyn-reg")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationFault {
    /// The environment's server is none.
    NoServer(String),
    /// The trusted roots can't be read.
    NoRoots(String),
    /// There was no exchange with the server.
    Exchange(ExchangeFault),
    /// The answer can't be read.
    NoAnswer(Fault),
    /// The cloud refused, or its reply is of no use, or what was to be asked is.
    Refused(Failure),
    /// The certificate of the device's own can't be read.
    #[cfg(all(feature = "abi-3-3", feature = "auth-mode-cert"))]
    BadCertificate(String),
    /// What the cloud gave can't be stored.
    NotStored(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Request(refusal) => write!(f, "{}", refusal_text(*refusal)),
            #[cfg(feature = "coap")]
            Error::Coap(refusal) => write!(f, "{}", coap_refusal_text(*refusal)),
            #[cfg(feature = "coap")]
            Error::NotAuthenticated(ending) => write!(f, "the cloud gave no token: {ending}"),
            #[cfg(feature = "coap")]
            Error::NotReported => write!(f, "the report could not be sent"),
            Error::NotConnected => write!(f, "not connected"),
            Error::Reconnecting => write!(f, "not connected, about to connect again"),
            Error::ReconnectTimedOut => write!(f, "reconnecting was given up for now"),
            Error::ConnectTimedOut => write!(f, "the connection was not made in time"),
            Error::Unreachable(error) => write!(f, "{error}"),
            #[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
            Error::NoPassword => write!(f, "the platform made no password of the device's key"),
            Error::Transport(error) => write!(f, "{error}"),
            Error::WriteTimedOut => write!(f, "the server took nothing in time"),
            Error::Link(fault) => write!(f, "{fault}"),
            Error::NoAnswer => write!(f, "no answer"),
            #[cfg(feature = "multithread")]
            Error::NoThread(error) => write!(f, "{error}"),
            Error::Ota(OtaError::InvalidState) => write!(f, "no update command is being followed"),
            Error::Ota(error) => write!(f, "refused ({})", error.code()),
            Error::BadVersion => write!(f, "the version is empty or too long"),
            #[cfg(feature = "resource")]
            Error::Resource(error) => write!(f, "refused ({})", error.code()),
            Error::Start(fault) => write!(f, "{fault}"),
        }
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFault::Unreachable(error) => write!(f, "{error}"),
            StartFault::Unusable => write!(f, "the request can't be made"),
            StartFault::NoHttps => write!(f, "this library was built without https"),
            StartFault::NoRoots => write!(f, "the trusted roots can't be read"),
        }
    }
}

#[cfg(feature = "dev-dyn-reg")]
impl fmt::Display for RegistrationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(all(feature = "abi-3-3", feature = "auth-mode-cert"))]
            RegistrationFault::BadCertificate(text) => write!(f, "{text}"),
            RegistrationFault::NoServer(text)
            | RegistrationFault::NoRoots(text)
            | RegistrationFault::NotStored(text) => write!(f, "{text}"),
            RegistrationFault::Exchange(fault) => write!(f, "{fault}"),
            RegistrationFault::NoAnswer(Fault::Malformed(what)) => write!(f, "the answer is not HTTP: {what}"),
            RegistrationFault::NoAnswer(Fault::TooLong(limit)) => {
                write!(f, "the answer has more than {} kB", limit / 1024)
            }
            RegistrationFault::NoAnswer(Fault::NoMemory) => write!(f, "no memory for the answer"),
            RegistrationFault::NoAnswer(Fault::Ended) => write!(f, "the answer is not complete"),
            RegistrationFault::Refused(failure) => write!(f, "{failure}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(feature = "dev-dyn-reg")]
impl From<ExchangeFault> for RegistrationFault {
    fn from(fault: ExchangeFault) -> Self {
        RegistrationFault::Exchange(fault)
    }
}

#[cfg(feature = "dev-dyn-reg")]
impl From<Failure> for RegistrationFault {
    fn from(failure: Failure) -> Self {
        RegistrationFault::Refused(failure)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Request(refusal)
    }
}

#[cfg(feature = "coap")]
impl From<coap::Refusal> for Error {
    fn from(refusal: coap::Refusal) -> Self {
        Error::Coap(refusal)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Error::Unreachable(error)
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Error::Transport(error)
    }
}

#[cfg(feature = "coap")]
fn coap_refusal_text(refusal: coap::Refusal) -> &'static str {
    match refusal {
        coap::Refusal::TopicTooLong => "the topic is too long",
        coap::Refusal::PacketTooLong => "the packet is too long",
        coap::Refusal::TooManyWaiting => "too many messages wait for their answer",
    }
}

fn refusal_text(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadTopic => "the topic is empty or not valid",
        Refusal::TopicTooLong => "the topic is too long",
        Refusal::NotConnected => "not connected",
        Refusal::PacketTooLong => "the packet is too long",
        Refusal::TooManyPublishes => "too many messages wait for their acknowledgement",
        Refusal::TooManySubscriptions => "too many subscriptions",
        Refusal::UnknownTopic => "there is no such subscription",
        Refusal::NoMemory => "no memory",
    }
}
