use std::ptr;
use std::sync::Mutex;

use iot_abi::error::QCLOUD_ERR_FAILURE;

use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::Machine;

static ASKED: Mutex<Vec<(usize, Vec<u8>)>> = Mutex::new(Vec::new());

unsafe extern "C" fn on_request(client: *mut c_void, msg: *const c_char, len: u32) {
    let bytes = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len as usize) };
    ASKED.lock().unwrap().push((client as usize, bytes.to_vec()));
}

#[test]
fn case_9_the_text_goes_out_whole_whatever_size_and_para_say() {
    let machine = Machine::new(|_, _| Answer::new(""));
    let client = machine.client();
    let handle = handle::insert(client.clone());
    let mut para = sRRPCReplyPara { code: -1, status_msg: [0; 64], user_data: ptr::null_mut(), user_data_len: 9 };
    let text = c"abcdef".as_ptr().cast_mut();
    unsafe {
        assert_eq!(IOT_RRPC_Init(handle, Some(on_request)), QCLOUD_RET_SUCCESS);
        assert_eq!(IOT_RRPC_Reply(handle, text, 6, ptr::null_mut()), QCLOUD_ERR_RRPC_REPLY_ERR);
        machine.send(&client, "$rrpc/rxd/PRODUCTIDX/device/469", b"clo\0sed");
        assert_eq!(*ASKED.lock().unwrap(), [(handle as usize, b"clo\0sed".to_vec())]);
        for (size, para) in [(0, ptr::null_mut()), (3, ptr::null_mut()), (128, ptr::from_mut(&mut para))] {
            assert_eq!(IOT_RRPC_Reply(handle, text, size, para), QCLOUD_RET_SUCCESS);
            let answers = machine.take_published("$rrpc/txd/PRODUCTIDX/device/469");
            assert_eq!(answers, [(0, "abcdef".to_owned())]);
        }
        // NULL drops the requests, which may be answered all the same.
        assert_eq!(IOT_RRPC_Init(handle, None), QCLOUD_RET_SUCCESS);
        machine.send(&client, "$rrpc/rxd/PRODUCTIDX/device/470", b"x");
        assert_eq!(ASKED.lock().unwrap().len(), 1);
        assert_eq!(IOT_RRPC_Reply(handle, text, 6, ptr::null_mut()), QCLOUD_RET_SUCCESS);
        assert_eq!(machine.take_published("$rrpc/txd/PRODUCTIDX/device/470").len(), 1);
    }
    handle::remove::<Client>(handle);
    client.destroy();
}

#[test]
fn case_10_null_and_unknown_arguments_are_refused() {
    let mut stranger = 0_u8;
    let text = c"ok".as_ptr().cast_mut();
    for handle in [ptr::null_mut(), ptr::from_mut(&mut stranger).cast()] {
        unsafe {
            assert_eq!(IOT_RRPC_Init(handle, Some(on_request)), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_RRPC_Reply(handle, text, 3, ptr::null_mut()), QCLOUD_ERR_INVAL);
        }
    }
    let client = Machine::new(|_, _| Answer::new("")).client();
    let handle = handle::insert(client.clone());
    unsafe {
        assert_eq!(IOT_RRPC_Reply(handle, ptr::null_mut(), 3, ptr::null_mut()), QCLOUD_ERR_INVAL);
        client.destroy();
        assert_eq!(IOT_RRPC_Init(handle, Some(on_request)), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_RRPC_Reply(handle, text, 3, ptr::null_mut()), QCLOUD_ERR_RRPC_REPLY_ERR);
    }
    handle::remove::<Client>(handle);
}
