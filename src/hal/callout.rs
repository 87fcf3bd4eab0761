//! Calls out of the library, to `HAL_*` and to the program's callbacks, each with a frame that ends unwinding
//! (`callout.c`). The cancellation or exception that such a frame has ended goes on when our call returns.
//!
//! This module is the only one that names `HAL_*`.

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};

#[cfg(not(feature = "auth-with-notls"))]
use iot_abi::import::TLSConnectParams;
#[cfg(feature = "multithread")]
use iot_abi::import::ThreadParams;
use iot_abi::import::Timer;
use iot_abi::raw;
#[cfg(feature = "shadow")]
use iot_abi::shadow::DeviceProperty;

/// Declares functions under their own names. Each is linked as `qcloud_call_` and its name.
macro_rules! calls {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        extern "C" {
            $(
                $(#[$meta])*
                #[link_name = concat!("qcloud_call_", stringify!($name))]
                pub(super) fn $name($($argument: $type),*) $(-> $result)?;
            )*
        }
    };
}

calls! {
    #[cfg(feature = "multithread")]
    fn HAL_ThreadCreate(params: *mut ThreadParams) -> c_int;
    fn HAL_MutexCreate() -> *mut c_void;
    fn HAL_MutexDestroy(mutex: *mut c_void);
    fn HAL_MutexLock(mutex: *mut c_void);
    fn HAL_MutexUnlock(mutex: *mut c_void);
    fn HAL_Malloc(size: u32) -> *mut c_void;
    fn HAL_Free(memory: *mut c_void);
    fn HAL_GetTimeMs() -> u32;
    fn HAL_SleepMs(ms: u32);
    fn HAL_Timer_expired(timer: *mut Timer) -> bool;
    fn HAL_Timer_countdown_ms(timer: *mut Timer, timeout_ms: c_uint);
    fn HAL_Timer_countdown(timer: *mut Timer, timeout: c_uint);
    fn HAL_Timer_remain(timer: *mut Timer) -> c_int;
    fn HAL_Timer_init(timer: *mut Timer);
    fn HAL_Timer_current(time_str: *mut c_char) -> *mut c_char;
    #[cfg(feature = "gateway")]
    fn HAL_Timer_current_sec() -> std::ffi::c_long;
    #[cfg(not(target_pointer_width = "64"))]
    fn HAL_Timer_set_systime_sec(timestamp_sec: usize) -> c_int;
    #[cfg(target_pointer_width = "64")]
    fn HAL_Timer_set_systime_ms(timestamp_ms: usize) -> c_int;
    fn HAL_TCP_Connect(host: *const c_char, port: u16) -> raw::Handle;
    fn HAL_TCP_Disconnect(fd: raw::Handle) -> c_int;
    fn HAL_TCP_Write(
        fd: raw::Handle, data: *const c_uchar, len: u32, timeout_ms: u32, written_len: *mut usize
    ) -> c_int;
    fn HAL_TCP_Read(fd: raw::Handle, data: *mut c_uchar, len: u32, timeout_ms: u32, read_len: *mut usize) -> c_int;
    #[cfg(feature = "coap")]
    fn HAL_UDP_Connect(host: *const c_char, port: u16) -> raw::Handle;
    #[cfg(feature = "coap")]
    fn HAL_UDP_Disconnect(fd: raw::Handle);
    #[cfg(feature = "coap")]
    fn HAL_UDP_Write(fd: raw::Handle, data: *const c_uchar, len: c_uint) -> c_int;
    #[cfg(feature = "coap")]
    fn HAL_UDP_ReadTimeout(fd: raw::Handle, data: *mut c_uchar, len: c_uint, timeout_ms: c_uint) -> c_int;
    #[cfg(all(feature = "coap", not(feature = "auth-with-notls")))]
    fn HAL_DTLS_Connect(params: *mut TLSConnectParams, host: *const c_char, port: c_int) -> raw::Handle;
    #[cfg(all(feature = "coap", not(feature = "auth-with-notls")))]
    fn HAL_DTLS_Disconnect(handle: raw::Handle);
    #[cfg(all(feature = "coap", not(feature = "auth-with-notls")))]
    fn HAL_DTLS_Write(handle: raw::Handle, data: *const c_uchar, len: usize, written_len: *mut usize) -> c_int;
    #[cfg(all(feature = "coap", not(feature = "auth-with-notls")))]
    fn HAL_DTLS_Read(
        handle: raw::Handle, data: *mut c_uchar, len: usize, timeout_ms: u32, read_len: *mut usize
    ) -> c_int;
    #[cfg(not(feature = "auth-with-notls"))]
    fn HAL_TLS_Connect(params: *mut TLSConnectParams, host: *const c_char, port: c_int) -> raw::Handle;
    #[cfg(not(feature = "auth-with-notls"))]
    fn HAL_TLS_Disconnect(handle: raw::Handle);
    #[cfg(not(feature = "auth-with-notls"))]
    fn HAL_TLS_Write(
        handle: raw::Handle, data: *mut c_uchar, len: usize, timeout_ms: u32, written_len: *mut usize
    ) -> c_int;
    #[cfg(not(feature = "auth-with-notls"))]
    fn HAL_TLS_Read(
        handle: raw::Handle, data: *mut c_uchar, len: usize, timeout_ms: u32, read_len: *mut usize
    ) -> c_int;
    #[cfg(rsa_signatures)]
    fn HAL_TLS_Get_PrivateKey_FromFile(path: *const c_char) -> *mut c_void;
    #[cfg(rsa_signatures)]
    fn HAL_TLS_Destory_PrivateKey(key: *mut c_void);
    #[cfg(rsa_signatures)]
    fn HAL_TLS_Get_RSASHA256_Result_Len(key: *mut c_void) -> c_int;
    #[cfg(rsa_signatures)]
    fn HAL_TLS_Calc_Sign_RSASHA256(key: *mut c_void, data: *mut c_char, len: c_int, out: *mut c_char) -> c_int;
    #[cfg(signed_logs)]
    fn HAL_TLS_Calc_SHA256(data: *mut c_uchar, len: usize, digest: *mut c_uchar);
}

