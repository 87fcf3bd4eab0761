//! What a device gets late: the name of its server, or the time of day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Sample;

/// A library that is preloaded into a sample (`late.c`).
pub struct Late {
    library: PathBuf,
    file: PathBuf,
}

impl Late {
    /// Compiles it into `folder`.
    #[track_caller]
    pub fn new(folder: &Path) -> Late {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/late.c");
        let library = folder.join("late.so");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
        Late { library, file: folder.join("late-is-over") }
    }

    /// The name is unknown at first, then 127.0.0.1.
    pub fn name(&self, sample: Sample, name: &str) -> Sample {
        self.preload(sample).environment("LATE_NAME", name)
    }

    /// It is 1970 at first.
    pub fn clock(&self, sample: Sample) -> Sample {
        self.preload(sample).environment("LATE_CLOCK", "1")
    }

    fn preload(&self, sample: Sample) -> Sample {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        sample.environment("LD_PRELOAD", &path(&self.library)).environment("LATE_FILE", &path(&self.file))
    }

    /// From now on all is well.
    #[track_caller]
    pub fn is_over(&self) {
        fs::write(&self.file, "").expect("a file");
    }
}
