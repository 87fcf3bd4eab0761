//! Child processes, their output line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{Log, Secrets, LIMIT};

/// A running process; killed when dropped. When a test fails its output is printed.
pub struct Process {
    name: String,
    /// What it must not say.
    secrets: Secrets,
    child: Child,
    stdin: Option<ChildStdin>,
    /// Standard output alone.
    out: Log<String>,
    /// Both streams, in order of arrival.
    lines: Log<String>,
    readers: Vec<JoinHandle<()>>,
    printed: Arc<AtomicBool>,
}

/// How a process ended.
pub struct Finished {
    name: String,
    status: ExitStatus,
    /// Its whole output.
    pub lines: Vec<String>,
    printed: Arc<AtomicBool>,
}

/// Prints the output where a test fails and has not printed it already.
fn print_on_failure(name: &str, lines: &[String], printed: &AtomicBool) {
    if thread::panicking() && !printed.swap(true, Ordering::Relaxed) {
        let output: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        eprintln!("---- {name} ----\n{output}");
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        print_on_failure(&self.name, &self.lines, &self.printed);
    }
}

impl Finished {
    /// The exit code; a process that a signal ended fails the test.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.status))
    }

    /// Whether a line holds each of the words, whatever their case.
    pub fn says(&self, words: &[&str]) -> bool {
        self.lines.iter().any(|line| holds(line, words))
    }

    /// Fails the test unless a line holds each of the words, whatever their case.
    #[track_caller]
    pub fn assert_says(&self, words: &[&str]) {
        assert!(self.says(words), "no line holds {words:?}");
    }
}

/// Whether a line holds each of the words, whatever their case.
fn holds(line: &str, words: &[&str]) -> bool {
    let line = line.to_lowercase();
    words.iter().all(|word| line.contains(&word.to_lowercase()))
}

impl Process {
    /// Starts it. `name` stands before its output.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command) -> Process {
        Process::start_with_secrets(name, command, Secrets::default())
    }

    /// Starts it. Its end fails the test where it has said one of the secrets.
    #[track_caller]
    pub fn start_with_secrets(name: &str, command: &mut Command, secrets: Secrets) -> Process {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} can't be started: {command:?}: {error}"));
        let (out, lines) = (Log::default(), Log::with_writers(2));
        let readers = vec![
            reader(child.stdout.take().expect("piped"), vec![out.clone(), lines.clone()]),
            reader(child.stderr.take().expect("piped"), vec![lines.clone()]),
        ];
        let stdin = child.stdin.take();
        Process { name: name.to_owned(), secrets, child, stdin, out, lines, readers, printed: Arc::default() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, line by line. Closed when the process is gone.
    pub fn out(&self) -> &Log<String> {
        &self.out
    }

    /// Both streams.
    pub fn lines(&self) -> &Log<String> {
        &self.lines
    }

    /// Blocks until a line holds each of the words, and returns it.
    #[track_caller]
    pub fn wait_for(&self, words: &[&str]) -> String {
        self.wait_from(0, words)
    }

    /// The same, from a place that `lines().mark()` gave.
    #[track_caller]
    pub fn wait_from(&self, from: usize, words: &[&str]) -> String {
        self.lines.wait(from, &format!("{}: a line with {words:?}", self.name), |line| holds(line, words))
    }

    /// Writes a line to its standard input.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush()).expect("the process reads");
    }

    /// Asks it to stop, with SIGTERM.
    #[track_caller]
    pub fn terminate(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} can't be told to stop", self.name);
    }

    /// kill -9, and the end of it.
    pub fn kill(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    /// Blocks until the process ends by itself.
    #[track_caller]
    pub fn finish(&mut self) -> Finished {
        self.finish_within(LIMIT)
    }

    /// The same for a process that may take longer than others.
    #[track_caller]
    pub fn finish_within(&mut self, limit: Duration) -> Finished {
        // Both streams end with the process: no need to look at it every so often.
        assert!(self.lines.wait_closed(limit), "{} does not end", self.name);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let status = self.child.wait().expect("a child of ours");
        Finished { name: self.name.clone(), status, lines: self.lines.all(), printed: self.printed.clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if !thread::panicking() {
            self.secrets.assert_kept(&self.lines.all());
        }
        print_on_failure(&self.name, &self.lines.all(), &self.printed);
    }
}

fn reader(stream: impl Read + Send + 'static, logs: Vec<Log<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            for log in &logs {
                log.push(text.clone());
            }
            line.clear();
        }
        for log in &logs {
            log.close();
        }
    })
}
