//! `qcloud_iot_export_upgrade.h`: upgrades into the other of two slots.

use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr;
use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};
use iot_abi::upgrade::{
    IOT_Upgrade_Event, IOT_Upgrade_EventType as Type, IOT_Upgrade_OnEvent, IOT_Upgrade_Pair, IOT_Upgrade_Params,
    IOT_Upgrade_Status, IOT_Upgrade_Store,
};
use iot_engine::upgrade::{judge, judge_unsigned, Cause, NotNow, Phase, PublicKey};

use super::{handle, memory, required_str};
use crate::drive::mqtt::Client;
use crate::drive::services::upgrade::pair::{Loader, Pair};
use crate::drive::services::upgrade::store::{Store, StoreError};
use crate::drive::services::upgrade::{Event, Plan, Settings, Upgrade};
use crate::hal::callout;

/// What a handle of these functions is, for the log.
const KIND: &str = "an upgrade handle";
const CHECKS_SIGNATURES: bool = cfg!(feature = "upgrade-signatures");
const RECORD_EVERY: u32 = 256 * 1024;
const CONFIRM_SECONDS: u32 = 300;

export! {
    /// Begins upgrades and returns the handle for all other functions; NULL on failure.
    ///
    /// Reads the store's record and goes on where the last run of the program has ended. Subscribes to the device's orders
    /// over the MQTT client and waits up to 2 s for the server's answer. End the handle with IOT_Upgrade_Destroy before the client's.
    /// Don't use the IOT_OTA_* functions for the same device beside it.
    ///
    /// All functions may be called from any thread at any time, also from on_event. One thread at a time is in
    /// IOT_Upgrade_Yield, and after this function, which reads the store, only that one calls on_event, choose and the
    /// store. IOT_Upgrade_Destroy does not wait for it: what the contexts name must stay until it has returned.
    ///
    /// # Safety
    /// `params` is NULL or valid, and so is what it points to.
    pub unsafe fn IOT_Upgrade_Init(params: *const IOT_Upgrade_Params) -> *mut c_void {
        // SAFETY: the caller's promise.
        let make = || unsafe { init(NAME, params) }.map(Arc::new);
        memory::whole(NAME, make, |upgrade| upgrade.destroy()).map_or(ptr::null_mut(), handle::insert)
    }
}

export! {
    /// Does what there is to do for about `timeout_ms`, and drives the MQTT client as IOT_MQTT_Yield does: reports, waits,
    /// downloads, verifies, installs, reports.
    ///
    /// Returns 0; QCLOUD_ERR_INVAL for an unknown handle; QCLOUD_ERR_FAILURE where another thread, or the one that was called
    /// by it, is in this function, or the handle was destroyed meanwhile.
    pub fn IOT_Upgrade_Yield(handle: *mut c_void, timeout_ms: u32) -> c_int {
        with(NAME, handle, &|upgrade| if upgrade.yield_for(timeout_ms) { QCLOUD_RET_SUCCESS } else { QCLOUD_ERR_FAILURE })
    }
}

export! {
    /// Takes the order up. Returns 0; QCLOUD_ERR_FAILURE where there is none to decide on.
    pub fn IOT_Upgrade_Accept(handle: *mut c_void) -> c_int {
        decide(NAME, handle, &Upgrade::accept)
    }
}

export! {
    /// Asks for the order again in `seconds`, by another IOT_UPGRADE_FOUND. Returns as IOT_Upgrade_Accept.
    pub fn IOT_Upgrade_Defer(handle: *mut c_void, seconds: u32) -> c_int {
        decide(NAME, handle, &|upgrade| upgrade.defer(u64::from(seconds) * 1000))
    }
}

export! {
    /// Ends the order, until the new slot was started; the cloud is told. Returns as IOT_Upgrade_Accept.
    pub fn IOT_Upgrade_Cancel(handle: *mut c_void) -> c_int {
        decide(NAME, handle, &Upgrade::cancel)
    }
}

export! {
    /// Says that the running firmware works: it stays. Returns 0; QCLOUD_ERR_FAILURE where it is not on trial.
    pub fn IOT_Upgrade_ConfirmRunning(handle: *mut c_void) -> c_int {
        decide(NAME, handle, &Upgrade::confirm)
    }
}

