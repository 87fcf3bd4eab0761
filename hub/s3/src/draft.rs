//! An upload: parts are sent as they come, and an object is there once all of them are.

use std::sync::Arc;

use base64::prelude::{Engine, BASE64_STANDARD};
use hub_core::model::{Problem, ProblemKind};
use hub_core::ports::files::Draft;
use hub_core::ports::store::Outcome;
use md5::{Digest, Md5};

use crate::client::Client;
use crate::trouble::Trouble;

/// Bytes of each part but the last: S3 wants 5 MiB or more, and takes 10,000 parts, so that 4 GiB fit.
pub const PART: usize = 8 << 20;

/// How far it has come at the server.
enum Progress {
    /// Nothing is there.
    Begun,
    /// Parts, under this id.
    Parts(String),
    /// Perhaps the object.
    Object,
    /// What is there stays.
    Kept,
}

pub struct ObjectDraft {
    client: Arc<Client>,
    name: String,
    key: String,
    progress: Progress,
    /// What has come of the next part.
    part: Vec<u8>,
    /// Of the parts that were sent.
    tags: Vec<String>,
    size: u64,
}

impl ObjectDraft {
    pub fn new(client: Arc<Client>, name: String, key: String) -> Self {
        ObjectDraft { client, name, key, progress: Progress::Begun, part: Vec::new(), tags: Vec::new(), size: 0 }
    }

    fn problem(&self, trouble: &Trouble) -> Problem {
        self.client.problem("take the file", trouble)
    }

    fn send_part(&mut self) -> Outcome<()> {
        let sent = self.try_send_part();
        let tag = sent.map_err(|trouble| self.problem(&trouble))?;
        self.tags.push(tag);
        self.size += self.part.len() as u64;
        self.part.clear();
        Ok(())
    }

    fn try_send_part(&mut self) -> Result<String, Trouble> {
        if let Progress::Begun = self.progress {
            self.progress = Progress::Parts(self.client.begin(&self.key)?);
        }
        let Progress::Parts(id) = &self.progress else {
            return Err(Trouble::Nonsense("a part behind the last one"));
        };
        let number = u16::try_from(self.tags.len() + 1).map_err(|_| Trouble::Nonsense("too many parts"))?;
        let md5 = BASE64_STANDARD.encode(Md5::digest(&self.part));
        self.client.part(&self.key, id, number, &md5, &self.part)
    }
}

impl Draft for ObjectDraft {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, mut bytes: &[u8]) -> Outcome<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == PART {
                self.send_part()?;
            }
        }
        Ok(())
    }

    /// The object is whole, and devices may fetch it, once the server says how large it is.
    fn seal(&mut self) -> Outcome<()> {
        if !self.part.is_empty() {
            self.send_part()?;
        }
        let Progress::Parts(id) = &self.progress else {
            return Err(Problem::new(ProblemKind::Internal, "An empty file has no parts."));
        };
        let completed = self.client.complete(&self.key, id, &self.tags);
        let there = self.client.size(&self.key);
        match (completed, there) {
            // An answer that was lost does no harm: nobody else has this name.
            (_, Ok(there)) if there == self.size => {
                self.progress = Progress::Object;
                Ok(())
            }
            (Err(trouble), _) => Err(self.problem(&trouble)),
            (Ok(()), there) => {
                self.progress = Progress::Object;
                let trouble = there.err().unwrap_or(Trouble::Nonsense("another size than was sent"));
                Err(self.problem(&trouble))
            }
        }
    }

    /// It has its place already; nobody has been told of it yet.
    fn place(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn keep(mut self: Box<Self>) {
        self.progress = Progress::Kept;
    }
}

impl Drop for ObjectDraft {
    /// A server that can't be reached now keeps parts until its own rules remove them.
    fn drop(&mut self) {
        let _ = match &self.progress {
            Progress::Parts(id) => self.client.abort(&self.key, id),
            Progress::Object => self.client.remove(&self.key),
            Progress::Begun | Progress::Kept => Ok(()),
        };
    }
}
