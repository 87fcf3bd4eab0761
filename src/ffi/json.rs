//! `lite-utils.h`: text, number and JSON helpers (behaviour.md section 6). Its functions that format are in `varargs.c`.

use std::ffi::{c_char, c_int, c_uchar};
use std::mem::offset_of;
use std::ptr;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::lite_list::list_head_t;
use iot_abi::lite_utils::json_key_t;
use iot_engine::helpers::{hex, json, number};

use super::log::null_argument;
use super::memory::{bytes_from_c, to_hal_object, to_hal_string};
use crate::hal::memory;

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

export! {
    /// Copies a text of up to 1024 bytes. Give the copy back with HAL_Free.
    ///
    /// Returns NULL when `src` is NULL or longer, or there is no memory.
    ///
    /// # Safety
    /// `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_strdup(src: *const c_char) -> *mut c_char {
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { required(NAME, "src", src) }) else {
            return ptr::null_mut();
        };
        if text.len() > STRDUP_MAX {
            ::log::error!(target: NAME, "src has {} bytes, {STRDUP_MAX} are the limit", text.len());
            return ptr::null_mut();
        }
        to_hal_string(text)
    }
}

export! {
    /// Says why a text could not be formatted. Called by varargs.c.
    ///
    /// # Safety
    /// Both are NUL-terminated strings.
    pub unsafe fn qcloud_format_failed(func: *const c_char, reason: *const c_char) {
        // SAFETY: the caller's promise.
        let [func, reason] = unsafe { [func, reason].map(|text| super::str_from_c(text).unwrap_or_default()) };
        ::log::error!(target: func, "{reason}");
    }
}

export! {
    /// Writes `buflen` bytes as hex digits, twice as many characters. No NUL is written behind them, as `out` need not have
    /// room for one. Capital digits when `uppercase` is not 0.
    ///
    /// # Safety
    /// `digest` has `buflen` bytes, `out` room for twice as many; either may be NULL, then nothing happens.
    pub unsafe fn LITE_hexbuf_convert(digest: *mut c_uchar, out: *mut c_char, buflen: c_int, uppercase: c_int) {
        if digest.is_null() || out.is_null() {
            return null_argument(NAME, if digest.is_null() { "digest" } else { "out" });
        }
        let out = out.cast::<[u8; 2]>();
        for index in 0..usize::try_from(buflen).unwrap_or(0) {
            // SAFETY: the caller's promise; two characters lie at twice the byte's index and need no alignment.
            unsafe { *out.add(index) = hex::digits(*digest.add(index), uppercase != 0) };
        }
    }
}

export! {
    /// Reads `len` hex digits of either case into half as many bytes. Stops, with an ERR line, at the first character that
    /// is none; what `out_buf` holds behind the bytes read so far stays as it is.
    ///
    /// # Safety
    /// `hexstr` has `len` characters or ends earlier with a NUL, `out_buf` has room for half as many bytes; either may be
    /// NULL, then nothing happens.
    pub unsafe fn LITE_hexstr_convert(hexstr: *mut c_char, out_buf: *mut u8, len: c_int) {
        if hexstr.is_null() || out_buf.is_null() {
            return null_argument(NAME, if hexstr.is_null() { "hexstr" } else { "out_buf" });
        }
        let len = usize::try_from(len).unwrap_or(0);
        // SAFETY: called for ever larger indices below `len`, and no more after a NUL.
        let digit = |index: usize| unsafe { *hexstr.add(index) } as u8;
        for index in 0..len / 2 {
            let high = digit(2 * index);
            let value = if high == 0 { None } else { hex::byte(high, digit(2 * index + 1)) };
            let Some(value) = value else {
                ::log::error!(target: NAME, "no hex digits at position {} of {len}", 2 * index);
                return;
            };
            // SAFETY: the caller's promise.
            unsafe { *out_buf.add(index) = value };
        }
    }
}

