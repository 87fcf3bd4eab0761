//! How an order gets out that does not reach its devices all at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an order gets out to its devices. What is left out: one stage, at once, as fast as can be, whatever fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOutPlan {
    /// How many of each hundred devices are in the stages so far: rising percentages, the last one 100. Which devices these
    /// are is drawn for each order.
    #[serde(default = "one_stage")]
    #[schema(min_items = 1, max_items = 20)]
    pub stages: Vec<u8>,
    /// The next stage begins when somebody says so (`POST /api/upgrades/{id}/next`), and not by itself.
    #[serde(default)]
    pub by_hand: bool,
    /// A stage has ended when this percentage of the devices of all stages so far are done or have failed; then the next one
    /// begins.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 100)]
    pub advance_at: u8,
    /// The order stops by itself where this percentage of the devices that are done or have failed have failed: of 10 at
    /// least, or of however many there are where the stage has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub stop_at_failures: Option<u8>,
    /// The first stage begins at this time, not earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// In any minute, so many devices are told at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000)]
    pub per_minute: Option<u32>,
    /// Devices are told at these hours of each day only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

/// Hours of each day; past midnight where they end earlier than they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Of the day, UTC, `HH:MM`.
    pub from: TimeOfDay,
    /// The first minute that is outside.
    pub to: TimeOfDay,
}

/// A minute of the day, `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The one that is so many minutes after midnight, where a day has so many.
    pub fn of_minute(minute: u16) -> Option<Self> {
        (minute < 24 * 60).then_some(TimeOfDay(minute))
    }

    /// Minutes since midnight.
    pub fn minute(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let two = |digits: &str| {
            let all = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| all)
        };
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        let minute = parts.filter(|(hour, minute)| *hour < 24 && *minute < 60).map(|(hour, minute)| hour * 60 + minute);
        minute.map(TimeOfDay).ok_or_else(|| format!("{text:?} is no time of the day, such as 02:00"))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

fn one_stage() -> Vec<u8> {
    vec![100]
}

fn most() -> u8 {
    90
}

impl Default for RollOutPlan {
    fn default() -> Self {
        RollOutPlan {
            stages: one_stage(),
            by_hand: false,
            advance_at: most(),
            stop_at_failures: None,
            not_before: None,
            per_minute: None,
            hours: None,
        }
    }
}

/// A plan, and how far it has been carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollOut {
    pub plan: RollOutPlan,
    /// The stage that has begun last, from 1; 0 before the first.
    pub stage: u32,
    pub stage_at: Option<u64>,
    /// Nobody is told until somebody resumes it; what runs goes on.
    pub stopped: Option<Stopped>,
}

/// Why an order has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    pub at: u64,
    /// Who stopped it, as the audit log names that one; `null`: it stopped by itself, of too many failures.
    #[serde(default)]
    pub by: Option<String>,
    /// Devices that had failed by then, and how many had failed or were done; without those from before it was resumed where it
    /// had stopped by itself.
    pub failed: u64,
    pub ended: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day() {
        for (text, minute) in [("00:00", 0), ("02:05", 125), ("23:59", 1439)] {
            let time: TimeOfDay = text.parse().expect("a time");
            assert_eq!(
                (time.minute(), time.to_string(), TimeOfDay::of_minute(minute)),
                (minute, text.to_owned(), Some(time))
            );
        }
        for bad in ["", "2:00", "02:0", "24:00", "02:60", "02.00", "+2:00", "02:00:00", "０2:00", "0200"] {
            assert!(bad.parse::<TimeOfDay>().is_err_and(|text| text.contains("02:00")), "{bad}");
        }
        assert_eq!(TimeOfDay::of_minute(1440), None);
        let hours = serde_json::from_str::<Hours>(r#"{"from":"22:00","to":"05:30"}"#).expect("hours");
        assert_eq!(serde_json::to_string(&hours).expect("a text"), r#"{"from":"22:00","to":"05:30"}"#);
    }
}