extern "C" {
    // Whether the program has these, which platform code of older releases lacks (versions.md section 5, rule 4).
    #[cfg(feature = "multithread")]
    #[link_name = "qcloud_has_HAL_ThreadCreate"]
    pub(super) fn has_thread_create() -> bool;
    #[cfg(not(target_pointer_width = "64"))]
    #[link_name = "qcloud_has_HAL_Timer_set_systime_sec"]
    pub(super) fn has_set_systime_sec() -> bool;
    #[cfg(target_pointer_width = "64")]
    #[link_name = "qcloud_has_HAL_Timer_set_systime_ms"]
    pub(super) fn has_set_systime_ms() -> bool;
    fn qcloud_call_print(line: *const c_char);
    fn qcloud_call_three_pointers(callback: ThreePointers, a: *mut c_void, b: *mut c_void, c: *mut c_void);
    fn qcloud_call_on_event(callback: OnEvent, client: *mut c_void, event: c_uint, data: *mut c_void);
    #[cfg(any(feature = "broadcast", feature = "rrpc"))]
    fn qcloud_call_on_bytes(callback: OnBytes, client: *mut c_void, bytes: *const c_char, len: u32);
    #[cfg(feature = "shadow")]
    fn qcloud_call_on_request(
        callback: OnRequest,
        client: *mut c_void,
        method: raw::Method,
        ack: raw::RequestAck,
        document: *const c_char,
        context: *mut c_void,
    );
    #[cfg(feature = "shadow")]
    fn qcloud_call_on_property(
        callback: OnProperty,
        client: *mut c_void,
        state: *const c_char,
        length: u32,
        property: *mut DeviceProperty,
    );
    #[cfg(feature = "remote-config-mqtt")]
    fn qcloud_call_on_config(callback: OnConfig, client: *mut c_void, result: c_int, json: *mut c_char, len: c_int);
    #[cfg(feature = "log-upload")]
    fn qcloud_call_on_text(callback: OnText, text: *mut c_char, size: usize) -> usize;
    #[cfg(feature = "log-upload")]
    fn qcloud_call_on_delete(callback: OnDelete) -> c_int;
    #[cfg(feature = "log-upload")]
    fn qcloud_call_on_size(callback: OnSize) -> usize;
    #[cfg(any(feature = "coap", feature = "upgrade"))]
    fn qcloud_call_two_pointers(callback: TwoPointers, a: *mut c_void, b: *mut c_void);
    fn qcloud_call_on_line(callback: OnLine, line: *const c_char) -> c_int;
    fn qcloud_enter() -> c_int;
    fn qcloud_is_leaving() -> c_int;
    fn qcloud_look_for_cancel() -> c_int;
}