export! {
    /// The text of the value at `key`, a path of keys joined by dots, in the JSON object `src`: a string without its
    /// quotes and with its escapes as they are, everything else as it stands. Give it back with HAL_Free.
    ///
    /// Where a key comes twice, its first value counts. What stands behind the value is not looked at.
    ///
    /// Returns NULL when an argument is NULL, `src` is malformed up to the value's end, nothing lies at `key`, or there is no
    /// memory.
    ///
    /// # Safety
    /// Both are NULL or NUL-terminated strings.
    pub unsafe fn LITE_json_value_of(key: *mut c_char, src: *mut c_char) -> *mut c_char {
        // SAFETY: the caller's promise.
        match unsafe { value_of(NAME, key, src) } {
            Some(value) => to_hal_string(value),
            None => ptr::null_mut(),
        }
    }
}

export! {
    /// As LITE_json_value_of, with each backslash removed.
    ///
    /// # Safety
    /// Both are NULL or NUL-terminated strings.
    pub unsafe fn LITE_json_string_value_strip_transfer(key: *mut c_char, src: *mut c_char) -> *mut c_char {
        // SAFETY: the caller's promise.
        match unsafe { value_of(NAME, key, src) } {
            Some(value) => to_hal_string(&json::without_backslashes(value)),
            None => ptr::null_mut(),
        }
    }
}

/// # Safety
/// Both are NULL or NUL-terminated strings that outlive `'a`.
unsafe fn value_of<'a>(function: &'static str, key: *const c_char, src: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    let (key, src) = unsafe { (required(function, "key", key)?, required(function, "src", src)?) };
    match json::value_of(src, key) {
        Ok(value) => value,
        Err(error) => {
            ::log::error!(target: function, "{error}");
            None
        }
    }
}

export! {
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
    pub unsafe fn LITE_json_keys_of(src: *mut c_char, prefix: *mut c_char) -> *mut list_head_t {
        // SAFETY: the caller's promise.
        let (src, prefix) = unsafe { (required(NAME, "src", src), bytes_from_c(prefix)) };
        let Some(src) = src else {
            return ptr::null_mut();
        };
        match json::keys_of(src, prefix.unwrap_or_default()) {
            Ok(keys) => key_list(&keys).unwrap_or(ptr::null_mut()),
            Err(error) => {
                ::log::error!(target: NAME, "{error}");
                ptr::null_mut()
            }
        }
    }
}

export! {
    /// Frees a list from LITE_json_keys_of with its keys. NULL is fine.
    ///
    /// # Safety
    /// `keylist` is NULL or what LITE_json_keys_of returned, not released yet.
    pub unsafe fn LITE_json_keys_release(keylist: *mut list_head_t) {
        if keylist.is_null() {
            return;
        }
        let mut node = keylist;
        loop {
            // SAFETY: each node lies in an entry that key_list made, and the circle leads back to the first.
            unsafe {
                let entry = node.byte_sub(offset_of!(json_key_t, list)).cast::<json_key_t>();
                node = (*node).next;
                memory::free((*entry).key.cast());
                memory::free(entry.cast());
            }
            if node == keylist {
                break;
            }
        }
    }
}

