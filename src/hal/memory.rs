//! The library's memory: all of it comes from `HAL_Malloc`, so that a platform with its own allocator knows every byte.
//!
//! Where `HAL_Malloc` has nothing, what is small gets by with the reserve (`reserve.rs`), and the call that runs is to
//! fail soon: the standard library ends the process where it can't have the memory that it needs.
//!
//! A block is cleared before it goes back. Keys, passwords and signed URLs, and the copies that parsers and growing buffers
//! make of them, so never lie in free memory, and no type can be forgotten.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use super::callout::{HAL_Free, HAL_Malloc};
use super::reserve;

thread_local! {
    /// `HAL_Malloc` had nothing for this thread.
    static IS_SHORT: Cell<bool> = const { Cell::new(false) };
}

/// Forgets that there was no memory: a call begins.
pub fn begin() {
    IS_SHORT.set(false);
}

/// Whether `HAL_Malloc` has refused the calling thread since [`begin`]: the call that runs must fail soon.
#[must_use]
pub fn was_short() -> bool {
    IS_SHORT.get()
}

/// Whether there is memory for `size` bytes at this moment, as far as anybody can tell.
#[must_use]
pub fn has(size: usize) -> bool {
    let block = malloc(size);
    // SAFETY: NULL, or a block that nobody else knows.
    unsafe { HAL_Free(block) };
    !block.is_null()
}

/// Whether so little memory is left that nothing should be begun that needs some.
#[must_use]
pub fn is_exhausted() -> bool {
    reserve::is_low() && !has(PROBE)
}

/// What must be there for a call to begin after memory was short, in bytes.
const PROBE: usize = 1024;

/// What `HAL_Malloc` aligns to: as malloc does (hal.md).
const HAL_ALIGN: usize = 2 * size_of::<usize>();

/// Rust's allocator over the HAL. `HAL_Malloc` and `HAL_Free` must therefore not call back into this library.
struct HalAllocator;

#[global_allocator]
static ALLOCATOR: HalAllocator = HalAllocator;

// SAFETY: blocks come from HAL_Malloc, whose promise is malloc's, and go back to HAL_Free exactly once, with the
// pointer that HAL_Malloc returned.
unsafe impl GlobalAlloc for HalAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = hal_alloc(layout);
        if !block.is_null() {
            return block;
        }
        IS_SHORT.set(true);
        if layout.align() > reserve::ALIGN {
            return ptr::null_mut();
        }
        reserve::allocate(layout.size()).unwrap_or(ptr::null_mut())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise that `alloc` returned `block` for this layout.
        unsafe {
            block.write_bytes(0, layout.size());
            // HAL_Free is all that still sees the block, and an optimizer that knows it need not write for it.
            let block = std::hint::black_box(block);
            if reserve::owns(block) {
                return reserve::free(block, layout.size());
            }
            let start = if layout.align() <= HAL_ALIGN {
                block.cast::<c_void>()
            } else {
                block.cast::<*mut c_void>().sub(1).read()
            };
            HAL_Free(start);
        }
    }
}

/// A block from `HAL_Malloc`, NULL where it has none.
fn hal_alloc(layout: Layout) -> *mut u8 {
    if layout.align() <= HAL_ALIGN {
        return malloc(layout.size()).cast::<u8>();
    }
    // Room to move up to the alignment, and for the pointer to be freed, which stands right before the block.
    let Some(size) = layout.size().checked_add(layout.align() + size_of::<*mut c_void>()) else {
        return ptr::null_mut();
    };
    let start = malloc(size).cast::<u8>();
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: both places lie within the `size` bytes at `start`, by the sum above; the pointer's place is aligned
    // because the block's alignment is larger than a pointer's.
    unsafe {
        let behind_pointer = start.add(size_of::<*mut c_void>());
        let block = behind_pointer.add(behind_pointer.align_offset(layout.align()));
        block.cast::<*mut c_void>().sub(1).write(start.cast::<c_void>());
        block
    }
}

/// Memory for the program, which it gives back with `HAL_Free`. NULL where there is none.
pub fn allocate(size: usize) -> *mut c_void {
    malloc(size)
}

/// Gives back what [`allocate`] returned. NULL is fine.
///
/// # Safety
/// `memory` is NULL or from [`allocate`], and used no more.
pub unsafe fn free(memory: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { HAL_Free(memory) }
}

/// NULL where there is no memory, or where the size does not fit the HAL's 32 bits.
fn malloc(size: usize) -> *mut c_void {
    match u32::try_from(size) {
        // SAFETY: no precondition.
        Ok(size) => unsafe { HAL_Malloc(size) },
        Err(_) => ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_as_asked_and_do_not_overlap() {
        for align in [1, 8, 16, 32, 64, 4096] {
            let layout = Layout::from_size_align(100, align).unwrap();
            let blocks: Vec<*mut u8> = (0..8).map(|_| unsafe { ALLOCATOR.alloc(layout) }).collect();
            for (number, block) in blocks.iter().enumerate() {
                assert!(!block.is_null());
                assert_eq!(block.align_offset(align), 0, "alignment {align}");
                unsafe { block.write_bytes(number as u8, layout.size()) };
            }
            for (number, block) in blocks.iter().enumerate() {
                let content = unsafe { std::slice::from_raw_parts(*block, layout.size()) };
                assert!(content.iter().all(|byte| usize::from(*byte) == number));
                unsafe { ALLOCATOR.dealloc(*block, layout) };
            }
        }
    }

    // Where pointers have 32 bits, the HAL can count whatever there may be.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn what_the_hal_cannot_count_is_refused() {
        let layout = Layout::from_size_align(1 << 40, 1).unwrap();
        assert!(unsafe { ALLOCATOR.alloc(layout) }.is_null());
        let layout = Layout::from_size_align(isize::MAX as usize - 63, 64).unwrap();
        assert!(unsafe { ALLOCATOR.alloc(layout) }.is_null());
    }
}
