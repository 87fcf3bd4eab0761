//! Locks over `HAL_Mutex*`.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use iot_abi::import::{HAL_MutexCreate, HAL_MutexDestroy, HAL_MutexLock, HAL_MutexUnlock, HAL_SleepMs};

/// A mutex that waits in `HAL_MutexLock`.
///
/// Platforms without threads hand out dummy locks (hal.md), and a user's lock may be faulty. Mutual exclusion
/// therefore rests on `held`; the HAL's lock only makes the wait cheap.
pub struct Mutex<T> {
    hal: *mut c_void,
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached only by the one thread that set `held`; the HAL's lock may be used from any thread.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex around `value`. A platform that can't make one (NULL) is treated as one without locks.
    pub fn new(value: T) -> Self {
        // SAFETY: no precondition.
        let hal = unsafe { HAL_MutexCreate() };
        Mutex { hal, held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock. Not recursive.
    pub fn lock(&self) -> Guard<'_, T> {
        if !self.hal.is_null() {
            // SAFETY: made by HAL_MutexCreate, destroyed only in drop.
            unsafe { HAL_MutexLock(self.hal) };
        }
        while self.held.swap(true, Ordering::Acquire) {
            // SAFETY: no precondition.
            unsafe { HAL_SleepMs(1) };
        }
        Guard { mutex: self, hal: self.hal }
    }

    /// The lock, where nobody holds it.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        // The HAL's lock stays free: whoever takes it meanwhile waits for `held`. No guard may come into being where the
        // lock is not ours: dropping it would release the holder's.
        (!self.held.swap(true, Ordering::Acquire)).then(|| Guard { mutex: self, hal: ptr::null_mut() })
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        if !self.hal.is_null() {
            // SAFETY: `&mut self`: nobody holds or waits for it.
            unsafe { HAL_MutexDestroy(self.hal) };
        }
    }
}

/// Access to what a [`Mutex`] guards, until dropped.
pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
    /// The HAL's lock where this guard holds it, else NULL.
    hal: *mut c_void,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard set `held`, so nobody else reaches the value.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in deref.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.mutex.held.store(false, Ordering::Release);
        if !self.hal.is_null() {
            // SAFETY: locked by this guard on this thread.
            unsafe { HAL_MutexUnlock(self.hal) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_tried_in_vain_stays_with_its_holder() {
        let mutex = Mutex::new(0);
        let guard = mutex.lock();
        assert!(mutex.try_lock().is_none());
        assert!(mutex.try_lock().is_none());
        drop(guard);
        let guard = mutex.try_lock().expect("nobody holds it");
        assert!(mutex.try_lock().is_none());
        drop(guard);
        drop(mutex.lock());
    }
}
