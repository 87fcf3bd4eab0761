//! `HAL_GetTimeMs`, `HAL_SleepMs` and `HAL_Timer_*`.
// The fields of timespec and timeval have 32 bits on some targets.
#![allow(clippy::useless_conversion)]

use std::ffi::{c_char, c_int, c_long, c_uint};
use std::io;

use iot_abi::error::QCLOUD_ERR_FAILURE;
use iot_abi::import::{Timer, TIME_FORMAT_STR_LEN};

use crate::log;

/// Milliseconds of the monotonic clock, which setting the wall clock does not touch.
fn monotonic_ms() -> i64 {
    let now = clock(libc::CLOCK_MONOTONIC);
    i64::from(now.tv_sec) * 1000 + i64::from(now.tv_nsec) / 1_000_000
}

fn clock(id: libc::clockid_t) -> libc::timespec {
    // SAFETY: an all-zero timespec is valid.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `now` is writable; both clocks used here exist on every Linux.
    unsafe { libc::clock_gettime(id, &mut now) };
    now
}

export! {
    "HAL_GetTimeMs";
    /// Milliseconds since some moment in the past; wraps at 2^32.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the wrap is the promise
    pub fn iot_platform_get_time_ms() -> u32 {
        monotonic_ms() as u32
    }
}

export! {
    "HAL_SleepMs";
    /// Sleeps `ms` milliseconds, signals notwithstanding.
    pub fn iot_platform_sleep_ms(ms: u32) {
        std::thread::sleep(std::time::Duration::from_millis(u64::from(ms)));
    }
}

/// The end stored in a caller's timer, in milliseconds of the monotonic clock; 0 for one that never ran.
#[cfg(target_env = "gnu")]
fn end_ms(timer: &Timer) -> i64 {
    // Saturating: a timer that nobody has initialised may hold anything.
    i64::from(timer.end_time.tv_sec).saturating_mul(1000).saturating_add(i64::from(timer.end_time.tv_usec) / 1000)
}

#[cfg(target_env = "gnu")]
fn set_end_ms(timer: &mut Timer, ms: i64) {
    // A count of seconds with 32 bits may end after the last moment that a field of 32 bits knows.
    timer.end_time.tv_sec = libc::time_t::try_from(ms / 1000).unwrap_or(libc::time_t::MAX);
    timer.end_time.tv_usec = (ms % 1000 * 1000) as libc::suseconds_t;
}

/// Elsewhere the field has the size of a pointer: with 32 bits it wraps, and the end is the nearest moment that fits.
#[cfg(not(target_env = "gnu"))]
fn end_ms(timer: &Timer) -> i64 {
    if timer.end_time as usize == 0 {
        return 0;
    }
    let now = monotonic_ms();
    now + i64::from((timer.end_time as usize as u32).wrapping_sub(now as u32) as i32)
}

#[cfg(not(target_env = "gnu"))]
fn set_end_ms(timer: &mut Timer, ms: i64) {
    timer.end_time = ms as u32 as usize as _;
}

fn left_ms(timer: &Timer) -> i64 {
    end_ms(timer).saturating_sub(monotonic_ms()).max(0)
}

/// # Safety
/// `timer` is NULL or a valid timer that nobody else uses meanwhile.
unsafe fn timer_mut<'a>(timer: *mut Timer, func: &str) -> Option<&'a mut Timer> {
    // SAFETY: the caller's promise.
    let timer = unsafe { timer.as_mut() };
    if timer.is_none() {
        log::error(func, "timer is NULL");
    }
    timer
}

export! {
    "HAL_Timer_expired" or true;
    /// Whether the time is over; true for a timer that never ran.
    ///
    /// # Safety
    /// `timer` is NULL or a valid timer that nobody else uses meanwhile.
    pub unsafe fn iot_platform_timer_expired(timer: *mut Timer) -> bool {
        // SAFETY: the caller's promise.
        unsafe { timer_mut(timer, NAME) }.is_none_or(|timer| left_ms(timer) == 0)
    }
}

