//! `qcloud_iot_export_ext.h`: what this library offers besides the C SDK's functions.

use std::ffi::{c_char, c_int, c_void};
use std::slice;

use iot_abi::error::{QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_engine::services::ota::OtaError;

use super::ota::with_ota;
use super::required_str;
use crate::drive::trust;

export! {
    /// Sets whom TLS trusts from the next connection on, instead of the built-in certificates: `pem` holds `len` bytes of
    /// certificates in PEM, with or without a NUL behind them, and is copied. NULL brings the built-in ones back. Holds for
    /// firmware over https, for dynamic registration and, in CERT mode, for MQTT. The environment's QCLOUD_IOT_CA_FILE comes
    /// before it.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL where it holds no certificate or more than a platform can be handed.
    ///
    /// # Safety
    /// `pem` is NULL or readable for `len` bytes.
    pub unsafe fn IOT_Ext_Set_TrustedCA(pem: *const c_char, len: usize) -> c_int {
        // SAFETY: the caller's promise.
        let pem = (!pem.is_null()).then(|| unsafe { slice::from_raw_parts(pem.cast::<u8>(), len) });
        match trust::set_roots(pem) {
            Ok(()) => QCLOUD_RET_SUCCESS,
            Err(why) => {
                ::log::error!(target: NAME, "{why}");
                QCLOUD_ERR_INVAL
            }
        }
    }
}

export! {
    /// Sets what the next IOT_OTA_ReportUpgradeFail tells the cloud as the cause, such as "disk full after 400000 bytes". The
    /// text is copied, and cut where the cloud takes no more.
    ///
    /// Returns QCLOUD_RET_SUCCESS; IOT_OTA_ERR_INVALID_PARAM for an unknown handle or a `text` that is NULL or not UTF-8.
    ///
    /// # Safety
    /// `text` is NULL or a string.
    pub unsafe fn IOT_Ext_OTA_SetFailReason(handle: *mut c_void, text: *const c_char) -> c_int {
        // SAFETY: the caller's promise.
        with_ota(NAME, handle, |ota| match unsafe { required_str(NAME, "text", text) } {
            Ok(text) => {
                ota.set_failure_reason(text);
                QCLOUD_RET_SUCCESS
            }
            Err(_) => ota.note(OtaError::InvalidParam).code(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use iot_abi::ota::IOT_OTA_ERR_INVALID_PARAM;

    use super::*;

    #[test]
    fn what_is_no_use_is_refused() {
        // SAFETY: pointers are NULL or valid.
        unsafe {
            assert_eq!(IOT_Ext_Set_TrustedCA(c"no certificate".as_ptr(), 14), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Ext_Set_TrustedCA(c"".as_ptr(), 0), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Ext_OTA_SetFailReason(ptr::null_mut(), c"why".as_ptr()), IOT_OTA_ERR_INVALID_PARAM);
        }
    }
}
