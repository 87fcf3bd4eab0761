//! Measured figures and what they are held against.

use std::fmt;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    MegabytesPerSecond,
    Seconds,
    Milliseconds,
    Kilobytes,
    Bytes,
    PerSecond,
    PercentOfACore,
    Events,
    Datagrams,
    MillionInstructions,
    OfTheLimit,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::MegabytesPerSecond => "MB/s",
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Kilobytes => "kB",
            Unit::Bytes => "bytes",
            Unit::PerSecond => "a second",
            Unit::PercentOfACore => "% of a core",
            Unit::Events => "events",
            Unit::Datagrams => "datagrams",
            Unit::MillionInstructions => "million instructions",
            Unit::OfTheLimit => "of the limit of its run",
        }
    }
}

/// One quantity, measured once or several times.
#[derive(Clone, Debug)]
pub struct Figure {
    unit: Unit,
    values: Vec<f64>,
}

impl Figure {
    pub fn new(unit: Unit) -> Figure {
        Figure { unit, values: Vec::new() }
    }

    pub fn once(unit: Unit, value: f64) -> Figure {
        Figure { unit, values: vec![value] }
    }

    pub fn push(&mut self, value: f64) {
        self.values.push(value);
        self.values.sort_by(f64::total_cmp);
    }

    pub fn highest(&self) -> f64 {
        self.values.last().copied().expect("something was measured")
    }

    pub fn median(&self) -> f64 {
        assert!(!self.values.is_empty(), "nothing was measured");
        let middle = self.values.len() / 2;
        if self.values.len() % 2 == 1 {
            self.values[middle]
        } else {
            (self.values[middle - 1] + self.values[middle]) / 2.0
        }
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.0995 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 {
        return text;
    }
    // Thousands apart.
    let mut grouped = String::new();
    for (index, digit) in text.char_indices() {
        if index > 0 && (text.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", number(self.median()), self.unit.name())?;
        match self.values.as_slice() {
            [first, .., last] => write!(f, " ({} to {})", number(*first), number(*last)),
            _ => Ok(()),
        }
    }
}

/// A goal and how near it came.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What the number is, such as "of socket + MD5".
    what: String,
    value: f64,
    bound: f64,
    at_least: bool,
}

impl Goal {
    pub fn at_least(bound: f64, value: f64, what: &str) -> Goal {
        Goal { what: what.to_owned(), value, bound, at_least: true }
    }

    pub fn at_most(bound: f64, value: f64, what: &str) -> Goal {
        Goal { what: what.to_owned(), value, bound, at_least: false }
    }

    pub fn met(&self) -> bool {
        if self.at_least {
            self.value >= self.bound
        } else {
            self.value <= self.bound
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = if self.at_least { "at least" } else { "at most" };
        write!(f, "{} {} ({words} {})", number(self.value), self.what, number(self.bound))
    }
}

/// A bar of the plot, in MB/s.
#[derive(Clone, Debug)]
pub struct Bar {
    pub name: String,
    pub value: f64,
    pub kind: BarKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    Ours,
    Limit,
    CSdk,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: String,
    /// `Err`: why it could not be measured here.
    pub ours: Result<Figure, String>,
    /// What stands beside it, by name.
    pub beside: Vec<(String, Figure)>,
    pub goals: Vec<Goal>,
    pub bars: Vec<Bar>,
}

impl Row {
    pub fn new(case: &str, ours: Figure) -> Row {
        Row { case: case.to_owned(), ours: Ok(ours), beside: Vec::new(), goals: Vec::new(), bars: Vec::new() }
    }

    pub fn skipped(case: &str, reason: &str) -> Row {
        println!("   skipped: {reason}");
        let ours = Err(reason.to_owned());
        Row { case: case.to_owned(), ours, beside: Vec::new(), goals: Vec::new(), bars: Vec::new() }
    }

    pub fn beside(mut self, name: &str, figure: &Figure) -> Row {
        self.beside.push((name.to_owned(), figure.clone()));
        self
    }

    pub fn goal(mut self, goal: Goal) -> Row {
        self.goals.push(goal);
        self
    }

    pub fn bar(mut self, name: &str, value: f64, kind: BarKind) -> Row {
        self.bars.push(Bar { name: name.to_owned(), value, kind });
        self
    }

    /// "met", "missed" or "not measured".
    pub fn verdict(&self) -> &'static str {
        match (&self.ours, self.goals.as_slice()) {
            (Err(_), _) => "not measured",
            (Ok(_), []) => "",
            (Ok(_), goals) if goals.iter().all(Goal::met) => "met",
            (Ok(_), _) => "missed",
        }
    }
}

/// Runs everyone in turns, so that what else the machine does meets all alike.
pub fn in_turns(rounds: usize, unit: Unit, runners: &mut [(&str, &mut dyn FnMut() -> f64)]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = runners.iter().map(|_| Figure::new(unit)).collect();
    for round in 1..=rounds {
        let mut texts = Vec::new();
        for ((name, run), figure) in runners.iter_mut().zip(&mut figures) {
            let value = run();
            figure.push(value);
            texts.push(format!("{name} {}", number(value)));
        }
        println!("   round {round} of {rounds}, {}: {}", unit.name(), texts.join(", "));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let mut figure = Figure::new(Unit::Seconds);
        for value in [3.0, 1.0, 10.0] {
            figure.push(value);
        }
        assert_eq!(figure.median(), 3.0);
        assert_eq!(figure.to_string(), "3.00 s (1.00 to 10.0)");
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let texts: Vec<String> = [1_234_567.0, 999.6, 99.96, 42.04, 0.5, 0.0, 0.0123].map(number).into();
        assert_eq!(texts, ["1,234,567", "1,000", "100", "42.0", "0.50", "0.00", "0.012"]);
    }

    #[test]
    fn a_row_meets_its_goals_when_all_are_met() {
        let row = Row::new("case", Figure::once(Unit::Seconds, 1.0)).goal(Goal::at_least(0.9, 0.9, "of the limit"));
        assert_eq!(row.verdict(), "met");
        assert_eq!(row.goal(Goal::at_most(180.0, 180.1, "kB")).verdict(), "missed");
    }
}
