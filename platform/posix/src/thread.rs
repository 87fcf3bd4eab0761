//! `HAL_ThreadCreate`.

use std::ffi::{c_int, c_void, CStr, CString};
use std::mem::MaybeUninit;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::import::ThreadParams;

use crate::log;

/// Stack sizes in C code written for small systems (4 kB and the like) do not hold a TLS handshake here, and an unused
/// stack costs address space only.
const MIN_STACK: usize = 256 * 1024;

/// Longest thread name Linux takes, in bytes.
const NAME_LIMIT: usize = 15;

/// The program's function. It may end its thread by pthread_exit or be cancelled: both unwind through its caller.
type ThreadFunction = unsafe extern "C-unwind" fn(*mut c_void);

struct Start {
    func: ThreadFunction,
    arg: *mut c_void,
    name: Option<CString>,
}

extern "C-unwind" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: the box that create made for this thread alone.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    if let Some(name) = &start.name {
        // SAFETY: a NUL-terminated name of this thread; a failure leaves the old name.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
    }
    let (func, arg) = (start.func, start.arg);
    // The user's function may end the thread with pthread_exit: nothing of ours may be left to clean up.
    drop(start);
    // SAFETY: the user's function with the user's argument.
    unsafe { func(arg) };
    std::ptr::null_mut()
}

export! {
    "HAL_ThreadCreate" or QCLOUD_ERR_FAILURE;
    /// Starts a detached thread that calls `params->thread_func(params->user_arg)` and stores the lower half of its id.
    /// Nothing of `params` is used after the return. The priority is left alone: ordinary Linux threads have none.
    /// Returns 0, `QCLOUD_ERR_INVAL` or `QCLOUD_ERR_FAILURE` (logged).
    ///
    /// # Safety
    /// `params` is NULL or valid, with a name that is NULL or NUL-terminated.
    pub unsafe fn iot_platform_thread_create(params: *mut ThreadParams) -> c_int {
        // SAFETY: the caller's promise.
        let Some(params) = (unsafe { params.as_mut() }) else {
            log::error(NAME, "params is NULL");
            return QCLOUD_ERR_INVAL;
        };
        let Some(func) = params.thread_func else {
            log::error(NAME, "thread_func is NULL");
            return QCLOUD_ERR_INVAL;
        };
        let name = (!params.thread_name.is_null()).then(|| {
            // SAFETY: the caller's promise.
            let name = unsafe { CStr::from_ptr(params.thread_name) }.to_bytes();
            CString::new(&name[..name.len().min(NAME_LIMIT)]).unwrap_or_default()
        });
        // SAFETY: the same function; what it may do besides returning is told to the compiler here.
        let func = unsafe { std::mem::transmute::<unsafe extern "C" fn(*mut c_void), ThreadFunction>(func) };
        let start = Box::into_raw(Box::new(Start { func, arg: params.user_arg, name }));
        let stack = usize::try_from(params.stack_size).unwrap_or(0);
        // SAFETY: `start` goes to the thread.
        match unsafe { spawn(start.cast(), stack) } {
            Ok(id) => {
                params.thread_id = id as u32; // half of it on 64-bit targets: the field has no room for more
                QCLOUD_RET_SUCCESS
            }
            Err(status) => {
                // SAFETY: no thread was started, so the box is still ours.
                drop(unsafe { Box::from_raw(start) });
                let reason = crate::net::io_text(&std::io::Error::from_raw_os_error(status));
                log::error(NAME, &format!("can't start a thread: {reason}"));
                QCLOUD_ERR_FAILURE
            }
        }
    }
}

/// # Safety
/// `start` is from `Box::into_raw` and goes to the thread on success.
unsafe fn spawn(start: *mut c_void, stack: usize) -> Result<libc::pthread_t, c_int> {
    let mut attr = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut id = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: `attr` is initialised first and destroyed last; `id` is written when pthread_create returns 0.
    unsafe {
        let mut status = libc::pthread_attr_init(attr.as_mut_ptr());
        if status != 0 {
            return Err(status);
        }
        status = libc::pthread_attr_setdetachstate(attr.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        if status == 0 && stack != 0 {
            // A multiple of every page size in use, which some systems insist on.
            let stack = stack.max(MIN_STACK).next_multiple_of(64 * 1024);
            status = libc::pthread_attr_setstacksize(attr.as_mut_ptr(), stack);
        }
        if status == 0 {
            let run = std::mem::transmute::<
                extern "C-unwind" fn(*mut c_void) -> *mut c_void,
                extern "C" fn(*mut c_void) -> *mut c_void,
            >(run);
            status = libc::pthread_create(id.as_mut_ptr(), attr.as_ptr(), run, start);
        }
        libc::pthread_attr_destroy(attr.as_mut_ptr());
        if status == 0 {
            Ok(id.assume_init())
        } else {
            Err(status)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, Sender};

    use super::*;

    unsafe extern "C" fn send_name(arg: *mut c_void) {
        // SAFETY: the test's box; a buffer of the size that pthread_getname_np asks for.
        unsafe {
            let sender = Box::from_raw(arg.cast::<Sender<String>>());
            let mut name = [0; 16];
            libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr(), name.len());
            let _ = sender.send(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned());
        }
    }

    #[test]
    fn thread_runs_with_its_name_and_a_small_stack() {
        let (sender, receiver) = channel::<String>();
        {
            let mut name = *b"a name longer than fifteen\0";
            let mut params = ThreadParams {
                thread_name: name.as_mut_ptr().cast(),
                thread_id: 0,
                thread_func: Some(send_name),
                user_arg: Box::into_raw(Box::new(sender)).cast(),
                priority: 1,
                stack_size: 4096,
            };
            // SAFETY: valid parameters.
            assert_eq!(unsafe { iot_platform_thread_create(&mut params) }, 0);
            assert_ne!(params.thread_id, 0);
        }
        assert_eq!(receiver.recv().unwrap(), "a name longer t");
    }

    #[test]
    fn null_is_refused() {
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { iot_platform_thread_create(std::ptr::null_mut()) }, QCLOUD_ERR_INVAL);
        assert_eq!(crate::log_double::take(), ["ERR params is NULL"]);
    }
}
