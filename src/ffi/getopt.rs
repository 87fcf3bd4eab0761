//! `utils_getopt.h`: short options (behaviour.md section 6).

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use iot_engine::getopt::{is_quiet, next, Found, Place};

use super::guard;
use super::log::{install, null_argument};
use super::memory::bytes_from_c;

/// The argument of the option that utils_getopt found last, NULL when it takes none. Points into `nargv`.
#[no_mangle]
pub static mut utils_optarg: *mut c_char = ptr::null_mut();

static PLACE: Mutex<Place> = Mutex::new(Place::START);

/// Finds the next short option in `nargv`, as POSIX getopt does: `options` lists the option characters, each followed by
/// `:` when it takes an argument, which may be joined to it or be the next string. Options may be clustered; they
/// end at the first string that is none, at `-`, and after `--`.
///
/// The place in `nargv` is kept between calls and goes back to the start at the end. For one thread at a time.
///
/// Returns the option's character, with its argument in `utils_optarg`; `'?'` for an unknown option; `'?'`, or `':'`
/// when `options` begins with `:`, for a missing argument; -1 at the end, and when a pointer is NULL. Without a leading
/// `:` an ERR line says what is wrong.
///
/// # Safety
/// `nargv` is NULL or has `nargc` pointers, each NULL or a NUL-terminated string; `options` is NULL or one.
#[no_mangle]
pub unsafe extern "C" fn utils_getopt(nargc: c_int, nargv: *const *mut c_char, options: *const c_char) -> c_int {
    const END: c_int = -1;
    guard("utils_getopt", END, || {
        let count = usize::try_from(nargc).unwrap_or(0);
        let string = |index: usize| {
            if index >= count {
                return ptr::null_mut();
            }
            // SAFETY: `nargv` is not NULL when this is called, and `index` is one of its pointers.
            unsafe { *nargv.add(index) }
        };
        // SAFETY: for everything below, the caller's promise.
        let listed = unsafe { bytes_from_c(options) };
        let (false, Some(listed)) = (nargv.is_null(), listed) else {
            null_argument("utils_getopt", if nargv.is_null() { "nargv" } else { "options" });
            return END;
        };

        let mut place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as above.
        let found = next(&mut place, listed, |index| unsafe { bytes_from_c(string(index)) });
        drop(place);

        let mut argument = ptr::null_mut();
        let answer = match found {
            Found::Option { character, argument: position } => {
                if let Some(at) = position {
                    // SAFETY: the engine found this byte in that string.
                    argument = unsafe { string(at.index).add(at.offset) };
                }
                c_int::from(character)
            }
            Found::MissingArgument(_) if is_quiet(listed) => c_int::from(b':'),
            Found::MissingArgument(character) => refused(listed, "no argument for option", character),
            Found::Unknown(character) => refused(listed, "unknown option", character),
            Found::End => END,
        };
        // SAFETY: like C's optarg, for one thread at a time.
        unsafe { *(&raw mut utils_optarg) = argument };
        answer
    })
}

fn refused(options: &[u8], what: &str, character: u8) -> c_int {
    if !is_quiet(options) {
        install();
        ::log::error!(target: "utils_getopt", "{what} -{}", character.escape_ascii());
    }
    c_int::from(b'?')
}
