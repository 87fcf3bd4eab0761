//! The macro that defines the exported functions, and what each of them does at the edge to C.

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::log;

/// Defines one exported function whole: its name and C ABI, no panic that crosses into C, `NAME` for the log, and what it
/// returns when it fails. First comes the function that C code knows, which calls this one (`weak/`).
///
/// Without `or` the body runs as it stands. It can't panic, writes no log, and a thread may be cancelled in it.
///
/// ```no_run
/// iot_platform_posix::export! {
///     "HAL_Half" or -1;
///     /// Half of `number`.
///     pub fn iot_platform_half(number: i32) -> i32 {
///         number / 2
///     }
/// }
/// assert_eq!(iot_platform_half(8), 4);
/// ```
#[macro_export]
macro_rules! export {
    (
        $told:literal or $failed:expr;
        $(#[$meta:meta])*
        pub unsafe fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[no_mangle]
        pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code)]
            const NAME: &str = $told;
            $crate::edge::guard(NAME, $failed, || $body)
        }
    };
    (
        $told:literal or $failed:expr;
        $(#[$meta:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[no_mangle]
        pub extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code)]
            const NAME: &str = $told;
            $crate::edge::guard(NAME, $failed, || $body)
        }
    };
    (
        $told:literal;
        $(#[$meta:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[no_mangle]
        pub extern "C" fn $name($($argument: $type),*) $(-> $result)? $body
    };
}

/// Runs the body of a function called from C: a panic is logged and becomes `failed`, none crosses into C.
pub fn guard<T>(name: &str, failed: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        log::error(name, "internal error (a panic was caught)");
        failed
    })
}

#[cfg(test)]
mod tests {
    use super::guard;

    #[test]
    fn a_panic_becomes_the_functions_error_and_a_line_in_the_log() {
        assert_eq!(guard("HAL_X", -1, || 5), 5);
        assert_eq!(guard("HAL_X", -1, || panic!("a bug")), -1);
        assert_eq!(crate::log_double::take(), ["ERR internal error (a panic was caught)"]);
    }
}
