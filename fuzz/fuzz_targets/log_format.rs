//! printf formats and arguments, through the C file that formats and the engine that cuts.
//!
//! The target makes formats that fit their arguments: others are outside of what C defines. The oracle is the C
//! library's own snprintf with room enough.
#![no_main]

use std::cell::RefCell;
use std::ffi::{c_char, c_double, c_int, c_long, c_uint, CStr, CString};
use std::fmt::Write;

use iot_abi::import::HAL_Free;
use iot_fuzz as _;
use iot_sdk::ffi::log::{IOT_Log_Set_Level, IOT_Log_Set_MessageHandler};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Longest line of the log, and longest text of LITE_format_string (behaviour.md sections 2 and 6).
const LINE_MAX: usize = 1023;
const FORMAT_MAX: usize = 512;
/// Longest field: what is wider takes long and finds nothing more.
const WIDEST: u32 = 20_000;

extern "C" {
    fn IOT_Log_Gen(file: *const c_char, func: *const c_char, line: c_int, level: c_int, fmt: *const c_char, ...);
    fn LITE_format_string(fmt: *const c_char, ...) -> *mut c_char;
    fn LITE_format_nstring(len: c_int, fmt: *const c_char, ...) -> *mut c_char;
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    file: &'a [u8],
    func: &'a [u8],
    line: c_int,
    level: u8,
    len: u16,
    parts: [(&'a [u8], Field<'a>); 3],
    tail: &'a [u8],
    count: u8,
}

/// A directive and its argument.
#[derive(Debug, Arbitrary)]
struct Field<'a> {
    flags: u8,
    width: Option<u16>,
    precision: Option<u16>,
    kind: Kind<'a>,
    conversion: u8,
}

#[derive(Debug, Arbitrary)]
enum Kind<'a> {
    Int(c_int),
    Long(c_long),
    Double(c_double),
    Text(&'a [u8]),
    /// `%lc`: the only conversion that can fail.
    WideCharacter(u32),
}

enum Argument {
    Int(c_int),
    Long(c_long),
    Double(c_double),
    Text(CString),
    WideCharacter(c_uint),
}

fn c(bytes: &[u8]) -> CString {
    CString::new(bytes.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>()).expect("no NUL")
}

fn literal(bytes: &[u8], format: &mut Vec<u8>) {
    for byte in bytes.iter().filter(|byte| **byte != 0) {
        format.push(*byte);
        if *byte == b'%' {
            format.push(b'%');
        }
    }
}

impl Field<'_> {
    fn directive(&self, format: &mut Vec<u8>) -> Argument {
        let mut text = String::from("%");
        for (bit, flag) in ['-', '+', ' ', '0', '#'].into_iter().enumerate() {
            if self.flags & 1 << bit != 0 {
                text.push(flag);
            }
        }
        if let Some(width) = self.width {
            let _ = write!(text, "{}", u32::from(width) % WIDEST);
        }
        if let (Some(precision), false) = (self.precision, matches!(self.kind, Kind::WideCharacter(_))) {
            let _ = write!(text, ".{}", u32::from(precision) % WIDEST);
        }
        let pick = |from: &[&'static str]| from[usize::from(self.conversion) % from.len()];
        let (conversion, argument) = match &self.kind {
            Kind::Int(value) => (pick(&["d", "i", "u", "x", "X", "o", "c", "hhd", "hu"]), Argument::Int(*value)),
            Kind::Long(value) => (pick(&["ld", "lu", "lx", "lo", "zu", "jd", "td"]), Argument::Long(*value)),
            Kind::Double(value) => (pick(&["f", "e", "g", "a", "F", "E", "G", "A"]), Argument::Double(*value)),
            Kind::Text(bytes) => ("s", Argument::Text(c(bytes))),
            Kind::WideCharacter(value) => ("lc", Argument::WideCharacter(*value)),
        };
        text.push_str(conversion);
        format.extend_from_slice(text.as_bytes());
        argument
    }
}

/// Calls a variadic function with the arguments, each as its own type.
macro_rules! spread {
    ($function:ident($($fixed:expr),*), $arguments:expr) => {
        spread!(@ [$function $($fixed),*] $arguments, [] [a b c])
    };
    (@ [$function:ident $($fixed:expr),*] $arguments:expr, [$($done:expr),*] []) => {
        {
            let _none_left: &[Argument] = $arguments;
            $function($($fixed,)* $($done),*)
        }
    };
    (@ [$function:ident $($fixed:expr),*] $arguments:expr, [$($done:expr),*] [$name:ident $($more:ident)*]) => {
        match $arguments {
            [] => $function($($fixed,)* $($done),*),
            [Argument::Int($name), rest @ ..] => {
                spread!(@ [$function $($fixed),*] rest, [$($done,)* *$name] [$($more)*])
            }
            [Argument::Long($name), rest @ ..] => {
                spread!(@ [$function $($fixed),*] rest, [$($done,)* *$name] [$($more)*])
            }
            [Argument::Double($name), rest @ ..] => {
                spread!(@ [$function $($fixed),*] rest, [$($done,)* *$name] [$($more)*])
            }
            [Argument::Text($name), rest @ ..] => {
                spread!(@ [$function $($fixed),*] rest, [$($done,)* $name.as_ptr()] [$($more)*])
            }
            [Argument::WideCharacter($name), rest @ ..] => {
                spread!(@ [$function $($fixed),*] rest, [$($done,)* *$name] [$($more)*])
            }
        }
    };
}

