//! Handles: how a C `void *` names a Rust object.
//!
//! A handle is looked up, never dereferenced, so a handle that was destroyed, belongs to another kind of object or is
//! garbage is answered with the documented error. While a call runs it holds its own reference: another thread that
//! destroys the handle meanwhile can't pull the object from under it.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Table = BTreeMap<usize, Arc<dyn Any + Send + Sync>>;

static HANDLES: Mutex<Table> = Mutex::new(BTreeMap::new());

fn table() -> MutexGuard<'static, Table> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers `object` and returns its handle, never NULL.
pub fn insert<T: Any + Send + Sync>(object: Arc<T>) -> *mut c_void {
    let address = Arc::as_ptr(&object) as usize;
    table().insert(address, object);
    address as *mut c_void
}

/// The object behind `handle`; `None` when there is no live one of this kind.
pub fn get<T: Any + Send + Sync>(handle: *mut c_void) -> Option<Arc<T>> {
    let object = table().get(&(handle as usize)).cloned()?;
    object.downcast::<T>().ok()
}

/// Takes `handle` out of the table: from now on it is unknown.
pub fn remove<T: Any + Send + Sync>(handle: *mut c_void) -> Option<Arc<T>> {
    let mut table = table();
    let object = table.get(&(handle as usize)).cloned()?.downcast::<T>().ok()?;
    let registered = table.remove(&(handle as usize));
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
