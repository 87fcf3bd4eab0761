//! Threads over `HAL_ThreadCreate`.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use iot_abi::import::{HAL_SleepMs, HAL_ThreadCreate, ThreadParams};

type Body = Box<dyn FnOnce() + Send>;

struct Start {
    body: Body,
    ended: Arc<AtomicBool>,
}

/// A thread that was started.
pub struct Thread {
    ended: Arc<AtomicBool>,
    /// The C SDK's Linux platform reads this while the thread starts (hal.md), so it lives as long as we do.
    _params: Box<ThreadParams>,
}

// SAFETY: nobody reads `_params` through this type; the platform's own access is its own affair.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

/// Starts a thread. `name` ends with a NUL.
///
/// # Errors
/// The platform's code.
pub fn spawn(name: &'static std::ffi::CStr, body: impl FnOnce() + Send + 'static) -> Result<Thread, i32> {
    let ended = Arc::new(AtomicBool::new(false));
    let start = Box::new(Start { body: Box::new(body), ended: Arc::clone(&ended) });
    let argument = Box::into_raw(start);
    let mut params = Box::new(ThreadParams {
        thread_name: name.as_ptr().cast_mut().cast::<c_char>(),
        thread_id: 0,
        thread_func: Some(run),
        user_arg: argument.cast::<c_void>(),
        priority: 0,
        stack_size: 0,
    });
    // SAFETY: `params` and what it points at stay valid: the box goes into the result.
    let code = unsafe { HAL_ThreadCreate(&mut *params) };
    if code != 0 {
        // SAFETY: the thread was not started, so nobody else has the argument.
        drop(unsafe { Box::from_raw(argument) });
        return Err(code);
    }
    Ok(Thread { ended, _params: params })
}

impl Thread {
    /// Waits until the thread's work is done.
    pub fn join(&self) {
        while !self.ended.load(Ordering::Acquire) {
            // SAFETY: no precondition.
            unsafe { HAL_SleepMs(1) };
        }
    }
}

unsafe extern "C" fn run(argument: *mut c_void) {
    // SAFETY: `spawn` made the argument, and the platform runs the thread once.
    let start = unsafe { Box::from_raw(argument.cast::<Start>()) };
    let Start { body, ended } = *start;
    // A panic must not unwind into the platform; the hook has logged it, and whoever joins must not wait for ever.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    ended.store(true, Ordering::Release);
}
