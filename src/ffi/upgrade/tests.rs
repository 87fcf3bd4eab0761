use std::mem;

use iot_engine::upgrade::Refusal;

use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::Machine;

const NULL: *mut c_void = ptr::null_mut();

/// A program's own store, whose context is the flash.
unsafe extern "C" fn running(_: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn open(_: *mut c_void, _: c_int, _: u32) -> c_int {
    0
}

unsafe extern "C" fn read(_: *mut c_void, _: c_int, _: u32, data: *mut c_void, size: u32) -> c_int {
    unsafe { ptr::write_bytes(data.cast::<u8>(), 0xFF, size as usize) };
    0
}

unsafe extern "C" fn write(_: *mut c_void, _: c_int, _: u32, _: *const c_void, _: u32) -> c_int {
    -28
}

unsafe extern "C" fn sync(_: *mut c_void, _: c_int) -> c_int {
    0
}

unsafe extern "C" fn commit(_: *mut c_void, _: c_int, _: c_int) -> c_int {
    0
}

fn store() -> IOT_Upgrade_Store {
    IOT_Upgrade_Store {
        running: Some(running),
        open: Some(open),
        read: Some(read),
        write: Some(write),
        sync: Some(sync),
        erase: None,
        commit: Some(commit),
        context: NULL,
        erase_size: 0,
    }
}

/// All zero, as a C program begins.
fn params() -> IOT_Upgrade_Params {
    // SAFETY: pointers, integers and functions that may be NULL.
    unsafe { mem::zeroed() }
}

#[test]
fn no_handle_is_invalid_everywhere() {
    let mut local = 5_u32;
    for handle in [NULL, ptr::from_mut(&mut local).cast(), ptr::dangling_mut()] {
        let mut status: IOT_Upgrade_Status = unsafe { mem::zeroed() };
        let codes = [
            IOT_Upgrade_Yield(handle, 1),
            IOT_Upgrade_Accept(handle),
            IOT_Upgrade_Defer(handle, 1),
            IOT_Upgrade_Cancel(handle),
            IOT_Upgrade_ConfirmRunning(handle),
            unsafe { IOT_Upgrade_GetStatus(handle, &mut status) },
            IOT_Upgrade_Destroy(handle),
        ];
        assert_eq!(codes, [QCLOUD_ERR_INVAL; 7]);
    }
}

#[test]
fn what_init_can_not_work_with_is_refused() {
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = handle::insert(machine.client());
    let store = store();
    let lacking = IOT_Upgrade_Store { commit: None, ..store };
    let unaligned = IOT_Upgrade_Store { erase_size: 4096, ..store };
    let good = IOT_Upgrade_Params { client, version: c"1.0".as_ptr(), store: &store, ..params() };
    // SAFETY: zero is NULL.
    let pair: IOT_Upgrade_Pair = unsafe { mem::zeroed() };
    let half = IOT_Upgrade_Pair { slot: [c"/a".as_ptr(), c"/b".as_ptr()], record: c"/r".as_ptr(), ..pair };
    let no_link = IOT_Upgrade_Pair { link: c"/no/such/link".as_ptr(), ..half };
    let null: *const c_char = ptr::null();
    let bad = [
        IOT_Upgrade_Params { client: NULL, ..good },
        IOT_Upgrade_Params { version: null, ..good },
        IOT_Upgrade_Params { version: c"".as_ptr(), ..good },
        IOT_Upgrade_Params { version: c"123456789012345678901234567890123".as_ptr(), ..good },
        IOT_Upgrade_Params { store: ptr::null(), ..good },
        IOT_Upgrade_Params { store: &lacking, ..good },
        IOT_Upgrade_Params { store: &unaligned, ..good },
        IOT_Upgrade_Params { store: ptr::null(), pair: &pair, ..good },
        IOT_Upgrade_Params { store: ptr::null(), pair: &half, ..good },
        IOT_Upgrade_Params { store: ptr::null(), pair: &no_link, ..good },
        IOT_Upgrade_Params { public_keys: c"".as_ptr(), ..good },
        IOT_Upgrade_Params { public_keys: c"abc".as_ptr(), ..good },
        IOT_Upgrade_Params { public_keys: c"\xff".as_ptr(), ..good },
        IOT_Upgrade_Params { minimum_version: c"\xff".as_ptr(), ..good },
    ];
    // SAFETY: the parameters are NULL or valid.
    unsafe {
        assert!(IOT_Upgrade_Init(ptr::null()).is_null());
        for (number, params) in bad.iter().enumerate() {
            assert!(IOT_Upgrade_Init(params).is_null(), "{number}");
        }
    }
    assert!(handle::remove::<Client>(client).is_some());
}

#[test]
fn a_program_without_an_order_has_nothing_to_decide() {
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = handle::insert(machine.client());
    let store = store();
    let params = IOT_Upgrade_Params { client, version: c"1.0".as_ptr(), store: &store, ..params() };
    // SAFETY: the parameters are valid.
    let upgrade = unsafe { IOT_Upgrade_Init(&params) };
    assert!(!upgrade.is_null());
    assert_eq!(IOT_Upgrade_Yield(upgrade, 100), QCLOUD_RET_SUCCESS);
    let decided = [
        IOT_Upgrade_Accept(upgrade),
        IOT_Upgrade_Defer(upgrade, 1),
        IOT_Upgrade_Cancel(upgrade),
        IOT_Upgrade_ConfirmRunning(upgrade),
    ];
    assert_eq!(decided, [QCLOUD_ERR_FAILURE; 4]);
    // SAFETY: writable or NULL.
    let mut status: IOT_Upgrade_Status = unsafe { mem::zeroed() };
    assert_eq!(unsafe { IOT_Upgrade_GetStatus(upgrade, ptr::null_mut()) }, QCLOUD_ERR_INVAL);
    assert_eq!(unsafe { IOT_Upgrade_GetStatus(upgrade, &mut status) }, QCLOUD_RET_SUCCESS);
    assert_eq!((status.state, status.cause, status.running, status.stored), (0, 0, 0, 0));
    assert_eq!(IOT_Upgrade_Destroy(upgrade), QCLOUD_RET_SUCCESS);
    assert_eq!(IOT_Upgrade_Destroy(upgrade), QCLOUD_ERR_INVAL);
    assert!(handle::remove::<Client>(client).is_some());
}

#[test]
fn a_key_is_refused_by_a_library_that_checks_no_signatures() {
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = handle::insert(machine.client());
    let store = store();
    let params = IOT_Upgrade_Params { client, version: c"1.0".as_ptr(), store: &store, ..params() };
    let key = c"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".as_ptr();
    // Without one, either takes its orders.
    for (public_keys, is_taken) in [(ptr::null(), true), (key, CHECKS_SIGNATURES)] {
        // SAFETY: the parameters are valid.
        let upgrade = unsafe { IOT_Upgrade_Init(&IOT_Upgrade_Params { public_keys, ..params }) };
        assert_eq!(!upgrade.is_null(), is_taken);
        assert_eq!(IOT_Upgrade_Destroy(upgrade) == QCLOUD_RET_SUCCESS, is_taken);
    }
    assert!(handle::remove::<Client>(client).is_some());
}

#[test]
fn events_have_the_headers_numbers() {
    unsafe extern "C" fn keep(context: *mut c_void, event: *const IOT_Upgrade_Event) {
        // SAFETY: the context is the test's, the event is valid for the call.
        let (kept, event) = unsafe { (&mut *context.cast::<Vec<[u32; 4]>>(), &*event) };
        assert!(!event.version.is_null());
        kept.push([event.event_type as u32, event.cause as u32, event.percent, event.size]);
    }
    let mut kept: Vec<[u32; 4]> = Vec::new();
    let handler = Handler { handler: Some(keep), context: ptr::from_mut(&mut kept).cast() };
    for event in [
        Event::Found("2\0".to_owned(), 7),
        Event::Progress(50),
        Event::Verified,
        Event::Restart(Cause::NotConfirmed),
        Event::Trial,
        Event::Failed(Cause::Refused(Refusal::WrongImage)),
        Event::Confirmed,
    ] {
        handler.call(&event);
    }
    let expected = [[0, 0, 0, 7], [1, 0, 50, 0], [2, 0, 0, 0], [3, 7, 0, 0], [4, 0, 0, 0], [5, 17, 0, 0], [6, 0, 0, 0]];
    assert_eq!(kept, expected);
    Handler { handler: None, context: NULL }.call(&Event::Verified);
}