export! {
    "HAL_Timer_countdown_ms" or ();
    /// Starts the timer for `timeout_ms` milliseconds.
    ///
    /// # Safety
    /// `timer` is NULL or a valid timer that nobody else uses meanwhile.
    pub unsafe fn iot_platform_timer_countdown_ms(timer: *mut Timer, timeout_ms: c_uint) {
        // SAFETY: the caller's promise.
        if let Some(timer) = unsafe { timer_mut(timer, NAME) } {
            set_end_ms(timer, monotonic_ms() + i64::from(timeout_ms));
        }
    }
}

export! {
    "HAL_Timer_countdown" or ();
    /// Starts the timer for `timeout` seconds.
    ///
    /// # Safety
    /// `timer` is NULL or a valid timer that nobody else uses meanwhile.
    pub unsafe fn iot_platform_timer_countdown(timer: *mut Timer, timeout: c_uint) {
        // SAFETY: the caller's promise.
        if let Some(timer) = unsafe { timer_mut(timer, NAME) } {
            set_end_ms(timer, monotonic_ms() + i64::from(timeout) * 1000);
        }
    }
}

export! {
    "HAL_Timer_remain" or 0;
    /// Milliseconds left, 0 when the time is over.
    ///
    /// # Safety
    /// `timer` is NULL or a valid timer that nobody else uses meanwhile.
    pub unsafe fn iot_platform_timer_remain(timer: *mut Timer) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { timer_mut(timer, NAME) }
            .map_or(0, |timer| c_int::try_from(left_ms(timer)).unwrap_or(c_int::MAX))
    }
}

export! {
    "HAL_Timer_init" or ();
    /// Makes a timer that has expired.
    ///
    /// # Safety
    /// `timer` is NULL or writable and used by nobody else meanwhile.
    pub unsafe fn iot_platform_timer_init(timer: *mut Timer) {
        if timer.is_null() {
            log::error(NAME, "timer is NULL");
            return;
        }
        // SAFETY: the caller's promise; the fields are plain integers, so all bits zero is a valid timer.
        unsafe { std::ptr::write_bytes(timer, 0, 1) };
    }
}

export! {
    "HAL_Timer_current" or std::ptr::null_mut();
    /// Writes the local time as `YYYY-MM-DD HH:MM:SS` into `time_str` and returns it; NULL for NULL.
    ///
    /// # Safety
    /// `time_str` is NULL or has room for `TIME_FORMAT_STR_LEN` bytes.
    pub unsafe fn iot_platform_timer_current(time_str: *mut c_char) -> *mut c_char {
        if time_str.is_null() {
            return time_str; // No log line: writing one takes the time first.
        }
        let seconds = clock(libc::CLOCK_REALTIME).tv_sec;
        // SAFETY: an all-zero tm is valid; localtime_r writes only to it; strftime writes at most the size given.
        unsafe {
            let mut local: libc::tm = std::mem::zeroed();
            libc::localtime_r(&seconds, &mut local);
            if libc::strftime(time_str, TIME_FORMAT_STR_LEN, c"%Y-%m-%d %H:%M:%S".as_ptr(), &local) == 0 {
                *time_str = 0;
            }
        }
        time_str
    }
}

export! {
    "HAL_Timer_current_sec";
    /// Seconds of UTC since 1970.
    pub fn iot_platform_timer_current_sec() -> c_long {
        clock(libc::CLOCK_REALTIME).tv_sec as c_long
    }
}

export! {
    "HAL_Timer_set_systime_sec" or QCLOUD_ERR_FAILURE;
    /// Sets the wall clock to `timestamp_sec` seconds since 1970. Returns 0, or `QCLOUD_ERR_FAILURE` (logged), for
    /// instance without the right to.
    pub fn iot_platform_timer_set_systime_sec(timestamp_sec: usize) -> c_int {
        set_clock(NAME, timestamp_sec, 0)
    }
}

