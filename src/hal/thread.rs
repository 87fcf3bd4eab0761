//! Threads over `HAL_ThreadCreate`.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use iot_abi::import::ThreadParams;

use super::callout::{self, HAL_SleepMs, HAL_ThreadCreate};

type Body = Box<dyn FnOnce() + Send>;

struct Start {
    body: Body,
    control: Arc<Control>,
}

/// What the thread and whoever started it share.
struct Control {
    ended: AtomicBool,
    /// The C SDK's Linux platform reads this while the thread starts (hal.md), so it lives at least until the body runs.
    params: UnsafeCell<ThreadParams>,
}

// SAFETY: `params` is reached only through the pointer handed to the platform; its access is its own affair.
unsafe impl Send for Control {}
// SAFETY: as above.
unsafe impl Sync for Control {}

/// A thread that was started. Dropping this leaves the thread to itself.
pub struct Thread(Arc<Control>);

/// Why a thread was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// The platform has no function for it, as that of older releases (versions.md section 5, rule 4).
    Missing,
    /// The platform's code.
    Failed(i32),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStarted::Missing => write!(f, "the platform has no HAL_ThreadCreate"),
            NotStarted::Failed(code) => write!(f, "the platform started no thread ({code})"),
        }
    }
}

/// Starts a thread. `name` ends with a NUL.
///
/// # Errors
/// The platform has none, or started none.
pub fn spawn(name: &'static std::ffi::CStr, body: impl FnOnce() + Send + 'static) -> Result<Thread, NotStarted> {
    // SAFETY: no precondition.
    if !unsafe { callout::has_thread_create() } {
        return Err(NotStarted::Missing);
    }
    let control = Arc::new(Control {
        ended: AtomicBool::new(false),
        params: UnsafeCell::new(ThreadParams {
            thread_name: name.as_ptr().cast_mut().cast::<c_char>(),
            thread_id: 0,
            thread_func: Some(run_as_c()),
            user_arg: ptr::null_mut(),
            priority: 0,
            stack_size: 0,
        }),
    });
    let start = Box::new(Start { body: Box::new(body), control: Arc::clone(&control) });
    let argument = Box::into_raw(start);
    // SAFETY: no thread runs yet. `params` stays valid: `start` holds it until the body has run.
    let code = unsafe {
        (*control.params.get()).user_arg = argument.cast::<c_void>();
        HAL_ThreadCreate(control.params.get())
    };
    if code != 0 {
        // SAFETY: the thread was not started, so nobody else has the argument.
        drop(unsafe { Box::from_raw(argument) });
        return Err(NotStarted::Failed(code));
    }
    Ok(Thread(control))
}

impl Thread {
    /// Waits until the thread's work is done.
    pub fn join(&self) {
        while !self.0.ended.load(Ordering::Acquire) {
            // SAFETY: no precondition.
            unsafe { HAL_SleepMs(1) };
        }
    }
}

/// [`run`] as the platform's declaration has it.
fn run_as_c() -> unsafe extern "C" fn(*mut c_void) {
    // SAFETY: both are C functions of one signature; that this one may be left by unwinding is the thread's own end.
    unsafe { std::mem::transmute(run as unsafe extern "C-unwind" fn(*mut c_void)) }
}

unsafe extern "C-unwind" fn run(argument: *mut c_void) {
    let before = callout::enter();
    // SAFETY: the platform hands over what `spawn` gave it.
    unsafe { run_body(argument) };
    // SAFETY: nothing is left here that would have to be cleaned up. The thread ends in any case.
    let _ = unsafe { callout::leave(before) };
}

/// # Safety
/// `argument` is what `spawn` made; a thread has it once.
unsafe fn run_body(argument: *mut c_void) {
    // SAFETY: `spawn` made the argument, and the platform runs the thread once.
    let start = unsafe { Box::from_raw(argument.cast::<Start>()) };
    let Start { body, control } = *start;
    // A panic must not unwind into the platform; the hook has logged it, and whoever joins must not wait for ever.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    control.ended.store(true, Ordering::Release);
}
