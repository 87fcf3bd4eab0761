//! `HAL_GetDevInfo` and its relatives.
//!
//! With the feature `debug-dev-info` (the C SDK's `DEBUG_DEV_INFO_USED`) the identity comes from the environment
//! variables `QCLOUD_DEBUG_*` at compile time, and `HAL_SetDevInfo` changes it in memory only.

use std::ffi::{c_char, c_int, c_void, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "gateway")]
use iot_abi::error::QCLOUD_ERR_FAILURE;
use iot_abi::error::{QCLOUD_ERR_DEV_INFO, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::export::DeviceInfo;
#[cfg(feature = "gateway")]
use iot_abi::export::GatewayDeviceInfo;

#[cfg(feature = "gateway")]
use crate::identity::SubDevice;
use crate::identity::{self, Document, Identity};
use crate::log;

/// The file used as long as [`iot_platform_set_dev_info_file`] names no other.
const DEFAULT_FILE: &str = "./device_info.json";

static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

fn current_file() -> PathBuf {
    FILE.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
}

/// Logs `text` and returns the code for it.
fn fail(func: &str, text: &str) -> c_int {
    log::error(func, text);
    QCLOUD_ERR_DEV_INFO
}

export! {
    "HAL_SetDevInfoFile" or QCLOUD_ERR_DEV_INFO;
    /// Sets the file the other functions use. Returns 0 or `QCLOUD_ERR_INVAL`.
    ///
    /// # Safety
    /// `file_name` is NULL or NUL-terminated.
    pub unsafe fn iot_platform_set_dev_info_file(file_name: *const c_char) -> c_int {
        // SAFETY: the caller's promise.
        let Some(file) = (unsafe { path(file_name) }) else {
            log::error(NAME, "file name is missing");
            return QCLOUD_ERR_INVAL;
        };
        *FILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file.to_owned());
        QCLOUD_RET_SUCCESS
    }
}

export! {
    "HAL_GetDevInfo" or QCLOUD_ERR_DEV_INFO;
    /// Fills the `DeviceInfo` at `dev_info`. Returns 0, `QCLOUD_ERR_INVAL` or `QCLOUD_ERR_DEV_INFO` (logged).
    ///
    /// # Safety
    /// `dev_info` is NULL or points to a writable `DeviceInfo`.
    pub unsafe fn iot_platform_get_dev_info(dev_info: *mut c_void) -> c_int {
        if dev_info.is_null() {
            log::error(NAME, "dev_info is NULL");
            return QCLOUD_ERR_INVAL;
        }
        match load() {
            Ok(identity) => {
                // SAFETY: the caller's promise.
                unsafe { fill(dev_info.cast(), &identity) };
                QCLOUD_RET_SUCCESS
            }
            Err(text) => fail(NAME, &text),
        }
    }
}

export! {
    "HAL_GetDevInfoFromFile" or QCLOUD_ERR_DEV_INFO;
    /// Fills the `DeviceInfo` at `dev_info` from a file, see [`iot_platform_get_dev_info`].
    ///
    /// # Safety
    /// `file_name` is NULL or NUL-terminated; `dev_info` is NULL or points to a writable `DeviceInfo`.
    pub unsafe fn iot_platform_get_dev_info_from_file(file_name: *const c_char, dev_info: *mut c_void) -> c_int {
        // SAFETY: the caller's promise.
        let (Some(file), false) = (unsafe { path(file_name) }, dev_info.is_null()) else {
            log::error(NAME, "file name or dev_info is NULL");
            return QCLOUD_ERR_INVAL;
        };
        match Document::read(file).and_then(|document| document.identity()) {
            Ok(identity) => {
                // SAFETY: the caller's promise.
                unsafe { fill(dev_info.cast(), &identity) };
                QCLOUD_RET_SUCCESS
            }
            Err(text) => fail(NAME, &text),
        }
    }
}

export! {
    "HAL_SetDevInfo" or QCLOUD_ERR_DEV_INFO;
    /// Stores the `DeviceInfo` at `dev_info`. Returns 0, `QCLOUD_ERR_INVAL` or `QCLOUD_ERR_DEV_INFO` (logged; the file is
    /// as before).
    ///
    /// # Safety
    /// `dev_info` is NULL or points to a valid `DeviceInfo`.
    pub unsafe fn iot_platform_set_dev_info(dev_info: *mut c_void) -> c_int {
        if dev_info.is_null() {
            log::error(NAME, "dev_info is NULL");
            return QCLOUD_ERR_INVAL;
        }
        // SAFETY: the caller's promise; arrays of char, which need no alignment.
        let info = unsafe { &*dev_info.cast::<DeviceInfo>() };
        match identity_of(info).and_then(|identity| save(&identity)) {
            Ok(()) => QCLOUD_RET_SUCCESS,
            Err(text) => fail(NAME, &text),
        }
    }
}

