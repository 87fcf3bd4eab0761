//! The form every rule has: `PLACE:EFFECT[=VALUE][,OPTION=VALUE][@EVENT][#OCCASIONS]`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A rule in its parts, none of them understood yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Written<'a> {
    pub place: &'a str,
    pub effect: &'a str,
    pub value: Option<&'a str>,
    pub option: Option<(&'a str, &'a str)>,
    pub event: Option<&'a str>,
    pub occasions: Occasions,
}

/// Which occasions a rule is for, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasions {
    first: u64,
    last: u64,
}

impl Occasions {
    /// All of them.
    const ALL: Occasions = Occasions { first: 1, last: u64::MAX };

    fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("#{text}: expected #N, #N-M or #N-, counted from 1");
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0).ok_or_else(bad);
        let (first, last) = match text.split_once('-') {
            None => (number(text)?, number(text)?),
            Some((first, "")) => (number(first)?, u64::MAX),
            Some((first, last)) => (number(first)?, number(last)?),
        };
        if first > last {
            return Err(bad());
        }
        Ok(Occasions { first, last })
    }

    /// Whether the occasion with this number is one of them.
    pub fn contains(self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

impl<'a> Written<'a> {
    /// Takes a rule apart.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (place, rest) = text.split_once(':').ok_or("expected PLACE:EFFECT, such as http:cut=1000")?;
        let (rest, occasions) = match rest.rsplit_once('#') {
            Some((rest, occasions)) => (rest, Occasions::parse(occasions)?),
            None => (rest, Occasions::ALL),
        };
        let (rest, event) = match rest.rsplit_once('@') {
            Some((rest, event)) => (rest, Some(event)),
            None => (rest, None),
        };
        let (rest, option) = match rest.rsplit_once(',') {
            Some((rest, option)) => match option.split_once('=') {
                Some(option) => (rest, Some(option)),
                None => return Err(format!(",{option}: expected ,OPTION=VALUE")),
            },
            None => (rest, None),
        };
        let (effect, value) = match rest.split_once('=') {
            Some((effect, value)) => (effect, Some(value)),
            None => (rest, None),
        };
        Ok(Written { place, effect, value, option, event, occasions })
    }

    /// The value, which must be there; `what` says what it is.
    pub fn required(&self, what: &str) -> Result<&'a str, String> {
        let value = self.value.filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("{} needs a value: {}={what}", self.effect, self.effect))
    }

    /// The value as a whole number.
    pub fn number(&self, what: &str) -> Result<u64, String> {
        whole(self.effect, self.required(what)?)
    }

    /// The value as a whole number, or this one.
    pub fn number_or(&self, default: u64) -> Result<u64, String> {
        self.value.map_or(Ok(default), |value| whole(self.effect, value))
    }

    /// The value in seconds.
    pub fn seconds(&self) -> Result<Duration, String> {
        self.number("SECONDS").map(Duration::from_secs)
    }

    /// The value in seconds, with thousandths.
    pub fn fraction(&self) -> Result<Duration, String> {
        let text = self.required("SECONDS")?;
        let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // More than a day is no delay.
        let seconds = seconds.filter(|seconds| seconds.as_secs() <= 86_400);
        seconds.ok_or_else(|| format!("{}={text}: expected seconds, such as 0.5", self.effect))
    }

    /// The option, which may be this one only.
    pub fn option(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.option {
            None => Ok(None),
            Some((own, value)) if own == name => Ok(Some(value)),
            Some((own, _)) => Err(format!("{} has no option {own}; there is: {name}", self.effect)),
        }
    }

    /// The option in whole numbers, which may be this one only.
    pub fn option_number(&self, name: &str) -> Result<Option<u64>, String> {
        self.option(name)?.map(|value| whole(name, value)).transpose()
    }

    /// Turns down what an effect has no use for.
    pub fn plain(&self) -> Result<(), String> {
        self.without_option()?;
        match self.value {
            None => Ok(()),
            Some(value) => Err(format!("{} takes no value, not {value:?}", self.effect)),
        }
    }

    /// Turns an option down.
    pub fn without_option(&self) -> Result<(), String> {
        match self.option {
            None => Ok(()),
            Some((name, _)) => Err(format!("{} has no option {name}", self.effect)),
        }
    }
}

