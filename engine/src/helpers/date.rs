//! Calendar dates from UTC seconds (`timestamp_to_date`).

/// A moment in the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// With its century: 2024.
    pub year: i32,
    /// 1..=12
    pub month: i32,
    /// 1..=31
    pub day: i32,
    /// 0..=23
    pub hour: i32,
    /// 0..=59
    pub minute: i32,
    /// 0..=59
    pub second: i32,
}

const SECONDS_PER_DAY: i64 = 86_400;
/// The Gregorian calendar repeats itself after this many days.
const DAYS_PER_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

/// The date `seconds` after 1970-01-01 00:00 UTC, in the zone `zone_hours` east of Greenwich (negative: west).
/// Seconds after the year 9999 count as its last one.
#[must_use]
pub fn from_timestamp(seconds: u64, zone_hours: i8) -> Date {
    let local = seconds.min(LAST_SECOND) as i64 + i64::from(zone_hours) * 3600;
    let second_of_day = local.rem_euclid(SECONDS_PER_DAY) as i32;
    let (year, month, day) = civil(local.div_euclid(SECONDS_PER_DAY));
    Date { year, month, day, hour: second_of_day / 3600, minute: second_of_day / 60 % 60, second: second_of_day % 60 }
}

/// Year, month and day of the day that is `days` after 1970-01-01.
///
/// Years are counted from March, so that the leap day is a year's last and months have a regular pattern of lengths.
fn civil(days: i64) -> (i32, i32, i32) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(DAYS_PER_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_PER_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as i32, day as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(seconds: u64, zone: i8) -> [i32; 6] {
        let date = from_timestamp(seconds, zone);
        [date.year, date.month, date.day, date.hour, date.minute, date.second]
    }

    #[test]
    fn known_moments() {
        assert_eq!(fields(0, 0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(fields(951_782_399, 0), [2000, 2, 28, 23, 59, 59]);
        assert_eq!(fields(951_782_400, 0), [2000, 2, 29, 0, 0, 0]);
        assert_eq!(fields(1_604_458_421, 0), [2020, 11, 4, 2, 53, 41]);
        assert_eq!(fields(4_107_542_400, 0), [2100, 3, 1, 0, 0, 0]);
        assert_eq!(fields(LAST_SECOND, 0), [9999, 12, 31, 23, 59, 59]);
    }

    #[test]
    fn zones_move_the_day() {
        assert_eq!(fields(1_604_458_421, 8), [2020, 11, 4, 10, 53, 41]);
        assert_eq!(fields(1_604_458_421, -3), [2020, 11, 3, 23, 53, 41]);
        assert_eq!(fields(0, -1), [1969, 12, 31, 23, 0, 0]);
        assert_eq!(fields(0, i8::MIN), [1969, 12, 26, 16, 0, 0]);
    }

    #[test]
    fn absurd_seconds_stay_in_range() {
        assert_eq!(fields(u64::MAX, 0), [9999, 12, 31, 23, 59, 59]);
        assert_eq!(fields(u64::MAX, i8::MAX)[0], 10_000);
    }

    #[test]
    fn each_day_follows_the_day_before() {
        let month_lengths = |year: i32| {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut seconds = 0;
        for year in 1970..2410 {
            for (month, length) in (1..).zip(month_lengths(year)) {
                for day in 1..=length {
                    assert_eq!(fields(seconds, 0), [year, month, day, 0, 0, 0]);
                    seconds += 86_400;
                }
            }
        }
    }
}
