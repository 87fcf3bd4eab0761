use std::sync::atomic::Ordering;

use iot_abi::mqtt::{MQTTEventHandler, MQTTEventMsg, MQTTEventType};

use super::*;
use crate::drive::mqtt::{Listener, Notice, Setup};
use crate::drive::testing::mqtt_server::setup;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Machine};

const UP: &str = "$gateway/operation/PRODUCTIDX/device";
const DOWN: &str = "$gateway/operation/result/PRODUCTIDX/device";
#[cfg(not(feature = "auth-mode-cert"))]
const SECRET: &str = "c2VjcmV0c2VjcmV0MTIzNA==";
#[cfg(feature = "auth-mode-cert")]
const CERTIFICATE: &str = "Cargo.toml";

/// A gateway whose cloud answers each request with `answer`, and its handle.
fn gateway(answer: Option<String>) -> (Arc<Machine>, *mut c_void) {
    let machine = Machine::new(|_, _| Answer::new(""));
    machine.mqtt.world().cloud =
        Cloud::default().answer_with(move |_, _| answer.clone().map(|text| (DOWN.to_owned(), text.into_bytes())));
    let gateway = Arc::new(Gateway::new(machine.client()).unwrap());
    handle::insert(gateway.client().clone());
    (machine, handle::insert(gateway))
}

fn param(product_id: &'static std::ffi::CStr, device_name: &'static std::ffi::CStr) -> GatewayParam {
    GatewayParam {
        product_id: c"PRODUCTIDX".as_ptr().cast_mut(),
        device_name: c"device".as_ptr().cast_mut(),
        subdev_product_id: product_id.as_ptr().cast_mut(),
        subdev_device_name: device_name.as_ptr().cast_mut(),
    }
}

fn info(product_id: &str, device_name: &str) -> DeviceInfo {
    // SAFETY: DeviceInfo is arrays of char only.
    let mut info: DeviceInfo = unsafe { std::mem::zeroed() };
    fill(&mut info.product_id, product_id.bytes());
    fill(&mut info.device_name, device_name.bytes());
    info
}

/// As `info`, with what [`key_of`] needs: any file is a certificate to it.
fn provable(product_id: &str, device_name: &str) -> DeviceInfo {
    let mut info = info(product_id, device_name);
    #[cfg(not(feature = "auth-mode-cert"))]
    fill(&mut info.device_secret, SECRET.bytes());
    #[cfg(feature = "auth-mode-cert")]
    fill(&mut info.dev_cert_file_name, CERTIFICATE.bytes());
    info
}

