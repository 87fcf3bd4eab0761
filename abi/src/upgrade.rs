//! `qcloud_iot_export_upgrade.h`: upgrades into the other of two slots.

use std::ffi::{c_char, c_int, c_void};

/// What an event handler is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_Upgrade_EventType {
    /// The cloud has an order: accept, defer or cancel it.
    IOT_UPGRADE_FOUND = 0,
    /// More of the firmware is stored.
    IOT_UPGRADE_PROGRESS = 1,
    /// The firmware is stored and is the right one.
    IOT_UPGRADE_VERIFIED = 2,
    /// Start the device again: to the new slot or, where cause is not 0, to the former one.
    IOT_UPGRADE_RESTART = 3,
    /// The slot that runs is on trial: confirm it.
    IOT_UPGRADE_TRIAL = 4,
    /// The upgrade has failed, and the cloud is told why.
    IOT_UPGRADE_FAILED = 5,
    /// The new firmware stays, and the cloud is told.
    IOT_UPGRADE_CONFIRMED = 6,
}

/// Where an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_Upgrade_State {
    /// No order is followed.
    IOT_UPGRADE_IDLE = 0,
    /// The other slot is being written.
    IOT_UPGRADE_FETCHING = 1,
    /// The other slot is being made the next to start.
    IOT_UPGRADE_INSTALLING = 2,
    /// The other slot starts next.
    IOT_UPGRADE_INSTALLED = 3,
    /// The slot that runs is on trial.
    IOT_UPGRADE_ON_TRIAL = 4,
    /// The former slot is being made the next to start.
    IOT_UPGRADE_RETURNING = 5,
    /// The cloud is to be told how it ended.
    IOT_UPGRADE_RESULT = 6,
}

/// Why an upgrade failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum IOT_Upgrade_Cause {
    /// It did not.
    IOT_UPGRADE_CAUSE_NONE = 0,
    /// The program has cancelled it.
    IOT_UPGRADE_CAUSE_CANCELLED = 1,
    /// The download failed for good, in another way than those at the end.
    IOT_UPGRADE_CAUSE_DOWNLOAD = 2,
    /// The MD5 is not the announced one.
    IOT_UPGRADE_CAUSE_MD5 = 3,
    /// The store failed.
    IOT_UPGRADE_CAUSE_STORE = 4,
    /// The firmware does not fit into the slot.
    IOT_UPGRADE_CAUSE_TOO_LARGE = 5,
    /// The new slot was never started, or not for long enough to say so.
    IOT_UPGRADE_CAUSE_NOT_STARTED = 6,
    /// The new slot was not confirmed.
    IOT_UPGRADE_CAUSE_NOT_CONFIRMED = 7,
    /// The boot loader has gone back.
    IOT_UPGRADE_CAUSE_FELL_BACK = 8,
    /// Not signed.
    IOT_UPGRADE_CAUSE_UNSIGNED = 9,
    /// The header can't be read.
    IOT_UPGRADE_CAUSE_BAD_HEADER = 10,
    /// Signed with an unknown key.
    IOT_UPGRADE_CAUSE_UNKNOWN_KEY = 11,
    /// The signature is wrong.
    IOT_UPGRADE_CAUSE_BAD_SIGNATURE = 12,
    /// For another product.
    IOT_UPGRADE_CAUSE_OTHER_PRODUCT = 13,
    /// Another version than the announced one.
    IOT_UPGRADE_CAUSE_OTHER_VERSION = 14,
    /// Older than what may be installed.
    IOT_UPGRADE_CAUSE_TOO_OLD = 15,
    /// Not of the signed size.
    IOT_UPGRADE_CAUSE_WRONG_SIZE = 16,
    /// Not the signed image.
    IOT_UPGRADE_CAUSE_WRONG_IMAGE = 17,
    /// The server does not have the firmware.
    IOT_UPGRADE_CAUSE_NO_SUCH_FILE = 18,
    /// The server does not give the firmware to this device.
    IOT_UPGRADE_CAUSE_NOT_ALLOWED = 19,
    /// The download has timed out.
    IOT_UPGRADE_CAUSE_TIME_OUT = 20,
    /// Signed, and the library was built with FEATURE_UPGRADE_SIGNATURES OFF.
    IOT_UPGRADE_CAUSE_NOT_CHECKED = 21,
}

/// What happened. Valid during the call of the handler only.
#[derive(Debug)]
#[repr(C)]
pub struct IOT_Upgrade_Event {
    /// An IOT_Upgrade_EventType.
    pub event_type: c_int,
    /// An IOT_Upgrade_Cause.
    pub cause: c_int,
    /// IOT_UPGRADE_PROGRESS: how much is stored.
    pub percent: u32,
    /// IOT_UPGRADE_FOUND: bytes of the file.
    pub size: u32,
    /// IOT_UPGRADE_FOUND: the ordered version, else "".
    pub version: *const c_char,
}

