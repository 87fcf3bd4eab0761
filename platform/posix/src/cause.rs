//! Why connecting failed, for a caller that gets no more than 0 from `HAL_*_Connect`.
//!
//! The text stays with the thread that called until it is taken, or until the next failure. Only the library asks for it
//! (`src/hal/platform_cause.c`); C programs need not.

use std::cell::RefCell;
use std::ffi::c_int;

use crate::log;

/// The longest text that is kept, in bytes.
const MAX_TEXT: usize = 255;

/// Why connecting failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Cause and place, for a log and for a report.
    pub text: String,
    /// Time alone does not mend it.
    pub is_lasting: bool,
}

impl Cause {
    /// What may pass, such as a refused connection.
    #[must_use]
    pub fn passing(text: String) -> Self {
        Self { text, is_lasting: false }
    }

    /// What needs somebody to do something, such as a certificate for another host.
    #[must_use]
    pub fn lasting(text: String) -> Self {
        Self { text, is_lasting: true }
    }

    /// Logs the cause, and keeps it for the thread's next question.
    #[track_caller]
    pub fn tell(&self, func: &str) {
        log::error(func, &self.text);
        KEPT.with_borrow_mut(|kept| kept.set(self));
    }
}

/// A copy without memory of its own: a thread's end needs no destructor.
struct Kept {
    text: [u8; MAX_TEXT],
    len: usize,
    is_lasting: bool,
}

impl Kept {
    fn set(&mut self, cause: &Cause) {
        self.len = cut(&cause.text, MAX_TEXT);
        self.text[..self.len].copy_from_slice(&cause.text.as_bytes()[..self.len]);
        self.is_lasting = cause.is_lasting;
    }
}

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { text: [0; MAX_TEXT], len: 0, is_lasting: false }) };
}

/// The most of `text` that fits into `size` bytes without cutting a character.
fn cut(text: &str, size: usize) -> usize {
    (0..=size.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

export! {
    "iot_platform_take_cause" or 0;
    /// Takes the calling thread's text, without a NUL. Returns its length, 0 where there is none.
    ///
    /// # Safety
    /// `text` is NULL or has room for `size` bytes, `is_lasting` is NULL or writable.
    pub unsafe fn iot_platform_take_cause(text: *mut u8, size: usize, is_lasting: *mut c_int) -> usize {
        KEPT.with_borrow_mut(|kept| {
            let kept_text = std::str::from_utf8(&kept.text[..kept.len]).unwrap_or_default();
            let len = if text.is_null() { 0 } else { cut(kept_text, size) };
            // SAFETY: `len` is at most `size`, the room that the caller promises.
            unsafe { std::ptr::copy_nonoverlapping(kept.text.as_ptr(), text, len) };
            if !is_lasting.is_null() {
                // SAFETY: the caller's promise.
                unsafe { *is_lasting = c_int::from(kept.is_lasting && kept.len > 0) };
            }
            kept.len = 0;
            len
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(size: usize) -> (String, c_int) {
        let (mut text, mut is_lasting) = ([0; 300], -1);
        // SAFETY: valid pointers, and no more than the array's size.
        let len = unsafe { iot_platform_take_cause(text.as_mut_ptr(), size.min(text.len()), &mut is_lasting) };
        (String::from_utf8(text[..len].to_vec()).unwrap(), is_lasting)
    }

    #[test]
    fn a_cause_is_logged_and_taken_once_by_its_thread() {
        assert_eq!(take(300), (String::new(), 0));
        Cause::lasting("certificate of h expired".to_owned()).tell("HAL_TLS_Connect");
        assert_eq!(std::thread::spawn(|| take(300)).join().unwrap().0, "");
        assert_eq!(take(300), ("certificate of h expired".to_owned(), 1));
        assert_eq!(take(300), (String::new(), 0));
        Cause::passing("time-out".to_owned()).tell("HAL_TLS_Connect");
        assert_eq!(take(4), ("time".to_owned(), 0));
        assert_eq!(crate::log_double::take(), ["ERR certificate of h expired", "ERR time-out"]);
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        Cause::passing("\u{8bc1}".repeat(100)).tell("HAL_TLS_Connect");
        assert_eq!(take(300).0, "\u{8bc1}".repeat(85));
        Cause::passing("\u{8bc1}\u{4e66}".to_owned()).tell("HAL_TLS_Connect");
        assert_eq!(take(5).0, "\u{8bc1}");
        crate::log_double::take();
    }

    #[test]
    fn null_pointers_only_forget() {
        Cause::passing("time-out".to_owned()).tell("HAL_TCP_Connect");
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { iot_platform_take_cause(std::ptr::null_mut(), 5, std::ptr::null_mut()) }, 0);
        assert_eq!(take(300), (String::new(), 0));
        crate::log_double::take();
    }
}