export! {
    /// Tells how the upgrade stands. Returns 0; QCLOUD_ERR_INVAL for NULL or an unknown handle.
    ///
    /// # Safety
    /// `status` is NULL or writable.
    pub unsafe fn IOT_Upgrade_GetStatus(handle: *mut c_void, status: *mut IOT_Upgrade_Status) -> c_int {
        if status.is_null() {
            return invalid(NAME, "status is NULL");
        }
        with(NAME, handle, &|upgrade| {
            let now = upgrade.status();
            let told = IOT_Upgrade_Status {
                state: state(now.phase),
                cause: c_int::from(now.cause.number()),
                running: c_int::from(now.running),
                stored: now.stored,
                bytes_written: now.writes.bytes,
                blocks_erased: now.writes.erases,
                syncs: now.writes.syncs,
                records_written: now.writes.records,
            };
            // SAFETY: the caller's promise.
            unsafe { status.write(told) };
            QCLOUD_RET_SUCCESS
        })
    }
}

export! {
    /// Ends upgrades and frees. What is stored stays: the next IOT_Upgrade_Init goes on. Returns 0; QCLOUD_ERR_INVAL for an
    /// unknown handle.
    pub fn IOT_Upgrade_Destroy(handle: *mut c_void) -> c_int {
        match handle::remove::<Upgrade>(handle) {
            Some(upgrade) => {
                upgrade.destroy();
                QCLOUD_RET_SUCCESS
            }
            None => {
                handle::log_unknown(NAME, "handle", KIND, handle);
                QCLOUD_ERR_INVAL
            }
        }
    }
}

fn with(name: &'static str, handle: *mut c_void, body: &dyn Fn(&Upgrade) -> c_int) -> c_int {
    let Some(upgrade) = handle::required::<Upgrade>(name, "handle", KIND, handle) else {
        return QCLOUD_ERR_INVAL;
    };
    if memory::is_exhausted(name) {
        return QCLOUD_ERR_FAILURE;
    }
    body(&upgrade)
}

fn decide(name: &'static str, handle: *mut c_void, decision: &dyn Fn(&Upgrade) -> Result<(), NotNow>) -> c_int {
    with(name, handle, &|upgrade| match decision(upgrade) {
        Ok(()) => QCLOUD_RET_SUCCESS,
        Err(NotNow) => failed(name, "the upgrade is not in a state for this"),
    })
}

#[cold]
fn failed(name: &'static str, why: &str) -> c_int {
    ::log::error!(target: name, "{why}");
    QCLOUD_ERR_FAILURE
}

#[cold]
fn invalid(name: &'static str, what: &str) -> c_int {
    ::log::error!(target: name, "{what}");
    QCLOUD_ERR_INVAL
}

fn state(phase: Phase) -> c_int {
    match phase {
        Phase::Idle => 0,
        Phase::Fetching => 1,
        Phase::Installing => 2,
        Phase::Installed => 3,
        Phase::Trial => 4,
        Phase::Returning => 5,
        Phase::Result => 6,
    }
}

