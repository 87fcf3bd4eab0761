//! How upgrades look on a terminal, and where there is none.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use hub_core::model::{Change, Counts, Hours, Job, RollOut, Scope, State, Stopped, Upgrade};

/// How often a device's progress makes a line where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows changes: JSON lines, bars, or lines.
pub struct Display {
    form: Form,
    /// What was last shown of a job, and when.
    shown: HashMap<i64, (State, Instant)>,
}

enum Form {
    Json,
    Bars(MultiProgress, HashMap<i64, ProgressBar>),
    Lines,
}

impl Display {
    /// Bars only on a terminal.
    pub fn new(json: bool) -> Self {
        let form = match json {
            true => Form::Json,
            false if io::stdout().is_terminal() => {
                Form::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stdout()), HashMap::new())
            }
            false => Form::Lines,
        };
        Display { form, shown: HashMap::new() }
    }

    /// An order is there, or was cancelled.
    pub fn upgrade(&mut self, upgrade: &Upgrade) {
        match self.form {
            Form::Json => output::json(&Change::Upgrade { upgrade: upgrade.clone() }),
            _ => self.line(&describe_upgrade(upgrade)),
        }
    }

    /// A job is there, or got on.
    pub fn job(&mut self, job: &Job) {
        if let Form::Json = self.form {
            return output::json(&Change::Job { job: job.clone() });
        }
        if let (Form::Bars(screen, bars), State::Downloading) = (&mut self.form, job.state) {
            let bar = bars.entry(job.id).or_insert_with(|| bar(screen, job));
            return bar.set_position(u64::from(job.percent.unwrap_or_default()));
        }
        if let Form::Bars(_, bars) = &mut self.form {
            if let Some(bar) = bars.remove(&job.id) {
                bar.finish_and_clear();
            }
        }
        let now = Instant::now();
        let due = self.shown.get(&job.id).is_none_or(|(state, last)| {
            *state != job.state || now.duration_since(*last) >= LINE_INTERVAL || job.percent == Some(100)
        });
        if due {
            self.shown.insert(job.id, (job.state, now));
            self.line(&describe_job(job));
        }
    }

    /// Nothing goes on any more.
    pub fn end(&mut self, counts: &Counts) {
        match &mut self.form {
            // The last changes have said it.
            Form::Json => return,
            Form::Bars(screen, _) => drop(screen.clear()),
            Form::Lines => {}
        }
        output::line(&describe_counts(counts));
    }

    fn line(&self, text: &str) {
        match &self.form {
            Form::Bars(screen, _) => drop(screen.println(text)),
            _ => output::line(text),
        }
    }
}

fn bar(screen: &MultiProgress, job: &Job) -> ProgressBar {
    let bar = screen.add(ProgressBar::new(100));
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:40}] {percent:>3} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(format!("{} {}", job.client_id, job.version));
    bar
}

/// A state's name, as the API has it.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Sent => "sent",
        State::Downloading => "downloading",
        State::Burning => "burning",
        State::Done => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    }
}

/// A job in a line.
pub fn describe_job(job: &Job) -> String {
    let mut text = format!("{} {}: {}", job.client_id, job.version, state_name(job.state));
    if let (State::Downloading, Some(percent)) = (job.state, job.percent) {
        text.push_str(&format!(" {percent} %"));
    }
    if job.held {
        text.push_str(" (held)");
    }
    if let (State::Failed, Some(code)) = (job.state, job.result_code) {
        let words = job.result_msg.as_deref().filter(|words| !words.is_empty());
        text.push_str(&format!(" ({code}{})", words.map(|words| format!(": {words}")).unwrap_or_default()));
    }
    text
}

/// An order in a line.
pub fn describe_upgrade(upgrade: &Upgrade) -> String {
    let devices = match upgrade.scope {
        Scope::All => "every device".to_owned(),
        Scope::Chosen => "chosen devices".to_owned(),
        Scope::Listed => "listed devices".to_owned(),
        Scope::Tagged => format!("devices with tag {}", upgrade.tag.as_deref().unwrap_or_default()),
    };
    let from = match upgrade.from_versions.as_slice() {
        [] => String::new(),
        versions => format!(" of {}", versions.join(", ")),
    };
    let end = upgrade.cancelled_at.map(|at| format!(", cancelled {}", output::time(at))).unwrap_or_default();
    let roll_out = upgrade.roll_out.as_ref().filter(|_| upgrade.cancelled_at.is_none());
    let roll_out = roll_out.map(describe_roll_out).unwrap_or_default();
    format!(
        "upgrade {}: {} to {}, {devices}{from}, ordered {}{roll_out}{end}: {}",
        upgrade.id,
        upgrade.firmware.product_id,
        upgrade.firmware.version,
        output::time(upgrade.created_at),
        describe_counts(&upgrade.counts)
    )
}

/// Where a roll-out stands.
fn describe_roll_out(roll_out: &RollOut) -> String {
    let RollOut { plan, stage, stopped, .. } = roll_out;
    let reached = usize::try_from(*stage).ok().and_then(|stage| plan.stages.get(stage.checked_sub(1)?));
    let mut text = match (reached, plan.not_before) {
        (Some(percent), _) => format!(", stage {stage} of {} ({percent} %)", plan.stages.len()),
        (None, Some(begin)) => format!(", begins {}", output::time(begin)),
        (None, None) => String::new(),
    };
    if let Some(Hours { from, to }) = plan.hours {
        text.push_str(&format!(", {from}-{to} UTC only"));
    }
    if let Some(Stopped { at, by, failed, ended }) = stopped {
        let why = by.as_ref().map_or_else(|| format!(": failed on {failed} of {ended}"), |by| format!(" by {by}"));
        text.push_str(&format!(", stopped {}{why}", output::time(*at)));
    }
    text
}

fn describe_counts(counts: &Counts) -> String {
    let parts = [
        (counts.waiting, "waiting"),
        (counts.running, "running"),
        (counts.done, "done"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if words.is_empty() {
        "no devices yet".to_owned()
    } else {
        words.join(", ")
    }
}
