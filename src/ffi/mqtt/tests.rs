//! The calls and callbacks as C code sees them, with a client on a scripted server in virtual time.

use iot_abi::error::QCLOUD_ERR_FAILURE;
use iot_abi::error::{
    QCLOUD_ERR_BUF_TOO_SHORT, QCLOUD_ERR_MAX_TOPIC_LENGTH, QCLOUD_ERR_MQTT_NO_CONN, QCLOUD_ERR_MQTT_UNSUB_FAIL,
};
use iot_abi::mqtt::{MQTTEventMsg, MQTTEventType, MQTTMessage};
use iot_engine::mqtt::Message;

use super::*;
use crate::drive::mqtt::{Subscriber, SubscriptionEvent};
use crate::drive::testing::mqtt_server::{setup, Simulation};
use crate::ffi::ota::{IOT_OTA_Destroy, IOT_OTA_Init};
use crate::ffi::system::IOT_Get_SysTime;

/// What the callbacks saw, as `context` and `user_data` of C code.
#[derive(Default)]
struct Seen {
    /// Event types of the client with their packet ids.
    events: Vec<(raw::MQTTEventType, usize)>,
    /// Topics and payloads that reached the global handler.
    unclaimed: Vec<(String, Vec<u8>)>,
    /// Event types of subscriptions.
    subscription: Vec<raw::MQTTEventType>,
    messages: Vec<(String, Vec<u8>, raw::QoS, u16)>,
}

/// Topic and payload, which must be followed by a NUL each.
unsafe fn texts(message: &MQTTMessage) -> (String, Vec<u8>) {
    let bytes = |at: *const c_void, len| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len + 1) };
    let (topic, payload) =
        (bytes(message.ptopic.cast(), message.topic_len), bytes(message.payload, message.payload_len));
    assert_eq!((topic.last(), payload.last()), (Some(&0), Some(&0)));
    let topic = String::from_utf8(topic[..message.topic_len].to_vec()).unwrap();
    (topic, payload[..message.payload_len].to_vec())
}

unsafe extern "C" fn on_event(_client: *mut c_void, context: *mut c_void, event: *mut MQTTEventMsg) {
    let (seen, event) = unsafe { (&mut *context.cast::<Seen>(), &*event) };
    if event.event_type == MQTTEventType::MQTT_EVENT_PUBLISH_RECVEIVED as raw::MQTTEventType {
        seen.unclaimed.push(unsafe { texts(&*event.msg.cast::<MQTTMessage>()) });
    } else {
        seen.events.push((event.event_type, event.msg.addr()));
    }
}

unsafe extern "C" fn on_message(_client: *mut c_void, message: *mut MQTTMessage, user_data: *mut c_void) {
    let (seen, message) = unsafe { (&mut *user_data.cast::<Seen>(), &*message) };
    let (topic, payload) = unsafe { texts(message) };
    seen.messages.push((topic, payload, message.qos, message.id));
}

unsafe extern "C" fn on_subscription_event(_client: *mut c_void, event: raw::MQTTEventType, user_data: *mut c_void) {
    unsafe { (*user_data.cast::<Seen>()).subscription.push(event) };
}

#[cfg(all(feature = "auth-mode-cert", feature = "websocket-unverified"))]
#[test]
fn an_unverified_server_of_websocket_is_warned_of_and_needs_no_roots() {
    // SAFETY: zeros are NULL pointers, numbers and empty texts.
    let mut params: MQTTInitParams = unsafe { std::mem::zeroed() };
    params.cert_file[0] = b'c' as c_char;
    params.key_file[0] = b'k' as c_char;
    let identity = Identity::new("PRODUCT123", "device1").unwrap();
    // SAFETY: this mode reads no pointer.
    let (security, _) = unsafe { credentials(&params, &identity) }.ok().unwrap();
    let Security::Mutual { ca_pem, cert_file, key_file } = security else { panic!("another security") };
    assert_eq!((&*ca_pem, &*cert_file, &*key_file), ("", "c", "k"));
}

/// A connected client as C code has it.
struct Device {
    handle: *mut c_void,
    server: Simulation,
    seen: *mut Seen,
}

impl Device {
    fn new() -> Self {
        let server = Simulation::default();
        let seen = Box::into_raw(Box::<Seen>::default());
        let identity = Identity::new("PRODUCTIDX", "device").unwrap();
        let mut params = MQTTInitParams {
            event_handle: MQTTEventHandler { h_fp: Some(on_event), context: seen.cast() },
            // SAFETY: numbers, pointers and arrays of numbers.
            ..unsafe { std::mem::zeroed() }
        };
        #[cfg(not(feature = "auth-mode-cert"))]
        {
            params.device_secret = c"AQIDBA==".as_ptr().cast_mut();
        }
        params.auto_connect_enable = 1;
        let listener = CListener { handler: on_event, context: params.event_handle.context, known_as: Arc::default() };
        let setup = setup(listener, unsafe { device_info(&params, &identity) });
        let client = Client::offline(Arc::new(server.clone()), setup);
        client.connect().unwrap();
        Device { handle: handle::insert(client), server, seen }
    }

