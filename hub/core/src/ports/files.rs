//! Where uploaded firmware lives: the data folder, or an object store that devices fetch from themselves.
//!
//! Calls may wait for a disk or a network, but for [`Files::url`] and [`Draft::place`].

use super::store::Outcome;

/// A place for files.
pub trait Files: Send + Sync {
    /// Begins a file. Nobody finds it before it is whole.
    fn begin(&self, file_name: &str) -> Outcome<Box<dyn Draft>>;

    /// Where devices fetch a file from second `now` on, for `lifetime` seconds. `None`: from the hub's own server.
    fn url(&self, name: &str, now: u64, lifetime: u64) -> Option<String>;

    /// Refuses where a file of this size is certainly not to be had: devices would be sent for nothing.
    fn check(&self, name: &str, size: u64) -> Outcome<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> Outcome<()>;
}

/// A file that is not whole yet. Dropped before [`Draft::keep`], nothing of it stays.
pub trait Draft: Send {
    /// The name by which [`Files`] finds it again.
    fn name(&self) -> &str;

    /// Adds the file's next bytes.
    fn write(&mut self, part: &[u8]) -> Outcome<()>;

    /// Nothing more comes. All that may take long is done when this returns.
    fn seal(&mut self) -> Outcome<()>;

    /// Puts the file into its place, while nobody else can.
    fn place(&mut self) -> Outcome<()>;

    /// It is on offer: it stays.
    fn keep(self: Box<Self>);
}