/// A circular list of `keys` behind a head without a key. `None` when there is no memory.
fn key_list(keys: &[Vec<u8>]) -> Option<*mut list_head_t> {
    let head = new_entry(ptr::null_mut())?;
    for key in keys {
        let text = to_hal_string(key);
        let node = if text.is_null() { None } else { new_entry(text) };
        let Some(node) = node else {
            // SAFETY: `text` belongs to no entry, and the list is complete in itself.
            unsafe {
                memory::free(text.cast());
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

export! {
    /// Reads a decimal whole number of 32 bits. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_int32(value: *mut i32, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal whole number of 16 bits. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_int16(value: *mut i16, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal whole number of 8 bits. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_int8(value: *mut i8, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal whole number of 32 bits, not negative. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_uint32(value: *mut u32, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal whole number of 16 bits, not negative. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_uint16(value: *mut u16, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal whole number of 8 bits, not negative. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_uint8(value: *mut u8, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::integer) }
    }
}

export! {
    /// Reads a decimal number, with or without fraction and exponent. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_float(value: *mut f32, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::float) }
    }
}

export! {
    /// Reads a decimal number, with or without fraction and exponent. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_double(value: *mut f64, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::double) }
    }
}

export! {
    /// Reads `true` or `false`, or `1` or `0` in their place. Blanks around it are skipped.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_FAILURE when `src` is something else or out of range, QCLOUD_ERR_INVAL when an
    /// argument is NULL: then `*value` stays as it is.
    ///
    /// # Safety
    /// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
    pub unsafe fn LITE_get_boolean(value: *mut bool, src: *mut c_char) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { get(NAME, value, src, number::boolean) }
    }
}

