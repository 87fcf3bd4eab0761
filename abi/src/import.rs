//! `qcloud_iot_import.h`: what the platform provides (hal.md).

use std::ffi::{c_char, c_int, c_uint, c_void};

/// Parameters of a TLS connection, for [`HAL_TLS_Connect`].
#[cfg(not(feature = "auth-with-notls"))]
#[repr(C)]
pub struct SSLConnectParams {
    /// Trusted roots as PEM, NULL for none.
    pub ca_crt: *const c_char,
    /// Length of `ca_crt` without its NUL.
    pub ca_crt_len: u16,
    /// Client certificate file, NULL for none.
    #[cfg(feature = "auth-mode-cert")]
    pub cert_file: *const c_char,
    /// Client private key file, NULL for none.
    #[cfg(feature = "auth-mode-cert")]
    pub key_file: *const c_char,
    /// Pre-shared key, raw bytes, NULL for none.
    #[cfg(not(feature = "auth-mode-cert"))]
    pub psk: *const c_char,
    /// Identity that goes with `psk`, NULL for none.
    #[cfg(not(feature = "auth-mode-cert"))]
    pub psk_id: *const c_char,
    /// Length of `psk` in bytes.
    pub psk_length: usize,
    /// Time limit of the handshake in milliseconds.
    pub timeout_ms: c_uint,
}

/// The C SDK's second name for [`SSLConnectParams`].
#[cfg(not(feature = "auth-with-notls"))]
pub type TLSConnectParams = SSLConnectParams;

/// A thread's entry point.
pub type ThreadRunFunc = Option<unsafe extern "C" fn(arg: *mut c_void)>;

/// What [`HAL_ThreadCreate`] needs to know. Must outlive the thread's start.
#[repr(C)]
pub struct ThreadParams {
    /// Name for debuggers, may be NULL.
    pub thread_name: *mut c_char,
    /// Filled in by the platform.
    pub thread_id: u32,
    /// Entry point.
    pub thread_func: ThreadRunFunc,
    /// Argument of the entry point.
    pub user_arg: *mut c_void,
    /// Platform-specific priority.
    pub priority: u16,
    /// Stack size in bytes, 0 for the platform's default.
    pub stack_size: u32,
}

extern "C" {
    pub fn HAL_ThreadCreate(params: *mut ThreadParams) -> c_int;
    pub fn HAL_MutexCreate() -> *mut c_void;
    pub fn HAL_MutexDestroy(mutex: *mut c_void);
    pub fn HAL_MutexLock(mutex: *mut c_void);
    pub fn HAL_MutexUnlock(mutex: *mut c_void);
    pub fn HAL_Malloc(size: u32) -> *mut c_void;
    pub fn HAL_Free(ptr: *mut c_void);
    pub fn HAL_Printf(fmt: *const c_char, ...);
    pub fn HAL_GetTimeMs() -> u32;
    pub fn HAL_SleepMs(ms: u32);
    pub fn HAL_Timer_current(time_str: *mut c_char) -> *mut c_char;
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Connect(pConnectParams: *mut TLSConnectParams, host: *const c_char, port: c_int) -> usize;
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Disconnect(handle: usize);
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Write(
        handle: usize,
        data: *mut u8,
        totalLen: usize,
        timeout_ms: u32,
        written_len: *mut usize,
    ) -> c_int;
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Read(handle: usize, data: *mut u8, totalLen: usize, timeout_ms: u32, read_len: *mut usize) -> c_int;
    pub fn HAL_TCP_Connect(host: *const c_char, port: u16) -> usize;
    pub fn HAL_TCP_Disconnect(fd: usize) -> c_int;
    pub fn HAL_TCP_Write(fd: usize, data: *const u8, len: u32, timeout_ms: u32, written_len: *mut usize) -> c_int;
    pub fn HAL_TCP_Read(fd: usize, data: *mut u8, len: u32, timeout_ms: u32, read_len: *mut usize) -> c_int;
}