export! {
    "HAL_Timer_set_systime_ms" or QCLOUD_ERR_FAILURE;
    /// Sets the wall clock to `timestamp_ms` milliseconds since 1970, see [`iot_platform_timer_set_systime_sec`].
    pub fn iot_platform_timer_set_systime_ms(timestamp_ms: usize) -> c_int {
        set_clock(NAME, timestamp_ms / 1000, timestamp_ms % 1000)
    }
}

fn set_clock(func: &str, seconds: usize, ms: usize) -> c_int {
    let Ok(seconds) = libc::time_t::try_from(seconds) else {
        log::error(func, "time is out of range");
        return QCLOUD_ERR_FAILURE;
    };
    // SAFETY: an all-zero timeval is valid.
    let mut time: libc::timeval = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds;
    time.tv_usec = (ms * 1000) as libc::suseconds_t;
    // SAFETY: `time` is valid, no time zone is given.
    if unsafe { libc::settimeofday(&time, std::ptr::null()) } == 0 {
        return 0;
    }
    let reason = crate::net::io_text(&io::Error::last_os_error());
    log::error(func, &format!("can't set the system time: {reason}"));
    QCLOUD_ERR_FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_double;

    fn timer() -> Timer {
        // SAFETY: plain integers.
        unsafe { std::mem::zeroed() }
    }

    #[test]
    fn timer_runs_down_by_the_monotonic_clock() {
        let mut t = timer();
        // SAFETY: `t` is a valid timer in each call.
        unsafe {
            iot_platform_timer_init(&mut t);
            assert!(iot_platform_timer_expired(&mut t));
            assert_eq!(iot_platform_timer_remain(&mut t), 0);
            iot_platform_timer_countdown(&mut t, 3600);
            assert!(!iot_platform_timer_expired(&mut t));
            let left = iot_platform_timer_remain(&mut t);
            assert!((1_800_000..=3_600_000).contains(&left), "{left}");
            iot_platform_timer_countdown_ms(&mut t, 0);
            assert!(iot_platform_timer_expired(&mut t));
        }
    }

    #[test]
    fn timer_takes_the_largest_times() {
        let mut t = timer();
        // SAFETY: `t` is a valid timer in each call.
        unsafe {
            iot_platform_timer_countdown(&mut t, c_uint::MAX);
            assert_eq!(iot_platform_timer_remain(&mut t), c_int::MAX);
            iot_platform_timer_countdown_ms(&mut t, c_uint::MAX);
            assert!(!iot_platform_timer_expired(&mut t));
        }
    }

    #[test]
    fn a_timer_that_was_never_initialised_is_some_timer() {
        for byte in [0x7f, 0x80, 0xff] {
            let mut t = timer();
            // SAFETY: `t` is plain integers, for which every byte is a value.
            unsafe {
                std::ptr::write_bytes(&mut t, byte, 1);
                let left = iot_platform_timer_remain(&mut t);
                assert_eq!(iot_platform_timer_expired(&mut t), left == 0);
            }
        }
    }

    #[test]
    fn null_timer_is_logged_and_counts_as_expired() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert!(iot_platform_timer_expired(std::ptr::null_mut()));
            iot_platform_timer_init(std::ptr::null_mut());
            assert!(iot_platform_timer_current(std::ptr::null_mut()).is_null());
        }
        assert_eq!(log_double::take().len(), 2);
    }

    #[test]
    fn current_time_has_its_format() {
        let mut text = [0x7f; TIME_FORMAT_STR_LEN];
        // SAFETY: the buffer has the size asked for.
        let text = unsafe { std::ffi::CStr::from_ptr(iot_platform_timer_current(text.as_mut_ptr())) }.to_str().unwrap();
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99 99:99:99");
        assert!(iot_platform_timer_current_sec() > 1_600_000_000);
    }

    #[test]
    fn time_does_not_go_back_over_a_sleep() {
        let before = iot_platform_get_time_ms();
        iot_platform_sleep_ms(2);
        assert!(iot_platform_get_time_ms().wrapping_sub(before) >= 2);
    }
}
