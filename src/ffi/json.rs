//! `lite-utils.h`: text, number and JSON helpers (behaviour.md section 6). Its functions that format are in `varargs.c`.

use std::ffi::{c_char, c_int, c_uchar};
use std::mem::offset_of;
use std::ptr;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::import::HAL_Free;
use iot_abi::lite_list::list_head_t;
use iot_abi::lite_utils::json_key_t;
use iot_engine::{hex, json, number};

use super::guard;
use super::log::{install, null_argument};
use super::memory::{bytes_from_c, to_hal_object, to_hal_string};

/// The longest text that LITE_strdup copies, in bytes without the NUL.
const STRDUP_MAX: usize = 1024;

/// The string behind an argument; `None`, with an `ERR` line, for NULL.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that outlives `'a`.
unsafe fn required<'a>(function: &'static str, argument: &str, text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes_from_c(text) };
    if bytes.is_none() {
        null_argument(function, argument);
    }
    bytes
}

/// Copies a text of up to 1024 bytes. Give the copy back with HAL_Free.
///
/// Returns NULL when `src` is NULL or longer, or there is no memory.
///
/// # Safety
/// `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_strdup(src: *const c_char) -> *mut c_char {
    guard("LITE_strdup", ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { required("LITE_strdup", "src", src) }) else {
            return ptr::null_mut();
        };
        if text.len() > STRDUP_MAX {
            install();
            ::log::error!(target: "LITE_strdup", "src has {} bytes, {STRDUP_MAX} are the limit", text.len());
            return ptr::null_mut();
        }
        to_hal_string(text)
    })
}

/// Says why a text could not be formatted. Called by varargs.c.
///
/// # Safety
/// Both are NUL-terminated strings.
#[no_mangle]
pub unsafe extern "C" fn qcloud_format_failed(func: *const c_char, reason: *const c_char) {
    guard("LITE_format_nstring", (), || {
        install();
        // SAFETY: the caller's promise.
        let [func, reason] = unsafe { [func, reason].map(|text| super::str_from_c(text).unwrap_or_default()) };
        ::log::error!(target: func, "{reason}");
    });
}

/// Writes `buflen` bytes as hex digits, twice as many characters. No NUL is written behind them, as `out` need not have
/// room for one. Capital digits when `uppercase` is not 0.
///
/// # Safety
/// `digest` has `buflen` bytes, `out` room for twice as many; either may be NULL, then nothing happens.
#[no_mangle]
pub unsafe extern "C" fn LITE_hexbuf_convert(digest: *mut c_uchar, out: *mut c_char, buflen: c_int, uppercase: c_int) {
    guard("LITE_hexbuf_convert", (), || {
        if digest.is_null() || out.is_null() {
            return null_argument("LITE_hexbuf_convert", if digest.is_null() { "digest" } else { "out" });
        }
        let out = out.cast::<[u8; 2]>();
        for index in 0..usize::try_from(buflen).unwrap_or(0) {
            // SAFETY: the caller's promise; two characters lie at twice the byte's index and need no alignment.
            unsafe { *out.add(index) = hex::digits(*digest.add(index), uppercase != 0) };
        }
    });
}

/// Reads `len` hex digits of either case into half as many bytes. Stops, with an ERR line, at the first character that
/// is none; what `out_buf` holds behind the bytes read so far stays as it is.
///
/// # Safety
/// `hexstr` has `len` characters or ends earlier with a NUL, `out_buf` has room for half as many bytes; either may be
/// NULL, then nothing happens.
#[no_mangle]
pub unsafe extern "C" fn LITE_hexstr_convert(hexstr: *mut c_char, out_buf: *mut u8, len: c_int) {
    guard("LITE_hexstr_convert", (), || {
        if hexstr.is_null() || out_buf.is_null() {
            return null_argument("LITE_hexstr_convert", if hexstr.is_null() { "hexstr" } else { "out_buf" });
        }
        let len = usize::try_from(len).unwrap_or(0);
        // SAFETY: called for ever larger indices below `len`, and no more after a NUL.
        let digit = |index: usize| unsafe { *hexstr.add(index) } as u8;
        for index in 0..len / 2 {
            let high = digit(2 * index);
            let value = if high == 0 { None } else { hex::byte(high, digit(2 * index + 1)) };
            let Some(value) = value else {
                install();
                ::log::error!(target: "LITE_hexstr_convert", "no hex digits at position {} of {len}", 2 * index);
                return;
            };
            // SAFETY: the caller's promise.
            unsafe { *out_buf.add(index) = value };
        }
    });
}