extern "C-unwind" {
    fn qcloud_leave(before: c_int) -> c_int;
}

/// A callback that takes three pointers.
pub type ThreePointers = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void);
/// `OnRespCallback` and `CoAPEventHandleFunc`.
#[cfg(any(feature = "coap", feature = "upgrade"))]
pub type TwoPointers = unsafe extern "C" fn(*mut c_void, *mut c_void);
/// `OnSubEventHandler`.
pub type OnEvent = unsafe extern "C" fn(*mut c_void, raw::MQTTEventType, *mut c_void);
/// `OnBroadcastMessageCallback` and `OnRRPCMessageCallback`.
#[cfg(any(feature = "broadcast", feature = "rrpc"))]
pub type OnBytes = unsafe extern "C" fn(*mut c_void, *const c_char, u32);
/// `OnRequestCallback`.
#[cfg(feature = "shadow")]
pub type OnRequest = unsafe extern "C" fn(*mut c_void, raw::Method, raw::RequestAck, *const c_char, *mut c_void);
/// `OnPropRegCallback`.
#[cfg(feature = "shadow")]
pub type OnProperty = unsafe extern "C" fn(*mut c_void, *const c_char, u32, *mut DeviceProperty);
/// `OnConfigProcHandler`.
#[cfg(feature = "remote-config-mqtt")]
pub type OnConfig = unsafe extern "C" fn(*mut c_void, c_int, *mut c_char, c_int);
/// `LogSaveFunc`, which leaves the text as it is, and `LogReadFunc`.
#[cfg(feature = "log-upload")]
pub type OnText = unsafe extern "C" fn(*mut c_char, usize) -> usize;
/// `LogDelFunc`.
#[cfg(feature = "log-upload")]
pub type OnDelete = unsafe extern "C" fn() -> c_int;
/// `LogGetSizeFunc`.
#[cfg(feature = "log-upload")]
pub type OnSize = unsafe extern "C" fn() -> usize;
/// `LogMessageHandler`.
pub type OnLine = unsafe extern "C" fn(*const c_char) -> bool;

/// Prints `line` with `HAL_Printf`.
///
/// # Safety
/// `line` ends with a NUL.
pub unsafe fn print(line: *const c_char) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_print(line) }
}

/// Prints a text with `HAL_Printf`, past the log.
#[cfg(feature = "log-upload")]
pub fn print_text(text: &str) {
    let line = [text.as_bytes(), b"\0"].concat();
    // SAFETY: it ends with a NUL.
    unsafe { print(line.as_ptr().cast()) }
}

/// Calls a callback of the program that takes three pointers.
///
/// # Safety
/// That of the callback.
pub unsafe fn three_pointers(callback: ThreePointers, a: *mut c_void, b: *mut c_void, c: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_three_pointers(callback, a, b, c) }
}