export! {
    "HAL_GetGwDevInfo" or QCLOUD_ERR_DEV_INFO;
    /// Fills the `GatewayDeviceInfo` at `gw_dev_info`: the gateway, and one device behind it in memory of `allocate`, which
    /// the caller frees. Returns 0; `QCLOUD_ERR_FAILURE` where the gateway's part can't be read; `QCLOUD_ERR_DEV_INFO` where
    /// the device's can't, or for NULL (gateway.md section 5).
    ///
    /// # Safety
    /// `gw_dev_info` is NULL or points to a `GatewayDeviceInfo`, whose content may be anything; `allocate` is NULL or
    /// `HAL_Malloc`.
    pub unsafe fn iot_platform_get_gw_dev_info(
        gw_dev_info: *mut c_void,
        allocate: Option<unsafe extern "C" fn(u32) -> *mut c_void>,
    ) -> c_int {
        if gw_dev_info.is_null() {
            return fail(NAME, "gateway info is NULL");
        }
        #[cfg(feature = "gateway")]
        {
            // SAFETY: the caller's promise.
            unsafe { get_gateway(NAME, gw_dev_info.cast::<GatewayDeviceInfo>(), allocate) }
        }
        #[cfg(not(feature = "gateway"))]
        {
            let _ = allocate;
            fail(NAME, "this platform is built without gateway support")
        }
    }
}

/// # Safety
/// `info` may be written; `allocate` as above.
#[cfg(feature = "gateway")]
unsafe fn get_gateway(
    func: &str,
    info: *mut GatewayDeviceInfo,
    allocate: Option<unsafe extern "C" fn(u32) -> *mut c_void>,
) -> c_int {
    let gateway = match load() {
        Ok(gateway) => gateway,
        Err(text) => {
            log::error(func, &text);
            return QCLOUD_ERR_FAILURE;
        }
    };
    let size = u32::try_from(size_of::<DeviceInfo>()).unwrap_or(u32::MAX);
    // SAFETY: the caller's promise.
    let device = allocate.map_or(std::ptr::null_mut(), |allocate| unsafe { allocate(size) }).cast::<DeviceInfo>();
    let mut gw_info = empty();
    // SAFETY: it is whole.
    unsafe { fill(&raw mut gw_info, &gateway) };
    // SAFETY: the caller's promise.
    unsafe {
        info.write(GatewayDeviceInfo { gw_info, sub_dev_info: device, sub_dev_num: u32::from(!device.is_null()) })
    };
    if device.is_null() {
        return fail(func, "no memory for the device behind the gateway");
    }
    let mut sub_device = empty();
    let loaded = load_sub_device();
    if let Ok(SubDevice { product_id, device_name }) = &loaded {
        set(&mut sub_device.product_id, product_id);
        set(&mut sub_device.device_name, device_name);
    }
    // SAFETY: room for one, and nobody else knows it yet.
    unsafe { device.write(sub_device) };
    match loaded {
        Ok(_) => QCLOUD_RET_SUCCESS,
        Err(text) => fail(func, &text),
    }
}

/// # Safety
/// `file_name` is NULL or a NUL-terminated string that lives as long as the result is used.
unsafe fn path<'a>(file_name: *const c_char) -> Option<&'a Path> {
    if file_name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(file_name) }.to_bytes();
    (!name.is_empty()).then(|| Path::new(OsStr::from_bytes(name)))
}

/// Whether the identity is compiled in.
const COMPILED_IN: bool = cfg!(feature = "debug-dev-info");

fn load() -> Result<Identity, String> {
    if COMPILED_IN {
        compiled_in::load()
    } else {
        Document::read(&current_file())?.identity()
    }
}

fn save(identity: &Identity) -> Result<(), String> {
    if COMPILED_IN {
        compiled_in::save(identity);
        Ok(())
    } else {
        identity::store(&current_file(), identity)
    }
}

#[cfg(feature = "gateway")]
fn load_sub_device() -> Result<SubDevice, String> {
    if COMPILED_IN {
        Ok(compiled_in::sub_device())
    } else {
        Document::read(&current_file())?.sub_device()
    }
}

/// The identity from the code.
mod compiled_in {
    use super::{empty, fill, identity_of, DeviceInfo, Identity, Mutex, PoisonError};
    #[cfg(feature = "gateway")]
    use crate::identity::SubDevice;

