//! `DeviceProperty`: a value of the program's, behind pointers.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use iot_abi::error::QCLOUD_ERR_INVAL;
use iot_abi::raw;
use iot_abi::shadow::{DeviceProperty, JsonDataType, OnPropRegCallback};
use iot_engine::services::shadow::{delta, Value};

use crate::drive::services::shadow::Property;
use crate::ffi::memory::{bytes_from_c, with_nul};
use crate::hal::callout;

/// The type that C code names; `None` where there is no such.
fn data_type(raw: raw::JsonDataType) -> Option<JsonDataType> {
    use JsonDataType::*;
    const ALL: [JsonDataType; 11] =
        [JINT32, JINT16, JINT8, JUINT32, JUINT16, JUINT8, JFLOAT, JDOUBLE, JBOOL, JSTRING, JOBJECT];
    ALL.into_iter().find(|known| *known as raw::JsonDataType == raw)
}

/// Key and value of a property, for a document.
///
/// No reference to the struct is made: samples leave `delta_arrived` uninitialised, and any byte may be in it.
///
/// # Errors
/// `QCLOUD_ERR_INVAL`, with an `ERR` line, where it can't be written.
///
/// # Safety
/// `property` is NULL or valid, its key NULL or a string, its data NULL or of its type.
pub(super) unsafe fn read<'a>(
    function: &'static str,
    property: *const DeviceProperty,
) -> Result<(&'a [u8], Value<'a>), c_int> {
    let refused = |what: &str| {
        ::log::error!(target: function, "a property {what}");
        QCLOUD_ERR_INVAL
    };
    if property.is_null() {
        return Err(refused("is NULL"));
    }
    // SAFETY: the caller's promise.
    let (key, data, kind) = unsafe { ((*property).key, (*property).data.cast_const(), (*property).r#type) };
    // SAFETY: the caller's promise.
    let key = unsafe { bytes_from_c(key) }.ok_or_else(|| refused("has no key"))?;
    let kind = data_type(kind).ok_or_else(|| refused("has a type that there is not"))?;
    if data.is_null() {
        return Ok((key, Value::Null));
    }
    // SAFETY: the data is of this type, by the caller's promise.
    let value = unsafe {
        match kind {
            JsonDataType::JINT32 => Value::Whole(data.cast::<i32>().read_unaligned().into()),
            JsonDataType::JINT16 => Value::Whole(data.cast::<i16>().read_unaligned().into()),
            JsonDataType::JINT8 => Value::Whole(data.cast::<i8>().read().into()),
            JsonDataType::JUINT32 => Value::Whole(data.cast::<u32>().read_unaligned().into()),
            JsonDataType::JUINT16 => Value::Whole(data.cast::<u16>().read_unaligned().into()),
            JsonDataType::JUINT8 => Value::Whole(data.cast::<u8>().read().into()),
            JsonDataType::JFLOAT => Value::Number(data.cast::<f32>().read_unaligned().into()),
            JsonDataType::JDOUBLE => Value::Number(data.cast::<f64>().read_unaligned()),
            JsonDataType::JBOOL => Value::Bool(data.cast::<u8>().read() != 0),
            JsonDataType::JSTRING => Value::Text(bytes_from_c(data.cast()).unwrap_or_default()),
            JsonDataType::JOBJECT => Value::Json(bytes_from_c(data.cast()).unwrap_or_default()),
        }
    };
    Ok((key, value))
}

/// Whether a property can be watched.
///
/// # Safety
/// `property` points to a `DeviceProperty`.
pub(super) unsafe fn is_complete(property: *const DeviceProperty) -> bool {
    // SAFETY: the caller's promise.
    unsafe { !(*property).key.is_null() && !(*property).data.is_null() }
}

type Callback = unsafe extern "C" fn(*mut c_void, *const c_char, u32, *mut DeviceProperty);

/// A property that the program watches.
pub(super) struct Watched {
    shadow: *mut c_void,
    property: *mut DeviceProperty,
    callback: Callback,
}

// SAFETY: the program keeps the property while it is registered, and `take` runs only then; the callback is called from
// whichever thread pumps, as documented.
unsafe impl Send for Watched {}
// SAFETY: as above.
unsafe impl Sync for Watched {}

impl Watched {
    /// `None` without a callback.
    pub(super) fn new(shadow: *mut c_void, property: *mut DeviceProperty, callback: OnPropRegCallback) -> Option<Self> {
        Some(Watched { shadow, property, callback: callback? })
    }
}

impl Property for Watched {
    fn take(&self, state: &[u8]) -> bool {
        // SAFETY: the property is registered, so the program keeps it. Key and data may have changed since.
        let (key, data, kind) = unsafe {
            let property = self.property;
            (bytes_from_c((*property).key), (*property).data, (*property).r#type)
        };
        let Some(value) = key.and_then(|key| delta::wanted(state, key)) else {
            return false;
        };
        if let Some(kind) = data_type(kind).filter(|_| !data.is_null()) {
            // SAFETY: the data is of the type that the program says.
            unsafe { write(kind, data, value.source()) };
        }
        true
    }

    fn changed(&self, state: &[u8]) {
        let Some(text) = with_nul(state) else {
            // The server decides how long a message is, so this must not abort.
            ::log::error!("no memory to hand on a delta of {} bytes", state.len());
            return;
        };
        let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
        // SAFETY: the callback is the user's, with the signature of the header; the text is valid for the call.
        unsafe { callout::on_property(self.callback, self.shadow, text.as_ptr().cast(), length, self.property) };
    }
}

/// Converts `text` into `data`, which stays as it is where that can't be.
unsafe fn write(kind: JsonDataType, data: *mut c_void, text: &[u8]) {
    // SAFETY: the data is of this type, by the caller's promise.
    unsafe {
        match kind {
            JsonDataType::JINT32 => put(data, delta::signed::<i32>(text)),
            JsonDataType::JINT16 => put(data, delta::signed::<i16>(text)),
            JsonDataType::JINT8 => put(data, delta::signed::<i8>(text)),
            JsonDataType::JUINT32 => put(data, delta::unsigned::<u32>(text)),
            JsonDataType::JUINT16 => put(data, delta::unsigned::<u16>(text)),
            JsonDataType::JUINT8 => put(data, delta::unsigned::<u8>(text)),
            JsonDataType::JFLOAT => put(data, delta::number::<f32>(text)),
            JsonDataType::JDOUBLE => put(data, delta::number::<f64>(text)),
            JsonDataType::JBOOL => put(data, Some(u8::from(delta::boolean(text)))),
            // The callback reads these itself.
            JsonDataType::JSTRING | JsonDataType::JOBJECT => {}
        }
    }
}

unsafe fn put<T>(data: *mut c_void, value: Option<T>) {
    if let Some(value) = value {
        // SAFETY: the data is a `T`, by the caller's promise.
        unsafe { ptr::write_unaligned(data.cast::<T>(), value) };
    }
}
