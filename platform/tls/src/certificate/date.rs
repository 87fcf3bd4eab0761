//! Dates of certificates, and the device's clock beside them.

/// 2026-11-01: nobody runs this library earlier. A build that names its own date (`SOURCE_DATE_EPOCH`, in seconds) sets a
/// later one; so the same sources and the same environment make the same library.
const WRITTEN: u64 = 1_793_491_200;

const SECONDS_A_DAY: u64 = 86_400;

/// The date before which a clock is certainly wrong, in seconds since 1970.
const BUILT: u64 = latest(WRITTEN, seconds(option_env!("SOURCE_DATE_EPOCH")));

/// Whether a device whose clock says `now` has not been told the time.
pub fn clock_is_wrong(now: u64) -> bool {
    now < BUILT
}

const fn latest(a: u64, b: u64) -> u64 {
    if a > b {
        a
    } else {
        b
    }
}

/// A number of seconds; 0 for anything else, and for a date after the year 9999.
const fn seconds(text: Option<&str>) -> u64 {
    let Some(text) = text else { return 0 };
    match u64::from_str_radix(text, 10) {
        Ok(seconds) if seconds < 253_402_300_800 => seconds,
        _ => 0,
    }
}

/// `seconds` since 1970 as year, month and day, UTC: "2026-03-01".
pub fn date(seconds: u64) -> String {
    // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days: years begin in March.
    let days = seconds / SECONDS_A_DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + next_year)
}

/// The first second of a day in seconds since 1970, 0 for days before that. `None`: there is no such day.
pub fn at_midnight(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The same source, days_from_civil.
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era).saturating_sub(719_468) * SECONDS_A_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_772_323_200, "2026-03-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
            (WRITTEN, "2026-11-01"),
        ];
        for (seconds, expected) in table {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn days_lead_back_to_their_seconds() {
        for day in [0, 1, 58, 59, 60, 11_016, 11_017, 20_513, 47_540, 47_541, 2_932_896] {
            let text = date(day * SECONDS_A_DAY);
            let mut parts = text.split('-').map(|part| part.parse().unwrap());
            let mut part = || parts.next().unwrap();
            assert_eq!(at_midnight(part(), part(), part()), Some(day * SECONDS_A_DAY), "{text}");
        }
        assert_eq!(at_midnight(1969, 12, 31), Some(0));
        assert_eq!(at_midnight(2026, 13, 1), None);
        assert_eq!(at_midnight(2026, 1, 32), None);
    }

    #[test]
    fn a_clock_before_the_build_is_wrong_and_the_build_may_name_its_date() {
        assert!(clock_is_wrong(0) && clock_is_wrong(WRITTEN - 1));
        assert!(!clock_is_wrong(seconds(Some("4000000000"))));
        assert_eq!(latest(WRITTEN, seconds(Some("1800000000"))), 1_800_000_000);
        for text in [None, Some(""), Some("yesterday"), Some("-5"), Some("99999999999999999999"), Some("253402300800")]
        {
            assert_eq!(seconds(text), 0);
        }
    }
}
