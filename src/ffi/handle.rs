//! Handles: how a C `void *` names a Rust object.
//!
//! A handle is looked up, never dereferenced, so a handle that was destroyed, belongs to another kind of object or is
//! garbage is answered with the documented error. While a call runs it holds its own reference: another thread that
//! destroys the handle meanwhile can't pull the object from under it.

use std::any::Any;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Object = Arc<dyn Any + Send + Sync>;

/// Sorted by address.
struct Table(Vec<(usize, Object)>);

static HANDLES: Mutex<Table> = Mutex::new(Table(Vec::new()));

impl Table {
    fn find(&self, handle: *mut c_void) -> Result<usize, usize> {
        self.0.binary_search_by_key(&(handle as usize), |entry| entry.0)
    }

    fn get(&self, handle: *mut c_void) -> Option<&Object> {
        self.find(handle).ok().map(|index| &self.0[index].1)
    }

    fn insert(&mut self, handle: *mut c_void, object: Object) {
        // The address is that of a live object, so it can't be in the table already.
        if let Err(index) = self.find(handle) {
            self.0.insert(index, (handle as usize, object));
        }
    }

    fn remove(&mut self, handle: *mut c_void) -> Option<Object> {
        let index = self.find(handle).ok()?;
        let (_, object) = self.0.remove(index);
        if self.0.is_empty() {
            // A program that has destroyed everything gets every byte back.
            self.0 = Vec::new();
        }
        Some(object)
    }
}

fn table() -> MutexGuard<'static, Table> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handle that `object` has once it is registered.
pub fn of<T>(object: &Arc<T>) -> *mut c_void {
    Arc::as_ptr(object).cast_mut().cast::<c_void>()
}

/// Registers `object` and returns its handle, never NULL.
pub fn insert<T: Any + Send + Sync>(object: Arc<T>) -> *mut c_void {
    let handle = of(&object);
    table().insert(handle, object);
    handle
}

/// The object behind `handle`; `None` when there is no live one of this kind.
pub fn get<T: Any + Send + Sync>(handle: *mut c_void) -> Option<Arc<T>> {
    let object = table().get(handle).cloned()?;
    object.downcast::<T>().ok()
}

/// The object behind the handle that `argument` of `function` must be; `None`, with an `ERR` line, when there is none.
/// `kind` says what it should be.
pub fn required<T: Any + Send + Sync>(
    function: &'static str,
    argument: &str,
    kind: &str,
    handle: *mut c_void,
) -> Option<Arc<T>> {
    let object = get::<T>(handle);
    if object.is_none() {
        log_unknown(function, argument, kind, handle);
    }
    object
}

/// Logs that `argument` of `function` is not the handle that it must be.
pub fn log_unknown(function: &'static str, argument: &str, kind: &str, handle: *mut c_void) {
    if handle.is_null() {
        log::error!(target: function, "{argument} is NULL");
    } else {
        log::error!(target: function, "{argument} is not {kind}");
    }
}

/// Takes `handle` out of the table: from now on it is unknown.
pub fn remove<T: Any + Send + Sync>(handle: *mut c_void) -> Option<Arc<T>> {
    let mut table = table();
    let object = table.get(handle).cloned()?.downcast::<T>().ok()?;
    let registered = table.remove(handle);
    // The table's reference must not be the one whose drop runs the object's destructor under the lock.
    drop(table);
    drop(registered);
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_one_kind_of_object_until_removed() {
        let handle = insert(Arc::new(7_u32));
        assert_eq!(get::<u32>(handle).as_deref(), Some(&7));
        assert!(get::<u64>(handle).is_none());
        assert!(remove::<u64>(handle).is_none());
        assert_eq!(remove::<u32>(handle).as_deref(), Some(&7));
        assert!(get::<u32>(handle).is_none());
        assert!(get::<u32>(std::ptr::null_mut()).is_none());
    }
}
