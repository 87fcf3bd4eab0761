//! `qcloud_iot_export_log.h`: the log of this library and of the program that uses it (behaviour.md section 2).
//!
//! Lines come from two sides, `IOT_Log_Gen` (which formats in C, see `varargs.c`) and the macros of the `log` crate in
//! our own code. Both end in `emit`.

#[cfg_attr(not(feature = "log-upload"), path = "log/no_upload.rs")]
mod upload;

use std::cell::Cell;
use std::ffi::{c_char, c_int};
use std::fmt::Write;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use ::log::{LevelFilter, Log, Metadata, Record};
use iot_abi::error::QCLOUD_ERR_INVAL;
use iot_abi::log::{eLOG_INFO, LogMessageHandler, LogUploadInitParams};
use iot_abi::raw;
use iot_abi::variables::MAX_LOG_MSG_LEN;
use iot_engine::helpers::logline::{clamp_level, function_name, Level, LineBuffer, Origin};

use super::memory::bytes_from_c;
use crate::hal::timer::{local_time, TIME_SIZE};
use crate::hal::{abandoned, callout, sync};

/// What is printed: lines up to this level. Set it with IOT_Log_Set_Level.
#[no_mangle]
pub static mut g_log_print_level: raw::LOG_LEVEL = eLOG_INFO;

/// What is uploaded: lines up to this level. Set it with IOT_Log_Set_Upload_Level.
#[no_mangle]
pub static mut g_log_upload_level: raw::LOG_LEVEL = upload::FIRST_LEVEL;

static HANDLER: Mutex<LogMessageHandler> = Mutex::new(None);

fn handler() -> LogMessageHandler {
    *HANDLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line with its NUL.
type Line = LineBuffer<{ MAX_LOG_MSG_LEN + 1 }>;

fn print_level() -> &'static AtomicU32 {
    // SAFETY: an aligned u32 that lives for ever, reached in Rust through this atomic only.
    unsafe { AtomicU32::from_ptr(&raw mut g_log_print_level) }
}

fn upload_level() -> &'static AtomicU32 {
    // SAFETY: as for the print level.
    unsafe { AtomicU32::from_ptr(&raw mut g_log_upload_level) }
}

fn is_printed(level: Level) -> bool {
    level as u32 <= print_level().load(Ordering::Relaxed)
}

fn is_uploaded(level: Level) -> bool {
    upload::is_up() && level as u32 <= upload_level().load(Ordering::Relaxed)
}

fn is_wanted(level: Level) -> bool {
    is_printed(level) || is_uploaded(level)
}

/// Brings the `log` crate's filter in line with what is printed and what is uploaded.
fn refresh_filter() {
    if is_installed() {
        ::log::set_max_level(filter(finest_level()));
    }
}

fn finest_level() -> u32 {
    let uploaded = if upload::is_up() { upload_level().load(Ordering::Relaxed) } else { 0 };
    print_level().load(Ordering::Relaxed).max(uploaded)
}

/// Sends the `log` crate's records of this library to the C SDK's log. Cheap after the first call. A logger that a
/// Rust program installed before stays in place.
pub fn install() {
    is_installed();
}

fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let ours = ::log::set_logger(&Logger).is_ok();
        if ours {
            ::log::set_max_level(filter(finest_level()));
        }
        ours
    })
}

fn filter(level: u32) -> LevelFilter {
    match Level::from_number(i64::from(level)) {
        None => LevelFilter::Off,
        Some(Level::Error) => LevelFilter::Error,
        Some(Level::Warn) => LevelFilter::Warn,
        Some(Level::Info) => LevelFilter::Info,
        Some(Level::Debug) => LevelFilter::Debug,
    }
}

/// Logs that `function` was called with NULL for `argument`.
pub(crate) fn null_argument(function: &'static str, argument: &str) {
    install();
    ::log::error!(target: function, "{argument} is NULL");
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level_of(metadata.level()).is_some_and(is_wanted)
    }

    fn log(&self, record: &Record<'_>) {
        // Other crates don't know what is secret here: an HTTP client's record may show a signed URL.
        let ours = record.module_path().is_some_and(|module| module.starts_with("iot_"));
        let Some(level) = level_of(record.level()).filter(|&level| ours && is_wanted(level)) else {
            return;
        };
        let origin = Site {
            level,
            file: record.file().unwrap_or_default().as_bytes(),
            function: function_name(record.target()).as_bytes(),
            line: record.line().map_or(0, i64::from),
        };
        emit(&origin, |line| {
            // A line takes whatever is written to it; a value that can't show itself leaves a gap.
            let _ = line.write_fmt(*record.args());
        });
    }

    fn flush(&self) {}
}