fn whole(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name}={text}: expected a whole number"))
}

/// The entry of `name` in a table, or an error that lists what there is.
pub fn choose<T: Copy>(what: &str, name: &str, table: &[(&str, T)]) -> Result<T, String> {
    let found = table.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(own, _)| *own).collect();
        format!("there is no {what} {name:?}; there are: {}", names.join(", "))
    })
}

/// An understood rule: which effect, on which of its events' occasions. It counts them itself.
pub struct Rule<Event, Effect> {
    text: String,
    event: Event,
    effect: Effect,
    occasions: Occasions,
    seen: AtomicU64,
}

impl<Event: PartialEq, Effect> Rule<Event, Effect> {
    /// A rule that has seen nothing yet. `text` is the rule as written.
    pub fn new(text: &str, event: Event, effect: Effect, occasions: Occasions) -> Self {
        Rule { text: text.to_owned(), event, effect, occasions, seen: AtomicU64::new(0) }
    }

    /// Something happened that counts as each of these events; the effect if it is due now.
    pub fn happened(&self, events: &[Event]) -> Option<&Effect> {
        if !events.contains(&self.event) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        self.occasions.contains(number).then_some(&self.effect)
    }
}

impl<Event, Effect> fmt::Display for Rule<Event, Effect> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let rule = Written::parse("http:stall=6000,for=3@request#2-4").expect("a rule");
        assert_eq!((rule.place, rule.effect, rule.value), ("http", "stall", Some("6000")));
        assert_eq!((rule.option, rule.event), (Some(("for", "3")), Some("request")));
        assert_eq!(rule.occasions, Occasions { first: 2, last: 4 });
        let rule = Written::parse("mqtt:cut").expect("a rule");
        assert_eq!((rule.value, rule.option, rule.event, rule.occasions), (None, None, None, Occasions::ALL));
        // A URL is a value like any other.
        assert_eq!(Written::parse("http:redirect=http://h:1/x").expect("a rule").value, Some("http://h:1/x"));
    }

    #[test]
    fn occasions() {
        for (text, first, last) in [("1", 1, 1), ("1-3", 1, 3), ("2-", 2, u64::MAX), ("7-7", 7, 7)] {
            assert_eq!(Occasions::parse(text), Ok(Occasions { first, last }), "{text}");
        }
        for text in ["", "0", "x", "3-2", "-", "-3", "1-x", "0-4"] {
            assert!(Occasions::parse(text).is_err_and(|error| error.contains("#N")), "{text}");
        }
        assert!(!Occasions { first: 2, last: 4 }.contains(1));
        assert!(Occasions::ALL.contains(1));
    }

    #[test]
    fn a_rule_counts_its_own_event() {
        let rule = Rule::new("r", 'a', "effect", Occasions { first: 2, last: 3 });
        let due: Vec<bool> = "abaaba".chars().map(|event| rule.happened(&[event, 'x']).is_some()).collect();
        assert_eq!(due, [false, false, true, true, false, false]);
    }

    #[test]
    fn errors_say_what_was_expected() {
        for (text, word) in [("http", "PLACE"), ("http:cut=1#x", "#N"), ("http:cut=1,for", "OPTION")] {
            assert!(Written::parse(text).is_err_and(|error| error.contains(word)), "{text}");
        }
        let rule = Written::parse("http:cut=x").expect("a rule");
        assert_eq!(rule.number("BYTE"), Err("cut=x: expected a whole number".to_owned()));
        assert_eq!(
            Written::parse("http:cut").expect("a rule").number("BYTE"),
            Err("cut needs a value: cut=BYTE".to_owned())
        );
        assert_eq!(
            choose("effect", "x", &[("a", 1), ("b", 2)]),
            Err("there is no effect \"x\"; there are: a, b".to_owned())
        );
    }
}
