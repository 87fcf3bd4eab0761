//! The one place of the hub with `unsafe`: mbed TLS's PSK callback, which crate `mbedtls` does not wrap.

use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;
use std::sync::Arc;

use mbedtls::ssl::Config;
use mbedtls_sys::{ssl_conf_psk_cb, ssl_config, ssl_context, ssl_set_hs_psk};

use super::Keys;

/// What mbed TLS takes for "no such key": it answers with the alert unknown_psk_identity.
const UNKNOWN: i32 = -1;

/// Has every handshake of `config` ask `keys`.
pub(super) fn install(config: &mut Config, keys: &Arc<Keys>) {
    // mbed TLS will keep a bare pointer. The configuration owns what its server-name callback owns, so this makes the
    // keys live exactly as long as the pointer to them; server names themselves mean nothing here.
    let owner = keys.clone();
    config.set_sni_callback(move |_: &mut mbedtls::ssl::context::HandshakeContext, _: &[u8]| {
        let _ = &owner;
        Ok(())
    });
    let data = Arc::as_ptr(keys).cast::<c_void>().cast_mut();
    let config: *mut ssl_config = config.into();
    // SAFETY: `config` points to a live, initialised configuration that nobody else uses yet, and `data` to a `Keys`
    // that the configuration itself keeps alive (above).
    unsafe { ssl_conf_psk_cb(config, Some(find_key), data) };
}

/// Called by mbed TLS in the middle of a handshake.
unsafe extern "C" fn find_key(data: *mut c_void, ssl: *mut ssl_context, identity: *const u8, len: usize) -> i32 {
    if data.is_null() || identity.is_null() {
        return UNKNOWN;
    }
    // SAFETY: `data` is what `install` gave, a `Keys` that lives as long as the configuration in use. It is only ever
    // shared, and `Keys` is `Sync`.
    let keys = unsafe { &*data.cast::<Keys>() };
    // SAFETY: mbed TLS has checked that `len` bytes of the handshake message are there.
    let identity = unsafe { slice::from_raw_parts(identity, len) };
    // A panic must not cross the C frames below this one.
    match catch_unwind(AssertUnwindSafe(|| keys.find(identity))).ok().flatten() {
        // SAFETY: `ssl` is the session in this handshake; mbed TLS copies the key before `key` ends.
        Some(key) => unsafe { ssl_set_hs_psk(ssl, key.as_ptr(), key.len()) },
        None => UNKNOWN,
    }
}