/// `None` for what is finer than C's levels.
fn level_of(level: ::log::Level) -> Option<Level> {
    Level::from_number(level as i64)
}

/// Where a message comes from.
struct Site<'a> {
    level: Level,
    file: &'a [u8],
    function: &'a [u8],
    line: i64,
}

/// What this thread does in the log.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Idle,
    /// It is inside the user's handler: what is logged there is printed without asking the handler again.
    InHandler,
    /// It is inside the platform's print or clock: what is logged there can't be printed.
    InPlatform,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Idle) };
}

/// Puts a line together and brings it to the handler or the platform. A handler gets it when this thread holds no lock of
/// ours.
fn emit(site: &Site<'_>, text: impl FnOnce(&mut Line)) {
    let before = STAGE.get();
    if before == Stage::InPlatform {
        return;
    }
    STAGE.set(Stage::InPlatform);
    let mut clock = [0; TIME_SIZE];
    let time = local_time(&mut clock);
    STAGE.set(before);

    let mut line =
        Line::new(&Origin { level: site.level, time, file: site.file, function: site.function, line: site.line });
    text(&mut line);
    let line = line.finish();

    if is_uploaded(site.level) {
        // A word on a line for which there is no room is printed, and the platform's print may log.
        STAGE.set(Stage::InPlatform);
        upload::collect(line);
        STAGE.set(before);
    }
    // Costs nothing in a library without upload.
    if upload::is_up() && !is_printed(site.level) {
        return;
    }
    if before == Stage::Idle && sync::is_holding() && handler().is_some() {
        // The handler may call this library again, which would wait for the lock that this thread holds.
        let line = [line, b"\0"].concat();
        sync::when_released(move || bring(&line));
    } else {
        bring(line);
    }
}

/// A handler was left by `longjmp`.
///
/// # Safety
/// None.
unsafe fn idle(_: *const ()) {
    STAGE.set(Stage::Idle);
}

/// Brings a line, which a NUL follows, to the handler or the platform.
fn bring(line: &[u8]) {
    let before = STAGE.get();
    if before == Stage::Idle {
        if let Some(handler) = handler() {
            STAGE.set(Stage::InHandler);
            // SAFETY: `idle` needs nothing.
            let _note = unsafe { abandoned::hold(idle, ptr::null()) };
            // SAFETY: the user's function; the line ends with a NUL and outlives the call.
            let handled = unsafe { callout::on_line(handler, line.as_ptr().cast()) };
            STAGE.set(Stage::Idle);
            if handled {
                return;
            }
        }
    }
    STAGE.set(Stage::InPlatform);
    // SAFETY: the line ends with a NUL.
    unsafe { callout::print(line.as_ptr().cast::<c_char>()) };
    STAGE.set(before);
}

export! {
    /// Whether IOT_Log_Gen has to format a message of `level`. Called by varargs.c.
    pub fn qcloud_log_wanted(level: c_int) -> c_int {
        c_int::from(Level::from_number(level.into()).is_some_and(is_wanted))
    }
}

export! {
    /// Logs a message that IOT_Log_Gen has formatted. Called by varargs.c.
    ///
    /// # Safety
    /// `file`, `func` and `text` are NULL or NUL-terminated strings.
    pub unsafe fn qcloud_log_line(
        file: *const c_char,
        func: *const c_char,
        line: c_int,
        level: c_int,
        text: *const c_char,
    ) {
        let Some(level) = Level::from_number(level.into()) else {
            return;
        };
        // SAFETY: the caller's promise.
        let [file, function, text] = unsafe { [file, func, text].map(|text| bytes_from_c(text).unwrap_or_default()) };
        emit(&Site { level, file, function, line: line.into() }, |line| line.push(text));
    }
}

export! {
    /// Sets what is printed: lines up to `level`. eLOG_DISABLE prints nothing; a number above eLOG_DEBUG counts as it.
    pub fn IOT_Log_Set_Level(level: raw::LOG_LEVEL) {
        print_level().store(clamp_level(level), Ordering::Relaxed);
        refresh_filter();
    }
}

export! {
    /// The level up to which lines are printed; eLOG_INFO at the start.
    pub fn IOT_Log_Get_Level() -> raw::LOG_LEVEL {
        print_level().load(Ordering::Relaxed)
    }
}