/// # Safety
/// As [`IOT_Upgrade_Init`].
unsafe fn init(name: &'static str, params: *const IOT_Upgrade_Params) -> Result<Upgrade, c_int> {
    let invalid = |what: &str| invalid(name, what);
    // SAFETY: the caller's promise.
    let params = unsafe { params.as_ref() }.ok_or_else(|| invalid("params is NULL"))?;
    let client = handle::required::<Client>(name, "client", "an MQTT client", params.client).ok_or(QCLOUD_ERR_INVAL)?;
    // SAFETY: the caller's promise.
    let version = unsafe { required_str(name, "version", params.version) }?;
    if !(1..=32).contains(&version.len()) {
        return Err(invalid("version must have 1 to 32 characters"));
    }
    // SAFETY: the caller's promise.
    let (keys, minimum) = unsafe {
        (optional(name, "public_keys", params.public_keys)?, optional(name, "minimum_version", params.minimum_version)?)
    };
    let keys = match keys {
        None => Vec::new(),
        Some(_) if !CHECKS_SIGNATURES => {
            return Err(invalid(
                "public_keys: built with FEATURE_UPGRADE_SIGNATURES OFF, this library can't check signatures",
            ))
        }
        Some(text) => PublicKey::all(text).map_err(|which| invalid(&format!("public key {which} is none")))?,
    };
    // Whoever names keys wants signatures.
    if !params.public_keys.is_null() && keys.is_empty() {
        return Err(invalid("public_keys names no key"));
    }
    // SAFETY: the caller's promise.
    let store: Box<dyn Store> = match unsafe { (params.store.as_ref(), params.pair.as_ref()) } {
        (Some(store), _) => Box::new(Table::new(*store).ok_or_else(|| invalid("store lacks functions"))?),
        // SAFETY: the caller's promise.
        (None, Some(pair)) => Box::new(unsafe { pair_of(name, pair) }?),
        (None, None) => return Err(invalid("store and pair are NULL")),
    };
    let or = |value: u32, usual: u32| if value == 0 { usual } else { value };
    let settings = Settings {
        version: version.to_owned(),
        judge: if CHECKS_SIGNATURES { judge } else { judge_unsigned },
        keys,
        minimum: minimum.map(str::to_owned),
        may_downgrade: params.may_downgrade != 0,
        plan: Plan {
            is_automatic: params.is_automatic != 0,
            record_every: or(params.record_every, RECORD_EVERY),
            confirm_ms: u64::from(or(params.confirm_seconds, CONFIRM_SECONDS)) * 1000,
            trial_starts: u8::try_from(or(params.trial_starts, 1)).unwrap_or(u8::MAX),
        },
    };
    let handler = Handler { handler: params.on_event, context: params.context };
    let tell = Box::new(move |event: &Event| handler.call(event));
    Upgrade::new(client, store, settings, tell).map_err(|why| failed(name, &why))
}

/// # Safety
/// `text` is NULL or a string that outlives `'a`.
unsafe fn optional<'a>(name: &'static str, argument: &str, text: *const c_char) -> Result<Option<&'a str>, c_int> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { required_str(name, argument, text) }.map(Some)
}

/// # Safety
/// The strings of `pair` are NULL or strings.
unsafe fn pair_of(name: &'static str, pair: &IOT_Upgrade_Pair) -> Result<Pair, c_int> {
    let path = |argument: &str, text| {
        // SAFETY: the caller's promise.
        unsafe { required_str(name, argument, text) }.map(|text| CString::new(text).unwrap_or_default())
    };
    let slots = [path("slot[0]", pair.slot[0])?, path("slot[1]", pair.slot[1])?];
    let record = path("record", pair.record)?;
    let loader = match (pair.link.is_null(), pair.choose) {
        (false, _) => Loader::Link(path("link", pair.link)?),
        (true, Some(choose)) => {
            let running = u8::try_from(pair.running).unwrap_or(u8::MAX);
            let choose = Chooser { choose, context: pair.context };
            Loader::Told(Box::new(move |slot, is_trial| choose.call(slot, is_trial)), running)
        }
        (true, None) => {
            return Err(invalid(name, "link and choose are NULL"));
        }
    };
    Pair::new(slots, record, loader).map_err(|why| failed(name, &why))
}

struct Chooser {
    choose: unsafe extern "C" fn(*mut c_void, c_int, c_int) -> c_int,
    context: *mut c_void,
}

// SAFETY: `context` is only handed back; the function is called from whichever thread yields, as documented.
unsafe impl Send for Chooser {}
// SAFETY: as above.
unsafe impl Sync for Chooser {}

impl Chooser {
    fn call(&self, slot: u8, is_trial: bool) -> c_int {
        // SAFETY: the function is the program's, with the signature of the header.
        unsafe { (self.choose)(self.context, c_int::from(slot), c_int::from(is_trial)) }
    }
}

struct Handler {
    handler: IOT_Upgrade_OnEvent,
    context: *mut c_void,
}

// SAFETY: `context` is only handed back; the handler is called from whichever thread yields, as documented.
unsafe impl Send for Handler {}
// SAFETY: as above.
unsafe impl Sync for Handler {}