/// # Safety
/// `value` is NULL or may be written, `src` is NULL or a NUL-terminated string.
unsafe fn get<T>(
    function: &'static str,
    value: *mut T,
    src: *const c_char,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> c_int {
    if value.is_null() {
        null_argument(function, "value");
        return QCLOUD_ERR_INVAL;
    }
    // SAFETY: the caller's promise.
    let Some(text) = (unsafe { required(function, "src", src) }) else {
        return QCLOUD_ERR_INVAL;
    };
    let Some(parsed) = parse(text) else {
        ::log::error!(target: function, "src is no such value, or out of range");
        return QCLOUD_ERR_FAILURE;
    };
    // SAFETY: the caller's promise; a field of a packed C struct may lie anywhere.
    unsafe { value.write_unaligned(parsed) };
    QCLOUD_RET_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{CStr, CString};

    extern "C" {
        fn LITE_format_string(fmt: *const c_char, ...) -> *mut c_char;
        fn LITE_format_nstring(len: c_int, fmt: *const c_char, ...) -> *mut c_char;
    }

    /// Calls a function that takes C strings it must not write to.
    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    /// The text behind a result, which is freed.
    fn taken(result: *mut c_char) -> Option<String> {
        if result.is_null() {
            return None;
        }
        let text = unsafe { CStr::from_ptr(result) }.to_str().unwrap().to_owned();
        unsafe { memory::free(result.cast()) };
        Some(text)
    }

    fn value(key: &str, src: &str) -> Option<String> {
        let (key, src) = (c(key), c(src));
        taken(unsafe { LITE_json_value_of(key.as_ptr().cast_mut(), src.as_ptr().cast_mut()) })
    }

    #[test]
    fn values_are_copied_for_the_caller() {
        assert_eq!(value("a.b", r#"{"a":{"b":"x\/y"}}"#).as_deref(), Some(r"x\/y"));
        assert_eq!(value("a", r#"{"a":[1, 2]}"#).as_deref(), Some("[1, 2]"));
        assert_eq!(value("a", r#"{"a":""}"#).as_deref(), Some(""));
        assert_eq!(value("b", r#"{"a":1}"#), None);
        assert_eq!(value("a", r#"{"a":1"#).as_deref(), Some("1"));
        assert_eq!(value("a", r#"{"a":"1"#), None);
        let (key, src) = (c("a"), c(r#"{"a":"x\/\"y\\"}"#));
        let stripped =
            unsafe { LITE_json_string_value_strip_transfer(key.as_ptr().cast_mut(), src.as_ptr().cast_mut()) };
        assert_eq!(taken(stripped).as_deref(), Some("x/\"y"));
    }

    /// Walks a list both ways as C code does.
    fn walk(list: *mut list_head_t) -> Vec<String> {
        let entry =
            |node: *mut list_head_t| unsafe { &*node.byte_sub(offset_of!(json_key_t, list)).cast::<json_key_t>() };
        let mut keys = Vec::new();
        let mut node = unsafe { (*list).next };
        while !entry(node).key.is_null() {
            keys.push(unsafe { CStr::from_ptr(entry(node).key) }.to_str().unwrap().to_owned());
            assert_eq!(unsafe { (*(*node).next).prev }, node);
            node = unsafe { (*node).next };
        }
        assert_eq!(node, list);
        keys
    }

    #[test]
    fn keys_form_a_list_that_ends_at_its_head() {
        for (src, prefix, keys) in
            [(r#"{"a":1,"b":{"c":2}}"#, "", &["a", "b", "b.c"][..]), (r#"{"a":1}"#, "p", &["p.a"]), ("{}", "", &[])]
        {
            let (src, prefix) = (c(src), c(prefix));
            let list = unsafe { LITE_json_keys_of(src.as_ptr().cast_mut(), prefix.as_ptr().cast_mut()) };
            assert_eq!(walk(list), keys);
            unsafe { LITE_json_keys_release(list) };
        }
        let src = c("{\"a\":1");
        assert!(unsafe { LITE_json_keys_of(src.as_ptr().cast_mut(), ptr::null_mut()) }.is_null());
    }

    #[test]
    fn strings_are_duplicated_up_to_a_limit() {
        for (length, fits) in [(0, true), (1024, true), (1025, false)] {
            let text = "x".repeat(length);
            assert_eq!(taken(unsafe { LITE_strdup(c(&text).as_ptr()) }), fits.then_some(text));
        }
    }

    #[test]
    fn texts_are_formatted_up_to_a_limit() {
        for (length, fits) in [(0, true), (512, true), (513, false)] {
            let text = "x".repeat(length);
            let made = unsafe { LITE_format_string(c"%s".as_ptr(), c(&text).as_ptr()) };
            assert_eq!(taken(made), fits.then_some(text));
        }
        let made = |len| taken(unsafe { LITE_format_nstring(len, c"%d-%s".as_ptr(), 12, c"ab".as_ptr()) });
        assert_eq!(made(5).as_deref(), Some("12-ab"));
        assert_eq!(made(4), None);
        assert_eq!(made(-1), None);
        assert_eq!(
            taken(unsafe { LITE_format_nstring(c_int::MAX, c"%5000d".as_ptr(), 1) }).map(|text| text.len()),
            Some(5000)
        );
        assert_eq!(taken(unsafe { LITE_format_string(ptr::null()) }), None);
        assert_eq!(taken(unsafe { LITE_format_nstring(5, ptr::null()) }), None);
    }

    #[test]
    fn hex_is_written_and_read_without_going_past_the_end() {
        let mut bytes = [0x00, 0x9A, 0xFF];
        let mut out = [b'.' as c_char; 8];
        unsafe { LITE_hexbuf_convert(bytes.as_mut_ptr(), out.as_mut_ptr(), 3, 0) };
        assert_eq!(out.map(|character| character as u8), *b"009aff..");
        unsafe { LITE_hexbuf_convert(bytes.as_mut_ptr(), out.as_mut_ptr(), 2, 1) };
        assert_eq!(out.map(|character| character as u8), *b"009Aff..");
        unsafe { LITE_hexbuf_convert(bytes.as_mut_ptr(), out.as_mut_ptr(), -3, 1) };

        for (text, len, expected) in [
            (c"009aFF", 6, [0x00, 0x9A, 0xFF, 7]),
            (c"009aFF", 5, [0x00, 0x9A, 7, 7]),
            (c"009aFF", 100, [0x00, 0x9A, 0xFF, 7]),
            (c"00x0FF", 6, [0x00, 7, 7, 7]),
            (c"009", 4, [0x00, 7, 7, 7]),
            (c"00", -2, [7; 4]),
        ] {
            let mut read = [7; 4];
            unsafe { LITE_hexstr_convert(text.as_ptr().cast_mut(), read.as_mut_ptr(), len) };
            assert_eq!(read, expected, "{text:?} {len}");
        }
    }

    #[test]
    fn numbers_are_read_or_left_alone() {
        let mut small: i8 = 5;
        let mut get = |text: &CStr| unsafe { (LITE_get_int8(&mut small, text.as_ptr().cast_mut()), small) };
        assert_eq!(get(c" -12 "), (QCLOUD_RET_SUCCESS, -12));
        assert_eq!(get(c"128"), (QCLOUD_ERR_FAILURE, -12));
        assert_eq!(get(c"x"), (QCLOUD_ERR_FAILURE, -12));

        let mut yes = false;
        assert_eq!(unsafe { LITE_get_boolean(&mut yes, c"true".as_ptr().cast_mut()) }, QCLOUD_RET_SUCCESS);
        assert!(yes);
        let mut double = 0.0;
        assert_eq!(unsafe { LITE_get_double(&mut double, c"2.5e1".as_ptr().cast_mut()) }, QCLOUD_RET_SUCCESS);
        assert_eq!(double, 25.0);
    }

    #[test]
    fn each_type_of_number_has_its_own_range() {
        macro_rules! range {
            ($get:ident: $type:ty, $($text:literal => $expected:expr),+) => {
                $(
                    let mut value: $type = Default::default();
                    let code = unsafe { $get(&mut value, $text.as_ptr().cast_mut()) };
                    let expected: Option<$type> = $expected;
                    assert_eq!((code, value), match expected {
                        Some(number) => (QCLOUD_RET_SUCCESS, number),
                        None => (QCLOUD_ERR_FAILURE, Default::default()),
                    }, "{:?}", $text);
                )+
            };
        }
        range!(LITE_get_int8: i8, c"-128" => Some(i8::MIN), c"-129" => None);
        range!(LITE_get_int16: i16, c"32767" => Some(i16::MAX), c"32768" => None);
        range!(LITE_get_int32: i32, c"-2147483648" => Some(i32::MIN), c"2147483648" => None);
        range!(LITE_get_uint8: u8, c"255" => Some(u8::MAX), c"256" => None, c"-1" => None);
        range!(LITE_get_uint16: u16, c"65535" => Some(u16::MAX), c"65536" => None);
        range!(LITE_get_uint32: u32, c"4294967295" => Some(u32::MAX), c"4294967296" => None);
        range!(LITE_get_float: f32, c"-1.5e3" => Some(-1500.0), c"1e39" => None);
        range!(LITE_get_double: f64, c"1e39" => Some(1e39), c"1e309" => None);
        range!(LITE_get_boolean: bool, c"1" => Some(true), c"2" => None);
    }

    #[test]
    fn null_is_answered_everywhere() {
        let text = c"{}".as_ptr().cast_mut();
        let (none, mut byte, mut value) = (ptr::null_mut(), 7_u8, 7_i32);
        unsafe {
            assert!(LITE_strdup(ptr::null()).is_null());
            assert!(LITE_json_value_of(none, text).is_null());
            assert!(LITE_json_value_of(text, none).is_null());
            assert!(LITE_json_string_value_strip_transfer(none, none).is_null());
            assert!(LITE_json_keys_of(none, none).is_null());
            LITE_json_keys_release(ptr::null_mut());
            LITE_hexbuf_convert(ptr::null_mut(), text, 1, 0);
            LITE_hexbuf_convert(&mut byte, none, 1, 0);
            LITE_hexstr_convert(none, &mut byte, 2);
            LITE_hexstr_convert(text, ptr::null_mut(), 2);
            assert_eq!(LITE_get_int32(ptr::null_mut(), text), QCLOUD_ERR_INVAL);
            assert_eq!(LITE_get_int32(&mut value, none), QCLOUD_ERR_INVAL);
            assert_eq!(LITE_get_boolean(ptr::null_mut(), none), QCLOUD_ERR_INVAL);
        }
        assert_eq!((byte, value), (7, 7));
    }
}
