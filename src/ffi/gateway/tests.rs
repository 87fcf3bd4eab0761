use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Machine};

const DOWN: &str = "$gateway/operation/result/PRODUCTIDX/device";

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

#[test]
fn null_unknown_and_bad_arguments_are_refused_everywhere() {
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
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_GetBindList(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(list.bind_num, 7);
        for device in [&mut info("", "d"), &mut info("SP", ""), &mut info("SP", "d")] {
            // The last one has no secret.
            assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut good, device), QCLOUD_ERR_INVAL);
        }
        assert_eq!(IOT_Gateway_Subdev_Bind(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut good, ptr::null_mut()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Gateway_Subdev_Unbind(gateway, &mut good, &mut info("", "d")), QCLOUD_ERR_INVAL);
        IOT_Gateway_Subdev_DestoryBindList(ptr::null_mut());
        assert_eq!(IOT_Gateway_Destroy(gateway), 0);
        assert_eq!(IOT_Gateway_Destroy(gateway), QCLOUD_ERR_INVAL);
    }
}

#[test]
fn what_the_cloud_says_is_returned_unchanged() {
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
fn online_twice_and_offline_without_have_codes_of_their_own() {
    let entry = r#"{"product_id":"SP","device_name":"d","result":0}"#;
    let (machine, gateway) = gateway(Some(format!(r#"{{"type":"online","payload":{{"devices":[{entry}]}}}}"#)));
    let mut param = param(c"SP", c"d");
    unsafe {
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut param), QCLOUD_ERR_GATEWAY_SESSION_NO_EXIST);
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut param), 0);
        assert_eq!(IOT_Gateway_Subdev_Online(gateway, &mut param), QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE);
        assert_eq!(machine.take_published("$gateway/operation/PRODUCTIDX/device").len(), 1);
        // No answer of this kind comes.
        assert_eq!(IOT_Gateway_Subdev_Offline(gateway, &mut param), QCLOUD_ERR_FAILURE);
    }
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[test]
#[cfg(not(feature = "auth-mode-cert"))]
fn bind_signs_with_the_secrets_text() {
    let entry = r#"{"product_id":"SUBPROD001","device_name":"d1","result":0}"#;
    let (machine, gateway) = gateway(Some(format!(r#"{{"type":"bind","payload":{{"devices":[{entry}]}}}}"#)));
    let mut device = info("SUBPROD001", "d1");
    let secret = "c2VjcmV0c2VjcmV0MTIzNA==";
    fill(&mut device.device_secret, secret.bytes());
    assert_eq!(unsafe { IOT_Gateway_Subdev_Bind(gateway, &mut param(c"", c""), &mut device) }, 0);
    let sent = machine.take_published("$gateway/operation/PRODUCTIDX/device");
    assert_eq!(sent.len(), 1);
    let number = |text: &str, key: &str| -> u64 {
        let rest = text.split(&format!("\"{key}\":")).nth(1).unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    };
    for (qos, text) in sent {
        let (random, timestamp) = (number(&text, "random"), number(&text, "timestamp"));
        let random = u32::try_from(random).unwrap();
        let signature =
            signature::sign(secret.as_bytes(), &Identity::new("SUBPROD001", "d1").unwrap(), random, timestamp);
        let whole = format!(
            concat!(
                r#"{{"type":"bind","payload":{{"devices":[{{"product_id":"SUBPROD001","device_name":"d1","#,
                r#""signature":"{}","random":{},"timestamp":{},"signmethod":"hmacsha1","authtype":"psk"}}]}}}}"#
            ),
            signature, random, timestamp
        );
        assert_eq!((qos, text), (0, whole));
    }
    assert_eq!(IOT_Gateway_Destroy(gateway), 0);
}

#[test]
fn the_list_is_in_reverse_order_with_names_cut_and_is_freed_twice() {
    let long = "n".repeat(60);
    for names in [vec![], vec!["a"], vec!["a", "b", &long]] {
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
