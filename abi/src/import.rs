//! `qcloud_iot_import.h`: what the platform provides (hal.md).

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_void};

use crate::raw;

/// Yes.
pub const IOT_TRUE: c_int = 1;
/// No.
pub const IOT_FALSE: c_int = 0;
/// Room for a time as text, in bytes with the NUL: "YYYY-MM-DD HH:MM:SS".
pub const TIME_FORMAT_STR_LEN: usize = 20;

/// A thread's entry point.
pub type ThreadRunFunc = Option<unsafe extern "C" fn(arg: *mut c_void)>;

/// What HAL_ThreadCreate needs to know. Must stay valid until the thread runs.
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

/// `struct timeval`, as large as the target's C library has it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use libc::timeval;

/// A point in time at which something is over. Belongs to the platform's HAL_Timer functions.
#[repr(C)]
pub struct Timer {
    /// When it is over, by the platform's clock.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub end_time: timeval,
    /// When it is over, in the platform's own terms.
    #[cfg(all(not(all(target_os = "linux", target_env = "gnu")), not(feature = "abi-3-3")))]
    pub end_time: raw::Handle,
    /// When it is over, in the platform's own terms.
    #[cfg(all(not(all(target_os = "linux", target_env = "gnu")), feature = "abi-3-3"))]
    pub end_time: u64,
}

/// Parameters of a TLS connection, for HAL_TLS_Connect. The caller keeps what it points to.
#[cfg(not(feature = "auth-with-notls"))]
#[repr(C)]
pub struct SSLConnectParams {
    /// Trusted roots as PEM, NULL for none.
    pub ca_crt: *const c_char,
    /// Length of ca_crt in bytes without its NUL.
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
    /// Identity that goes with psk, NULL for none.
    #[cfg(all(not(feature = "auth-mode-cert"), not(feature = "abi-3-3")))]
    pub psk_id: *const c_char,
    /// Identity that goes with psk, empty for none.
    #[cfg(all(not(feature = "auth-mode-cert"), feature = "abi-3-3"))]
    pub psk_id: [c_char; 81],
    /// Length of psk in bytes.
    pub psk_length: usize,
    /// Time limit of the handshake in milliseconds.
    pub timeout_ms: c_uint,
}

/// The C SDK's second name for SSLConnectParams.
#[cfg(not(feature = "auth-with-notls"))]
pub type TLSConnectParams = SSLConnectParams;