    fn seen(&self) -> Seen {
        std::mem::take(unsafe { &mut *self.seen })
    }

    fn pump(&self) -> c_int {
        IOT_MQTT_Yield(self.handle, 10)
    }

    fn publish(&self, topic: &str, qos: raw::QoS, payload: &[u8]) -> (c_int, u16) {
        let topic = std::ffi::CString::new(topic).unwrap();
        let mut params = PublishParams {
            qos,
            id: 77,
            payload: payload.as_ptr().cast_mut().cast(),
            payload_len: payload.len(),
            // SAFETY: numbers and pointers.
            ..unsafe { std::mem::zeroed() }
        };
        let code = unsafe { IOT_MQTT_Publish(self.handle, topic.as_ptr().cast_mut(), &mut params) };
        (code, params.id)
    }

    fn subscribe(&self, filter: &str, qos: raw::QoS) -> c_int {
        let filter = std::ffi::CString::new(filter).unwrap();
        let mut params = SubscribeParams {
            qos,
            on_message_handler: Some(on_message),
            on_sub_event_handler: Some(on_subscription_event),
            user_data: self.seen.cast(),
        };
        unsafe { IOT_MQTT_Subscribe(self.handle, filter.as_ptr().cast_mut(), &mut params) }
    }

    fn unsubscribe(&self, filter: &str) -> c_int {
        let filter = std::ffi::CString::new(filter).unwrap();
        unsafe { IOT_MQTT_Unsubscribe(self.handle, filter.as_ptr().cast_mut()) }
    }