export! {
    /// Sets what is uploaded: lines up to `level`, until the cloud wants another one. See IOT_Log_Init_Uploader.
    pub fn IOT_Log_Set_Upload_Level(level: raw::LOG_LEVEL) {
        upload_level().store(clamp_level(level), Ordering::Relaxed);
        refresh_filter();
    }
}

export! {
    /// The level up to which lines are uploaded; eLOG_ERROR at the start, eLOG_DISABLE in a library without LOG_UPLOAD.
    pub fn IOT_Log_Get_Upload_Level() -> raw::LOG_LEVEL {
        upload_level().load(Ordering::Relaxed)
    }
}

export! {
    /// Sets the function that sees each line before it is printed, NULL for none. It runs on the thread that logs and may
    /// call this library, which may bring a line to it a little later for that. It may log itself: such lines are printed
    /// without another call of it.
    pub fn IOT_Log_Set_MessageHandler(handler: LogMessageHandler) {
        *HANDLER.lock().unwrap_or_else(PoisonError::into_inner) = handler;
    }
}

export! {
    /// Begins to collect lines for the cloud's log server. To be called before the MQTT client is made, so that the cloud is asked
    /// which lines it wants. Once it is up, another call changes nothing.
    ///
    /// Texts are copied. The four functions keep what could not be sent, over a restart; they count when all four are given, run
    /// on the thread that uploads, never two at once, and may log.
    ///
    /// Returns QCLOUD_RET_SUCCESS; QCLOUD_ERR_INVAL for NULL, an empty key or names that are too long; QCLOUD_ERR_FAILURE without
    /// memory or, with certificates, for a file that can't be used. A library without LOG_UPLOAD does nothing and returns
    /// QCLOUD_RET_SUCCESS, so that programs go on.
    ///
    /// # Safety
    /// `init_params` is NULL or valid, its texts NULL or strings.
    pub unsafe fn IOT_Log_Init_Uploader(init_params: *mut LogUploadInitParams) -> c_int {
        install();
        if init_params.is_null() {
            null_argument(NAME, "init_params");
            return QCLOUD_ERR_INVAL;
        }
        // SAFETY: the caller's promise; not NULL.
        let code = unsafe { upload::start(NAME, &*init_params) };
        refresh_filter();
        code
    }
}

export! {
    /// Ends log upload: what is collected is dropped, later lines are not collected. Waits for an upload that another thread has
    /// under way.
    pub fn IOT_Log_Fini_Uploader() {
        upload::stop();
        refresh_filter();
    }
}

