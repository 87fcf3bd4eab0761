//! Locks over `HAL_Mutex*`.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::callout::{HAL_MutexCreate, HAL_MutexDestroy, HAL_MutexLock, HAL_MutexUnlock, HAL_SleepMs};

type Task = Box<dyn FnOnce()>;

thread_local! {
    /// How many locks this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
    static IS_WAITED: Cell<bool> = const { Cell::new(false) };
    /// What waits until it holds none.
    static WAITING: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

/// Whether the calling thread holds a lock.
pub fn is_holding() -> bool {
    HELD.get() != 0
}

/// Runs `task` as soon as the calling thread holds no lock: at once where it holds none.
pub fn when_released(task: impl FnOnce() + 'static) {
    if is_holding() {
        IS_WAITED.set(true);
        WAITING.with_borrow_mut(|waiting| waiting.push(Box::new(task)));
    } else {
        task();
    }
}

fn taken() {
    HELD.set(HELD.get() + 1);
}

fn released() {
    HELD.set(HELD.get().saturating_sub(1));
    if !is_holding() && IS_WAITED.replace(false) {
        for task in WAITING.take() {
            task();
        }
    }
}

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
        taken();
        Guard { mutex: self, hal: self.hal }
    }

    /// The lock, where nobody holds it.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        // The HAL's lock stays free: whoever takes it meanwhile waits for `held`. No guard may come into being where the
        // lock is not ours: dropping it would release the holder's.
        (!self.held.swap(true, Ordering::Acquire)).then(|| {
            taken();
            Guard { mutex: self, hal: ptr::null_mut() }
        })
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
        released();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

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

    #[test]
    fn a_task_waits_for_the_last_lock_of_its_thread() {
        let done = Rc::new(RefCell::new(Vec::new()));
        let task = |number| {
            let done = Rc::clone(&done);
            when_released(move || {
                assert!(!is_holding());
                done.borrow_mut().push(number);
            });
        };
        let (outer, inner) = (Mutex::new(0), Mutex::new(0));
        task(1);
        let first = outer.lock();
        task(2);
        let second = inner.try_lock();
        task(3);
        assert_eq!(*done.borrow(), [1]);
        drop(first);
        assert!(outer.try_lock().is_some() && is_holding());
        assert_eq!(*done.borrow(), [1]);
        drop(second);
        assert_eq!(*done.borrow(), [1, 2, 3]);
    }
}
