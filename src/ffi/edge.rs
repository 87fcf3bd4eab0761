//! The macro that defines the exported functions, and what each of them does at the edge to C.

use std::ffi::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

use iot_abi::error::QCLOUD_ERR_FAILURE;

use super::log;
use crate::hal::{abandoned, callout};

/// Defines one exported function whole: its C name and ABI, cancellation put off, no panic and no exception that meets
/// our frames, `NAME` for the log, and what it returns when it fails (see [`Failure`]).
///
/// `tools/headers` reads this form, so the prototype in the header is the one that stands here.
macro_rules! export {
    ($(#[$meta:meta])* pub unsafe fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[no_mangle]
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code)]
            const NAME: &str = stringify!($name);
            $crate::ffi::edge::call(NAME, || $body)
        }
    };
    ($(#[$meta:meta])* pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[no_mangle]
        pub extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code)]
            const NAME: &str = stringify!($name);
            $crate::ffi::edge::call(NAME, || $body)
        }
    };
}

/// What a function returns that can't do its work.
pub(crate) trait Failure: Copy {
    /// That value.
    const FAILED: Self;
}

impl Failure for () {
    const FAILED: Self = ();
}

impl Failure for bool {
    const FAILED: Self = false;
}

impl Failure for c_int {
    const FAILED: Self = QCLOUD_ERR_FAILURE;
}

/// A log level: nothing is printed.
impl Failure for u32 {
    const FAILED: Self = 0;
}

impl<T> Failure for *mut T {
    const FAILED: Self = ptr::null_mut();
}

/// Runs the body of an exported function. Its caller must have nothing to clean up: an exception of the program, or the end
/// of its thread, goes on from here when all frames of the body have returned.
pub(crate) fn call<R: Failure>(function: &'static str, body: impl FnOnce() -> R) -> R {
    let (mut body, mut result) = (Some(body), R::FAILED);
    run(function, &mut || {
        if let Some(body) = body.take() {
            result = body();
        }
    });
    result
}

/// What is the same in all of them, once in a program.
#[inline(never)]
fn run(function: &'static str, body: &mut dyn FnMut()) {
    let before = callout::enter();
    abandoned::give_back();
    guard(function, body);
    // SAFETY: this function, `call` and its caller, which `export!` makes, own nothing: the body is over.
    if unsafe { callout::leave(before) } {
        dropped(function);
    }
}

#[cold]
fn dropped(function: &'static str) {
    ::log::error!(target: function, "a callback or HAL_* threw an exception that nobody handles: it was dropped");
}

/// A panic, which would be a bug of ours, becomes the function's failure and a log line.
fn guard(function: &'static str, body: &mut dyn FnMut()) {
    log::install();
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        ::log::error!("{function}: internal error, the call was given up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_functions_failure() {
        assert_eq!(call("IOT_X", || 5), 5);
        assert_eq!(call::<c_int>("IOT_X", || panic!("a bug")), QCLOUD_ERR_FAILURE);
        assert!(!call::<bool>("IOT_X", || panic!("a bug")));
        assert!(call::<*mut u8>("IOT_X", || panic!("a bug")).is_null());
    }
}
