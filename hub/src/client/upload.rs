//! A firmware on its way to the hub, and how far it is.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::trouble::Trouble;
use hub_core::firmware;

/// How often there is a line where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// A file that tells while it is read.
pub struct Source {
    file: File,
    pub size: u64,
    /// What the hub compares what arrived with.
    pub md5: String,
    sent: u64,
    bar: ProgressBar,
    last_line: Instant,
}

impl Source {
    /// Reads the file once, for its MD5.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let (size, md5) = firmware::measure(path).map_err(|fatal| Trouble::failed(fatal.to_string()))?;
        let file = File::open(path).map_err(|error| Trouble::failed(format!("{}: {error}", path.display())))?;
        let bar = if io::stderr().is_terminal() { ProgressBar::new(size) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("upload [{bar:40}] {percent:>3} % {bytes_per_sec}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Ok(Source { file, size, md5, sent: 0, bar, last_line: Instant::now() })
    }

    fn tell(&mut self) {
        self.bar.set_position(self.sent);
        if self.sent >= self.size {
            self.bar.finish_and_clear();
        } else if !io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            eprintln!("upload: {:>3} %", self.sent * 100 / self.size);
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.sent += count as u64;
        self.tell();
        Ok(count)
    }
}
