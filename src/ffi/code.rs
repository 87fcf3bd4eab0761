//! The one table from the library's errors to the contract's numbers.

use std::ffi::c_int;

use iot_abi::error::*;
#[cfg(feature = "coap")]
use iot_engine::coap;
#[cfg(feature = "dev-dyn-reg")]
use iot_engine::http::reply::Fault;
use iot_engine::mqtt::{LinkFault, Refusal};
#[cfg(feature = "dev-dyn-reg")]
use iot_engine::services::registration::Failure;

#[cfg(feature = "dev-dyn-reg")]
use crate::drive::error::RegistrationFault;
use crate::drive::error::{Error, StartFault};
#[cfg(feature = "dev-dyn-reg")]
use crate::drive::http_exchange::ExchangeFault;
use crate::drive::mqtt::Driven;

/// The contract's number for `error`.
pub(crate) fn code(error: &Error) -> c_int {
    match error {
        Error::Request(refusal) => refusal_code(*refusal),
        #[cfg(feature = "coap")]
        Error::Coap(coap::Refusal::TopicTooLong) => QCLOUD_ERR_MAX_TOPIC_LENGTH,
        #[cfg(feature = "coap")]
        Error::Coap(coap::Refusal::PacketTooLong) => QCLOUD_ERR_COAP_INTERNAL,
        #[cfg(feature = "coap")]
        Error::Coap(coap::Refusal::TooManyWaiting) => QCLOUD_ERR_MAX_APPENDING_REQUEST,
        #[cfg(feature = "coap")]
        Error::NotAuthenticated(_) | Error::NotReported => QCLOUD_ERR_FAILURE,
        Error::NotConnected => QCLOUD_ERR_MQTT_NO_CONN,
        Error::Reconnecting => QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT,
        Error::ReconnectTimedOut => QCLOUD_ERR_MQTT_RECONNECT_TIMEOUT,
        Error::ConnectTimedOut => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
        Error::Unreachable(error) => error.code,
        #[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
        Error::NoPassword => QCLOUD_ERR_FAILURE,
        Error::Transport(error) => error.code(),
        Error::WriteTimedOut => QCLOUD_ERR_TCP_WRITE_TIMEOUT,
        Error::Link(fault) => link_code(*fault),
        Error::NoAnswer | Error::BadVersion => QCLOUD_ERR_FAILURE,
        #[cfg(feature = "multithread")]
        Error::NoThread(_) => QCLOUD_ERR_FAILURE,
        Error::Ota(error) => error.code(),
        #[cfg(feature = "resource")]
        Error::Resource(error) => error.code(),
        Error::Start(fault) => start_code(fault),
    }
}

/// What `IOT_MQTT_Yield` returns.
pub(crate) fn driven_code(result: &Result<Driven, Error>) -> c_int {
    match result {
        Ok(Driven::Done) => QCLOUD_RET_SUCCESS,
        Ok(Driven::Reconnected) => QCLOUD_RET_MQTT_RECONNECTED,
        Ok(Driven::Closed) => QCLOUD_RET_MQTT_MANUALLY_DISCONNECTED,
        Err(error) => code(error),
    }
}

fn refusal_code(refusal: Refusal) -> c_int {
    match refusal {
        Refusal::BadTopic => QCLOUD_ERR_INVAL,
        Refusal::TopicTooLong => QCLOUD_ERR_MAX_TOPIC_LENGTH,
        Refusal::NotConnected => QCLOUD_ERR_MQTT_NO_CONN,
        Refusal::PacketTooLong => QCLOUD_ERR_BUF_TOO_SHORT,
        Refusal::TooManyPublishes => QCLOUD_ERR_FAILURE,
        Refusal::TooManySubscriptions => QCLOUD_ERR_MQTT_MAX_SUBSCRIPTIONS,
        Refusal::UnknownTopic => QCLOUD_ERR_MQTT_UNSUB_FAIL,
        Refusal::NoMemory => QCLOUD_ERR_MALLOC,
    }
}

fn link_code(fault: LinkFault) -> c_int {
    match fault {
        LinkFault::Refused(code @ 1..=5) => {
            QCLOUD_ERR_MQTT_CONNACK_UNACCEPTABLE_PROTOCOL_VERSION - (c_int::from(code) - 1)
        }
        LinkFault::Refused(_) => QCLOUD_ERR_MQTT_CONNACK_UNKNOWN,
        LinkFault::ConnackTimeout | LinkFault::PingTimeout => QCLOUD_ERR_MQTT_REQUEST_TIMEOUT,
        LinkFault::Malformed(_) | LinkFault::TooSlow => QCLOUD_ERR_RX_MESSAGE_INVAL,
        LinkFault::NoMemory => QCLOUD_ERR_MALLOC,
        LinkFault::Unread => QCLOUD_ERR_TCP_WRITE_TIMEOUT,
    }
}