/// The text of the value at `key`, a path of keys joined by dots, in the JSON object `src`: a string without its
/// quotes and with its escapes as they are, everything else as it stands. Give it back with HAL_Free.
///
/// Returns NULL when an argument is NULL, `src` is malformed anywhere, nothing lies at `key`, or there is no memory.
///
/// # Safety
/// Both are NULL or NUL-terminated strings.
#[no_mangle]
pub unsafe extern "C" fn LITE_json_value_of(key: *mut c_char, src: *mut c_char) -> *mut c_char {
    guard("LITE_json_value_of", ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        match unsafe { value_of("LITE_json_value_of", key, src) } {
            Some(value) => to_hal_string(value.as_bytes()),
            None => ptr::null_mut(),
        }
    })
}

/// As LITE_json_value_of, with each backslash removed.
///
/// # Safety
/// Both are NULL or NUL-terminated strings.
#[no_mangle]
pub unsafe extern "C" fn LITE_json_string_value_strip_transfer(key: *mut c_char, src: *mut c_char) -> *mut c_char {
    guard("LITE_json_string_value_strip_transfer", ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        match unsafe { value_of("LITE_json_string_value_strip_transfer", key, src) } {
            Some(value) => to_hal_string(json::without_backslashes(value).as_bytes()),
            None => ptr::null_mut(),
        }
    })
}

/// # Safety
/// Both are NULL or NUL-terminated strings that outlive `'a`.
unsafe fn value_of<'a>(function: &'static str, key: *const c_char, src: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    let (key, src) = unsafe { (required(function, "key", key)?, required(function, "src", src)?) };
    match json::value_of(src, key) {
        Ok(value) => value,
        Err(error) => {
            install();
            ::log::error!(target: function, "{error}");
            None
        }
    }
}

/// Lists the keys of the JSON object `src` in their order, each followed by those of the object that it may hold, as
/// paths for LITE_json_value_of. `prefix` and a dot go before each when it is neither NULL nor empty.
///
/// The list is circular. What is returned is the `list` of its head, an entry whose key is NULL: begin at its `next`.
/// Give the list back with LITE_json_keys_release.
///
/// Returns NULL when `src` is NULL or malformed anywhere, its objects are nested more than 128 deep, a path is longer
/// than 1024 bytes, or there is no memory.
///
/// # Safety
/// Both are NULL or NUL-terminated strings.
#[no_mangle]
pub unsafe extern "C" fn LITE_json_keys_of(src: *mut c_char, prefix: *mut c_char) -> *mut list_head_t {
    guard("LITE_json_keys_of", ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let (src, prefix) = unsafe { (required("LITE_json_keys_of", "src", src), bytes_from_c(prefix)) };
        let Some(src) = src else {
            return ptr::null_mut();
        };
        match json::keys_of(src, prefix.unwrap_or_default()) {
            Ok(keys) => key_list(&keys).unwrap_or(ptr::null_mut()),
            Err(error) => {
                install();
                ::log::error!(target: "LITE_json_keys_of", "{error}");
                ptr::null_mut()
            }
        }
    })
}

