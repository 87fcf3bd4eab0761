//! Log lines, written by the library's `IOT_Log_Gen` (behaviour.md section 2). Never pass a secret.

use std::ffi::{c_char, c_int, CString};

extern "C" {
    fn IOT_Log_Gen(file: *const c_char, func: *const c_char, line: c_int, level: c_int, fmt: *const c_char, ...);
}

const LEVEL_ERROR: c_int = 1;
const LEVEL_WARN: c_int = 2;
const LEVEL_INFO: c_int = 3;
const LEVEL_DEBUG: c_int = 4;

/// Logs an `ERR` line. `func` is the C function the caller knows, `HAL_TCP_Connect` for instance.
#[track_caller]
pub fn error(func: &str, text: &str) {
    write(LEVEL_ERROR, func, text);
}

/// Logs a `WRN` line.
#[track_caller]
pub fn warn(func: &str, text: &str) {
    write(LEVEL_WARN, func, text);
}

/// Logs an `INF` line.
#[track_caller]
pub fn info(func: &str, text: &str) {
    write(LEVEL_INFO, func, text);
}

/// Logs a `DBG` line.
#[track_caller]
pub fn debug(func: &str, text: &str) {
    write(LEVEL_DEBUG, func, text);
}

#[track_caller]
fn write(level: c_int, func: &str, text: &str) {
    let place = std::panic::Location::caller();
    let (file, func, text) = (c_string(place.file()), c_string(func), c_string(text));
    let line = c_int::try_from(place.line()).unwrap_or(0);
    // SAFETY: all pointers are NUL-terminated strings that outlive the call, and "%s" takes one of them.
    unsafe { IOT_Log_Gen(file.as_ptr(), func.as_ptr(), line, level, c"%s".as_ptr(), text.as_ptr()) }
}

/// `text` without NULs: part of it may come from a file or the network.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}