fn start_code(fault: &StartFault) -> c_int {
    match fault {
        StartFault::Unreachable(error) if error.code == QCLOUD_ERR_TCP_UNKNOWN_HOST => QCLOUD_ERR_HTTP_UNRESOLVED_DNS,
        StartFault::Unreachable(_) => QCLOUD_ERR_HTTP_CONN,
        StartFault::Unusable | StartFault::NoHttps => QCLOUD_ERR_HTTP,
        StartFault::NoRoots => QCLOUD_ERR_FAILURE,
    }
}

/// A reply of dynamic registration without a code.
#[cfg(feature = "dev-dyn-reg")]
const NO_CODE: c_int = -1;

/// What `IOT_DynReg_Device` returns.
#[cfg(feature = "dev-dyn-reg")]
pub(crate) fn registration_code(fault: &RegistrationFault) -> c_int {
    match fault {
        RegistrationFault::NoServer(_) | RegistrationFault::Refused(Failure::Name(_) | Failure::NameInPath) => {
            QCLOUD_ERR_INVAL
        }
        RegistrationFault::Exchange(ExchangeFault::Unreachable(_)) => QCLOUD_ERR_HTTP_CONN,
        RegistrationFault::Exchange(ExchangeFault::Silent) => QCLOUD_ERR_HTTP_TIMEOUT,
        RegistrationFault::Exchange(ExchangeFault::Cut(error)) => error.code(),
        RegistrationFault::NoAnswer(Fault::Malformed(_) | Fault::Ended) => QCLOUD_ERR_HTTP,
        RegistrationFault::Refused(Failure::Status(401 | 403)) => QCLOUD_ERR_HTTP_AUTH,
        RegistrationFault::Refused(Failure::Status(404)) => QCLOUD_ERR_HTTP_NOT_FOUND,
        RegistrationFault::Refused(Failure::Status(_)) => QCLOUD_ERR_HTTP,
        RegistrationFault::Refused(Failure::NoCode) => NO_CODE,
        // A positive one comes back as it is.
        RegistrationFault::Refused(Failure::Refused(code, _)) => *code,
        #[cfg(all(feature = "abi-3-3", feature = "auth-mode-cert"))]
        RegistrationFault::BadCertificate(_) => QCLOUD_ERR_FAILURE,
        RegistrationFault::Refused(Failure::ShortSecret | Failure::Declined(_) | Failure::Unusable(_))
        | RegistrationFault::NoAnswer(Fault::TooLong(_) | Fault::NoMemory)
        | RegistrationFault::NoRoots(_)
        | RegistrationFault::NotStored(_)
        | RegistrationFault::Exchange(ExchangeFault::GivenUp) => QCLOUD_ERR_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use iot_engine::services::ota::OtaError;

    use super::*;
    use crate::hal::{ConnectError, TransportError};

    #[test]
    fn connack_codes_map_in_order() {
        let codes: Vec<i32> = (1..=6).map(|connack| code(&Error::Link(LinkFault::Refused(connack)))).collect();
        assert_eq!(codes, [-113, -114, -115, -116, -117, -112]);
    }

    #[test]
    fn a_download_that_does_not_start_has_the_codes_of_http() {
        let unreachable = |code| StartFault::Unreachable(ConnectError::unexplained(code));
        let pairs = [
            (unreachable(QCLOUD_ERR_TCP_UNKNOWN_HOST), -6),
            (unreachable(QCLOUD_ERR_TCP_CONNECT), -8),
            (StartFault::NoHttps, -4),
            (StartFault::NoRoots, -1001),
        ];
        for (fault, number) in pairs {
            assert_eq!(code(&Error::Start(fault.clone())), number, "{fault:?}");
        }
    }

    #[test]
    fn what_comes_from_below_keeps_its_number() {
        assert_eq!(code(&Error::Transport(TransportError::Failed(-606))), -606);
        assert_eq!(code(&Error::Ota(OtaError::InvalidState)), -3);
        assert_eq!(code(&Error::Request(Refusal::TooManySubscriptions)), -107);
    }
}