thread_local! {
    static LINES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn keep(line: *const c_char) -> bool {
    // SAFETY: the log's lines end with a NUL.
    let line = unsafe { CStr::from_ptr(line) }.to_bytes().to_vec();
    LINES.with_borrow_mut(|lines| lines.push(line));
    true
}

fn start() {
    iot_sdk::ffi::log::install();
    IOT_Log_Set_Level(4);
    IOT_Log_Set_MessageHandler(Some(keep));
}

fuzz_target!(init: start(), |input: Input| {
    let mut format = Vec::new();
    let mut arguments = Vec::new();
    for (text, field) in input.parts.iter().take(usize::from(input.count) % 4) {
        literal(text, &mut format);
        arguments.push(field.directive(&mut format));
    }
    literal(input.tail, &mut format);
    let format = c(&format);
    let full = snprintf(&format, &arguments);

    log_line(&input, &format, &arguments, full.as_deref());
    // SAFETY: the format fits its arguments.
    let made = unsafe { taken(spread!(LITE_format_string(format.as_ptr()), &arguments[..])) };
    assert_eq!(made.as_deref(), full.as_deref().filter(|full| full.len() <= FORMAT_MAX).map(as_c_sees_it));
    let limit = usize::from(input.len);
    // SAFETY: as above.
    let made = unsafe { taken(spread!(LITE_format_nstring(c_int::from(input.len), format.as_ptr()), &arguments[..])) };
    assert_eq!(made.as_deref(), full.as_deref().filter(|full| full.len() <= limit).map(as_c_sees_it));
    // SAFETY: as above.
    assert_eq!(unsafe { taken(spread!(LITE_format_nstring(-1, format.as_ptr()), &arguments[..])) }, None);
    // Refusals have said so.
    LINES.with_borrow_mut(Vec::clear);
});

/// The whole text; `None` where an argument can't be formatted.
fn snprintf(format: &CString, arguments: &[Argument]) -> Option<Vec<u8>> {
    use libc::snprintf;
    // SAFETY: the format fits its arguments, and nothing is written yet.
    let len = unsafe { spread!(snprintf(std::ptr::null_mut(), 0, format.as_ptr()), arguments) };
    let len = usize::try_from(len).ok()?;
    let mut text = vec![0_u8; len + 1];
    // SAFETY: there is room for the text and its NUL.
    unsafe { spread!(snprintf(text.as_mut_ptr().cast(), len + 1, format.as_ptr()), arguments) };
    text.truncate(len);
    Some(text)
}

fn taken(text: *mut c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the library's strings end with a NUL and come from HAL_Malloc.
    unsafe {
        let bytes = CStr::from_ptr(text).to_bytes().to_vec();
        HAL_Free(text.cast());
        Some(bytes)
    }
}

/// A NUL that an argument brought (`%c`) ends a text.
fn as_c_sees_it(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn log_line(input: &Input, format: &CString, arguments: &[Argument], full: Option<&[u8]>) {
    let (file, func, level) = (c(input.file), c(input.func), c_int::from(input.level % 8) - 1);
    // SAFETY: strings that end with a NUL; the format fits its arguments.
    unsafe {
        spread!(IOT_Log_Gen(file.as_ptr(), func.as_ptr(), input.line, level, format.as_ptr()), arguments);
    }
    let lines = LINES.take();
    if !(1..=4).contains(&level) {
        assert!(lines.is_empty(), "level {level} is none");
        return;
    }
    let [line] = &lines[..] else { panic!("{} lines", lines.len()) };
    assert!(line.len() <= LINE_MAX && line.ends_with(b"\r\n"));
    let tag = ["ERR|", "WRN|", "INF|", "DBG|"][level as usize - 1];
    assert!(line.starts_with(tag.as_bytes()));
    let after_time = &line[tag.len() + "YYYY-MM-DD HH:MM:SS".len()..line.len() - 2];
    let file = file.as_bytes().rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let mut expected = [b"|", file, b"|", func.as_bytes(), format!("({}): ", input.line).as_bytes()].concat();
    expected.extend_from_slice(full.map_or(format.as_bytes(), as_c_sees_it));
    assert!(expected.starts_with(after_time), "{:?}", String::from_utf8_lossy(line));
    let is_cut = after_time.len() < expected.len();
    // What is left out is at most the rest of a character that did not fit.
    assert!(!is_cut || line.len() > LINE_MAX - 4, "{} bytes", line.len());
}
