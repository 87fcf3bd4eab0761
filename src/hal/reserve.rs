//! Memory for when `HAL_Malloc` has none: what must not fail, because the standard library would end the process, gets
//! by with this until the call that runs has failed.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What blocks are aligned to.
pub const ALIGN: usize = BLOCK;
/// Bytes in one block.
const BLOCK: usize = 256;
/// Blocks. All together untouched pages until they are needed.
const BLOCKS: usize = 512;
/// The largest request that is served, in bytes: a TLS record with what belongs to it. What is larger, and what a peer
/// decides, is asked for in a way that may fail.
const LARGEST: usize = 20 * 1024;

#[repr(align(256))]
struct Memory(UnsafeCell<[u8; BLOCK * BLOCKS]>);

// SAFETY: each block is handed to one owner at a time.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; BLOCK * BLOCKS]));

/// Which blocks are in use.
struct Used(UnsafeCell<[bool; BLOCKS]>);

// SAFETY: reached only by the thread that has set `BUSY`.
unsafe impl Sync for Used {}

static USED: Used = Used(UnsafeCell::new([false; BLOCKS]));
static BUSY: AtomicBool = AtomicBool::new(false);
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Runs `body` with the table. Short and without a call out, so that others need only spin.
fn with_table<R>(body: impl FnOnce(&mut [bool; BLOCKS]) -> R) -> R {
    while BUSY.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::hint::spin_loop();
    }
    // SAFETY: this thread has set `BUSY`.
    let result = body(unsafe { &mut *USED.0.get() });
    BUSY.store(false, Ordering::Release);
    result
}

fn blocks(size: usize) -> usize {
    size.div_ceil(BLOCK).max(1)
}

/// A block of `size` bytes, aligned to 256; `None` where there is none.
pub fn allocate(size: usize) -> Option<*mut u8> {
    if size > LARGEST {
        return None;
    }
    let wanted = blocks(size);
    let first = with_table(|used| {
        let mut free = 0;
        for index in 0..BLOCKS {
            free = if used.get(index).copied().unwrap_or(true) { 0 } else { free + 1 };
            if free == wanted {
                let first = index + 1 - wanted;
                used.iter_mut().skip(first).take(wanted).for_each(|block| *block = true);
                return Some(first);
            }
        }
        None
    })?;
    IN_USE.fetch_add(wanted, Ordering::Relaxed);
    // SAFETY: within the memory, as `first + wanted` is at most BLOCKS.
    Some(unsafe { MEMORY.0.get().cast::<u8>().add(first * BLOCK) })
}

/// Whether `block` is from here.
pub fn owns(block: *const u8) -> bool {
    index_of(block).is_some()
}

fn index_of(block: *const u8) -> Option<usize> {
    let offset = block.addr().checked_sub(MEMORY.0.get().addr())?;
    (offset < BLOCK * BLOCKS).then_some(offset / BLOCK)
}

/// Takes back a block of `size` bytes that [`allocate`] has handed out.
pub fn free(block: *const u8, size: usize) {
    let Some(first) = index_of(block) else { return };
    let count = blocks(size);
    with_table(|used| used.iter_mut().skip(first).take(count).for_each(|block| *block = false));
    IN_USE.fetch_sub(count, Ordering::Relaxed);
}

/// Whether so much is in use that nothing should be begun that needs memory.
pub fn is_low() -> bool {
    IN_USE.load(Ordering::Relaxed) > BLOCKS / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test: the reserve is the process's.
    #[test]
    fn blocks_are_handed_out_once_and_come_back() {
        assert!(allocate(LARGEST + 1).is_none());
        let mut all = Vec::with_capacity(BLOCKS);
        while let Some(block) = allocate(1000) {
            assert_eq!(block.align_offset(BLOCK), 0);
            assert!(owns(block) && owns(block.wrapping_add(999)));
            all.push(block);
        }
        assert!(is_low());
        assert!(all.len() >= BLOCKS / 4 - 8, "{}", all.len());
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[1].addr() - pair[0].addr() >= 1000));
        for block in &all {
            free(*block, 1000);
        }
        let large = allocate(LARGEST).expect("all is free again");
        free(large, LARGEST);
        let local = 0;
        assert!(!owns(&raw const local));
    }
}