    fn is_ready(&self, filter: &str) -> bool {
        let filter = std::ffi::CString::new(filter).unwrap();
        unsafe { IOT_MQTT_IsSubReady(self.handle, filter.as_ptr().cast_mut()) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        unsafe {
            IOT_MQTT_Destroy(&mut self.handle);
            drop(Box::from_raw(self.seen));
        }
    }
}

fn number(event: MQTTEventType) -> raw::MQTTEventType {
    event as raw::MQTTEventType
}

fn with_id(event: MQTTEventType, id: c_int) -> (raw::MQTTEventType, usize) {
    (number(event), usize::try_from(id).unwrap())
}

#[test]
fn bad_arguments_have_their_codes() {
    let device = Device::new();
    let none: *mut c_void = ptr::null_mut();
    let topic = c"t".as_ptr().cast_mut();
    unsafe {
        let mut params: PublishParams = std::mem::zeroed();
        assert_eq!(IOT_MQTT_Publish(device.handle, none.cast(), &mut params), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_MQTT_Publish(device.handle, c"\xff".as_ptr().cast_mut(), &mut params), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_MQTT_Publish(device.handle, topic, none.cast()), QCLOUD_ERR_INVAL);
        params.payload_len = 1;
        assert_eq!(IOT_MQTT_Publish(device.handle, topic, &mut params), QCLOUD_ERR_INVAL);
        let mut params: SubscribeParams = std::mem::zeroed();
        assert_eq!(IOT_MQTT_Subscribe(device.handle, none.cast(), &mut params), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_MQTT_Subscribe(device.handle, topic, none.cast()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_MQTT_Unsubscribe(device.handle, none.cast()), QCLOUD_ERR_INVAL);
        assert!(!IOT_MQTT_IsSubReady(device.handle, none.cast()));
    }
    let long = "t".repeat(129);
    assert_eq!(device.publish("t", 2, b"").0, QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT);
    assert_eq!(device.subscribe("t", 2), QCLOUD_ERR_MQTT_QOS_NOT_SUPPORT);
    assert_eq!(device.publish(&long, 0, b"").0, QCLOUD_ERR_MAX_TOPIC_LENGTH);
    assert_eq!(device.subscribe(&long, 0), QCLOUD_ERR_MAX_TOPIC_LENGTH);
    assert_eq!(device.publish("t", 1, &[b'x'; 2048]).0, QCLOUD_ERR_BUF_TOO_SHORT);
    for len in [usize::MAX, isize::MAX.unsigned_abs(), 1 << 31] {
        let payload = [0_u8; 2049];
        let mut params: PublishParams = unsafe { std::mem::zeroed() };
        (params.payload, params.payload_len) = (payload.as_ptr().cast_mut().cast(), len);
        assert_eq!(unsafe { IOT_MQTT_Publish(device.handle, topic, &mut params) }, QCLOUD_ERR_BUF_TOO_SHORT);
    }
    assert_eq!(device.unsubscribe("t"), QCLOUD_ERR_MQTT_UNSUB_FAIL);
    assert_eq!(IOT_MQTT_Yield(device.handle, 0), QCLOUD_ERR_INVAL);
}

#[test]
fn a_publish_returns_its_packet_id_and_ends_with_an_event() {
    let device = Device::new();
    assert_eq!(device.publish("t", 0, b""), (QCLOUD_RET_SUCCESS, 77), "QoS 0 has no id");
    let (code, id) = device.publish("t", 1, b"payload");
    assert_eq!(code, c_int::from(id));
    device.pump();
    assert_eq!(device.seen().events, [with_id(MQTTEventType::MQTT_EVENT_PUBLISH_SUCCESS, code)]);

    device.server.world().mute = true;
    let (code, _) = device.publish("t", 1, b"payload");
    IOT_MQTT_Yield(device.handle, 5001);
    assert_eq!(device.seen().events, [with_id(MQTTEventType::MQTT_EVENT_PUBLISH_TIMEOUT, code)]);
}

#[test]
fn subscriptions_hear_what_becomes_of_them() {
    let device = Device::new();
    let granted = device.subscribe("a/#", 1);
    let refused = device.subscribe("refused/b", 0);
    assert!(!device.is_ready("a/#"));
    device.pump();
    assert!(device.is_ready("a/#") && !device.is_ready("refused/b"));
    let seen = device.seen();
    let (success, nack) = (MQTTEventType::MQTT_EVENT_SUBCRIBE_SUCCESS, MQTTEventType::MQTT_EVENT_SUBCRIBE_NACK);
    assert_eq!(seen.events, [with_id(success, granted), with_id(nack, refused)]);
    assert_eq!(seen.subscription, [number(success), number(nack)]);

    let id = device.unsubscribe("a/#");
    assert_eq!(device.seen().subscription, [number(MQTTEventType::MQTT_EVENT_UNSUBSCRIBE)], "before it returns");
    device.pump();
    let seen = device.seen();
    assert_eq!(seen.events, [with_id(MQTTEventType::MQTT_EVENT_UNSUBCRIBE_SUCCESS, id)]);
    assert!(seen.subscription.is_empty());

    device.subscribe("a/#", 1);
    device.pump();
    device.seen();
    device.server.world().mute = true;
    let late = device.subscribe("b", 0);
    let id = device.unsubscribe("a/#");
    IOT_MQTT_Yield(device.handle, 5001);
    let seen = device.seen();
    let (late_subscribe, late_unsubscribe) =
        (MQTTEventType::MQTT_EVENT_SUBCRIBE_TIMEOUT, MQTTEventType::MQTT_EVENT_UNSUBCRIBE_TIMEOUT);
    assert_eq!(seen.events, [with_id(late_subscribe, late), with_id(late_unsubscribe, id)]);
    assert_eq!(seen.subscription, [number(MQTTEventType::MQTT_EVENT_UNSUBSCRIBE), number(late_subscribe)]);
}

#[test]
fn the_handlers_of_a_subscription_that_is_over_are_called_no_more() {
    let device = Device::new();
    let client = handle::get::<Client>(device.handle).unwrap();
    let message =
        Message { qos: 0, retain: false, dup: false, id: 0, topic: "a".to_owned(), payload: b"late".as_slice().into() };
    for end in [SubscriptionEvent::Removed, SubscriptionEvent::ClientDestroyed] {
        let subscriber = CSubscriber {
            on_message: Some(on_message),
            on_event: Some(on_subscription_event),
            user_data: device.seen.cast(),
            over: AtomicBool::new(false),
        };
        subscriber.event(&client, end);
        assert_eq!(device.seen().subscription.len(), 1);
        // What was on its way through the pump meanwhile.
        subscriber.event(&client, SubscriptionEvent::Granted);
        subscriber.deliver(&client, &message);
        let seen = device.seen();
        assert!(seen.subscription.is_empty() && seen.messages.is_empty());
    }
}

#[test]
fn the_same_handlers_again_are_the_same_subscription() {
    let device = Device::new();
    for _ in 0..11 {
        assert!(device.subscribe("a", 1) > 0);
        device.pump();
    }
    device.server.world().publish(0, "a", b"once");
    device.pump();
    assert_eq!(device.seen().messages.len(), 1);
}

#[test]
fn messages_reach_their_subscription_or_else_the_global_handler() {
    let device = Device::new();
    device.subscribe("a/#", 1);
    device.pump();
    device.seen();
    {
        let mut world = device.server.world();
        world.publish(9, "a/b", b"for the subscription");
        world.publish(0, "c", b"for nobody");
    }
    device.pump();
    let seen = device.seen();
    assert_eq!(seen.messages, [("a/b".to_owned(), b"for the subscription".to_vec(), 1, 9)]);
    assert_eq!(seen.unclaimed, [("c".to_owned(), b"for nobody".to_vec())]);
}

#[test]
fn a_subscription_without_a_message_handler_leaves_its_messages_to_the_global_one() {
    let device = Device::new();
    let mut params: SubscribeParams = unsafe { std::mem::zeroed() };
    assert!(unsafe { IOT_MQTT_Subscribe(device.handle, c"a".as_ptr().cast_mut(), &mut params) } > 0);
    device.pump();
    device.server.world().publish(0, "a", b"x");
    device.pump();
    let seen = device.seen();
    assert_eq!((seen.messages.len(), seen.subscription.len()), (0, 0));
    assert_eq!(seen.unclaimed, [("a".to_owned(), b"x".to_vec())]);
}

#[test]
fn losing_and_regaining_the_link_is_told() {
    let device = Device::new();
    device.server.world().closed = true;
    device.pump();
    assert!(!IOT_MQTT_IsConnected(device.handle));
    assert_eq!(device.publish("t", 1, b"").0, QCLOUD_ERR_MQTT_NO_CONN);
    assert_eq!(IOT_MQTT_Yield(device.handle, 3000), iot_abi::error::QCLOUD_RET_MQTT_RECONNECTED);
    assert!(IOT_MQTT_IsConnected(device.handle));
    let [lost, back] = [MQTTEventType::MQTT_EVENT_DISCONNECT, MQTTEventType::MQTT_EVENT_RECONNECT].map(number);
    assert_eq!(device.seen().events, [(lost, 0), (back, 0)]);
}

#[test]
fn a_destroyed_client_tells_its_subscriptions_and_is_gone() {
    let mut device = Device::new();
    device.subscribe("a", 1);
    device.pump();
    device.seen();
    let handle = device.handle;
    assert_eq!(unsafe { IOT_MQTT_Destroy(&mut device.handle) }, QCLOUD_RET_SUCCESS);
    assert!(device.handle.is_null());
    assert_eq!(device.seen().subscription, [number(MQTTEventType::MQTT_EVENT_CLIENT_DESTROY)]);
    assert_eq!(IOT_MQTT_Yield(handle, 1), QCLOUD_ERR_INVAL);
    assert!(IOT_MQTT_GetDeviceInfo(handle).is_null());
}

#[test]
fn an_upgrade_needs_names_that_can_stand_in_a_topic() {
    let device = Device::new();
    let product_id = c"PRODUCTIDX".as_ptr();
    unsafe {
        assert!(IOT_OTA_Init(product_id, c"a/b".as_ptr(), device.handle).is_null());
        assert!(IOT_OTA_Init(c"PRODUCTIDX1".as_ptr(), c"device".as_ptr(), device.handle).is_null());
        let ota = IOT_OTA_Init(product_id, c"device".as_ptr(), device.handle);
        assert!(!ota.is_null() && device.is_ready("$ota/update/PRODUCTIDX/device"));
        assert_eq!(IOT_OTA_Destroy(ota), QCLOUD_RET_SUCCESS);
    }
    assert!(!device.is_ready("$ota/update/PRODUCTIDX/device"));
}

#[test]
fn the_client_knows_its_device() {
    let device = Device::new();
    let info = IOT_MQTT_GetDeviceInfo(device.handle);
    let text = |field: &[c_char]| unsafe { std::ffi::CStr::from_ptr(field.as_ptr()) }.to_str().unwrap().to_owned();
    let info = unsafe { &*info };
    assert_eq!(text(&info.product_id), "PRODUCTIDX");
    assert_eq!(text(&info.device_name), "device");
    assert_eq!(text(&info.client_id), "PRODUCTIDXdevice");
    #[cfg(not(feature = "auth-mode-cert"))]
    assert_eq!(text(&info.device_secret), "AQIDBA==");
}

#[test]
fn the_clouds_time_comes_in_seconds() {
    let device = Device::new();
    let mut time = 7;
    assert_eq!(unsafe { IOT_Get_SysTime(device.handle, &mut time) }, QCLOUD_RET_SUCCESS);
    assert_eq!(time, 1_604_458_421);
    device.server.world().mute = true;
    assert_eq!(unsafe { IOT_Get_SysTime(device.handle, &mut time) }, QCLOUD_ERR_FAILURE);
    assert_eq!(time, 0);
    assert_eq!(unsafe { IOT_Get_SysTime(device.handle, ptr::null_mut()) }, QCLOUD_ERR_INVAL);
    assert_eq!(unsafe { IOT_Get_SysTime(ptr::null_mut(), &mut time) }, QCLOUD_ERR_INVAL);
}