export! {
    /// Uploads what is collected: when it is time, or at once with `force_upload`. The library does so itself where a client is
    /// driven; a program does where it has none.
    ///
    /// Returns QCLOUD_RET_SUCCESS, also where nothing was there or the upload failed; QCLOUD_ERR_FAILURE without
    /// IOT_Log_Init_Uploader.
    pub fn IOT_Log_Upload(force_upload: bool) -> c_int {
        upload::upload(force_upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iot_abi::error::QCLOUD_RET_SUCCESS;
    use iot_abi::log::{eLOG_DEBUG, eLOG_DISABLE, eLOG_ERROR, eLOG_WARN};

    extern "C" {
        fn IOT_Log_Gen(file: *const c_char, func: *const c_char, line: c_int, level: c_int, fmt: *const c_char, ...);
    }

    thread_local! {
        /// What the handler saw on this thread; `None` where the test does not watch.
        static SEEN: std::cell::RefCell<Option<Vec<Vec<u8>>>> = const { std::cell::RefCell::new(None) };
        static NESTED: Cell<bool> = const { Cell::new(false) };
    }

    unsafe extern "C" fn watch(message: *const c_char) -> bool {
        let line = unsafe { std::ffi::CStr::from_ptr(message) }.to_bytes().to_vec();
        let watching = SEEN.with_borrow_mut(|seen| seen.as_mut().map(|seen| seen.push(line)).is_some());
        if NESTED.get() {
            log::error!(target: "nested", "from inside the handler");
        }
        watching
    }

    /// The lines that `body` logs on this thread. The level is the whole process's: one test at a time.
    fn lines(level: raw::LOG_LEVEL, body: impl FnOnce()) -> Vec<String> {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        install();
        IOT_Log_Set_Level(level);
        IOT_Log_Set_MessageHandler(Some(watch));
        SEEN.set(Some(Vec::new()));
        body();
        IOT_Log_Set_MessageHandler(None);
        IOT_Log_Set_Level(eLOG_INFO);
        SEEN.take().unwrap_or_default().into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    /// Splits a line at its time, which must look like one.
    fn without_time(line: &str) -> String {
        let (level, rest) = line.split_once('|').unwrap();
        let (time, rest) = rest.split_once('|').unwrap();
        assert_eq!(time.len(), 19, "{time}");
        for (index, character) in time.chars().enumerate() {
            let fits = match index {
                4 | 7 => character == '-',
                10 => character == ' ',
                13 | 16 => character == ':',
                _ => character.is_ascii_digit(),
            };
            assert!(fits, "{time}");
        }
        format!("{level}|{rest}")
    }

    #[test]
    fn c_messages_are_formatted_into_lines() {
        let seen = lines(eLOG_INFO, || unsafe {
            let (file, func) = (c"a/b/sample.c".as_ptr(), c"main".as_ptr());
            IOT_Log_Gen(file, func, 7, 3, c"%s=%d".as_ptr(), c"x".as_ptr(), 5);
            IOT_Log_Gen(file, func, 8, 4, c"too fine".as_ptr());
            IOT_Log_Gen(file, func, 9, 0, c"no level".as_ptr());
            IOT_Log_Gen(file, func, 9, 5, c"no level".as_ptr());
            IOT_Log_Gen(file, func, 9, -1, c"no level".as_ptr());
            IOT_Log_Gen(file, func, 9, 1, std::ptr::null());
            IOT_Log_Gen(std::ptr::null(), std::ptr::null(), 10, 1, c"from nowhere".as_ptr());
        });
        let seen: Vec<_> = seen.iter().map(|line| without_time(line)).collect();
        assert_eq!(seen, ["INF|sample.c|main(7): x=5\r\n", "ERR||(10): from nowhere\r\n"]);
    }

    #[test]
    fn a_line_of_c_never_exceeds_the_limit() {
        let text = std::ffi::CString::new("\u{56fa}".repeat(1000)).unwrap();
        let seen = lines(eLOG_INFO, || unsafe {
            IOT_Log_Gen(c"x.c".as_ptr(), c"f".as_ptr(), 1, 2, c"%s".as_ptr(), text.as_ptr());
        });
        assert_eq!(seen.len(), 1);
        assert!(seen[0].ends_with("\u{56fa}\r\n"));
        assert!((MAX_LOG_MSG_LEN - 2..=MAX_LOG_MSG_LEN).contains(&seen[0].len()), "{}", seen[0].len());
    }

    #[test]
    fn our_own_records_come_out_the_same_way() {
        let line = line!() + 2;
        let seen = lines(eLOG_DEBUG, || {
            log::debug!(target: "IOT_OTA_Init", "{} {}", 1, "two");
            log::warn!("by module");
            log::trace!("finer than C knows");
        });
        let seen: Vec<_> = seen.iter().map(|line| without_time(line)).collect();
        let expected = [
            format!("DBG|log.rs|IOT_OTA_Init({line}): 1 two\r\n"),
            format!("WRN|log.rs|tests({}): by module\r\n", line + 1),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn records_follow_the_level() {
        assert_eq!(lines(eLOG_ERROR, || log::warn!("not wanted")).len(), 0);
        assert_eq!(lines(eLOG_DISABLE, || log::error!("not wanted")).len(), 0);
        assert_eq!(lines(eLOG_ERROR, || log::error!("wanted")).len(), 1);
        lines(eLOG_WARN, || {
            assert!(log::log_enabled!(log::Level::Warn) && !log::log_enabled!(log::Level::Info));
        });
    }

    #[test]
    fn other_crates_records_stay_out() {
        let seen = lines(eLOG_DEBUG, || {
            let record = |module| {
                let logger = log::logger();
                let record = Record::builder().level(log::Level::Error).module_path(module).target("http").build();
                logger.log(&record);
            };
            record(Some("ureq::run"));
            record(None);
            record(Some("iot_sdk::drive"));
        });
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_handler_may_log() {
        let seen = lines(eLOG_INFO, || {
            NESTED.set(true);
            log::info!("once");
            NESTED.set(false);
        });
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_handler_is_called_with_no_lock_held() {
        let count = || SEEN.with_borrow(|seen| seen.as_ref().map(Vec::len));
        let lock = sync::Mutex::new(());
        let seen = lines(eLOG_INFO, || {
            let guard = lock.lock();
            log::info!("first");
            log::info!("second");
            assert_eq!(count(), Some(0));
            drop(guard);
            assert_eq!(count(), Some(2));
            log::info!("third");
        });
        let texts: Vec<_> = seen.iter().map(|line| line.rsplit(": ").next().unwrap().trim_end()).collect();
        assert_eq!(texts, ["first", "second", "third"]);
    }

    #[test]
    fn levels_are_brought_into_range() {
        lines(eLOG_INFO, || {
            IOT_Log_Set_Level(99);
            assert_eq!(IOT_Log_Get_Level(), eLOG_DEBUG);
            assert_eq!(print_level().load(Ordering::Relaxed), eLOG_DEBUG);
            IOT_Log_Set_Upload_Level(u32::MAX);
            assert_eq!(IOT_Log_Get_Upload_Level(), eLOG_DEBUG);
            IOT_Log_Set_Upload_Level(eLOG_DISABLE);
        });
    }

    fn nothing() -> LogUploadInitParams {
        LogUploadInitParams {
            #[cfg(feature = "abi-3-3")]
            region: std::ptr::null(),
            product_id: std::ptr::null(),
            device_name: std::ptr::null(),
            sign_key: std::ptr::null(),
            save_func: None,
            read_func: None,
            del_func: None,
            get_size_func: None,
        }
    }

    #[test]
    #[cfg(not(feature = "log-upload"))]
    fn case_01_upload_is_a_quiet_no_op() {
        let seen = lines(eLOG_INFO, || unsafe {
            assert_eq!(IOT_Log_Init_Uploader(&mut nothing()), QCLOUD_RET_SUCCESS);
            assert_eq!(IOT_Log_Upload(true), QCLOUD_RET_SUCCESS);
            IOT_Log_Fini_Uploader();
        });
        assert!(seen.is_empty(), "{seen:?}");
        let seen = lines(eLOG_INFO, || unsafe {
            assert_eq!(IOT_Log_Init_Uploader(std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        });
        assert!(seen[0].contains("IOT_Log_Init_Uploader(") && seen[0].contains("init_params is NULL"), "{seen:?}");
        assert_eq!(upload::FIRST_LEVEL, eLOG_DISABLE);
    }

    #[test]
    #[cfg(all(feature = "log-upload", not(feature = "auth-mode-cert")))]
    fn case_02_the_uploader_refuses_what_is_missing_or_too_long() {
        use iot_abi::error::QCLOUD_ERR_FAILURE;
        let good = || LogUploadInitParams {
            product_id: c"PRODUCTIDX".as_ptr(),
            device_name: c"device".as_ptr(),
            sign_key: c"key".as_ptr(),
            ..nothing()
        };
        let long = std::ffi::CString::new("n".repeat(49)).unwrap();
        let (null, empty) = (std::ptr::null(), c"".as_ptr());
        let seen = lines(eLOG_INFO, || unsafe {
            assert_eq!(IOT_Log_Upload(true), QCLOUD_ERR_FAILURE);
            assert_eq!(IOT_Log_Init_Uploader(std::ptr::null_mut()), QCLOUD_ERR_INVAL);
            for mut bad in [
                LogUploadInitParams { product_id: null, ..good() },
                LogUploadInitParams { device_name: null, ..good() },
                LogUploadInitParams { sign_key: null, ..good() },
                LogUploadInitParams { sign_key: empty, ..good() },
                LogUploadInitParams { product_id: c"ELEVENCHARS".as_ptr(), ..good() },
                LogUploadInitParams { device_name: long.as_ptr(), ..good() },
            ] {
                assert_eq!(IOT_Log_Init_Uploader(&mut bad), QCLOUD_ERR_INVAL);
                assert!(!upload::is_up());
            }
        });
        assert_eq!(seen.len(), 7, "{seen:?}");
        lines(eLOG_ERROR, || unsafe {
            for _ in 0..2 {
                assert_eq!(IOT_Log_Init_Uploader(&mut good()), QCLOUD_RET_SUCCESS);
                assert_eq!(IOT_Log_Init_Uploader(&mut good()), QCLOUD_RET_SUCCESS);
                // Nothing is there to be sent.
                assert_eq!(IOT_Log_Upload(true), QCLOUD_RET_SUCCESS);
                IOT_Log_Set_Upload_Level(eLOG_INFO);
                assert!(log::log_enabled!(log::Level::Info), "uploaded, though not printed");
                IOT_Log_Fini_Uploader();
                assert!(!log::log_enabled!(log::Level::Info));
                assert_eq!(IOT_Log_Upload(false), QCLOUD_ERR_FAILURE);
                IOT_Log_Set_Upload_Level(upload::FIRST_LEVEL);
            }
        });
        assert_eq!(upload::FIRST_LEVEL, eLOG_ERROR);
    }
}
