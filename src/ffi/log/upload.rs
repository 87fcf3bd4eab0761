//! The uploader's three calls (log_upload.md section 1).

use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_ERR_MALLOC, QCLOUD_RET_SUCCESS};
use iot_abi::log::{eLOG_ERROR, LogUploadInitParams};
use iot_abi::raw;
use iot_engine::helpers::logline::Level;
use iot_engine::identity::Identity;
#[cfg(any(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
use iot_engine::services::log_upload::Proof;
#[cfg(not(all(feature = "auth-mode-cert", feature = "abi-3-3")))]
use iot_engine::services::log_upload::{request, Mode};
use iot_engine::services::log_upload::{Sender, Urgency};

use crate::drive::services::log_upload::{self, Setup, Store, Uploader};
pub(super) use crate::drive::services::log_upload::{collect, is_up, stop};
use crate::ffi::interface::Names;
use crate::ffi::{memory, required_str};
use crate::hal::callout::{self, OnDelete, OnSize, OnText};
use crate::hal::platform::HalPlatform;
#[cfg(all(feature = "auth-mode-cert", feature = "abi-3-3"))]
use crate::hal::signature;

pub(super) const FIRST_LEVEL: raw::LOG_LEVEL = eLOG_ERROR;

/// # Safety
/// The texts of `params` are NULL or strings.
pub(super) unsafe fn start(function: &'static str, params: &LogUploadInitParams) -> c_int {
    // SAFETY: the caller's promise.
    let make = || unsafe { uploader(function, params) };
    match memory::whole(function, make, drop) {
        Ok(uploader) => {
            log_upload::start(uploader);
            QCLOUD_RET_SUCCESS
        }
        Err(QCLOUD_ERR_MALLOC) => QCLOUD_ERR_FAILURE,
        Err(code) => code,
    }
}

unsafe fn uploader(function: &'static str, params: &LogUploadInitParams) -> Result<Arc<Uploader>, c_int> {
    // SAFETY: the caller's promise.
    let device = unsafe { Names::from(params).device(function) }?;
    // SAFETY: as above.
    let sign_key = unsafe { required_str(function, "sign_key", params.sign_key) }?;
    let invalid = |text: &dyn std::fmt::Display| {
        ::log::error!(target: function, "{text}");
        QCLOUD_ERR_INVAL
    };
    if sign_key.is_empty() {
        return Err(invalid(&"sign_key is empty"));
    }
    let setup = Setup {
        platform: Arc::new(HalPlatform::new()),
        sender: sender(function, &device, sign_key)?,
        store: CStore::of(params).map(|store| Box::new(store) as Box<dyn Store>),
        level: || super::upload_level().load(Ordering::Relaxed),
        set_level,
    };
    Uploader::new(setup).map_err(|why| {
        ::log::error!(target: function, "{why}");
        QCLOUD_ERR_FAILURE
    })
}

fn set_level(level: Level) {
    super::upload_level().store(level as u32, Ordering::Relaxed);
    super::refresh_filter();
}

/// As the interface's release of the C SDK does it: `sign_key` is the secret.
#[cfg(not(feature = "auth-mode-cert"))]
fn sender(_function: &'static str, device: &Identity, secret: &str) -> Result<Sender, c_int> {
    let key = request::key_of_secret(secret.as_bytes());
    Ok(if cfg!(feature = "abi-3-3") {
        Sender::of_json(device, Proof::Key(key))
    } else {
        Sender::new(device, Mode::Key, key)
    })
}

/// For 3.2.3 it is the path of the certificate.
#[cfg(all(feature = "auth-mode-cert", not(feature = "abi-3-3")))]
fn sender(function: &'static str, device: &Identity, path: &str) -> Result<Sender, c_int> {
    let read = crate::drive::trust::read(path).map_err(|why| why.to_string());
    let key = read.and_then(|file| request::key_of_certificate(&file).ok_or_else(|| "no PEM".to_owned()));
    key.map(|key| Sender::new(device, Mode::Certificate, key)).map_err(|why| {
        ::log::error!(target: function, "the certificate {path}: {why}");
        QCLOUD_ERR_FAILURE
    })
}

/// For 3.3.0, of the private key.
#[cfg(all(feature = "auth-mode-cert", feature = "abi-3-3"))]
fn sender(function: &'static str, device: &Identity, path: &str) -> Result<Sender, c_int> {
    let key = signature::KeyFile::open(path).map_err(|why| {
        ::log::error!(target: function, "no log upload: {why}");
        QCLOUD_ERR_FAILURE
    })?;
    Ok(Sender::of_json(device, Proof::PrivateKey(Box::new(key))))
}

pub(super) fn upload(force: bool) -> c_int {
    let Some(uploader) = log_upload::current() else {
        return QCLOUD_ERR_FAILURE;
    };
    uploader.upload(if force { Urgency::Demanded } else { Urgency::WhenDue });
    QCLOUD_RET_SUCCESS
}

/// The program's functions.
struct CStore {
    save: unsafe extern "C" fn(*const c_char, usize) -> usize,
    read: OnText,
    delete: OnDelete,
    size: OnSize,
}

impl CStore {
    /// `None` unless all four are given.
    fn of(params: &LogUploadInitParams) -> Option<Self> {
        Some(CStore {
            save: params.save_func?,
            read: params.read_func?,
            delete: params.del_func?,
            size: params.get_size_func?,
        })
    }
}

impl Store for CStore {
    fn size(&self) -> usize {
        // SAFETY: the program's function.
        unsafe { callout::on_size(self.size) }
    }

    fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the program's function; it may write to the whole buffer.
        unsafe { callout::on_text(self.read, buffer.as_mut_ptr().cast(), buffer.len()) }
    }

    fn save(&self, text: &[u8]) -> usize {
        // SAFETY: both take a pointer to char and a size; this one leaves the text as it is.
        let save =
            unsafe { std::mem::transmute::<unsafe extern "C" fn(*const c_char, usize) -> usize, OnText>(self.save) };
        // SAFETY: the program's function; the text is as long as told.
        unsafe { callout::on_text(save, text.as_ptr().cast_mut().cast(), text.len()) }
    }

    fn delete(&self) -> bool {
        // SAFETY: the program's function.
        unsafe { callout::on_delete(self.delete) == 0 }
    }
}
