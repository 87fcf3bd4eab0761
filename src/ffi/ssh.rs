//! What the functions of SSH tunnels have in common, with tunnels and in a build without them.

use std::ffi::{c_int, c_void};

#[cfg(not(feature = "ssh"))]
pub(super) use left_out::{enable, report, start, stop};
#[cfg(feature = "ssh")]
pub(super) use tunnels::{enable, report, start, stop};

#[cfg(feature = "ssh")]
mod tunnels {
    use std::sync::Arc;

    use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};

    use super::{c_int, c_void};
    use crate::drive::error::Error;
    use crate::drive::mqtt::Client;
    use crate::drive::services::ssh;
    use crate::ffi::code::code;
    use crate::ffi::{handle, memory};

    pub(in crate::ffi) fn enable(function: &'static str, client: *mut c_void) -> c_int {
        with(function, client, |client| ssh::enable(client).map(|()| QCLOUD_RET_SUCCESS))
    }

    pub(in crate::ffi) fn report(function: &'static str, client: *mut c_void, is_up: bool) -> c_int {
        with(function, client, |client| ssh::report(client, is_up).map(c_int::from))
    }

    pub(in crate::ffi) fn start(function: &'static str, client: *mut c_void) -> c_int {
        with(function, client, |client| ssh::start(client).map(|()| QCLOUD_RET_SUCCESS))
    }

    pub(in crate::ffi) fn stop(_function: &'static str) -> c_int {
        ssh::stop();
        QCLOUD_RET_SUCCESS
    }

    fn with(
        function: &'static str,
        client: *mut c_void,
        work: impl FnOnce(&Arc<Client>) -> Result<c_int, Error>,
    ) -> c_int {
        let Some(client) = handle::required::<Client>(function, "pClient", "an MQTT client", client) else {
            return QCLOUD_ERR_INVAL;
        };
        if memory::is_exhausted(function) {
            return QCLOUD_ERR_FAILURE;
        }
        work(&client).unwrap_or_else(|error| {
            ::log::error!(target: function, "no SSH tunnel: {error}");
            code(&error)
        })
    }
}

#[cfg(not(feature = "ssh"))]
mod left_out {
    use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL};

    use super::{c_int, c_void};
    use crate::drive::mqtt::Client;
    use crate::ffi::handle;

    pub(in crate::ffi) fn enable(function: &'static str, client: *mut c_void) -> c_int {
        match handle::required::<Client>(function, "pClient", "an MQTT client", client) {
            Some(_) => stop(function),
            None => QCLOUD_ERR_INVAL,
        }
    }

    pub(in crate::ffi) fn report(function: &'static str, client: *mut c_void, _is_up: bool) -> c_int {
        enable(function, client)
    }

    pub(in crate::ffi) fn start(function: &'static str, client: *mut c_void) -> c_int {
        enable(function, client)
    }

    pub(in crate::ffi) fn stop(function: &'static str) -> c_int {
        ::log::error!(target: function, "this library was built with FEATURE_REMOTE_LOGIN_WEBSOCKET_SSH OFF");
        QCLOUD_ERR_FAILURE
    }
}