    /// What `HAL_SetDevInfo` has set.
    static CHANGED: Mutex<Option<DeviceInfo>> = Mutex::new(None);

    const fn or(value: Option<&'static str>, default: &'static str) -> &'static str {
        match value {
            Some(value) => value,
            None => default,
        }
    }

    const PRODUCT_ID: &str = or(option_env!("QCLOUD_DEBUG_PRODUCT_ID"), "PRODUCT_ID");
    const DEVICE_NAME: &str = or(option_env!("QCLOUD_DEBUG_DEVICE_NAME"), "YOUR_DEV_NAME");
    #[cfg(not(feature = "auth-mode-cert"))]
    const DEVICE_SECRET: &str = or(option_env!("QCLOUD_DEBUG_DEVICE_SECRET"), "YOUR_IOT_PSK");
    #[cfg(feature = "auth-mode-cert")]
    const CERT_FILE: &str = or(option_env!("QCLOUD_DEBUG_CERT_FILE"), "YOUR_DEVICE_NAME_cert.crt");
    #[cfg(feature = "auth-mode-cert")]
    const KEY_FILE: &str = or(option_env!("QCLOUD_DEBUG_KEY_FILE"), "YOUR_DEVICE_NAME_private.key");
    #[cfg(feature = "abi-3-3")]
    pub const REGION: &str = or(option_env!("QCLOUD_DEBUG_REGION"), iot_abi::variables::QCLOUD_IOT_DEFAULT_REGION);
    const PRODUCT_SECRET: &str = or(option_env!("QCLOUD_DEBUG_PRODUCT_SECRET"), super::NO_PRODUCT_SECRET);
    #[cfg(feature = "gateway")]
    const SUB_PRODUCT_ID: &str = or(option_env!("QCLOUD_DEBUG_SUB_PRODUCT_ID"), "PRODUCT_ID");
    #[cfg(feature = "gateway")]
    const SUB_DEVICE_NAME: &str = or(option_env!("QCLOUD_DEBUG_SUB_DEVICE_NAME"), "YOUR_SUB_DEV_NAME");

    /// Values that do not fit their fields stop the build.
    const _: () = {
        use iot_abi::export as max;
        assert!(PRODUCT_ID.len() <= max::MAX_SIZE_OF_PRODUCT_ID, "QCLOUD_DEBUG_PRODUCT_ID is too long");
        assert!(DEVICE_NAME.len() <= max::MAX_SIZE_OF_DEVICE_NAME, "QCLOUD_DEBUG_DEVICE_NAME is too long");
        assert!(PRODUCT_SECRET.len() <= max::MAX_SIZE_OF_PRODUCT_SECRET, "QCLOUD_DEBUG_PRODUCT_SECRET is too long");
        #[cfg(feature = "abi-3-3")]
        assert!(REGION.len() < max::MAX_SIZE_OF_REGION, "QCLOUD_DEBUG_REGION is too long");
        #[cfg(not(feature = "auth-mode-cert"))]
        assert!(DEVICE_SECRET.len() <= max::MAX_SIZE_OF_DEVICE_SECRET, "QCLOUD_DEBUG_DEVICE_SECRET is too long");
        #[cfg(feature = "auth-mode-cert")]
        {
            assert!(CERT_FILE.len() <= max::MAX_SIZE_OF_DEVICE_CERT_FILE_NAME, "QCLOUD_DEBUG_CERT_FILE is too long");
            assert!(KEY_FILE.len() <= max::MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME, "QCLOUD_DEBUG_KEY_FILE is too long");
        }
        #[cfg(feature = "gateway")]
        {
            assert!(SUB_PRODUCT_ID.len() <= max::MAX_SIZE_OF_PRODUCT_ID, "QCLOUD_DEBUG_SUB_PRODUCT_ID is too long");
            assert!(SUB_DEVICE_NAME.len() <= max::MAX_SIZE_OF_DEVICE_NAME, "QCLOUD_DEBUG_SUB_DEVICE_NAME is too long");
        }
    };

    pub fn load() -> Result<Identity, String> {
        if let Some(info) = &*CHANGED.lock().unwrap_or_else(PoisonError::into_inner) {
            return identity_of(info);
        }
        Ok(Identity {
            product_id: PRODUCT_ID.to_owned(),
            device_name: DEVICE_NAME.to_owned(),
            #[cfg(not(feature = "auth-mode-cert"))]
            device_secret: DEVICE_SECRET.to_owned().into(),
            #[cfg(feature = "auth-mode-cert")]
            cert_file: CERT_FILE.to_owned(),
            #[cfg(feature = "auth-mode-cert")]
            key_file: KEY_FILE.to_owned(),
            product_secret: PRODUCT_SECRET.to_owned().into(),
            #[cfg(feature = "abi-3-3")]
            region: REGION.to_owned(),
        })
    }

    pub fn save(identity: &Identity) {
        let mut changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: it is whole.
        unsafe { fill(changed.insert(empty()), identity) };
    }

    #[cfg(feature = "gateway")]
    pub fn sub_device() -> SubDevice {
        SubDevice { product_id: SUB_PRODUCT_ID.to_owned(), device_name: SUB_DEVICE_NAME.to_owned() }
    }
}