/// Frees a list from LITE_json_keys_of with its keys. NULL is fine.
///
/// # Safety
/// `keylist` is NULL or what LITE_json_keys_of returned, not released yet.
#[no_mangle]
pub unsafe extern "C" fn LITE_json_keys_release(keylist: *mut list_head_t) {
    if keylist.is_null() {
        return;
    }
    guard("LITE_json_keys_release", (), || {
        let mut node = keylist;
        loop {
            // SAFETY: each node lies in an entry that key_list made, and the circle leads back to the first.
            unsafe {
                let entry = node.byte_sub(offset_of!(json_key_t, list)).cast::<json_key_t>();
                node = (*node).next;
                HAL_Free((*entry).key.cast());
                HAL_Free(entry.cast());
            }
            if node == keylist {
                break;
            }
        }
    });
}

/// A circular list of `keys` behind a head without a key. `None` when there is no memory.
fn key_list(keys: &[String]) -> Option<*mut list_head_t> {
    let head = new_entry(ptr::null_mut())?;
    for key in keys {
        let text = to_hal_string(key.as_bytes());
        let node = if text.is_null() { None } else { new_entry(text) };
        let Some(node) = node else {
            // SAFETY: `text` belongs to no entry, and the list is complete in itself.
            unsafe {
                HAL_Free(text.cast());
                LITE_json_keys_release(head);
            }
            return None;
        };
        // SAFETY: all nodes are alive and in this list.
        unsafe {
            let last = (*head).prev;
            (*node).prev = last;
            (*node).next = head;
            (*last).next = node;
            (*head).prev = node;
        }
    }
    Some(head)
}

/// The node of an entry that is a list of its own.
fn new_entry(key: *mut c_char) -> Option<*mut list_head_t> {
    let links = list_head_t { next: ptr::null_mut(), prev: ptr::null_mut() };
    let entry = to_hal_object(json_key_t { key, list: links })?;
    // SAFETY: just made.
    unsafe {
        let node = &raw mut (*entry).list;
        (*node).next = node;
        (*node).prev = node;
        Some(node)
    }
}

/// Reads a decimal whole number of 32 bits. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_int32(value: *mut i32, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_int32", value, src, number::integer) }
}

/// Reads a decimal whole number of 16 bits. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_int16(value: *mut i16, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_int16", value, src, number::integer) }
}

/// Reads a decimal whole number of 8 bits. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_int8(value: *mut i8, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_int8", value, src, number::integer) }
}

/// Reads a decimal whole number of 32 bits, not negative. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_uint32(value: *mut u32, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_uint32", value, src, number::integer) }
}

/// Reads a decimal whole number of 16 bits, not negative. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_uint16(value: *mut u16, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_uint16", value, src, number::integer) }
}

/// Reads a decimal whole number of 8 bits, not negative. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_uint8(value: *mut u8, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_uint8", value, src, number::integer) }
}

/// Reads a decimal number, with or without fraction and exponent. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_float(value: *mut f32, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_float", value, src, number::float) }
}

/// Reads a decimal number, with or without fraction and exponent. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_double(value: *mut f64, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_double", value, src, number::double) }
}

/// Reads `true` or `false`, or `1` or `0` in their place. Blanks around it are skipped.
///
/// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
/// argument is NULL: then `*value` stays as it is.
///
/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn LITE_get_boolean(value: *mut bool, src: *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get("LITE_get_boolean", value, src, number::boolean) }
}

/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
unsafe fn get<T>(
    function: &'static str,
    value: *mut T,
    src: *const c_char,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> c_int {
    guard(function, QCLOUD_ERR_FAILURE, || {
        if value.is_null() {
            null_argument(function, "value");
            return QCLOUD_ERR_INVAL;
        }
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { required(function, "src", src) }) else {
            return QCLOUD_ERR_INVAL;
        };
        let Some(parsed) = parse(text) else {
            install();
            ::log::error!(target: function, "src is no {}, or out of its range", std::any::type_name::<T>());
            return QCLOUD_ERR_FAILURE;
        };
        // SAFETY: the caller's promise; a field of a packed C struct may lie anywhere.
        unsafe { value.write_unaligned(parsed) };
        QCLOUD_RET_SUCCESS
    })
}
