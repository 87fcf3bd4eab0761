//! Count-downs over `HAL_Timer_*`, for the program's own use, and the platform's clock.

use std::ffi::{c_char, c_int, c_uint, CStr};

use iot_abi::import::Timer;

use super::callout::{
    HAL_Timer_countdown, HAL_Timer_countdown_ms, HAL_Timer_current, HAL_Timer_expired, HAL_Timer_init, HAL_Timer_remain,
};

/// Room for [`local_time`]. `HAL_Timer_current` promises 20 bytes; a platform that writes a little more does no harm.
pub const TIME_SIZE: usize = 64;

/// Whether the time that was set is over.
///
/// # Safety
/// `timer` is a timer.
pub unsafe fn expired(timer: *mut Timer) -> bool {
    // SAFETY: the caller's promise.
    unsafe { HAL_Timer_expired(timer) }
}

/// Sets `timer` to expire in `ms` milliseconds.
///
/// # Safety
/// `timer` is a timer.
pub unsafe fn countdown_ms(timer: *mut Timer, ms: c_uint) {
    // SAFETY: the caller's promise.
    unsafe { HAL_Timer_countdown_ms(timer, ms) }
}

/// Sets `timer` to expire in `seconds`.
///
/// # Safety
/// `timer` is a timer.
pub unsafe fn countdown(timer: *mut Timer, seconds: c_uint) {
    // SAFETY: the caller's promise.
    unsafe { HAL_Timer_countdown(timer, seconds) }
}

/// Milliseconds until `timer` expires.
///
/// # Safety
/// `timer` is a timer.
pub unsafe fn remain(timer: *mut Timer) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { HAL_Timer_remain(timer) }
}

/// Makes `timer` one that has expired.
///
/// # Safety
/// `timer` has room for a timer.
pub unsafe fn init(timer: *mut Timer) {
    // SAFETY: the caller's promise.
    unsafe { HAL_Timer_init(timer) }
}

/// The platform's local time as text, kept in `buffer` or in the platform's own memory.
pub fn local_time(buffer: &mut [u8; TIME_SIZE]) -> &[u8] {
    let own = buffer.as_mut_ptr().cast::<c_char>();
    // SAFETY: room for more than TIME_FORMAT_STR_LEN bytes.
    let answer = unsafe { HAL_Timer_current(own) };
    if !answer.is_null() && answer != own {
        let room = buffer.len() - 1;
        for (index, byte) in buffer.iter_mut().take(room).enumerate() {
            // SAFETY: a NUL-terminated string of the platform; reading ends at its NUL.
            *byte = unsafe { *answer.add(index) } as u8;
            if *byte == 0 {
                break;
            }
        }
    }
    CStr::from_bytes_until_nul(buffer).map_or(&[], CStr::to_bytes)
}

/// UTC seconds since 1970. A `long` of 32 bits is read without its sign, so it is right until 2106.
#[cfg(feature = "gateway")]
pub fn utc_seconds() -> u64 {
    // SAFETY: no precondition.
    let seconds = unsafe { super::callout::HAL_Timer_current_sec() };
    // One of 64 bits needs no more.
    #[allow(clippy::useless_conversion)]
    u64::from(seconds as std::ffi::c_ulong)
}

/// Why the platform's clock was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// The platform has no function for it, as that of older releases (versions.md section 5, rule 4): this one.
    Missing(&'static str),
    /// The platform's code.
    Refused(c_int),
}

/// Sets the platform's clock to milliseconds since 1970.
///
/// # Errors
/// The platform can't.
#[cfg(target_pointer_width = "64")]
pub fn set_clock_ms(ms: u64) -> Result<(), NotSet> {
    // SAFETY: no precondition, here and below.
    if !unsafe { super::callout::has_set_systime_ms() } {
        return Err(NotSet::Missing("HAL_Timer_set_systime_ms"));
    }
    // SAFETY: as above.
    set(unsafe { super::callout::HAL_Timer_set_systime_ms(ms as usize) })
}

/// Sets the platform's clock to seconds since 1970.
///
/// # Errors
/// The platform can't.
#[cfg(not(target_pointer_width = "64"))]
pub fn set_clock_s(seconds: usize) -> Result<(), NotSet> {
    // SAFETY: no precondition, here and below.
    if !unsafe { super::callout::has_set_systime_sec() } {
        return Err(NotSet::Missing("HAL_Timer_set_systime_sec"));
    }
    // SAFETY: as above.
    set(unsafe { super::callout::HAL_Timer_set_systime_sec(seconds) })
}

fn set(code: c_int) -> Result<(), NotSet> {
    if code == 0 {
        Ok(())
    } else {
        Err(NotSet::Refused(code))
    }
}
