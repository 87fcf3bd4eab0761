//! Memory that is handed to the caller: it comes from `HAL_Malloc`, and the caller gives it back with `HAL_Free`.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr;

use iot_abi::error::QCLOUD_ERR_MALLOC;

use crate::hal::memory as hal_memory;

/// Whether so little memory is left that `function` must not begin; then with an `ERR` line.
pub(crate) fn is_exhausted(function: &'static str) -> bool {
    let exhausted = hal_memory::is_exhausted();
    if exhausted {
        ::log::error!(target: function, "out of memory");
    }
    exhausted
}

/// Runs what makes an object that stays. Where there was no memory for it the object goes again, and `undo` ends it.
///
/// # Errors
/// The error of `make`; without memory [`QCLOUD_ERR_MALLOC`].
pub(crate) fn whole<T>(
    function: &'static str,
    make: impl FnOnce() -> Result<T, c_int>,
    undo: impl FnOnce(T),
) -> Result<T, c_int> {
    hal_memory::begin();
    let made = make();
    if !hal_memory::was_short() {
        return made;
    }
    ::log::error!(target: function, "out of memory");
    if let Ok(object) = made {
        undo(object);
    }
    Err(QCLOUD_ERR_MALLOC)
}

/// A NUL-terminated copy of `text` for the caller. NULL, with an `ERR` line, when there is no memory.
pub(crate) fn to_hal_string(text: &[u8]) -> *mut c_char {
    let Some(copy) = allocate(text.len().saturating_add(1)) else {
        return ptr::null_mut();
    };
    // SAFETY: `copy` has room for the text and its NUL, and nobody else knows it yet.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        copy.add(text.len()).write(0);
    }
    copy.cast()
}

/// Writes `text` and its NUL into the `size` bytes at `buf`, cut where they don't fit. Writes nothing where `size` is 0.
///
/// # Safety
/// `buf` is writable for `size` bytes, which `text` is no part of.
pub(crate) unsafe fn write_text(buf: *mut c_char, size: usize, text: &[u8]) {
    let Some(room) = size.checked_sub(1) else {
        return;
    };
    let count = text.len().min(room);
    // SAFETY: both fit into `size`, and the caller's promise.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), buf.cast::<u8>(), count);
        buf.add(count).write(0);
    }
}

/// Whether the `len` bytes at `buf` are room for a `uint32_t`.
pub(crate) fn is_number(buf: *const c_void, len: usize) -> bool {
    len == size_of::<u32>() && buf.cast::<u32>().is_aligned()
}

/// Writes a `uint32_t`; false when `buf` is none.
///
/// # Safety
/// `buf` is writable for `len` bytes.
pub(crate) unsafe fn write_number(buf: *mut c_void, len: usize, value: u32) -> bool {
    let fits = is_number(buf, len);
    if fits {
        // SAFETY: large enough, aligned, and the caller's promise.
        unsafe { buf.cast::<u32>().write(value) };
    }
    fits
}

/// `value` in memory of the caller's kind. `None`, with an `ERR` line, when there is no memory.
pub(crate) fn to_hal_object<T>(value: T) -> Option<*mut T> {
    const { assert!(align_of::<T>() <= align_of::<usize>() && !std::mem::needs_drop::<T>()) };
    let object = allocate(size_of::<T>())?.cast::<T>();
    // SAFETY: large enough, and HAL_Malloc aligns as malloc does.
    unsafe { object.write(value) };
    Some(object)
}

fn allocate(size: usize) -> Option<*mut u8> {
    let memory = hal_memory::allocate(size);
    if memory.is_null() {
        ::log::error!("out of memory, {size} bytes were asked for");
        return None;
    }
    Some(memory.cast())
}

/// `bytes` and a NUL; `None` where there is no memory for them.
pub(crate) fn with_nul(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len() + 1).ok()?;
    copy.extend_from_slice(bytes);
    copy.push(0);
    Some(copy)
}

/// The bytes of the string behind `text`; `None` for NULL.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that outlives `'a`.
pub(crate) unsafe fn bytes_from_c<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_does_not_fit() {
        for (size, expected) in [(0, b"xxxx"), (1, b"\0xxx"), (3, b"ab\0x"), (4, b"abc\0")] {
            let mut buf = *b"xxxx";
            // SAFETY: writable for `size` bytes.
            unsafe { write_text(buf.as_mut_ptr().cast(), size, b"abc") };
            assert_eq!(&buf, expected);
        }
    }
}
