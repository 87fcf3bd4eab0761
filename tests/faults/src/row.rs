//! One row of the matrix: a fault, and what the device must make of it.

use e2e::Build;

/// Bytes of a firmware where a row does not care.
pub const SIZE: usize = 120_000;

/// How a row must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The right file, without a failure on the way.
    Right,
    /// The right file, after a failure with this code was reported to the cloud.
    RightAfter(i32),
    /// A failure, reported to the cloud with this code.
    Fails(i32),
    /// A failure that could not be reported to the cloud, because there is no way to it.
    FailsUnheard,
}

impl Expect {
    /// The failures that the cloud must hear of.
    pub fn codes(self) -> Vec<i32> {
        match self {
            Expect::RightAfter(code) | Expect::Fails(code) => vec![code],
            Expect::Right | Expect::FailsUnheard => Vec::new(),
        }
    }

    /// Whether the first run must end with the right file.
    pub fn upgrades(self) -> bool {
        matches!(self, Expect::Right | Expect::RightAfter(_))
    }

    /// For the table.
    pub fn words(self) -> String {
        match self {
            Expect::Right => "right file".to_owned(),
            Expect::RightAfter(code) => format!("{code}, right file"),
            Expect::Fails(code) => format!("{code}, then right"),
            Expect::FailsUnheard => "error, then right".to_owned(),
        }
    }
}

/// A fault and what is expected.
#[derive(Clone, Debug)]
pub struct Row {
    /// What goes wrong.
    pub name: String,
    /// Whose sample runs.
    pub build: Build,
    /// Firmware over HTTPS.
    pub https: bool,
    /// The hub's rules.
    pub faults: Vec<String>,
    /// Bytes that are on the device already.
    pub stored: usize,
    /// More of the sample's command line.
    pub args: Vec<String>,
    /// Failures after which the sample gives up.
    pub attempts: u32,
    /// How it must end.
    pub expect: Expect,
    /// Words of a line that the device must log, in any case.
    pub says: Vec<&'static str>,
    /// Requests for the firmware in the first run, where that is the point.
    pub requests: Option<usize>,
    /// The firmware may be fetched more than once as a whole: what came first was not worth keeping.
    pub fetched_anew: bool,
    /// The device turns the answer down by its head: what follows that is not fetched.
    pub refused: bool,
    /// Takes longer than all others: to be begun first.
    pub long: bool,
}

impl Row {
    /// A row over HTTP in KEY mode.
    pub fn new(name: &str, faults: &[&str], expect: Expect) -> Row {
        Row {
            name: name.to_owned(),
            build: Build::Key,
            https: false,
            faults: faults.iter().map(|rule| (*rule).to_owned()).collect(),
            stored: 0,
            args: Vec::new(),
            attempts: 1,
            expect,
            says: Vec::new(),
            requests: None,
            fetched_anew: false,
            refused: false,
            long: false,
        }
    }

    /// Over HTTPS.
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// With the sample of this build.
    pub fn build(mut self, build: Build) -> Self {
        self.build = build;
        self
    }

    /// With so many bytes on the device already.
    pub fn stored(mut self, bytes: usize) -> Self {
        self.stored = bytes;
        self
    }

    /// With more of the sample's command line.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// The sample may fail once less than that.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The device must log a line with these words.
    pub fn says(mut self, words: &[&'static str]) -> Self {
        self.says.extend(words);
        self
    }

    /// The first run makes so many requests.
    pub fn requests(mut self, count: usize) -> Self {
        self.requests = Some(count);
        self
    }

    /// The firmware may be fetched anew.
    pub fn fetched_anew(mut self) -> Self {
        self.fetched_anew = true;
        self
    }

    /// The device turns the answer down by its head.
    pub fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    /// To be begun first.
    pub fn long(mut self) -> Self {
        self.long = true;
        self
    }
}