extern "C" {
    /// Starts a thread that calls params->thread_func(params->user_arg). Returns 0 on success.
    pub fn HAL_ThreadCreate(params: *mut ThreadParams) -> c_int;
    /// Makes a semaphore; NULL on failure.
    pub fn HAL_SemaphoreCreate() -> *mut c_void;
    /// Frees a semaphore.
    pub fn HAL_SemaphoreDestroy(sem: *mut c_void);
    /// Adds one to a semaphore.
    pub fn HAL_SemaphorePost(sem: *mut c_void);
    /// Takes one from a semaphore within timeout_ms milliseconds. Returns 0 on success.
    pub fn HAL_SemaphoreWait(sem: *mut c_void, timeout_ms: u32) -> c_int;
    /// Makes a lock, not recursive; NULL on failure. Where threads are off, any value but NULL.
    pub fn HAL_MutexCreate() -> *mut c_void;
    /// Frees a lock.
    pub fn HAL_MutexDestroy(mutex: *mut c_void);
    /// Takes a lock, waits for it without end.
    pub fn HAL_MutexLock(mutex: *mut c_void);
    /// Takes a lock if it is free: returns 0 when it was.
    pub fn HAL_MutexTryLock(mutex: *mut c_void) -> c_int;
    /// Gives a lock back.
    pub fn HAL_MutexUnlock(mutex: *mut c_void);
    /// Allocates size bytes, aligned as malloc does; NULL on failure.
    pub fn HAL_Malloc(size: u32) -> *mut c_void;
    /// Frees memory from HAL_Malloc; NULL is fine.
    pub fn HAL_Free(ptr: *mut c_void);
    /// Prints a formatted text.
    pub fn HAL_Printf(fmt: *const c_char, ...);
    /// Formats a text into str, at most len bytes with the NUL; returns as snprintf does.
    pub fn HAL_Snprintf(str: *mut c_char, len: c_int, fmt: *const c_char, ...) -> c_int;
    /// Milliseconds from a clock that wraps at 2^32.
    pub fn HAL_GetTimeMs() -> u32;
    /// Waits ms milliseconds, busily where the platform can't sleep.
    pub fn HAL_DelayMs(ms: u32);
    /// Sleeps ms milliseconds.
    pub fn HAL_SleepMs(ms: u32);
    /// Stores a DeviceInfo. Returns 0 or an error code.
    pub fn HAL_SetDevInfo(pdevInfo: *mut c_void) -> c_int;
    /// Fills a DeviceInfo. Returns 0 or an error code.
    pub fn HAL_GetDevInfo(pdevInfo: *mut c_void) -> c_int;
    /// Fills a DeviceInfo from a file. Returns 0 or an error code.
    pub fn HAL_GetDevInfoFromFile(file_name: *const c_char, dev_info: *mut c_void) -> c_int;
    /// Fills a GatewayDeviceInfo. Returns 0 or an error code.
    #[cfg(feature = "gateway")]
    pub fn HAL_GetGwDevInfo(pgwDeviceInfo: *mut c_void) -> c_int;
    /// Names the file that HAL_GetDevInfo reads. Returns 0 or an error code.
    pub fn HAL_SetDevInfoFile(file_name: *const c_char) -> c_int;
    /// Whether a timer is over.
    pub fn HAL_Timer_expired(timer: *mut Timer) -> bool;
    /// Sets a timer to timeout_ms milliseconds from now.
    pub fn HAL_Timer_countdown_ms(timer: *mut Timer, timeout_ms: c_uint);
    /// Sets a timer to timeout seconds from now.
    pub fn HAL_Timer_countdown(timer: *mut Timer, timeout: c_uint);
    /// Milliseconds left, 0 when the timer is over.
    pub fn HAL_Timer_remain(timer: *mut Timer) -> c_int;
    /// Sets a timer that is over.
    pub fn HAL_Timer_init(timer: *mut Timer);
    /// Writes the local time to time_str (TIME_FORMAT_STR_LEN bytes) and returns time_str.
    pub fn HAL_Timer_current(time_str: *mut c_char) -> *mut c_char;
    /// Seconds of UTC since 1970.
    pub fn HAL_Timer_current_sec() -> c_long;
    /// Sets the clock to seconds of UTC. Returns 0 on success.
    pub fn HAL_Timer_set_systime_sec(timestamp_sec: usize) -> c_int;
    /// Sets the clock to milliseconds of UTC. Returns 0 on success.
    pub fn HAL_Timer_set_systime_ms(timestamp_ms: usize) -> c_int;
    /// Connects to a host and does the TLS handshake. Returns a handle, 0 on failure.
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Connect(pConnectParams: *mut TLSConnectParams, host: *const c_char, port: c_int) -> raw::Handle;
    /// Closes a TLS connection and frees it.
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Disconnect(handle: raw::Handle);
    /// Writes totalLen bytes within timeout_ms milliseconds; written_len tells how many went out. Returns 0 or an
    /// error code; 0 with a smaller written_len can happen.
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Write(
        handle: raw::Handle,
        data: *mut c_uchar,
        totalLen: usize,
        timeout_ms: u32,
        written_len: *mut usize,
    ) -> c_int;
    /// Reads up to totalLen bytes within timeout_ms milliseconds; read_len tells how many came, whatever the code.
    /// Returns 0 when totalLen bytes came, otherwise an error code.
    #[cfg(not(feature = "auth-with-notls"))]
    pub fn HAL_TLS_Read(
        handle: raw::Handle,
        data: *mut c_uchar,
        totalLen: usize,
        timeout_ms: u32,
        read_len: *mut usize,
    ) -> c_int;
    /// Connects to a host. Returns a handle, 0 on failure.
    pub fn HAL_TCP_Connect(host: *const c_char, port: u16) -> raw::Handle;
    /// Closes a connection. Returns 0 on success.
    pub fn HAL_TCP_Disconnect(fd: raw::Handle) -> c_int;
    /// Writes len bytes within timeout_ms milliseconds; written_len tells how many went out. Returns 0 or an error
    /// code; 0 with a smaller written_len can happen.
    pub fn HAL_TCP_Write(
        fd: raw::Handle,
        data: *const c_uchar,
        len: u32,
        timeout_ms: u32,
        written_len: *mut usize,
    ) -> c_int;
    /// Reads up to len bytes within timeout_ms milliseconds; read_len tells how many came, whatever the code.
    /// Returns 0 when len bytes came, otherwise an error code.
    pub fn HAL_TCP_Read(fd: raw::Handle, data: *mut c_uchar, len: u32, timeout_ms: u32, read_len: *mut usize) -> c_int;
    /// 16 bits from the machine's byte order to the network's.
    #[cfg(feature = "abi-3-3")]
    pub fn HAL_htons(value: u16) -> u16;
    /// 16 bits from the network's byte order to the machine's.
    #[cfg(feature = "abi-3-3")]
    pub fn HAL_ntohs(value: u16) -> u16;
    /// 32 bits from the machine's byte order to the network's.
    #[cfg(feature = "abi-3-3")]
    pub fn HAL_htonl(value: u32) -> u32;
    /// 32 bits from the network's byte order to the machine's.
    #[cfg(feature = "abi-3-3")]
    pub fn HAL_ntohl(value: u32) -> u32;
    /// Loads a private key (PEM). Returns NULL on failure.
    #[cfg(all(not(feature = "auth-with-notls"), feature = "abi-3-3"))]
    pub fn HAL_TLS_Get_PrivateKey_FromFile(privatekey_path: *const c_char) -> *mut c_void;
    /// Frees a private key.
    #[cfg(all(not(feature = "auth-with-notls"), feature = "abi-3-3"))]
    pub fn HAL_TLS_Destory_PrivateKey(private_key: *mut c_void);
    /// Length of a signature of HAL_TLS_Calc_Sign_RSASHA256 in bytes.
    #[cfg(all(not(feature = "auth-with-notls"), feature = "abi-3-3"))]
    pub fn HAL_TLS_Get_RSASHA256_Result_Len(private_key: *mut c_void) -> c_int;
    /// Signs inbuf_len bytes by RSA PKCS #1 v1.5 over SHA-256. Returns 0 or an error code.
    #[cfg(all(not(feature = "auth-with-notls"), feature = "abi-3-3"))]
    pub fn HAL_TLS_Calc_Sign_RSASHA256(
        private_key: *mut c_void,
        inbuf: *mut c_char,
        inbuf_len: c_int,
        outsign: *mut c_char,
    ) -> c_int;
    /// Writes the SHA-256 of inbuf_len bytes, 32 bytes, to outsign.
    #[cfg(all(not(feature = "auth-with-notls"), feature = "abi-3-3"))]
    pub fn HAL_TLS_Calc_SHA256(inbuf: *mut c_uchar, inbuf_len: usize, outsign: *mut c_uchar);
}
