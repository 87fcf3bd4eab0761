//! Signatures by `HAL_TLS_*`, which the platforms of CERT devices have since 3.3.0 (versions.md section 6).

use std::ffi::{c_void, CString};

use iot_abi::error::QCLOUD_RET_SUCCESS;

#[cfg(signed_logs)]
use iot_engine::services::signed_head::PrivateKey;

#[cfg(signed_logs)]
use super::callout::HAL_TLS_Calc_SHA256;
use super::callout::{
    HAL_TLS_Calc_Sign_RSASHA256, HAL_TLS_Destory_PrivateKey, HAL_TLS_Get_PrivateKey_FromFile,
    HAL_TLS_Get_RSASHA256_Result_Len,
};

/// Longest signature that is taken, in bytes: that of a key of 16,384 bits.
const MAX_LEN: usize = 2048;

/// A key of the platform's.
struct Key(*mut c_void);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: it came from the platform and is freed once.
        unsafe { HAL_TLS_Destory_PrivateKey(self.0) };
    }
}

impl Key {
    fn load(key_file: &str) -> Result<Self, String> {
        let path = CString::new(key_file).map_err(|_| "the private key's path has a NUL in it".to_owned())?;
        // SAFETY: the path ends with a NUL.
        let key = Key(unsafe { HAL_TLS_Get_PrivateKey_FromFile(path.as_ptr()) });
        if key.0.is_null() {
            return Err(format!("the platform can't load the private key in {key_file}"));
        }
        Ok(key)
    }
}

/// The RSA key in a file, read anew for each signature: no key lies in memory meanwhile.
#[cfg(signed_logs)]
pub struct KeyFile(String);

#[cfg(signed_logs)]
impl KeyFile {
    /// The one in this file.
    ///
    /// # Errors
    /// It can't be loaded.
    pub fn open(key_file: &str) -> Result<Self, String> {
        Key::load(key_file).map(|_| KeyFile(key_file.to_owned()))
    }
}

#[cfg(signed_logs)]
impl PrivateKey for KeyFile {
    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        // SAFETY: there are as many bytes, which no platform writes to, and 32 for the digest.
        unsafe { HAL_TLS_Calc_SHA256(bytes.as_ptr().cast_mut(), bytes.len(), digest.as_mut_ptr()) };
        digest
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, String> {
        sign(&self.0, text)
    }
}

/// The signature of `text` by the RSA key in a file, PKCS #1 v1.5 over SHA-256.
///
/// # Errors
/// A text for the log: what the platform could not do.
pub fn sign(key_file: &str, text: &str) -> Result<Vec<u8>, String> {
    let key = Key::load(key_file)?;
    // SAFETY: the key is the platform's, and lives.
    let len = usize::try_from(unsafe { HAL_TLS_Get_RSASHA256_Result_Len(key.0) }).unwrap_or(0);
    let Ok(text_len @ 1..) = i32::try_from(text.len()) else { return Err("nothing to sign".to_owned()) };
    if len == 0 || len > MAX_LEN {
        return Err(format!("the platform names a signature of {len} bytes for {key_file}"));
    }
    let mut signature = vec![0; len];
    let text = text.as_ptr().cast_mut().cast();
    // SAFETY: the key lives, `text` has as many bytes, which no platform writes to, and `signature` as many as it asked for.
    let code = unsafe { HAL_TLS_Calc_Sign_RSASHA256(key.0, text, text_len, signature.as_mut_ptr().cast()) };
    if code != QCLOUD_RET_SUCCESS {
        return Err(format!("the platform can't sign with {key_file} ({code})"));
    }
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use iot_engine::helpers::hex;

    use super::*;

    #[test]
    fn the_platform_signs() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/platform/tls/src/signature/tests");
        let text = "PRODUCTID0lamp;12010126;abcde;4294967295";
        let signature = sign(&format!("{folder}/pkcs8.pem"), text).unwrap();
        assert_eq!(
            hex::text(&signature),
            include_str!("../../platform/tls/src/signature/tests/signature.hex").trim_end()
        );
        for (file, why) in [
            ("short.pem".to_owned(), "the platform can't load the private key in"),
            ("\0".to_owned(), "the private key's path has a NUL in it"),
        ] {
            let error = sign(&format!("{folder}/{file}"), text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
        assert_eq!(sign(&format!("{folder}/pkcs8.pem"), ""), Err("nothing to sign".to_owned()));
    }
}
