//! `qcloud_iot_export_system.h`: the cloud's time (behaviour.md section 7).

use std::ffi::{c_int, c_long, c_void};

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_engine::services::question::Answered;
#[cfg(target_pointer_width = "64")]
use iot_engine::services::system_time::message::now_ms;
use iot_engine::services::system_time::Answer;

use super::handle;
use super::log::null_argument;
use crate::drive::mqtt::Client;
use crate::drive::services::system_time::ask as ask_the_cloud;
use crate::hal::timer::{self, NotSet};

export! {
    /// Asks the cloud for the time: UTC seconds in `*time`. Drives the client while it waits, up to 2 s for the subscription
    /// to the answer and 2 s for the answer. Its subscription is removed again afterwards.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for a NULL or unknown client or a NULL `time`; QCLOUD_ERR_FAILURE when no
    /// answer came; the client's error when it can't subscribe or publish. `*time` is 0 then.
    ///
    /// # Safety
    /// `time` is NULL or may be written.
    pub unsafe fn IOT_Get_SysTime(pClient: *mut c_void, time: *mut c_long) -> c_int {
        if time.is_null() {
            null_argument(NAME, "time");
            return QCLOUD_ERR_INVAL;
        }
        // A `long` of 32 bits ends in 2038.
        let (code, seconds) = match ask(NAME, pClient) {
            Ok(answered) => match c_long::try_from(answered.answer.seconds) {
                Ok(seconds) => (QCLOUD_RET_SUCCESS, seconds),
                Err(_) => (QCLOUD_ERR_FAILURE, 0),
            },
            Err(code) => (code, 0),
        };
        // SAFETY: the caller's promise.
        unsafe { time.write(seconds) };
        code
    }
}

export! {
    /// Asks the cloud for the time as IOT_Get_SysTime does and sets the platform's clock by it.
    ///
    /// Returns QCLOUD_RET_SUCCESS when the answer came, even if the platform refused to set the clock (then with an ERR
    /// line); QCLOUD_ERR_FAILURE where the platform has no function to set it (the ERR line names it); otherwise as
    /// IOT_Get_SysTime.
    ///
    /// # Safety
    /// None beyond that of a C function: `pClient` is looked up, not followed.
    pub unsafe fn IOT_Sync_NTPTime(pClient: *mut c_void) -> c_int {
        match ask(NAME, pClient) {
            Ok(answered) => match set_clock(&answered) {
                Ok(()) => QCLOUD_RET_SUCCESS,
                Err(NotSet::Refused(code)) => {
                    ::log::error!(target: NAME, "the platform did not set its clock ({code})");
                    QCLOUD_RET_SUCCESS
                }
                Err(NotSet::Missing(function)) => {
                    ::log::error!(target: NAME, "the platform has no {function}, so the clock stays as it is");
                    QCLOUD_ERR_FAILURE
                }
            },
            Err(code) => code,
        }
    }
}

export! {
    /// Lets the cloud open a tunnel to this machine's SSH server (127.0.0.1, port 22), and close it, for as long as the client
    /// lives. It asks for one by a message, which is read as the client is driven; the tunnel has a thread of its own, by
    /// HAL_ThreadCreate. There is one in a process; IOT_MQTT_Destroy ends it first. Drives the client up to 2 s, until the
    /// server has granted the subscription to such messages, where it has not before.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for a NULL or unknown client; QCLOUD_ERR_FAILURE where the subscription was
    /// not granted, and, with an ERR line, in a build without this option; the client's error when it can't subscribe or
    /// publish.
    ///
    /// # Safety
    /// None beyond that of a C function: `pClient` is looked up, not followed.
    #[cfg(feature = "abi-3-3")]
    pub unsafe fn IOT_Ssh_enable(pClient: *mut c_void) -> c_int {
        super::ssh::enable(NAME, pClient)
    }
}

fn ask(function: &'static str, client: *mut c_void) -> Result<Answered<Answer>, c_int> {
    let client = handle::required::<Client>(function, "pClient", "an MQTT client", client).ok_or(QCLOUD_ERR_INVAL)?;
    ask_the_cloud(&client).map_err(|error| {
        ::log::error!(target: function, "the cloud did not tell the time: {error}");
        super::code::code(&error)
    })
}

#[cfg(target_pointer_width = "64")]
fn set_clock(answered: &Answered<Answer>) -> Result<(), NotSet> {
    timer::set_clock_ms(now_ms(&answered.answer, answered.round_trip_ms))
}

/// Milliseconds since 1970 don't fit here.
#[cfg(not(target_pointer_width = "64"))]
fn set_clock(answered: &Answered<Answer>) -> Result<(), NotSet> {
    match usize::try_from(answered.answer.seconds) {
        Ok(seconds) => timer::set_clock_s(seconds),
        Err(_) => Err(NotSet::Refused(QCLOUD_ERR_FAILURE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn unknown_clients_and_null_are_refused() {
        let mut time = 7;
        let mut stranger = 0_u8;
        let stranger = ptr::from_mut(&mut stranger).cast::<c_void>();
        unsafe {
            assert_eq!(IOT_Get_SysTime(ptr::null_mut(), ptr::null_mut()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Get_SysTime(ptr::null_mut(), &mut time), QCLOUD_ERR_INVAL);
            assert_eq!(time, 0);
            assert_eq!(IOT_Get_SysTime(stranger, &mut time), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Sync_NTPTime(ptr::null_mut()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Sync_NTPTime(stranger), QCLOUD_ERR_INVAL);
        }
    }
}