impl Handler {
    fn call(&self, event: &Event) {
        let Some(handler) = self.handler else { return };
        let number = |cause: &Cause| c_int::from(cause.number());
        let (kind, cause, percent, size, version) = match event {
            Event::Found(version, size) => (Type::IOT_UPGRADE_FOUND, 0, 0, *size, version.as_str()),
            Event::Progress(percent) => (Type::IOT_UPGRADE_PROGRESS, 0, u32::from(*percent), 0, ""),
            Event::Verified => (Type::IOT_UPGRADE_VERIFIED, 0, 0, 0, ""),
            Event::Restart(cause) => (Type::IOT_UPGRADE_RESTART, number(cause), 0, 0, ""),
            Event::Trial => (Type::IOT_UPGRADE_TRIAL, 0, 0, 0, ""),
            Event::Failed(cause) => (Type::IOT_UPGRADE_FAILED, number(cause), 0, 0, ""),
            Event::Confirmed => (Type::IOT_UPGRADE_CONFIRMED, 0, 0, 0, ""),
        };
        // A version with a NUL in it is none that C could be told.
        let version = CString::new(version).unwrap_or_default();
        let mut event =
            IOT_Upgrade_Event { event_type: kind as c_int, cause, percent, size, version: version.as_ptr() };
        type Told = unsafe extern "C" fn(*mut c_void, *const IOT_Upgrade_Event);
        // SAFETY: the handler is the program's, with the signature of the header; the pointers are valid for the call.
        unsafe {
            callout::two_pointers(
                std::mem::transmute::<Told, callout::TwoPointers>(handler),
                self.context,
                ptr::from_mut(&mut event).cast(),
            );
        }
    }
}

/// A store of the program's own, which has all functions that it needs.
struct Table(IOT_Upgrade_Store);

// SAFETY: `context` is only handed back; the functions are called from whichever thread yields, as documented.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    fn new(store: IOT_Upgrade_Store) -> Option<Self> {
        let is_whole = store.running.is_some()
            && store.open.is_some()
            && store.read.is_some()
            && store.write.is_some()
            && store.sync.is_some()
            && store.commit.is_some()
            && (store.erase.is_some() || store.erase_size == 0)
            && store.erase_size % 4096 == 0;
        is_whole.then_some(Table(store))
    }
}

fn outcome(code: Option<c_int>) -> Result<(), StoreError> {
    match code.unwrap_or(QCLOUD_ERR_FAILURE) {
        0 => Ok(()),
        code => Err(StoreError(code)),
    }
}

/// The engine cuts images at 4 GB and pieces at 4 kB.
fn size_of(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

// The functions are the program's, with the signatures of the header, and get what it says there.
impl Store for Table {
    fn running(&self) -> Result<u8, StoreError> {
        // SAFETY: as above.
        let code = self.0.running.map_or(QCLOUD_ERR_FAILURE, |running| unsafe { running(self.0.context) });
        u8::try_from(code).map_err(|_| StoreError(code))
    }

    fn open(&self, slot: u8, size: u32) -> Result<(), StoreError> {
        // SAFETY: as above.
        outcome(self.0.open.map(|open| unsafe { open(self.0.context, c_int::from(slot), size) }))
    }

    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError> {
        let (area, size) = (c_int::from(area), size_of(data));
        // SAFETY: as above; `data` is writable for its length.
        outcome(self.0.read.map(|read| unsafe { read(self.0.context, area, offset, data.as_mut_ptr().cast(), size) }))
    }

    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError> {
        let (area, size) = (c_int::from(area), size_of(data));
        // SAFETY: as above; `data` is readable for its length.
        outcome(self.0.write.map(|write| unsafe { write(self.0.context, area, offset, data.as_ptr().cast(), size) }))
    }

    fn sync(&self, area: u8) -> Result<(), StoreError> {
        // SAFETY: as above.
        outcome(self.0.sync.map(|sync| unsafe { sync(self.0.context, c_int::from(area)) }))
    }

    fn erase(&self, area: u8, offset: u32) -> Result<(), StoreError> {
        // SAFETY: as above.
        outcome(self.0.erase.map(|erase| unsafe { erase(self.0.context, c_int::from(area), offset) }))
    }

    fn commit(&self, slot: u8, is_trial: bool) -> Result<(), StoreError> {
        let (slot, is_trial) = (c_int::from(slot), c_int::from(is_trial));
        // SAFETY: as above.
        outcome(self.0.commit.map(|commit| unsafe { commit(self.0.context, slot, is_trial) }))
    }

    fn erase_size(&self) -> u32 {
        self.0.erase_size
    }
}

#[cfg(test)]
mod tests;
