//! A stand-in for the library's `IOT_Log_Gen`, for unit tests: keeps the lines of the calling thread.
//!
//! Not variadic, since stable Rust can't define that: the platform always passes exactly one string for `"%s"`, and
//! on the targets tests run on both kinds of call pass it the same way.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, CStr};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[no_mangle]
extern "C" fn IOT_Log_Gen(
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
    level: c_int,
    _fmt: *const c_char,
    text: *const c_char,
) {
    // SAFETY: log.rs passes a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let name = ["", "ERR", "WRN", "INF", "DBG"].get(usize::try_from(level).unwrap_or(0)).copied().unwrap_or("?");
    LINES.with_borrow_mut(|lines| lines.push(format!("{name} {text}")));
}

/// Takes the lines this thread has logged since the last call.
pub fn take() -> Vec<String> {
    LINES.take()
}
