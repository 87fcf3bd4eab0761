//! The program that is the device: started in a folder of its own, killed, started again, ended.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{kill_process_group, Pid, Signal};
use serde_json::{Map, Value};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use hub_core::error::{Context, Fatal, Result};

/// How long a program may take to end once it is told to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Signals that a program gets for its own mistakes.
const CRASHES: [Signal; 6] = [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL, Signal::FPE, Signal::SYS];

/// The device's program.
pub struct Program {
    path: PathBuf,
    args: Vec<String>,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
    child: Option<Child>,
}

impl Program {
    /// A program that does not run yet. `command` is the program and its arguments, with nothing left to be put in.
    pub fn new(command: &[String], folder: &Path, environment: Vec<(&'static str, String)>) -> Result<Self> {
        let (path, args) = command.split_first().ok_or_else(|| Fatal::new("-- must be followed by a program"))?;
        // It is started in another folder, where a relative path would lead elsewhere.
        let path = if path.contains('/') {
            Path::new(path).canonicalize().context(|| format!("cannot find the program {path}"))?
        } else {
            PathBuf::from(path)
        };
        Ok(Program { path, args: args.to_vec(), folder: folder.to_owned(), environment, child: None })
    }

    /// Starts it. What it writes goes to standard error, as it comes.
    pub fn start(&mut self) -> Result<()> {
        let what = || format!("cannot start the program {}", self.path.display());
        let output = io::stderr().as_fd().try_clone_to_owned().context(what)?;
        let child = Command::new(&self.path)
            .args(&self.args)
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(output))
            // A group of its own, so that a script ends with what it started.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context(what)?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it ends by itself; for ever where it does not run.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => {
                let status = child.wait().await;
                self.child = None;
                status
            }
            None => std::future::pending().await,
        }
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = id {
            // It may have ended at this moment.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills it, as a loss of power does.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait().await;
        }
    }

    /// Ends it: asks first. How it ended, where it still ran.
    pub async fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let status = timeout(END_LIMIT, self.child.as_mut()?.wait()).await;
        match status {
            Ok(status) => {
                self.child = None;
                status.ok()
            }
            Err(_) => {
                self.kill().await;
                None
            }
        }
    }
}

/// Whether the program ended by a mistake of its own, such as a wild pointer.
pub fn crashed(status: ExitStatus) -> bool {
    let signal = status.signal().and_then(Signal::from_named_raw);
    signal.is_some_and(|signal| CRASHES.contains(&signal))
}

/// How a program ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "in a way that cannot be told".to_owned(),
    }
}

/// `text` with each `{name}` replaced by the text of that name. A word in braces that is no name is refused, but for
/// `${word}`, which is a shell's.
pub fn fill(text: &str, names: &Map<String, Value>) -> std::result::Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, inside) = rest.split_at(open);
        let inside = &inside[1..];
        out.push_str(before);
        let word = inside.split_once('}').map(|(word, _)| word).filter(|word| is_word(word));
        match word {
            Some(word) if !before.ends_with('$') => {
                out.push_str(&value(word, names)?);
                rest = &inside[word.len() + 1..];
            }
            _ => {
                out.push('{');
                rest = inside;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn value(name: &str, names: &Map<String, Value>) -> std::result::Result<String, String> {
    match names.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Null) => {
            Err(format!("{{{name}}} is not there: its listener is off, or it is of one device and there are several"))
        }
        _ => {
            let known = names.iter().filter(|(_, value)| value.is_string() || value.is_number());
            let known: Vec<String> = known.map(|(name, _)| format!("{{{name}}}")).collect();
            Err(format!("there is no {{{name}}}; there are: {}", known.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(text: &str) -> std::result::Result<String, String> {
        let names = json!({"mqtt": "127.0.0.1:1", "file_size": 7, "http": null, "client_certs": {}});
        fill(text, names.as_object().expect("an object"))
    }

    #[test]
    fn names_are_put_in() {
        for (text, result) in [
            ("--at={mqtt}, {file_size}", "--at=127.0.0.1:1, 7"),
            ("{mqtt}{mqtt}", "127.0.0.1:1127.0.0.1:1"),
            ("plain", "plain"),
            ("", ""),
            // A shell's, JSON, and braces that stand alone.
            ("echo ${mqtt}", "echo ${mqtt}"),
            ("{\"a\":{}}", "{\"a\":{}}"),
            ("{mqtt", "{mqtt"),
            ("{{mqtt}}", "{127.0.0.1:1}"),
        ] {
            assert_eq!(filled(text), Ok(result.to_owned()), "{text}");
        }
    }

    #[test]
    fn wrong_names_are_told() {
        assert!(filled("{mqqt}").is_err_and(|error| error.contains("no {mqqt}") && error.contains("{mqtt}")));
        assert!(filled("{http}").is_err_and(|error| error.contains("listener is off")));
        assert!(filled("{client_certs}").is_err());
    }

    #[test]
    fn ends_in_words() {
        assert_eq!(describe(ExitStatus::from_raw(3 << 8)), "with exit code 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "by signal 9");
        assert!(crashed(ExitStatus::from_raw(11)) && !crashed(ExitStatus::from_raw(15)));
        assert!(!crashed(ExitStatus::from_raw(1 << 8)));
    }
}