/// Calls a callback of the program that takes two pointers.
///
/// # Safety
/// That of the callback.
#[cfg(any(feature = "coap", feature = "upgrade"))]
pub unsafe fn two_pointers(callback: TwoPointers, a: *mut c_void, b: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_two_pointers(callback, a, b) }
}

/// Calls a subscription's event handler.
///
/// # Safety
/// That of the callback.
pub unsafe fn on_event(callback: OnEvent, client: *mut c_void, event: raw::MQTTEventType, data: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_event(callback, client, event, data) }
}

/// Calls a callback that takes the bytes of a message.
///
/// # Safety
/// That of the callback.
#[cfg(any(feature = "broadcast", feature = "rrpc"))]
pub unsafe fn on_bytes(callback: OnBytes, client: *mut c_void, bytes: *const c_char, len: u32) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_bytes(callback, client, bytes, len) }
}

/// Calls the callback of a shadow's request.
///
/// # Safety
/// That of the callback; `document` ends with a NUL.
#[cfg(feature = "shadow")]
pub unsafe fn on_request(
    callback: OnRequest,
    client: *mut c_void,
    method: raw::Method,
    ack: raw::RequestAck,
    document: *const c_char,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_request(callback, client, method, ack, document, context) }
}

/// Calls the callback of a shadow's property.
///
/// # Safety
/// That of the callback; `state` ends with a NUL.
#[cfg(feature = "shadow")]
pub unsafe fn on_property(
    callback: OnProperty,
    client: *mut c_void,
    state: *const c_char,
    length: u32,
    property: *mut DeviceProperty,
) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_property(callback, client, state, length, property) }
}

/// Calls a callback that takes a configuration.
///
/// # Safety
/// That of the callback.
#[cfg(feature = "remote-config-mqtt")]
pub unsafe fn on_config(callback: OnConfig, client: *mut c_void, result: c_int, json: *mut c_char, len: c_int) {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_config(callback, client, result, json, len) }
}

/// Calls the program's function that keeps or gives back log lines.
///
/// # Safety
/// That of the callback.
#[cfg(feature = "log-upload")]
pub unsafe fn on_text(callback: OnText, text: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_text(callback, text, size) }
}

/// Calls the program's function that deletes the log lines it keeps.
///
/// # Safety
/// That of the callback.
#[cfg(feature = "log-upload")]
pub unsafe fn on_delete(callback: OnDelete) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_delete(callback) }
}

/// Calls the program's function that tells how much it keeps.
///
/// # Safety
/// That of the callback.
#[cfg(feature = "log-upload")]
pub unsafe fn on_size(callback: OnSize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_size(callback) }
}

/// Calls the log's handler. Whether it has printed the line.
///
/// # Safety
/// `line` ends with a NUL.
pub unsafe fn on_line(callback: OnLine, line: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { qcloud_call_on_line(callback, line) != 0 }
}

/// Whether the calling thread is to end, or an exception of the program is to go on: the call that runs must return soon.
#[must_use]
pub fn is_leaving() -> bool {
    // SAFETY: no precondition.
    unsafe { qcloud_is_leaving() != 0 }
}

/// As [`is_leaving`], after a look whether somebody has cancelled the calling thread. To be called where a call that waits
/// can return early.
#[must_use]
pub fn is_leaving_or_cancelled() -> bool {
    // SAFETY: no precondition.
    unsafe { qcloud_look_for_cancel() != 0 }
}

/// Puts cancellation of the calling thread off. What it returns goes to [`leave`].
#[must_use]
pub fn enter() -> c_int {
    // SAFETY: no precondition.
    unsafe { qcloud_enter() }
}

/// Ends what [`enter`] began. Does not return where the thread is to end, or where a handler of the program waits for an
/// exception of its own. True where an exception met no handler and was dropped.
///
/// # Safety
/// Unwinding starts here. No caller up to the program may have anything to clean up.
pub unsafe fn leave(before: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { qcloud_leave(before) != 0 }
}