#[test]
fn case_15_null_unknown_and_bad_arguments_are_refused_everywhere() {
    let (_machine, gateway) = gateway(None);
    let null = ptr::null_mut::<c_void>();
    let mut stranger = 0_u8;
    let stranger = ptr::from_mut(&mut stranger).cast::<c_void>();
    let mut good = param(c"SP", c"d");
    let mut device = info("SP", "d");
    let mut list = SubdevBindList { bindlist_head: null.cast(), bind_num: 7 };
    unsafe {
        assert!(IOT_Gateway_Construct(null.cast()).is_null());
        for unknown in [null, stranger] {
            assert_eq!(IOT_Gateway_Subdev_Online(unknown, &mut good), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Offline(unknown, &mut good), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Bind(unknown, &mut good, &mut device), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Unbind(unknown, &mut good, &mut device), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_GetBindList(unknown, &mut good, &mut list), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Publish(unknown, null.cast(), null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subscribe(unknown, null.cast(), null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Unsubscribe(unknown, null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_IsSubReady(unknown, null.cast()), 0);
            assert_eq!(IOT_Gateway_Yield(unknown, 1), QCLOUD_ERR_INVAL);
            assert!(IOT_Gateway_Get_Mqtt_Client(unknown).is_null());
            assert_eq!(IOT_Gateway_Destroy(unknown), QCLOUD_ERR_INVAL);
        }
        let mut bad = vec![param(c"", c"d"), param(c"SP", c""), param(c"ELEVENCHARS", c"d")];
        bad.push(param(c"SP", c"a-name-of-49-characters-which-is-one-more-than-ok-"));
        for index in 0..4 {
            let mut param = param(c"SP", c"d");
            *[
                &mut param.product_id,
                &mut param.device_name,
                &mut param.subdev_product_id,
                &mut param.subdev_device_name,
            ][index] = ptr::null_mut();
            bad.push(param);
        }
        for param in &mut bad {
            assert_eq!(IOT_Gateway_Subdev_Online(gateway, param), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Offline(gateway, param), QCLOUD_ERR_INVAL);
        }
        let mut device = provable("SP", "d");
        for asker in [
            (ptr::null(), c"device".as_ptr()),
            (c"PRODUCTIDX".as_ptr(), ptr::null()),
            (c"".as_ptr(), c"device".as_ptr()),
            (c"PRODUCTIDX".as_ptr(), c"".as_ptr()),
            (c"ELEVENCHARS".as_ptr(), c"device".as_ptr()),
            (c"PRODUCTIDX".as_ptr(), c"a-name-of-49-characters-which-is-one-more-than-ok".as_ptr()),
        ] {
            let mut param = param(c"SP", c"d");
            (param.product_id, param.device_name) = (asker.0.cast_mut(), asker.1.cast_mut());
            assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut param), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut param), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut param, &mut device), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut param, &mut device), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_GetBindList(gateway, &mut param, &mut list), QCLOUD_ERR_INVAL);
        }
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Bind(gateway, ptr::null_mut(), &mut device), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, ptr::null_mut(), &mut device), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_GetBindList(gateway, ptr::null_mut(), &mut list), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_GetBindList(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(list.bind_num, 7);
        for device in [&mut info("", "d"), &mut info("SP", ""), &mut info("SP", "d")] {
            // The last one has neither a secret nor a certificate (case 11).
            assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut good, device), QCLOUD_ERR_INVAL);
        }
        assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        let endless = "n".repeat(49);
        for names in [("", "d"), ("SP", ""), ("SP", &endless)] {
            let mut nameless = provable(names.0, names.1);
            // No NUL follows the longest name.
            nameless.device_name.iter_mut().zip(names.1.bytes()).for_each(|(to, from)| *to = from as c_char);
            assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut good, &mut nameless), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut good, &mut nameless), QCLOUD_ERR_INVAL);
        }
        for topic in [null.cast(), c"".as_ptr().cast_mut()] {
            assert_eq!(IOT_Gateway_Publish(gateway, topic, null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_Subscribe(gateway, topic, null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Gateway_IsSubReady(gateway, topic), 0);
        }
        assert_eq!(IOT_Gateway_Unsubscribe(gateway, null.cast()), QCLOUD_ERR_INVAL);
        IOT_Gateway_Subdev_DestoryBindList(ptr::null_mut());
        assert_eq!(IOT_Gateway_Destroy(gateway), 0);
        assert_eq!(IOT_Gateway_Destroy(gateway), QCLOUD_ERR_INVAL);
    }
}

