//! `utils_timer.h`: a point in time as date and time of day.

use std::ffi::c_int;

/// Date and time of day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RTC_DATE_TIME {
    /// Year, such as 2024.
    pub year: c_int,
    /// Month, 1 to 12.
    pub month: c_int,
    /// Day of the month, 1 to 31.
    pub day: c_int,
    /// Hour, 0 to 23.
    pub hour: c_int,
    /// Minute, 0 to 59.
    pub minute: c_int,
    /// Second, 0 to 59.
    pub sec: c_int,
    /// Millisecond, 0 to 999.
    pub ms: c_int,
}