/// Is told what happens, from IOT_Upgrade_Yield. May accept, defer, cancel, confirm and ask for the status.
pub type IOT_Upgrade_OnEvent = Option<unsafe extern "C" fn(context: *mut c_void, event: *const IOT_Upgrade_Event)>;

/// A store: areas 0 and 1 are the slots, 2 and 3 the two places of the record, of 512 bytes. All functions return 0, or a
/// negative number of their own when they fail, and throw nothing. What is written is safe once sync has returned.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct IOT_Upgrade_Store {
    /// The slot that the running program was started from, 0 or 1.
    pub running: Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>,
    /// Makes ready for an image of that many bytes; what is in the slot stays. Fails where it does not fit.
    pub open: Option<unsafe extern "C" fn(context: *mut c_void, slot: c_int, size: u32) -> c_int>,
    /// Reads size bytes.
    pub read: Option<
        unsafe extern "C" fn(context: *mut c_void, area: c_int, offset: u32, data: *mut c_void, size: u32) -> c_int,
    >,
    /// Writes size bytes.
    pub write: Option<
        unsafe extern "C" fn(context: *mut c_void, area: c_int, offset: u32, data: *const c_void, size: u32) -> c_int,
    >,
    /// Waits until what was written is safe.
    pub sync: Option<unsafe extern "C" fn(context: *mut c_void, area: c_int) -> c_int>,
    /// Erases erase_size bytes, before anything is written there. May be NULL where erase_size is 0.
    pub erase: Option<unsafe extern "C" fn(context: *mut c_void, area: c_int, offset: u32) -> c_int>,
    /// Makes a slot the one that starts next, safely: with is_trial once, where the boot loader can, else for good.
    pub commit: Option<unsafe extern "C" fn(context: *mut c_void, slot: c_int, is_trial: c_int) -> c_int>,
    /// Handed to the functions.
    pub context: *mut c_void,
    /// Bytes that are erased at once, a multiple of 4096, or 0 where nothing need be erased. A download that was cut goes on
    /// at such a boundary; each place of the record has at least so many bytes.
    pub erase_size: u32,
}

/// The store that is provided: two files, partitions or block devices, and a file for the record. No raw flash, which must
/// be erased: that is for a store of the program's own.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct IOT_Upgrade_Pair {
    /// The slots' paths.
    pub slot: [*const c_char; 2],
    /// The record's path.
    pub record: *const c_char,
    /// A symbolic link that names one of the two paths, letter for letter: the slot that starts. NULL: choose says.
    pub link: *const c_char,
    /// Without a link: tells the boot loader, as commit in IOT_Upgrade_Store.
    pub choose: Option<unsafe extern "C" fn(context: *mut c_void, slot: c_int, is_trial: c_int) -> c_int>,
    /// Without a link: the slot that runs, 0 or 1.
    pub running: c_int,
    /// Handed to choose.
    pub context: *mut c_void,
}

/// How to upgrade. Begin with all zero. Everything is copied, but for what context names.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct IOT_Upgrade_Params {
    /// The MQTT client, which is driven by IOT_Upgrade_Yield.
    pub client: *mut c_void,
    /// The version that runs, 1 to 32 characters.
    pub version: *const c_char,
    /// A store of the program's own, or NULL.
    pub store: *const IOT_Upgrade_Store,
    /// The store that is provided, where store is NULL.
    pub pair: *const IOT_Upgrade_Pair,
    /// Public keys whose signatures are taken: 64 hex digits each, blanks or commas between them. NULL: any firmware is taken.
    pub public_keys: *const c_char,
    /// Nothing older than this is installed. NULL: no such limit.
    pub minimum_version: *const c_char,
    /// Not 0: older versions than the running one may be installed.
    pub may_downgrade: c_int,
    /// Not 0: orders are accepted without asking.
    pub is_automatic: c_int,
    /// The record is written every so many bytes, 0 for 262144.
    pub record_every: u32,
    /// A slot on trial is left unless it is confirmed in so many seconds, 0 for 300.
    pub confirm_seconds: u32,
    /// And in so many starts, 0 for 1.
    pub trial_starts: u32,
    /// Is told what happens, or NULL.
    pub on_event: IOT_Upgrade_OnEvent,
    /// Handed to on_event.
    pub context: *mut c_void,
}

/// How an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct IOT_Upgrade_Status {
    /// An IOT_Upgrade_State.
    pub state: c_int,
    /// An IOT_Upgrade_Cause.
    pub cause: c_int,
    /// The slot that runs.
    pub running: c_int,
    /// Bytes of the image that are stored.
    pub stored: u32,
    /// Of this upgrade, and at most since IOT_Upgrade_Init: bytes written to the slot.
    pub bytes_written: u64,
    /// Blocks erased.
    pub blocks_erased: u32,
    /// Syncs of the slot.
    pub syncs: u32,
    /// Records written.
    pub records_written: u32,
}