#[test]
fn case_5_what_the_cloud_says_is_returned_unchanged() {
    for result in [0, -1, 806, 809] {
        let entry = format!(r#"{{"product_id":"SP","device_name":"d","result":{result}}}"#);
        for operation in ["online", "unbind"] {
            let answer = format!(r#"{{"type":"{operation}","payload":{{"devices":[{entry}]}}}}"#);
            let (_machine, gateway) = gateway(Some(answer));
            let mut param = param(c"SP", c"d");
            let code = unsafe {
                match operation {
                    "online" => IOT_Gateway_Subdev_Online(gateway, &mut param),
                    _ => IOT_Gateway_Subdev_Unbind(gateway, &mut param, &mut info("SP", "d")),
                }
            };
            assert_eq!(code, result);
            assert_eq!(IOT_Gateway_Destroy(gateway), 0);
        }
    }
}

#[test]
fn case_4_online_twice_and_offline_without_have_codes_of_their_own() {
    let entry = r#"{"product_id":"SP","device_name":"d","result":0}"#;
    let (machine, gateway) = gateway(Some(format!(r#"{{"type":"online","payload":{{"devices":[{entry}]}}}}"#)));
    let mut param = param(c"SP", c"d");
    unsafe {
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut param), QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST);
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut param), 0);
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut param), QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE);
        assert_eq!(machine.take_published(UP).len(), 1);
        // No answer of this kind comes.
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut param), QCLOUD_ERR_FAILURE);
    }
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[test]
fn case_11_bind_proves_what_the_contract_says_with_a_random_number_of_its_own() {
    let entry = r#"{"product_id":"SUBPROD001","device_name":"d1","result":0}"#;
    let (machine, gateway) = gateway(Some(format!(r#"{{"type":"bind","payload":{{"devices":[{entry}]}}}}"#)));
    let mut device = provable("SUBPROD001", "d1");
    #[cfg(not(feature = "auth-mode-cert"))]
    let (key, auth_type) = (SECRET, "psk");
    #[cfg(feature = "auth-mode-cert")]
    let (key, auth_type) = (&signature::certificate_key(&std::fs::read(CERTIFICATE).unwrap()), "certificate");
    // 31 bits of what the platform gives.
    for (given, random) in [(805_570_441, 805_570_441), (u64::MAX - 1, 2_147_483_646)] {
        machine.random.store(given, Ordering::Relaxed);
        assert_eq!(unsafe { IOT_Gateway_Subdev_Bind(gateway, &mut param(c"", c""), &mut device) }, 0);
        let sent = machine.take_published(UP);
        let timestamp = sent[0].1.split("\"timestamp\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        let signature = signature::sign(key.as_bytes(), &Identity::new("SUBPROD001", "d1").unwrap(), random, timestamp);
        let whole = format!(
            concat!(
                r#"{{"type":"bind","payload":{{"devices":[{{"product_id":"SUBPROD001","device_name":"d1","#,
                r#""signature":"{}","random":{},"timestamp":{},"signmethod":"hmacsha1","authtype":"{}"}}]}}}}"#
            ),
            signature, random, timestamp, auth_type
        );
        assert_eq!(sent, [(0, whole)]);
    }
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[cfg(feature = "auth-mode-cert")]
#[test]
fn case_11_without_the_certificate_nothing_is_sent() {
    let (machine, gateway) = gateway(None);
    let mut device = info("SP", "d");
    fill(&mut device.dev_cert_file_name, "no-such-certificate.crt".bytes());
    let code = unsafe { IOT_Gateway_Subdev_Bind(gateway, &mut param(c"", c""), &mut device) };
    assert_eq!(code, QCLOUD_ERR_FAILURE);
    assert!(machine.take_published(UP).is_empty());
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[test]
fn case_16_without_a_link_each_call_is_back_at_once() {
    let entry = r#"{"product_id":"SP","device_name":"d","result":0}"#;
    let (machine, gateway) = gateway(Some(format!(r#"{{"type":"online","payload":{{"devices":[{entry}]}}}}"#)));
    let (mut known, mut other) = (param(c"SP", c"d"), param(c"SP", c"e"));
    let mut list = SubdevBindList { bindlist_head: ptr::null_mut(), bind_num: 9 };
    let mut device = provable("SP", "d");
    // SAFETY: numbers and pointers.
    let mut message: PublishParams = unsafe { std::mem::zeroed() };
    unsafe {
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut known), 0);
        machine.take_published(UP);
        machine.mqtt.world().closed = true;
        machine.mqtt.world().unreachable = true;
        IOT_Gateway_Yield(gateway, 10);
        let began = machine.ms();
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut other), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut known), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut other, &mut device), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut other, &mut device), QCLOUD_ERR_FAILURE);
        assert_eq!(IOT_Gateway_Subdev_GetBindList(gateway, &mut other, &mut list), QCLOUD_ERR_FAILURE);
        let topic = c"SP/d/data".as_ptr().cast_mut();
        assert_eq!(IOT_Gateway_Publish(gateway, topic, &mut message), QCLOUD_ERR_MQTT_NO_CONN);
        assert_eq!(machine.ms(), began);
    }
    assert!(machine.take_published(UP).is_empty());
    assert_eq!((list.bindlist_head, list.bind_num), (ptr::null_mut(), 9));
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

/// What an event handler was given: the client, and the event's type.
type Told = Vec<(*mut c_void, iot_abi::raw::MQTTEventType)>;

unsafe extern "C" fn on_event(client: *mut c_void, context: *mut c_void, event: *mut MQTTEventMsg) {
    unsafe { (*context.cast::<Told>()).push((client, (*event).event_type)) };
}

/// That Construct leaves the struct alone: tests/support/services.c.
#[test]
fn case_3_of_two_gateways_with_one_handler_the_other_still_tells_it_when_one_has_ended() {
    let mut told = Told::new();
    let told = ptr::from_mut(&mut told);
    let handler = MQTTEventHandler { h_fp: Some(on_event), context: told.cast() };
    let [(_, first), (machine, second)] = [(); 2].map(|()| {
        let machine = Machine::new(|_, _| Answer::new(""));
        let listener = mqtt::listener(&handler, Arc::default());
        let client = Client::offline(machine.clone(), Setup { listener, ..setup(Nobody, Box::new(())) });
        client.connect().unwrap();
        handle::insert(client.clone());
        (machine, handle::insert(Arc::new(Gateway::new(client).unwrap())))
    });
    let client = IOT_Gateway_Get_Mqtt_Client(second);
    assert_eq!(IOT_Gateway_Destroy(first), 0);
    assert_eq!(unsafe { std::mem::take(&mut *told) }, []);
    machine.mqtt.world().closed = true;
    for _ in 0..40 {
        IOT_Gateway_Yield(second, 100);
    }
    use MQTTEventType as Event;
    let events = [Event::MQTT_EVENT_DISCONNECT, Event::MQTT_EVENT_RECONNECT, Event::MQTT_EVENT_SUBCRIBE_SUCCESS];
    assert_eq!(unsafe { std::mem::take(&mut *told) }, events.map(|event| (client, event as _)));
    assert_eq!(IOT_Gateway_Destroy(second), 0);
}

struct Nobody;

impl Listener for Nobody {
    fn notice(&self, _: &Arc<Client>, _: Notice<'_>) {}
}

#[test]
fn case_13_the_list_is_in_reverse_order_with_names_cut_and_is_freed_twice() {
    let long = "n".repeat(60);
    let many: Vec<String> = (0..200).map(|at| format!("d{at}")).collect();
    let many = many.iter().map(String::as_str).collect();
    for names in [vec![], vec!["a"], vec!["a", "b", &long], many] {
        let entries: Vec<_> =
            names.iter().map(|name| format!(r#"{{"product_id":"SUBPRODUCT-LONG","device_name":"{name}"}}"#)).collect();
        let entries = entries.join(r#",{"product_id":"x"},"#);
        let answer = format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":[{entries}]}}}}"#);
        let (_machine, gateway) = gateway(Some(answer));
        let mut list = SubdevBindList { bindlist_head: ptr::null_mut(), bind_num: 9 };
        assert_eq!(unsafe { IOT_Gateway_Subdev_GetBindList(gateway, &mut param(c"", c""), &mut list) }, 0);
        assert_eq!(IOT_Gateway_Destroy(gateway), 0);
        assert_eq!(usize::try_from(list.bind_num).unwrap(), names.len());
        let mut node = list.bindlist_head;
        for name in names.iter().rev() {
            let found = unsafe { &*node };
            assert_eq!(text(&found.product_id).collect::<Vec<_>>(), b"SUBPRODUCT");
            assert_eq!(text(&found.device_name).collect::<Vec<_>>(), &name.as_bytes()[..name.len().min(48)]);
            node = found.next;
        }
        assert!(node.is_null());
        for _ in 0..2 {
            unsafe { IOT_Gateway_Subdev_DestoryBindList(&mut list) };
            assert!(list.bindlist_head.is_null() && list.bind_num == 0);
        }
    }
}

#[test]
fn case_14_a_list_that_fails_changes_nothing_and_answers_that_repeat_do_not_add_up() {
    let (machine, gateway) = gateway(None);
    let mut list = SubdevBindList { bindlist_head: ptr::dangling_mut(), bind_num: 9 };
    assert_eq!(unsafe { IOT_Gateway_Subdev_GetBindList(gateway, &mut param(c"", c""), &mut list) }, QCLOUD_ERR_FAILURE);
    assert_eq!((list.bindlist_head, list.bind_num), (ptr::dangling_mut(), 9));

    let entry = r#"{"product_id":"SP","device_name":"d"}"#;
    let answer = format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":[{entry}]}}}}"#);
    let say = move |_: &str, _: &[u8]| Some((DOWN.to_owned(), answer.clone().into_bytes()));
    machine.mqtt.world().cloud = Cloud::default().answer_with(say.clone()).answer_with(say.clone()).answer_with(say);
    for _ in 0..2 {
        assert_eq!(unsafe { IOT_Gateway_Subdev_GetBindList(gateway, &mut param(c"", c""), &mut list) }, 0);
        assert_eq!(list.bind_num, 1);
        unsafe { IOT_Gateway_Subdev_DestoryBindList(&mut list) };
        // The others are late now.
        assert_eq!(IOT_Gateway_Yield(gateway, 10), 0);
    }
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[test]
fn the_mqtt_client_serves_other_calls_and_ends_with_the_gateway() {
    let (_machine, gateway) = gateway(None);
    let client = IOT_Gateway_Get_Mqtt_Client(gateway);
    assert!(mqtt::IOT_MQTT_IsConnected(client));
    assert_eq!(IOT_Gateway_Yield(gateway, 0), QCLOUD_ERR_INVAL);
    assert_eq!(IOT_Gateway_Yield(gateway, 1), 0);
    assert_eq!(unsafe { IOT_Gateway_IsSubReady(gateway, c"never".as_ptr().cast_mut()) }, 0);
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
    assert!(!mqtt::IOT_MQTT_IsConnected(client));
}
