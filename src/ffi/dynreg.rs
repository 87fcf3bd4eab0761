//! `qcloud_iot_export_dynreg.h`: a device that knows its product's secret gets a secret or certificate of its own.

use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::export::DeviceInfo;
use iot_engine::services::registration::{Credentials, Registration, Wanted};
use zeroize::Zeroizing;

use super::log::null_argument;
use super::{code, memory};
use crate::drive::error::RegistrationFault;
use crate::drive::registration::{self, files};
use crate::hal::platform::HalPlatform;
use crate::hal::Platform;

const WANTED: Wanted = if cfg!(feature = "auth-mode-cert") { Wanted::Certificate } else { Wanted::Secret };

export! {
    /// Registers a device at run time: takes product id, product secret and device name, fills in the device's secret, or, in
    /// CERT mode, writes certificate and key to `./certs` and fills in the names of the files. Waits up to 10 s for the
    /// connection and 10 s for the answer. The caller stores `*pDevInfo`, by HAL_SetDevInfo for example.
    ///
    /// Returns QCLOUD_RET_SUCCESS. A code of the cloud comes back as it is, a positive number: test for anything but 0.
    /// QCLOUD_ERR_INVAL for NULL and for names that can't be; QCLOUD_ERR_FAILURE for a product secret of less than 16
    /// characters, a reply that is of no use, and files that can't be written; -1 for a reply without a code;
    /// QCLOUD_ERR_HTTP_CONN when the server can't be reached; QCLOUD_ERR_HTTP_TIMEOUT when it stays silent; other
    /// QCLOUD_ERR_HTTP*, QCLOUD_ERR_TCP* and QCLOUD_ERR_SSL* for other failures of the connection. `*pDevInfo` and files are
    /// as they were then.
    ///
    /// # Safety
    /// `pDevInfo` is NULL or points to a `DeviceInfo` that nobody else uses meanwhile.
    pub unsafe fn IOT_DynReg_Device(pDevInfo: *mut DeviceInfo) -> c_int {
        // SAFETY: the caller's promise; arrays of characters need no alignment.
        let Some(info) = (unsafe { pDevInfo.as_mut() }) else {
            null_argument(NAME, "pDevInfo");
            return QCLOUD_ERR_INVAL;
        };
        if memory::is_exhausted(NAME) {
            return QCLOUD_ERR_FAILURE;
        }
        let platform: Arc<dyn Platform> = Arc::new(HalPlatform::new());
        register(NAME, &platform, info, Path::new(files::FOLDER))
    }
}

/// Certificates are in `folder`.
fn register(function: &'static str, platform: &Arc<dyn Platform>, info: &mut DeviceInfo, folder: &Path) -> c_int {
    let texts = (text(&info.product_id), text(&info.device_name), text(&info.product_secret));
    let (Some(product_id), Some(device_name), Some(product_secret)) = texts else {
        ::log::error!(target: function, "a name or the secret in pDevInfo is not UTF-8 or has no NUL");
        return QCLOUD_ERR_INVAL;
    };
    let result = Registration::new(&product_id, &device_name, &product_secret, WANTED)
        .map_err(|failure| failure.into())
        .and_then(|registration| in_its_form(function, registration, info, folder))
        .and_then(|registration| registration::register(platform, &registration))
        .and_then(|credentials| fill(info, &device_name, credentials, folder));
    match result {
        Ok(()) => {
            ::log::info!(target: function, "{}/{} is registered", *product_id, *device_name);
            QCLOUD_RET_SUCCESS
        }
        Err(fault) => {
            ::log::error!(target: function, "the device was not registered: {fault}");
            code::registration_code(&fault)
        }
    }
}

/// As the interface's release of the C SDK does it.
#[cfg(feature = "abi-3-3")]
#[cfg_attr(not(feature = "auth-mode-cert"), allow(clippy::unnecessary_wraps))]
fn in_its_form(
    function: &'static str,
    registration: Registration,
    info: &DeviceInfo,
    folder: &Path,
) -> Result<Registration, RegistrationFault> {
    let region = super::interface::named(function, text(&info.region).as_deref().map_or("", |name| name));
    let registration = registration.with_signed_head(region);
    #[cfg(feature = "auth-mode-cert")]
    {
        let own = files::own_certificate(folder, registration.identity().device_name());
        if let Some(pem) = own.map_err(RegistrationFault::BadCertificate)? {
            ::log::info!(target: function, "the device has a certificate of its own, which the cloud is told");
            return Ok(registration.with_certificate(pem));
        }
    }
    let _ = folder;
    Ok(registration)
}

#[cfg(not(feature = "abi-3-3"))]
#[allow(clippy::unnecessary_wraps)]
fn in_its_form(
    _function: &'static str,
    registration: Registration,
    _info: &DeviceInfo,
    _folder: &Path,
) -> Result<Registration, RegistrationFault> {
    Ok(registration)
}

#[cfg(not(feature = "auth-mode-cert"))]
#[allow(clippy::unnecessary_wraps)]
fn fill(
    info: &mut DeviceInfo,
    _device_name: &str,
    credentials: Credentials,
    _folder: &Path,
) -> Result<(), RegistrationFault> {
    if let Credentials::Secret(secret) = credentials {
        set(&mut info.device_secret, &secret);
    }
    Ok(())
}

#[cfg(feature = "auth-mode-cert")]
fn fill(
    info: &mut DeviceInfo,
    device_name: &str,
    credentials: Credentials,
    folder: &Path,
) -> Result<(), RegistrationFault> {
    if let Credentials::Certificate { certificate, key } = credentials {
        let names = files::store(folder, device_name, &certificate, &key).map_err(RegistrationFault::NotStored)?;
        set(&mut info.dev_cert_file_name, &names.certificate);
        set(&mut info.dev_key_file_name, &names.key);
    }
    Ok(())
}

/// The text in `field`; `None` where it has no end or is not UTF-8.
fn text(field: &[c_char]) -> Option<Zeroizing<String>> {
    let end = field.iter().position(|character| *character == 0)?;
    let bytes = field.get(..end)?.iter().map(|character| *character as u8).collect();
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

/// Puts `text`, which fits, into `field`, and zeros behind it.
fn set(field: &mut [c_char], text: &str) {
    let room = field.len().saturating_sub(1);
    field.fill(0);
    for (to, from) in field.iter_mut().zip(text.bytes().take(room)) {
        *to = from as c_char;
    }
}

#[cfg(test)]
mod tests;
