//! Why the platform could not connect. `HAL_*_Connect` return 0 and no more; our own platform leaves the cause for the
//! thread that called it.

use std::ffi::c_int;

use super::interface::ConnectError;

/// The longest text that is taken, in bytes.
const MAX_TEXT: usize = 255;

extern "C" {
    /// `platform_cause.c`: takes the calling thread's text, cut to `size` bytes, and returns its length; 0 where there is
    /// none, or where the program has a platform of its own.
    fn qcloud_platform_cause(text: *mut u8, size: usize, is_lasting: *mut c_int) -> usize;
}

/// Forgets what an earlier call left.
pub fn clear() {
    take(0);
}

/// The cause of the failure that the calling thread has just been told.
pub fn take(code: i32) -> ConnectError {
    let mut text = [0; MAX_TEXT];
    let mut is_lasting = 0;
    // SAFETY: `text` is writable for its length, `is_lasting` is writable.
    let len = unsafe { qcloud_platform_cause(text.as_mut_ptr(), text.len(), &mut is_lasting) };
    let text = String::from_utf8_lossy(text.get(..len).unwrap_or_default());
    ConnectError { code, cause: text.into_owned(), is_lasting: is_lasting != 0 }
}
