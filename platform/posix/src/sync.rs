//! `HAL_Mutex*` and `HAL_Semaphore*`.

use std::ffi::{c_int, c_void};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};

use crate::log;

/// `HAL_Mutex*` with threads: plain POSIX locks.
#[cfg(feature = "multithread")]
mod mutex {
    use super::{c_int, c_void, log, QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL};

    export! {
        "HAL_MutexCreate" or std::ptr::null_mut();
        /// Makes a lock, not recursive.
        pub fn iot_platform_mutex_create() -> *mut c_void {
            // Boxed before it is initialised: a lock must not move.
            let mutex = Box::into_raw(Box::new(libc::PTHREAD_MUTEX_INITIALIZER));
            mutex.cast()
        }
    }

    export! {
        "HAL_MutexDestroy" or ();
        /// Frees a lock that nobody holds.
        ///
        /// # Safety
        /// `mutex` is NULL or from [`iot_platform_mutex_create`], and used no more.
        pub unsafe fn iot_platform_mutex_destroy(mutex: *mut c_void) {
            if is_null(mutex, NAME) {
                return;
            }
            // SAFETY: the caller's promise; the box was made in create.
            unsafe {
                let status = libc::pthread_mutex_destroy(mutex.cast());
                if status != 0 {
                    // Freeing a held lock would leave its holder with freed memory.
                    log::error(NAME, "the lock is in use and was not freed");
                    return;
                }
                drop(Box::from_raw(mutex.cast::<libc::pthread_mutex_t>()));
            }
        }
    }

    export! {
        "HAL_MutexLock" or ();
        /// Takes a lock.
        ///
        /// # Safety
        /// `mutex` is NULL or from [`iot_platform_mutex_create`].
        pub unsafe fn iot_platform_mutex_lock(mutex: *mut c_void) {
            if !is_null(mutex, NAME) {
                // SAFETY: the caller's promise.
                unsafe { libc::pthread_mutex_lock(mutex.cast()) };
            }
        }
    }

    export! {
        "HAL_MutexTryLock" or QCLOUD_ERR_FAILURE;
        /// Takes a lock if it is free. Returns 0 when it was, else the system's error number.
        ///
        /// # Safety
        /// `mutex` is NULL or from [`iot_platform_mutex_create`].
        pub unsafe fn iot_platform_mutex_try_lock(mutex: *mut c_void) -> c_int {
            if is_null(mutex, NAME) {
                return QCLOUD_ERR_INVAL;
            }
            // SAFETY: the caller's promise.
            unsafe { libc::pthread_mutex_trylock(mutex.cast()) }
        }
    }

    export! {
        "HAL_MutexUnlock" or ();
        /// Gives a lock back.
        ///
        /// # Safety
        /// `mutex` is NULL or from [`iot_platform_mutex_create`] and held by the calling thread.
        pub unsafe fn iot_platform_mutex_unlock(mutex: *mut c_void) {
            if !is_null(mutex, NAME) {
                // SAFETY: the caller's promise.
                unsafe { libc::pthread_mutex_unlock(mutex.cast()) };
            }
        }
    }

    fn is_null(mutex: *mut c_void, func: &str) -> bool {
        if mutex.is_null() {
            log::error(func, "lock is NULL");
        }
        mutex.is_null()
    }
}

/// `HAL_Mutex*` without threads: nothing to do, with a value that is not NULL and points nowhere.
#[cfg(not(feature = "multithread"))]
mod mutex {
    use super::{c_int, c_void, QCLOUD_ERR_FAILURE};

    export! {
        "HAL_MutexCreate" or std::ptr::null_mut();
        /// A value that stands for a lock.
        pub fn iot_platform_mutex_create() -> *mut c_void {
            std::ptr::without_provenance_mut(usize::MAX)
        }
    }

    export! {
        "HAL_MutexDestroy" or ();
        /// Does nothing.
        pub fn iot_platform_mutex_destroy(_mutex: *mut c_void) {}
    }

    export! {
        "HAL_MutexLock" or ();
        /// Does nothing.
        pub fn iot_platform_mutex_lock(_mutex: *mut c_void) {}
    }

    export! {
        "HAL_MutexTryLock" or QCLOUD_ERR_FAILURE;
        /// Returns 0.
        pub fn iot_platform_mutex_try_lock(_mutex: *mut c_void) -> c_int {
            0
        }
    }

    export! {
        "HAL_MutexUnlock" or ();
        /// Does nothing.
        pub fn iot_platform_mutex_unlock(_mutex: *mut c_void) {}
    }
}

pub use mutex::*;

/// Waits by the monotonic clock, which sem_timedwait does not.
struct Semaphore {
    count: Mutex<u32>,
    posted: Condvar,
}

