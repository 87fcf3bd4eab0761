//! The calls and callbacks as C code sees them, with a shadow on a scripted server in virtual time.

use std::ffi::{CStr, CString};
use std::sync::Mutex as StdMutex;

use iot_abi::error::QCLOUD_ERR_BUF_TOO_SHORT;
use iot_abi::mqtt::{MQTTEventHandler, MQTTEventMsg, MQTTEventType};
use iot_abi::shadow::JsonDataType;

use super::*;
use crate::drive::mqtt::{Listener, Notice};
use crate::drive::testing::mqtt_server::{setup, Simulation};
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Machine};

const UP: &str = "$shadow/operation/PRODUCTIDX/device";
const DOWN: &str = "$shadow/operation/result/PRODUCTIDX/device";

type Variadic = unsafe extern "C" fn(*mut c_void, *mut c_char, usize, u8, ...) -> c_int;

extern "C" {
    fn IOT_Shadow_JSON_ConstructReport(h: *mut c_void, buf: *mut c_char, size: usize, count: u8, ...) -> c_int;
    fn IOT_Shadow_JSON_Construct_OverwriteReport(
        h: *mut c_void,
        buf: *mut c_char,
        size: usize,
        count: u8,
        ...
    ) -> c_int;
    fn IOT_Shadow_JSON_ConstructReportAndDesireAllNull(
        h: *mut c_void,
        buf: *mut c_char,
        size: usize,
        count: u8,
        ...
    ) -> c_int;
    fn IOT_Shadow_JSON_ConstructDesirePropNull(h: *mut c_void, buf: *mut c_char, size: usize, count: u8, ...) -> c_int;
}