fn empty() -> DeviceInfo {
    // SAFETY: arrays of characters.
    unsafe { std::mem::zeroed() }
}

/// Writes every field of a struct, in place: a copy on the stack would keep the secrets.
///
/// Under the 3.2 interface the product's secret is written only where there is one: objects of 3.1.2 and 3.1.3 have somebody
/// else's memory there (versions.md section 5, rule 2).
///
/// # Safety
/// `info` may be written up to the product's secret, and where there is one to its end, and nobody else uses it meanwhile. It
/// need not be initialized.
unsafe fn fill(info: *mut DeviceInfo, identity: &Identity) {
    // SAFETY: the caller's promise; no reference to the whole, which may be shorter.
    unsafe {
        put(&raw mut (*info).product_id, &identity.product_id);
        put(&raw mut (*info).device_name, &identity.device_name);
        put(&raw mut (*info).client_id, &format!("{}{}", identity.product_id, identity.device_name));
        #[cfg(not(feature = "auth-mode-cert"))]
        put(&raw mut (*info).device_secret, &identity.device_secret);
        #[cfg(feature = "auth-mode-cert")]
        {
            put(&raw mut (*info).dev_cert_file_name, &identity.cert_file);
            put(&raw mut (*info).dev_key_file_name, &identity.key_file);
        }
        #[cfg(feature = "dev-dyn-reg")]
        if cfg!(feature = "abi-3-3") || has_product_secret(identity) {
            put(&raw mut (*info).product_secret, &identity.product_secret);
        }
        #[cfg(feature = "abi-3-3")]
        put(&raw mut (*info).region, &identity.region);
    }
}

/// What stands in the file that comes with the library, in place of a product's secret.
const NO_PRODUCT_SECRET: &str = "YOUR_PRODUCT_SECRET";

#[cfg(feature = "dev-dyn-reg")]
fn has_product_secret(identity: &Identity) -> bool {
    !matches!(identity.product_secret.as_str(), "" | NO_PRODUCT_SECRET)
}

/// Sets a field.
///
/// # Safety
/// It may be written.
unsafe fn put<const N: usize>(field: *mut [c_char; N], text: &str) {
    // SAFETY: the caller's promise; it is initialized from here on.
    unsafe {
        field.write([0; N]);
        set(&mut *field, text);
    }
}

/// Copies `text`, which fits, with its NUL; `field` is all zeros.
fn set(field: &mut [c_char], text: &str) {
    let room = field.len().saturating_sub(1);
    for (to, from) in field.iter_mut().zip(text.bytes().take(room)) {
        *to = from as c_char;
    }
}

fn identity_of(info: &DeviceInfo) -> Result<Identity, String> {
    let required = |field: &[c_char], name: &str| match text(field, name) {
        Ok(text) if text.is_empty() => Err(format!("{name} is empty")),
        result => result,
    };
    Ok(Identity {
        product_id: required(&info.product_id, "product_id")?,
        device_name: required(&info.device_name, "device_name")?,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret: text(&info.device_secret, "device_secret")?.into(),
        #[cfg(feature = "auth-mode-cert")]
        cert_file: text(&info.dev_cert_file_name, "dev_cert_file_name")?,
        #[cfg(feature = "auth-mode-cert")]
        key_file: text(&info.dev_key_file_name, "dev_key_file_name")?,
        #[cfg(feature = "dev-dyn-reg")]
        product_secret: text(&info.product_secret, "product_secret")?.into(),
        #[cfg(not(feature = "dev-dyn-reg"))]
        product_secret: identity::Secret::default(),
        // The file keeps the one that it has.
        #[cfg(feature = "abi-3-3")]
        region: compiled_in::REGION.to_owned(),
    })
}

fn text(field: &[c_char], name: &str) -> Result<String, String> {
    let bytes: Vec<u8> = field.iter().map(|c| *c as u8).take_while(|c| *c != 0).collect();
    if bytes.len() == field.len() {
        return Err(format!("{name} has no terminating NUL"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{name} is not valid UTF-8"))
}

#[cfg(test)]
#[path = "devinfo_tests.rs"]
mod tests;
