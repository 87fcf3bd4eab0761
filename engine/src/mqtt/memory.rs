//! Memory that is asked for in a way that may fail.

use super::NoMemory;

/// An empty buffer with room for `len` bytes.
pub(super) fn buffer(len: usize) -> Result<Vec<u8>, NoMemory> {
    let mut buffer = Vec::new();
    if is_refused(len) || buffer.try_reserve_exact(len).is_err() {
        return Err(NoMemory);
    }
    Ok(buffer)
}

/// A copy of `bytes`.
pub(super) fn copy(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = buffer(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Makes room for `more` bytes behind those of `buffer`.
pub(super) fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), NoMemory> {
    if is_refused(more) || buffer.try_reserve(more).is_err() {
        return Err(NoMemory);
    }
    Ok(())
}

#[cfg(not(test))]
fn is_refused(_len: usize) -> bool {
    false
}

#[cfg(test)]
use shortage::is_refused;

/// Tests play an allocator that is short of memory.
#[cfg(test)]
pub(super) mod shortage {
    use std::cell::Cell;

    thread_local!(static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) });

    pub(super) fn is_refused(len: usize) -> bool {
        len > LARGEST.get()
    }

    /// Until it is dropped, no more than `largest` bytes are had at once on this thread.
    pub(in super::super) struct Shortage;

    impl Shortage {
        pub(in super::super) fn above(largest: usize) -> Self {
            LARGEST.set(largest);
            Shortage
        }
    }

    impl Drop for Shortage {
        fn drop(&mut self) {
            LARGEST.set(usize::MAX);
        }
    }
}