/// The variadic builders, and what stands around the properties in each.
const BUILDERS: [(Variadic, &str, &str); 4] = [
    (IOT_Shadow_JSON_ConstructReport, r#"{"state":{"reported":{"#, r#"}}, "clientToken":""#),
    (
        IOT_Shadow_JSON_Construct_OverwriteReport,
        r#"{"overwriteUpdate":true, "state":{"reported":{"#,
        r#"}}, "clientToken":""#,
    ),
    (
        IOT_Shadow_JSON_ConstructReportAndDesireAllNull,
        r#"{"state":{"reported":{"#,
        r#"},"desired": null}, "clientToken":""#,
    ),
    (IOT_Shadow_JSON_ConstructDesirePropNull, r#"{"state":{"desired":{"#, r#"}}, "clientToken":""#),
];

/// A shadow whose cloud answers each request with `answer`, and its handle.
fn shadow(answer: Option<String>) -> (Arc<Machine>, *mut c_void) {
    let machine = Machine::new(|_, _| Answer::new(""));
    machine.mqtt.world().cloud = Cloud::default().answer_with(move |topic, _| {
        answer.clone().filter(|_| topic == UP).map(|text| (DOWN.to_owned(), text.into_bytes()))
    });
    let shadow = Arc::new(Shadow::new(machine.client(), Kind::Shadow));
    shadow.subscribe().unwrap();
    handle::insert(shadow.client().clone());
    (machine, handle::insert(shadow))
}

fn property<T>(key: &'static CStr, data: &T, kind: JsonDataType) -> DeviceProperty {
    DeviceProperty {
        key: key.as_ptr().cast_mut(),
        data: ptr::from_ref(data).cast_mut().cast(),
        r#type: kind as raw::JsonDataType,
        delta_arrived: false,
    }
}

/// What a builder leaves in a buffer of `size` bytes, behind which there are guards.
fn built(size: usize, build: impl FnOnce(*mut c_char, usize) -> c_int) -> (c_int, String) {
    let mut buffer = vec![b'#'; size + 64];
    let code = build(buffer.as_mut_ptr().cast(), size);
    let end = buffer.iter().position(|byte| *byte == 0);
    assert_eq!(end.is_some(), size > 0, "there is a NUL where there is room");
    let end = end.unwrap_or_default();
    assert!(buffer[end + usize::from(size > 0)..].iter().all(|byte| *byte == b'#'), "nothing behind the NUL");
    (code, String::from_utf8(buffer[..end].to_vec()).unwrap())
}

/// shadow.md section 12, case 7.
#[test]
fn null_unknown_and_bad_arguments_are_refused_everywhere() {
    let (_machine, good) = shadow(None);
    let null = ptr::null_mut::<c_void>();
    let mut stranger = 0_u8;
    let stranger = ptr::from_mut(&mut stranger).cast::<c_void>();
    let value = 7_i32;
    let mut known = property(c"k", &value, JsonDataType::JINT32);
    let mut list = [&raw mut known];
    let document = || {
        let mut buffer = [0; 64];
        buffer[..19].copy_from_slice(br#"{"clientToken":"u"}"#);
        buffer.map(|byte| byte as c_char)
    };
    let mut text = document();
    unsafe {
        assert!(IOT_Shadow_Construct(null.cast()).is_null());
        for unknown in [null, stranger] {
            assert!(IOT_Shadow_Get_Mqtt_Client(unknown).is_null());
            assert_eq!(IOT_Shadow_Publish(unknown, null.cast(), null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Subscribe(unknown, null.cast(), null.cast()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Unsubscribe(unknown, null.cast()), QCLOUD_ERR_INVAL);
            assert!(!IOT_Shadow_IsConnected(unknown));
            assert_eq!(IOT_Shadow_Yield(unknown, 1), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Update(unknown, text.as_mut_ptr(), 64, None, null, 1), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Update_Sync(unknown, text.as_mut_ptr(), 64, 1), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Get(unknown, Some(on_request), null, 1), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Get_Sync(unknown, 1), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_Register_Property(unknown, &mut known, Some(on_property)), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_Shadow_UnRegister_Property(unknown, &mut known), QCLOUD_ERR_INVAL);
            let buffer = text.as_mut_ptr();
            assert_eq!(
                IOT_Shadow_JSON_ConstructReportArray(unknown, buffer, 64, 1, list.as_mut_ptr()),
                QCLOUD_ERR_INVAL
            );
            assert_eq!(IOT_Shadow_JSON_ConstructDesireAllNull(unknown, buffer, 64), QCLOUD_ERR_INVAL);
            for (build, ..) in BUILDERS {
                assert_eq!(build(unknown, buffer, 64, 1, &raw mut known), QCLOUD_ERR_INVAL);
                assert_eq!(build(good, null.cast(), 64, 1, &raw mut known), QCLOUD_ERR_INVAL);
                assert_eq!(build(good, buffer, 64, 1, null), QCLOUD_ERR_INVAL);
                text = document();
            }
            assert_eq!(IOT_Shadow_Destroy(unknown), QCLOUD_ERR_INVAL);
        }
        let buffer = text.as_mut_ptr();
        assert_eq!(IOT_Shadow_JSON_ConstructDesireAllNull(good, null.cast(), 64), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_JSON_ConstructReportArray(good, null.cast(), 64, 1, list.as_mut_ptr()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_JSON_ConstructReportArray(good, buffer, 64, 1, null.cast()), QCLOUD_ERR_INVAL);
        text = document();
        let buffer = text.as_mut_ptr();
        assert_eq!(IOT_Shadow_Yield(good, 0), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Update(good, null.cast(), 64, None, null, 1), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Update(good, buffer, 64, None, null, 0), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Update_Sync(good, buffer, 64, 0), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Get(good, None, null, 1), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Get(good, Some(on_request), null, 0), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Get_Sync(good, 0), QCLOUD_ERR_INVAL);
        assert_eq!(text, document());
        assert_eq!(IOT_Shadow_Unsubscribe(good, null.cast()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Register_Property(good, &mut known, None), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_Register_Property(good, null.cast(), Some(on_property)), QCLOUD_ERR_INVAL);
        let mut without_key = property(c"k", &value, JsonDataType::JINT32);
        without_key.key = ptr::null_mut();
        let mut without_data = property(c"k", &value, JsonDataType::JINT32);
        without_data.data = null;
        for bad in [&mut without_key, &mut without_data] {
            assert_eq!(IOT_Shadow_Register_Property(good, bad, Some(on_property)), QCLOUD_ERR_INVAL);
        }
        assert_eq!(IOT_Shadow_UnRegister_Property(good, null.cast()), QCLOUD_ERR_INVAL);
        assert_eq!(IOT_Shadow_UnRegister_Property(good, &mut known), QCLOUD_ERR_SHADOW_NOT_PROPERTY_EXIST);
        assert_eq!(IOT_Shadow_Destroy(good), 0);
        assert_eq!(IOT_Shadow_Destroy(good), QCLOUD_ERR_INVAL);
    }
}

/// Cases 2 and 7.
#[test]
fn each_builder_writes_every_type_with_a_token_of_its_own() {
    let (_machine, shadow) = shadow(None);
    let text = c"a\"b\nc";
    let (int32, int16, int8) = (i32::MIN, i16::MIN, i8::MIN);
    let (uint32, uint16, uint8) = (u32::MAX, u16::MAX, u8::MAX);
    let (float, double, boolean) = (0.1_f32, -1e-7_f64, 2_u8);
    let mut all = [
        (property(c"a", &int32, JsonDataType::JINT32), "-2147483648"),
        (property(c"b", &int16, JsonDataType::JINT16), "-32768"),
        (property(c"c", &int8, JsonDataType::JINT8), "-128"),
        (property(c"d", &uint32, JsonDataType::JUINT32), "4294967295"),
        (property(c"e", &uint16, JsonDataType::JUINT16), "65535"),
        (property(c"f", &uint8, JsonDataType::JUINT8), "255"),
        (property(c"g", &float, JsonDataType::JFLOAT), "0.100000"),
        (property(c"h", &double, JsonDataType::JDOUBLE), "-0.000000"),
        (property(c"i", &boolean, JsonDataType::JBOOL), "true"),
        (property(c"", &0_u8, JsonDataType::JBOOL), "false"),
        (property(c"j", &0, JsonDataType::JSTRING), "\"a\"b\\nc\""),
        (property(c"k", &0, JsonDataType::JOBJECT), "a\"b\nc"),
        (property(c"l", &0, JsonDataType::JOBJECT), "null"),
    ];
    all[10].0.data = text.as_ptr().cast_mut().cast();
    all[11].0.data = text.as_ptr().cast_mut().cast();
    all[12].0.data = ptr::null_mut();
    let mut number = 0;
    for (build, head, tail) in BUILDERS {
        for (property, value) in &mut all {
            let key = unsafe { CStr::from_ptr(property.key) }.to_str().unwrap();
            let expected = format!("{head}\"{key}\":{value}{tail}PRODUCTIDX-{number}\"}}");
            let made = built(200, |buf, size| unsafe { build(shadow, buf, size, 1, &raw mut *property) });
            assert_eq!(made, (0, expected));
            number += 1;
        }
        let [(first, _), (second, _), ..] = &mut all;
        let made = built(200, |buf, size| unsafe { build(shadow, buf, size, 2, &raw mut *first, &raw mut *second) });
        assert_eq!(made, (0, format!("{head}\"a\":-2147483648,\"b\":-32768{tail}PRODUCTIDX-{number}\"}}")));
        number += 1;
    }
    let mut list: Vec<*mut DeviceProperty> = all.iter_mut().map(|(property, _)| &raw mut *property).collect();
    let made = built(400, |buf, size| unsafe {
        IOT_Shadow_JSON_ConstructReportArray(shadow, buf, size, 13, list.as_mut_ptr())
    });
    assert!(made.0 == 0 && made.1.contains(r#""h":-0.000000,"i":true,"":false,"j":"#), "{}", made.1);
    number += 1;
    let made = built(200, |buf, size| unsafe { IOT_Shadow_JSON_ConstructDesireAllNull(shadow, buf, size) });
    let expected = format!(r#"{{"state":{{"desired": null}}, "clientToken":"PRODUCTIDX-{number}"}}"#);
    assert_eq!(made, (0, expected));
    assert_eq!(IOT_Shadow_Destroy(shadow), 0);
}

/// Case 4: whatever the size, nothing is written past it, and it is enough exactly where document and NUL fit.
#[test]
fn a_buffer_of_0_to_300_bytes_is_never_overrun() {
    let (_machine, shadow) = shadow(None);
    let (whole, number, text) = (-5_i32, 1e20_f64, c"text");
    let mut properties = [
        property(c"whole", &whole, JsonDataType::JINT32),
        property(c"number", &number, JsonDataType::JDOUBLE),
        property(c"text", &0, JsonDataType::JSTRING),
    ];
    properties[2].data = text.as_ptr().cast_mut().cast();
    let [a, b, c] = &mut properties;
    let (a, b, c) = (&raw mut *a, &raw mut *b, &raw mut *c);
    let mut list = [a, b, c];
    let mut builders: Vec<Box<dyn FnMut(*mut c_char, usize) -> c_int>> = BUILDERS
        .iter()
        .map(|(build, ..)| -> Box<dyn FnMut(*mut c_char, usize) -> c_int> {
            Box::new(move |buf, size| unsafe { build(shadow, buf, size, 3, a, b, c) })
        })
        .collect();
    builders.push(Box::new(move |buf, size| unsafe {
        IOT_Shadow_JSON_ConstructReportArray(shadow, buf, size, 3, list.as_mut_ptr())
    }));
    builders.push(Box::new(|buf, size| unsafe { IOT_Shadow_JSON_ConstructDesireAllNull(shadow, buf, size) }));
    for build in &mut builders {
        for size in 0..=300 {
            // The token's number grows, so what is whole is known by its end.
            let (code, text) = built(size, &mut *build);
            let is_whole = text.contains("PRODUCTIDX-") && text.ends_with("\"}");
            assert_eq!(code, if is_whole { 0 } else { QCLOUD_ERR_JSON_BUFFER_TRUNCATED }, "{size}: {text}");
            assert!(is_whole || text.len() == size.saturating_sub(1), "{size}: {text}");
        }
        assert_eq!(built(300, &mut *build).0, 0);
    }
    assert_eq!(IOT_Shadow_Destroy(shadow), 0);
}

/// Cases 3, 6 and 7.
#[test]
fn counts_go_to_255_and_what_is_no_property_uses_no_token() {
    let (_machine, shadow) = shadow(None);
    let value = 1_u8;
    let mut one = property(c"k", &value, JsonDataType::JUINT8);
    let mut list = vec![&raw mut one; 255];
    for (number, count) in [0, 127, 128, 255_u8].into_iter().enumerate() {
        let made = built(4000, |buf, size| unsafe {
            IOT_Shadow_JSON_ConstructReportArray(shadow, buf, size, count, list.as_mut_ptr())
        });
        let properties = vec![r#""k":1"#; count.into()].join(",");
        let expected = format!(r#"{{"state":{{"reported":{{{properties}}}}}, "clientToken":"PRODUCTIDX-{number}"}}"#);
        assert_eq!(made, (0, expected));
    }
    let mut without_key = property(c"k", &value, JsonDataType::JUINT8);
    without_key.key = ptr::null_mut();
    let mut odd_type = property(c"k", &value, JsonDataType::JUINT8);
    odd_type.r#type = 11;
    let (infinity, nan) = (f32::INFINITY, f64::NAN);
    let mut infinite = property(c"k", &infinity, JsonDataType::JFLOAT);
    let mut no_number = property(c"k", &nan, JsonDataType::JDOUBLE);
    for bad in [ptr::null_mut(), &raw mut without_key, &raw mut odd_type, &raw mut infinite, &raw mut no_number] {
        let made =
            built(200, |buf, size| unsafe { IOT_Shadow_JSON_ConstructReport(shadow, buf, size, 2, &raw mut one, bad) });
        assert_eq!(made, (QCLOUD_ERR_INVAL, r#"{"state":{"reported":{"k":1"#.to_owned()));
    }
    let made = built(200, |buf, size| unsafe { IOT_Shadow_JSON_ConstructDesireAllNull(shadow, buf, size) });
    assert!(made.1.contains("PRODUCTIDX-4"), "{}", made.1);
    assert_eq!(IOT_Shadow_Destroy(shadow), 0);
}

/// Case 24.
#[test]
fn no_token_is_given_twice() {
    let (_machine, shadow) = shadow(None);
    let shadow = shadow as usize;
    let build = || {
        let make = |buf: *mut c_char, size| unsafe {
            IOT_Shadow_JSON_ConstructDesireAllNull(shadow as *mut c_void, buf, size)
        };
        (0..50).map(|_| built(100, make).1).collect::<Vec<_>>()
    };
    let mut documents: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(build)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    documents.sort();
    documents.dedup();
    assert_eq!(documents.len(), 400);
    assert_eq!(IOT_Shadow_Destroy(shadow as *mut c_void), 0);
}

/// What a request's callback saw, as its context.
type Ends = StdMutex<Vec<(usize, raw::Method, raw::RequestAck, String)>>;

unsafe extern "C" fn on_request(
    shadow: *mut c_void,
    method: raw::Method,
    ack: raw::RequestAck,
    document: *const c_char,
    context: *mut c_void,
) {
    let document = unsafe { CStr::from_ptr(document) }.to_str().unwrap().to_owned();
    unsafe { &*context.cast::<Ends>() }.lock().unwrap().push((shadow as usize, method, ack, document));
}

unsafe extern "C" fn on_property(_: *mut c_void, state: *const c_char, length: u32, property: *mut DeviceProperty) {
    assert_eq!(unsafe { CStr::from_ptr(state) }.count_bytes(), length as usize);
    unsafe { (*property).delta_arrived = true };
}

/// Cases 1, 10 and 12.
#[test]
fn callbacks_and_waiting_calls_have_the_contracts_values() {
    const METHODS: [raw::Method; 2] = [Method::GET as raw::Method, Method::UPDATE as raw::Method];
    for (result, ack, update, get) in [
        (Some(0), ACK_ACCEPTED, 0, 0),
        (Some(5005), ACK_REJECTED, QCLOUD_ERR_SHADOW_UPDATE_REJECTED, QCLOUD_ERR_SHADOW_GET_REJECTED),
        (None, ACK_TIMEOUT, QCLOUD_ERR_SHADOW_UPDATE_TIMEOUT, QCLOUD_ERR_SHADOW_GET_TIMEOUT),
    ] {
        let reply =
            |token: &str| result.map(|result| format!(r#"{{"type":"x","clientToken":"{token}","result":{result}}}"#));
        let ends = Ends::default();
        let context = ptr::from_ref(&ends).cast_mut().cast();
        for (index, method) in METHODS.into_iter().enumerate() {
            let token = ["PRODUCTIDX-0", "u"][index];
            let (_machine, shadow) = shadow(reply(token));
            let mut buffer = [&br#"{"clientToken":"u"}"#[..], &[0; 30]].concat();
            let document = buffer.as_mut_ptr().cast::<c_char>();
            let code = unsafe {
                match method {
                    0 => IOT_Shadow_Get(shadow, Some(on_request), context, 400),
                    _ => IOT_Shadow_Update(shadow, document, 49, Some(on_request), context, 400),
                }
            };
            assert_eq!(code, 0);
            assert_eq!(IOT_Shadow_Yield(shadow, 500), 0);
            let seen = std::mem::take(&mut *ends.lock().unwrap());
            assert_eq!(seen, [(shadow as usize, method, ack, reply(token).unwrap_or_default())]);
            assert_eq!(IOT_Shadow_Destroy(shadow), 0);
        }
        let (_machine, shadow) = shadow(reply("PRODUCTIDX-0"));
        assert_eq!(IOT_Shadow_Get_Sync(shadow, 400), get);
        assert_eq!(IOT_Shadow_Destroy(shadow), 0);
        let (_machine, shadow) = self::shadow(reply("u"));
        let mut buffer = [&br#"{"clientToken":"u"}"#[..], &[0; 30]].concat();
        assert_eq!(unsafe { IOT_Shadow_Update_Sync(shadow, buffer.as_mut_ptr().cast(), 49, 400) }, update);
        assert_eq!(IOT_Shadow_Destroy(shadow), 0);
    }
}

/// Case 5.
#[test]
fn an_update_needs_18_bytes_of_room() {
    let (machine, shadow) = shadow(None);
    let document = br#"{"clientToken":"u"}"#;
    let null = ptr::null_mut();
    for extra in [0, 1, 17, 18, 19, 40] {
        let mut buffer = [&document[..], &[0; 60]].concat();
        let size = document.len() + extra;
        let code = unsafe { IOT_Shadow_Update(shadow, buffer.as_mut_ptr().cast(), size, None, null, 1) };
        assert_eq!(code, if extra < 18 { QCLOUD_ERR_INVAL } else { 0 }, "{extra}");
        let update = br#"{"type":"update", "clientToken":"u"}"#;
        assert!(buffer.starts_with(if extra < 18 { &document[..] } else { &update[..] }));
        // All requests end.
        IOT_Shadow_Yield(shadow, 10);
    }
    assert_eq!(machine.take_published(UP).len(), 3);
    // The whole address space is a size, too; and a document that is too long is refused.
    let long = CString::new(format!(r#"{{"clientToken":"u","x":"{}"}}"#, "y".repeat(2048))).unwrap();
    let mut buffer = [long.as_bytes_with_nul(), &[0; 40]].concat();
    let code = unsafe { IOT_Shadow_Update(shadow, buffer.as_mut_ptr().cast(), usize::MAX, None, null, 1) };
    assert_eq!(code, QCLOUD_ERR_BUF_TOO_SHORT);
    // No NUL within its size.
    assert_eq!(unsafe { IOT_Shadow_Update(shadow, buffer.as_mut_ptr().cast(), 5, None, null, 1) }, QCLOUD_ERR_INVAL);
    assert_eq!(IOT_Shadow_Destroy(shadow), 0);
}

/// Case 15.
#[test]
fn a_delta_is_converted_into_the_programs_types() {
    let (machine, shadow) = shadow(None);
    let client = handle::get::<Client>(IOT_Shadow_Get_Mqtt_Client(shadow)).unwrap();
    /// The value after a delta with `text`, and whether the callback was called.
    fn after<T: Copy>(
        machine: &Machine,
        client: &Arc<Client>,
        shadow: *mut c_void,
        (before, kind): (T, JsonDataType),
        text: &str,
    ) -> (T, bool) {
        let mut data = before;
        let mut watched = property(c"a.b", &data, kind);
        watched.data = ptr::from_mut(&mut data).cast();
        unsafe {
            assert_eq!(IOT_Shadow_Register_Property(shadow, &mut watched, Some(on_property)), 0);
            let payload = format!(r#"{{"type":"delta","payload":{{"state":{{"a":{{"b":{text}}}}}}}}}"#);
            machine.mqtt.world().publish(0, DOWN, payload.as_bytes());
            client.yield_for(1).unwrap();
            assert_eq!(IOT_Shadow_UnRegister_Property(shadow, &mut watched), 0);
            ((watched.data.cast::<T>()).read(), (&raw const watched.delta_arrived).read())
        }
    }
    use JsonDataType::*;
    let at = (&*machine, &client, shadow);
    macro_rules! after {
        ($before:expr, $kind:expr, $text:expr) => {
            after(at.0, at.1, at.2, ($before, $kind), $text)
        };
    }
    assert_eq!(after!(7_i32, JINT32, "-25"), (-25, true));
    assert_eq!(after!(7_i32, JINT32, "\"0x10\""), (16, true));
    assert_eq!(after!(7_i32, JINT32, "99999999999"), (7, true));
    assert_eq!(after!(7_i32, JINT32, "true"), (7, true));
    assert_eq!(after!(7_i16, JINT16, "3.9"), (3, true));
    assert_eq!(after!(7_i8, JINT8, "-129"), (7, true));
    assert_eq!(after!(7_u32, JUINT32, "4294967295"), (u32::MAX, true));
    assert_eq!(after!(7_u16, JUINT16, "\"0x10\""), (0, true));
    assert_eq!(after!(7_u8, JUINT8, "-1"), (7, true));
    assert_eq!(after!(7_f32, JFLOAT, "1e5"), (1e5, true));
    assert_eq!(after!(7_f64, JDOUBLE, "-2.5"), (-2.5, true));
    assert_eq!(after!(7_u8, JBOOL, "false"), (0, true));
    assert_eq!(after!(7_u8, JBOOL, "0"), (1, true));
    for text in ["\"new\"", "\"nullable\"", "{\"x\":1}"] {
        assert_eq!(after!(7_u8, JSTRING, text), (7, true), "{text}");
        assert_eq!(after!(7_u8, JOBJECT, text), (7, true), "{text}");
    }
    for text in ["null", "\"\""] {
        assert_eq!(after!(7_u8, JUINT8, text), (7, false), "{text}");
    }
    assert_eq!(IOT_Shadow_Destroy(shadow), 0);
    drop(client);
}

unsafe extern "C" fn on_event(client: *mut c_void, context: *mut c_void, event: *mut MQTTEventMsg) {
    let seen = unsafe { &*context.cast::<StdMutex<Vec<(usize, raw::MQTTEventType)>>>() };
    // The shadow is whole when it is told of.
    let _ = IOT_Shadow_IsConnected(client);
    seen.lock().unwrap().push((client as usize, unsafe { (*event).event_type }));
}

struct Nobody;

impl Listener for Nobody {
    fn notice(&self, _: &Arc<Client>, _: Notice<'_>) {}
}

/// Case 26: the listener that Construct makes, on a server in memory.
#[test]
fn the_event_handler_gets_what_its_client_is_known_as() {
    let seen = StdMutex::new(Vec::<(usize, raw::MQTTEventType)>::new());
    let context = ptr::from_ref(&seen).cast_mut().cast();
    let event_handle = MQTTEventHandler { h_fp: Some(on_event), context };
    let known_as = Arc::<AtomicPtr<c_void>>::default();
    let mut setup = setup(Nobody, Box::new(()));
    setup.listener = mqtt::listener(&event_handle, known_as.clone());
    let client = Client::offline(Arc::new(Simulation::default()), setup);
    client.connect().unwrap();
    let shadow = Arc::new(Shadow::new(client.clone(), Kind::Shadow));
    known_as.store(handle::insert(shadow.clone()), Ordering::Relaxed);
    shadow.subscribe().unwrap();
    let subscribed = MQTTEventType::MQTT_EVENT_SUBCRIBE_SUCCESS as raw::MQTTEventType;
    assert_eq!(*seen.lock().unwrap(), [(handle::of(&shadow) as usize, subscribed)]);
    assert_eq!(IOT_Shadow_Destroy(handle::of(&shadow)), 0);
}
