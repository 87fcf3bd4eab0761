use std::sync::Mutex;

use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Grant, Machine};

const DOWN: &str = "$config/operation/result/PRODUCTIDX/device";
const UP: &str = "$config/operation/PRODUCTIDX/device";

/// What each test's handler was called with: client, result, whether the text is its buffer's, text, length.
type Call = (usize, c_int, Vec<u8>, c_int);

/// A buffer with guards behind it, and what the handler saw. Its address is found by that of the text.
struct Set {
    machine: Arc<Machine>,
    client: Arc<Client>,
    handle: *mut c_void,
    buffer: Box<[u8; 32]>,
    data: Box<ConfigSubscirbeUserData>,
}

static CALLS: Mutex<Vec<(usize, Call)>> = Mutex::new(Vec::new());

unsafe extern "C" fn on_config(client: *mut c_void, result: c_int, json: *mut c_char, len: c_int) {
    let text = unsafe { std::ffi::CStr::from_ptr(json) }.to_bytes().to_vec();
    CALLS.lock().unwrap().push((json as usize, (client as usize, result, text, len)));
}

impl Set {
    /// One whose buffer has `len` bytes and whose cloud answers each question with `payload`.
    fn new(len: c_int, payload: &str) -> Self {
        let machine = Machine::new(|_, _| Answer::new(""));
        let text = format!(r#"{{"type":"reply","result":0,"payload":{payload}}}"#);
        let cloud = Cloud::default();
        machine.mqtt.world().cloud =
            cloud.answer_with(move |topic, _| (topic == UP).then(|| (DOWN.to_owned(), text.clone().into_bytes())));
        let client = machine.client();
        let handle = handle::insert(client.clone());
        let mut buffer = Box::new([0xaa; 32]);
        let json_buffer = buffer.as_mut_ptr().cast();
        let data = ConfigSubscirbeUserData { on_config_proc: Some(on_config), json_buffer_len: len, json_buffer };
        Set { machine, client, handle, buffer, data: Box::new(data) }
    }

    fn subscribe(&mut self, timeout: c_int) -> c_int {
        unsafe { IOT_Subscribe_Config(self.handle, &mut *self.data, timeout) }
    }

    fn get(&self, timeout: c_int) -> c_int {
        let mut question = [0x55_u8; 16];
        let result = unsafe { IOT_Get_Config(self.handle, question.as_mut_ptr().cast(), 15, timeout) };
        assert_eq!(&question, b"{\"type\":\"get\"}\0\x55");
        result
    }

    /// The calls with this set's buffer.
    fn calls(&self) -> Vec<Call> {
        let mine = self.data.json_buffer as usize;
        let mut calls = CALLS.lock().unwrap();
        let taken = calls.iter().filter(|(buffer, _)| *buffer == mine).map(|(_, call)| call.clone()).collect();
        calls.retain(|(buffer, _)| *buffer != mine);
        taken
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        handle::remove::<Client>(self.handle);
        self.client.destroy();
    }
}

#[test]
fn case_15_the_text_is_in_the_programs_buffer_with_a_nul() {
    let mut set = Set::new(32, r#"{"a":1}"#);
    assert!((1..=65_535).contains(&set.subscribe(5_000)));
    assert_eq!(set.get(5_000), QCLOUD_RET_SUCCESS);
    assert_eq!(set.calls(), [(set.handle as usize, 0, br#"{"a":1}"#.to_vec(), 7)]);
    assert_eq!(set.buffer[..9], *b"{\"a\":1}\0\xaa");
}

#[test]
fn case_19_a_text_fits_with_its_nul_or_leaves_the_buffer_alone() {
    let mut set = Set::new(8, r#"{"a":1}"#);
    assert!(set.subscribe(5_000) > 0);
    assert_eq!(set.get(5_000), QCLOUD_RET_SUCCESS);
    assert_eq!(set.calls().len(), 1);
    assert_eq!(set.buffer[..9], *b"{\"a\":1}\0\xaa");

    let mut set = Set::new(7, r#"{"a":1}"#);
    assert!(set.subscribe(5_000) > 0);
    assert_eq!(set.get(1_000), QCLOUD_ERR_MQTT_REQUEST_TIMEOUT);
    assert_eq!(set.calls(), []);
    assert_eq!(*set.buffer, [0xaa; 32]);
}

#[test]
fn case_21_sizes_of_the_buffer_for_the_question() {
    let mut set = Set::new(32, "{}");
    assert!(set.subscribe(5_000) > 0);
    let mut buf = [0x55_u8; 16];
    let text = buf.as_mut_ptr().cast::<c_char>();
    for (size, expected) in [
        (14, QCLOUD_ERR_JSON_BUFFER_TRUNCATED),
        (1, QCLOUD_ERR_JSON_BUFFER_TRUNCATED),
        (0, QCLOUD_ERR_JSON_BUFFER_TRUNCATED),
        (-1, QCLOUD_ERR_INVAL),
    ] {
        assert_eq!(unsafe { IOT_Get_Config(set.handle, text, size, 5_000) }, expected);
    }
    assert_eq!(unsafe { IOT_Get_Config(set.handle, ptr::null_mut(), 15, 5_000) }, QCLOUD_ERR_INVAL);
    assert_eq!(buf, [0x55; 16]);
    assert!(set.machine.take_published(UP).is_empty());
}

#[test]
fn case_22_each_end_of_the_wait_has_its_code() {
    let mut set = Set::new(32, "{}");
    set.machine.mqtt.world().grants(&[Grant::Refused, Grant::Silent, Grant::Silent]);
    assert_eq!(set.subscribe(5_000), -108);
    assert_eq!(set.subscribe(7_000), -108);
    let began = set.machine.ms();
    assert_eq!(set.subscribe(1_000), -111);
    assert_eq!(set.machine.ms() - began, 1_000);
    assert_eq!(set.subscribe(0), -111);
    assert_eq!(set.get(5_000), QCLOUD_ERR_FAILURE);
    assert!(set.subscribe(-1) > 0);
    assert_eq!(set.get(-1), QCLOUD_RET_SUCCESS);
    set.machine.mqtt.world().mute = true;
    let began = set.machine.ms();
    assert_eq!(set.get(-1), -111);
    assert!((20_000..20_050).contains(&(set.machine.ms() - began)));
}

#[test]
fn case_25_a_link_that_is_cut_has_its_code() {
    let mut set = Set::new(32, "{}");
    assert!(set.subscribe(5_000) > 0);
    let simulation = set.machine.mqtt.clone();
    set.machine.mqtt.world().mute = true;
    set.machine.mqtt.world().on_packet = Some(Arc::new(move |_| simulation.world().closed = true));
    assert_eq!(set.get(5_000), -105);
    assert_eq!(set.get(5_000), -103);
    assert_eq!(set.subscribe(5_000), -103);
    // It holds what holds it.
    set.machine.mqtt.world().on_packet = None;
}

#[test]
fn case_26_the_first_struct_is_free_after_the_second_call_and_bad_ones_change_nothing() {
    let mut set = Set::new(32, "{}");
    assert!(set.subscribe(5_000) > 0);
    let mut other = [0_u8; 8];
    let json_buffer = other.as_mut_ptr().cast();
    let mut second = ConfigSubscirbeUserData { on_config_proc: Some(on_config), json_buffer_len: 8, json_buffer };
    for bad in [
        ConfigSubscirbeUserData { on_config_proc: None, json_buffer_len: 8, json_buffer },
        ConfigSubscirbeUserData { on_config_proc: Some(on_config), json_buffer_len: 0, json_buffer },
        ConfigSubscirbeUserData { on_config_proc: Some(on_config), json_buffer_len: -1, json_buffer },
        ConfigSubscirbeUserData { on_config_proc: Some(on_config), json_buffer_len: 8, json_buffer: ptr::null_mut() },
    ] {
        let mut bad = bad;
        assert_eq!(unsafe { IOT_Subscribe_Config(set.handle, &mut bad, 5_000) }, QCLOUD_ERR_INVAL);
    }
    assert_eq!(unsafe { IOT_Subscribe_Config(set.handle, ptr::null_mut(), 5_000) }, QCLOUD_ERR_INVAL);
    assert_eq!(set.get(5_000), QCLOUD_RET_SUCCESS);
    assert_eq!(set.calls().len(), 1);

    assert!(unsafe { IOT_Subscribe_Config(set.handle, &mut second, 5_000) } > 0);
    let first = set.data.json_buffer;
    set.data.json_buffer = ptr::without_provenance_mut(1);
    set.data.on_config_proc = None;
    assert_eq!(set.get(5_000), QCLOUD_RET_SUCCESS);
    assert_eq!(&other[..3], b"{}\0");
    set.data.json_buffer = first;
    assert_eq!(set.calls(), []);
    CALLS.lock().unwrap().retain(|(buffer, _)| *buffer != json_buffer as usize);
}

#[test]
fn unknown_clients_are_refused() {
    let mut set = Set::new(32, "{}");
    let mut stranger = 0_u8;
    let mut buf = [0_u8; 15];
    for handle in [ptr::null_mut(), ptr::from_mut(&mut stranger).cast()] {
        assert_eq!(unsafe { IOT_Subscribe_Config(handle, &mut *set.data, 5_000) }, QCLOUD_ERR_INVAL);
        assert_eq!(unsafe { IOT_Get_Config(handle, buf.as_mut_ptr().cast(), 15, 5_000) }, QCLOUD_ERR_INVAL);
    }
}
