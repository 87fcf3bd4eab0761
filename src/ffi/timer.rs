//! `utils_timer.h`: count-downs over `HAL_Timer_*`, and dates.

use std::ffi::{c_int, c_uint};

use iot_abi::import::Timer;
use iot_abi::timer::RTC_DATE_TIME;
use iot_engine::helpers::date;

use super::log::null_argument;
use crate::hal::timer;

/// Whether `timer` has one; logs it when not.
fn exists(function: &'static str, timer: *const Timer) -> bool {
    if timer.is_null() {
        null_argument(function, "timer");
    }
    !timer.is_null()
}

export! {
    /// Whether the time that was set is over; false for NULL.
    ///
    /// # Safety
    /// `timer` is NULL or a timer.
    pub unsafe fn expired(timer: *mut Timer) -> bool {
        // SAFETY: the caller's promise.
        exists(NAME, timer) && unsafe { timer::expired(timer) }
    }
}

export! {
    /// Sets `timer` to expire in `timeout_ms` milliseconds.
    ///
    /// # Safety
    /// `timer` is NULL or a timer.
    pub unsafe fn countdown_ms(timer: *mut Timer, timeout_ms: c_uint) {
        if exists(NAME, timer) {
            // SAFETY: the caller's promise.
            unsafe { timer::countdown_ms(timer, timeout_ms) };
        }
    }
}

export! {
    /// Sets `timer` to expire in `timeout` seconds.
    ///
    /// # Safety
    /// `timer` is NULL or a timer.
    pub unsafe fn countdown(timer: *mut Timer, timeout: c_uint) {
        if exists(NAME, timer) {
            // SAFETY: the caller's promise.
            unsafe { timer::countdown(timer, timeout) };
        }
    }
}

export! {
    /// Milliseconds until `timer` expires, 0 when it has or is NULL.
    ///
    /// # Safety
    /// `timer` is NULL or a timer.
    pub unsafe fn left_ms(timer: *mut Timer) -> c_int {
        if !exists(NAME, timer) {
            return 0;
        }
        // SAFETY: the caller's promise.
        unsafe { timer::remain(timer) }
    }
}

export! {
    /// Makes `timer` one that has expired.
    ///
    /// # Safety
    /// `timer` is NULL or has room for a timer.
    pub unsafe fn InitTimer(timer: *mut Timer) {
        if exists(NAME, timer) {
            // SAFETY: the caller's promise.
            unsafe { timer::init(timer) };
        }
    }
}

export! {
    /// The date and time of day `timestamp_sec` seconds after 1970-01-01 00:00 UTC, in the zone `time_zone` hours east of
    /// Greenwich (China: 8). Its milliseconds are 0. Seconds after the year 9999 count as its last one.
    ///
    /// # Safety
    /// `date_time` is NULL or may be written.
    pub unsafe fn timestamp_to_date(timestamp_sec: usize, date_time: *mut RTC_DATE_TIME, time_zone: i8) {
        if date_time.is_null() {
            return null_argument(NAME, "date_time");
        }
        let date = date::from_timestamp(timestamp_sec as u64, time_zone);
        let fields = RTC_DATE_TIME {
            year: date.year,
            month: date.month,
            day: date.day,
            hour: date.hour,
            minute: date.minute,
            sec: date.second,
            ms: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { date_time.write(fields) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::ptr;

    #[test]
    fn timers_count_down() {
        let mut timer = MaybeUninit::<Timer>::zeroed();
        let timer = timer.as_mut_ptr();
        unsafe {
            InitTimer(timer);
            assert!(expired(timer));
            countdown(timer, 1000);
            assert!(!expired(timer));
            assert!(left_ms(timer) > 1000);
            countdown_ms(timer, 0);
            assert!(expired(timer));
            assert!(left_ms(timer) <= 0);
        }
    }

    #[test]
    fn a_null_timer_is_answered() {
        unsafe {
            InitTimer(ptr::null_mut());
            countdown(ptr::null_mut(), 1);
            countdown_ms(ptr::null_mut(), 1);
            assert!(!expired(ptr::null_mut()));
            assert_eq!(left_ms(ptr::null_mut()), 0);
        }
    }

    #[test]
    fn a_date_fills_all_fields() {
        let mut date = RTC_DATE_TIME { ms: 7, ..RTC_DATE_TIME::default() };
        unsafe { timestamp_to_date(1_604_458_421, &mut date, 8) };
        let expected = RTC_DATE_TIME { year: 2020, month: 11, day: 4, hour: 10, minute: 53, sec: 41, ms: 0 };
        assert_eq!(date, expected);
        unsafe { timestamp_to_date(0, ptr::null_mut(), 0) };
    }
}