export! {
    "HAL_SemaphoreCreate" or std::ptr::null_mut();
    /// Makes a semaphore with count 0.
    pub fn iot_platform_semaphore_create() -> *mut c_void {
        Box::into_raw(Box::new(Semaphore { count: Mutex::new(0), posted: Condvar::new() })).cast()
    }
}

export! {
    "HAL_SemaphoreDestroy" or ();
    /// Frees a semaphore that nobody waits for.
    ///
    /// # Safety
    /// `sem` is NULL or from [`iot_platform_semaphore_create`], and used no more.
    pub unsafe fn iot_platform_semaphore_destroy(sem: *mut c_void) {
        if !sem.is_null() {
            // SAFETY: the caller's promise; the box was made in create.
            drop(unsafe { Box::from_raw(sem.cast::<Semaphore>()) });
        }
    }
}

export! {
    "HAL_SemaphorePost" or ();
    /// Adds one to the count.
    ///
    /// # Safety
    /// `sem` is NULL or from [`iot_platform_semaphore_create`].
    pub unsafe fn iot_platform_semaphore_post(sem: *mut c_void) {
        // SAFETY: the caller's promise.
        let Some(sem) = (unsafe { sem.cast::<Semaphore>().as_ref() }) else {
            log::error(NAME, "semaphore is NULL");
            return;
        };
        let mut count = sem.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_add(1);
        drop(count);
        sem.posted.notify_one();
    }
}

export! {
    "HAL_SemaphoreWait" or QCLOUD_ERR_FAILURE;
    /// Takes one from the count within `timeout_ms` milliseconds. Returns 0, or `QCLOUD_ERR_FAILURE` when the time is over.
    ///
    /// # Safety
    /// `sem` is NULL or from [`iot_platform_semaphore_create`].
    pub unsafe fn iot_platform_semaphore_wait(sem: *mut c_void, timeout_ms: u32) -> c_int {
        // SAFETY: the caller's promise.
        let Some(sem) = (unsafe { sem.cast::<Semaphore>().as_ref() }) else {
            log::error(NAME, "semaphore is NULL");
            return QCLOUD_ERR_INVAL;
        };
        let count = sem.count.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut count, _) = sem
            .posted
            .wait_timeout_while(count, Duration::from_millis(u64::from(timeout_ms)), |count| *count == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if *count == 0 {
            return QCLOUD_ERR_FAILURE;
        }
        *count -= 1;
        QCLOUD_RET_SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "multithread")]
    #[test]
    fn try_lock_says_whether_the_lock_was_free() {
        let mutex = iot_platform_mutex_create();
        // SAFETY: a lock of ours, freed last.
        unsafe {
            assert_eq!(iot_platform_mutex_try_lock(mutex), 0);
            let address = mutex as usize;
            let busy = std::thread::spawn(move || iot_platform_mutex_try_lock(address as *mut c_void)).join().unwrap();
            assert_ne!(busy, 0);
            iot_platform_mutex_unlock(mutex);
            iot_platform_mutex_lock(mutex);
            iot_platform_mutex_unlock(mutex);
            iot_platform_mutex_destroy(mutex);
            assert_ne!(iot_platform_mutex_try_lock(std::ptr::null_mut()), 0);
        }
    }

    #[cfg(not(feature = "multithread"))]
    #[test]
    fn without_threads_a_lock_is_a_dummy() {
        let mutex = iot_platform_mutex_create();
        assert!(!mutex.is_null());
        assert_eq!(iot_platform_mutex_try_lock(mutex), 0);
        assert_eq!(iot_platform_mutex_try_lock(mutex), 0);
        iot_platform_mutex_destroy(mutex);
    }

    #[test]
    fn semaphore_counts() {
        let sem = iot_platform_semaphore_create();
        // SAFETY: a semaphore of ours, freed last.
        unsafe {
            assert_eq!(iot_platform_semaphore_wait(sem, 0), QCLOUD_ERR_FAILURE);
            iot_platform_semaphore_post(sem);
            iot_platform_semaphore_post(sem);
            assert_eq!(iot_platform_semaphore_wait(sem, 0), 0);
            assert_eq!(iot_platform_semaphore_wait(sem, 0), 0);
            let address = sem as usize;
            let poster = std::thread::spawn(move || iot_platform_semaphore_post(address as *mut c_void));
            assert_eq!(iot_platform_semaphore_wait(sem, 60_000), 0);
            poster.join().unwrap();
            iot_platform_semaphore_destroy(sem);
            assert_eq!(iot_platform_semaphore_wait(std::ptr::null_mut(), 0), QCLOUD_ERR_INVAL);
        }
    }
}
