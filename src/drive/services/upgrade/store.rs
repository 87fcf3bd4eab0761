//! Where images and the record lie.

use std::fmt;

/// The area of the record's first place; the second follows. Areas 0 and 1 are the slots.
pub const RECORD_AREA: u8 = 2;

/// A store could not do what it was to do. A negative number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreError(pub i32);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store says {}", self.0)
    }
}

/// Two slots, and two places for a record. What a function has done may be lost until `sync` or, for
/// [`commit`](Store::commit), at all times is not.
pub trait Store: Send + Sync {
    /// The slot that the running program was started from, 0 or 1.
    ///
    /// # Errors
    /// The store's.
    fn running(&self) -> Result<u8, StoreError>;
    /// Makes ready for an image of `size` bytes in `slot`, what is there of it included.
    ///
    /// # Errors
    /// It does not fit.
    fn open(&self, slot: u8, size: u32) -> Result<(), StoreError>;
    /// Reads all of `data`.
    ///
    /// # Errors
    /// The store's.
    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError>;
    /// Writes all of `data`.
    ///
    /// # Errors
    /// The store's.
    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError>;
    /// Waits until what was written to `area` is safe.
    ///
    /// # Errors
    /// The store's.
    fn sync(&self, area: u8) -> Result<(), StoreError>;
    /// Erases a block of [`erase_size`](Store::erase_size) bytes.
    ///
    /// # Errors
    /// The store's.
    fn erase(&self, area: u8, offset: u32) -> Result<(), StoreError>;
    /// Makes `slot` the next to start, safely: on trial, where the boot loader knows the word, or for good.
    ///
    /// # Errors
    /// The store's.
    fn commit(&self, slot: u8, is_trial: bool) -> Result<(), StoreError>;
    /// Bytes that are erased at once, 0 where nothing need be.
    fn erase_size(&self) -> u32;
}
