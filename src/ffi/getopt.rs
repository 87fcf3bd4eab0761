//! `utils_getopt.h`: short options (behaviour.md section 6).

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use iot_engine::helpers::getopt::{is_quiet, next, Found, Place};

use super::log::null_argument;
use super::memory::bytes_from_c;

/// The argument of the option that utils_getopt found last, NULL when it takes none. Points into `nargv`.
#[no_mangle]
pub static mut utils_optarg: *mut c_char = ptr::null_mut();

static PLACE: Mutex<Place> = Mutex::new(Place::START);

export! {
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
    pub unsafe fn utils_getopt(nargc: c_int, nargv: *const *mut c_char, options: *const c_char) -> c_int {
        const END: c_int = -1;
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
            null_argument(NAME, if nargv.is_null() { "nargv" } else { "options" });
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
        unsafe { utils_optarg = argument };
        answer
    }
}

fn refused(options: &[u8], what: &str, character: u8) -> c_int {
    if !is_quiet(options) {
        ::log::error!(target: "utils_getopt", "{what} -{}", character.escape_ascii());
    }
    c_int::from(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{CStr, CString};

    /// One test, as the place in the arguments is the process's.
    #[test]
    fn arguments_are_parsed_again_and_again() {
        let arguments = ["prog", "-ab", "-ofile", "-o", "other", "-x", "-o"].map(|text| CString::new(text).unwrap());
        let mut argv: Vec<*mut c_char> = arguments.iter().map(|text| text.as_ptr().cast_mut()).collect();
        argv.push(ptr::null_mut());
        let step = |options: &CStr| unsafe {
            let found = utils_getopt(arguments.len() as c_int, argv.as_ptr(), options.as_ptr());
            let argument = bytes_from_c(utils_optarg).map(|text| String::from_utf8_lossy(text).into_owned());
            (u8::try_from(found).map_or('E', char::from), argument)
        };
        for (options, missing) in [(c"abo:", '?'), (c":abo:", ':')] {
            assert_eq!(step(options), ('a', None));
            assert_eq!(step(options), ('b', None));
            assert_eq!(step(options), ('o', Some("file".to_owned())));
            assert_eq!(step(options), ('o', Some("other".to_owned())));
            assert_eq!(step(options), ('?', None));
            assert_eq!(step(options), (missing, None));
            assert_eq!(step(options), ('E', None));
        }
        unsafe {
            assert_eq!(utils_getopt(1, ptr::null(), c"a".as_ptr()), -1);
            assert_eq!(utils_getopt(1, argv.as_ptr(), ptr::null()), -1);
            assert_eq!(utils_getopt(-5, argv.as_ptr(), c"a".as_ptr()), -1);
            // More than there are: the NULL that ends argv ends the parse.
            let first = [argv[0], ptr::null_mut(), ptr::null_mut()];
            assert_eq!(utils_getopt(3, first.as_ptr(), c"a".as_ptr()), -1);
        }
    }
}
