use std::ffi::c_char;
use std::ptr;
use std::sync::Mutex;

use iot_abi::error::{QCLOUD_ERR_FAILURE, QCLOUD_ERR_INVAL, QCLOUD_RET_SUCCESS};

use super::*;
use crate::drive::mqtt::Client;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::Machine;
use crate::ffi::handle;

const TOPIC: &str = "$broadcast/rxd/PRODUCTIDX/device";

static SEEN: Mutex<Vec<(usize, Vec<u8>)>> = Mutex::new(Vec::new());

unsafe extern "C" fn on_broadcast(client: *mut c_void, msg: *const c_char, len: u32) {
    let bytes = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len as usize) };
    SEEN.lock().unwrap().push((client as usize, bytes.to_vec()));
}

#[test]
fn the_callback_gets_the_clients_handle_and_the_bytes() {
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = machine.client();
    let handle = handle::insert(client.clone());
    assert_eq!(unsafe { IOT_Broadcast_Subscribe(handle, Some(on_broadcast)) }, QCLOUD_RET_SUCCESS);
    machine.send(&client, TOPIC, b"a\0b");
    machine.send(&client, TOPIC, b"");
    let seen = std::mem::take(&mut *SEEN.lock().unwrap());
    assert_eq!(seen, [(handle as usize, b"a\0b".to_vec()), (handle as usize, Vec::new())]);
    // NULL drops the messages.
    assert_eq!(unsafe { IOT_Broadcast_Subscribe(handle, None) }, QCLOUD_RET_SUCCESS);
    machine.send(&client, TOPIC, b"x");
    assert!(SEEN.lock().unwrap().is_empty());
    handle::remove::<Client>(handle);
    client.destroy();
}

#[test]
fn what_is_no_client_is_refused_and_a_client_without_a_link_fails() {
    let mut stranger = 0_u8;
    for handle in [ptr::null_mut(), ptr::from_mut(&mut stranger).cast()] {
        assert_eq!(unsafe { IOT_Broadcast_Subscribe(handle, Some(on_broadcast)) }, QCLOUD_ERR_INVAL);
    }
    let client = Machine::new(|_, _| Answer::new("")).client();
    client.destroy();
    let handle = handle::insert(client);
    assert_eq!(unsafe { IOT_Broadcast_Subscribe(handle, Some(on_broadcast)) }, QCLOUD_ERR_FAILURE);
    handle::remove::<Client>(handle);
}
