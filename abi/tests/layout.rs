//! The Rust types have the C SDK's layouts: sizes, alignments and offsets of `tests/abi/data`, or of
//! `docs/contract/abi-3.3`.
#![cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::fs;
use std::mem::{align_of, offset_of, size_of};
use std::path::Path;

use serde_json::Value;

/// The configuration that the crate's features stand for; `None` for a mixture that the data does not cover.
fn configuration() -> Option<&'static str> {
    let cert = cfg!(feature = "auth-mode-cert");
    let plain = cfg!(feature = "auth-with-notls");
    match (cfg!(feature = "dev-dyn-reg"), cfg!(feature = "gateway")) {
        (true, true) if cert && plain => None,
        (true, true) if cert => Some("cert-tls"),
        (true, true) if plain => Some("key-notls"),
        (true, true) => Some("key-tls"),
        (false, false) if !cert && !plain => Some("key-tls-minimal"),
        _ => None,
    }
}

/// (size, alignment, offsets of the fields)
type Layout = (usize, usize, BTreeMap<String, usize>);

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("small")
}

/// Layouts of the contract's structs by name.
fn expected(configuration: &str) -> BTreeMap<String, Layout> {
    let folder = if cfg!(feature = "abi-3-3") { "../docs/contract/abi-3.3" } else { "../tests/abi/data" };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("{configuration}.json"));
    let data: Value = serde_json::from_str(&fs::read_to_string(data).expect("data")).expect("JSON");
    let mut layouts = BTreeMap::new();
    for header in data["headers"].as_object().expect("headers").values() {
        for record in header["structs"].as_array().expect("structs") {
            let fields = record["fields"].as_array().expect("fields");
            let name = record["typedef"].as_str().or(record["name"].as_str()).expect("a name");
            let offsets = fields
                .iter()
                .map(|field| (field["name"].as_str().expect("a name").to_owned(), number(&field["offset"])));
            layouts.insert(name.to_owned(), (number(&record["size"]), number(&record["align"]), offsets.collect()));
        }
    }
    layouts
}

/// Compares a type, all of its fields listed, with the contract.
macro_rules! check {
    ($expected:ident, $type:ty as $name:literal { $($(#[$condition:meta])? $field:ident),* $(,)? }) => {{
        #[allow(unused_mut)]
        let mut offsets = BTreeMap::new();
        $(
            $(#[$condition])?
            offsets.insert(stringify!($field).trim_start_matches("r#").to_owned(), offset_of!($type, $field));
        )*
        let ours: Layout = (size_of::<$type>(), align_of::<$type>(), offsets);
        assert_eq!(Some(&ours), $expected.get($name), "{}", $name);
    }};
}

#[test]
fn structs_have_the_layout_of_the_c_sdk() {
    use iot_abi::{
        coap, export, gateway, import, lite_list, lite_utils, log, mqtt, remote_config, rrpc, shadow, timer,
    };

    let Some(configuration) = configuration() else { return };
    let expected = expected(configuration);

    check!(expected, import::ThreadParams as "ThreadParams" {
        thread_name, thread_id, thread_func, user_arg, priority, stack_size
    });
    check!(expected, import::Timer as "Timer" { end_time });
    #[cfg(not(feature = "auth-with-notls"))]
    check!(expected, import::SSLConnectParams as "SSLConnectParams" {
        ca_crt,
        ca_crt_len,
        #[cfg(feature = "auth-mode-cert")]
        cert_file,
        #[cfg(feature = "auth-mode-cert")]
        key_file,
        #[cfg(not(feature = "auth-mode-cert"))]
        psk,
        #[cfg(not(feature = "auth-mode-cert"))]
        psk_id,
        psk_length,
        timeout_ms,
    });
    check!(expected, export::DeviceInfo as "DeviceInfo" {
        product_id,
        device_name,
        client_id,
        #[cfg(feature = "auth-mode-cert")]
        dev_cert_file_name,
        #[cfg(feature = "auth-mode-cert")]
        dev_key_file_name,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret,
        #[cfg(feature = "dev-dyn-reg")]
        product_secret,
        #[cfg(feature = "abi-3-3")]
        region,
    });
    #[cfg(feature = "gateway")]
    check!(expected, export::GatewayDeviceInfo as "GatewayDeviceInfo" { gw_info, sub_dev_info, sub_dev_num });
    check!(expected, log::LogUploadInitParams as "LogUploadInitParams" {
        #[cfg(feature = "abi-3-3")]
        region,
        product_id,
        device_name,
        sign_key,
        save_func,
        read_func,
        del_func,
        get_size_func,
    });
    check!(expected, mqtt::MQTTMessage as "MQTTMessage" {
        qos, retained, dup, id, ptopic, topic_len, payload, payload_len
    });
    check!(expected, mqtt::SubscribeParams as "SubscribeParams" {
        qos, on_message_handler, on_sub_event_handler, user_data
    });
    check!(expected, mqtt::MQTTEventMsg as "MQTTEventMsg" { event_type, msg });
    check!(expected, mqtt::MQTTEventHandler as "MQTTEventHandler" { h_fp, context });
    check!(expected, mqtt::MQTTInitParams as "MQTTInitParams" {
        #[cfg(feature = "abi-3-3")]
        region,
        product_id,
        device_name,
        #[cfg(feature = "auth-mode-cert")]
        cert_file,
        #[cfg(feature = "auth-mode-cert")]
        key_file,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret,
        command_timeout,
        keep_alive_interval_ms,
        clean_session,
        auto_connect_enable,
        event_handle,
        err_code,
    });
    check!(expected, lite_list::list_head_t as "list_head_t" { next, prev });
    check!(expected, lite_utils::json_key_t as "json_key_t" { key, list });
    check!(expected, timer::RTC_DATE_TIME as "RTC_DATE_TIME" { year, month, day, hour, minute, sec, ms });
    if configuration != "key-tls-minimal" {
        check!(expected, rrpc::sRRPCReplyPara as "sRRPCReplyPara" { code, status_msg, user_data, user_data_len });
    }
    check!(expected, remote_config::ConfigSubscirbeUserData as "ConfigSubscirbeUserData" {
        on_config_proc, json_buffer_len, json_buffer
    });
    check!(expected, gateway::GatewayParam as "GatewayParam" {
        product_id, device_name, subdev_product_id, subdev_device_name
    });
    check!(expected, gateway::GatewayInitParam as "GatewayInitParam" { init_param, event_context, event_handler });
    check!(expected, gateway::SubdevBindInfo as "SubdevBindInfo" { product_id, device_name, next });
    check!(expected, gateway::SubdevBindList as "SubdevBindList" { bindlist_head, bind_num });
    check!(expected, coap::CoAPEventMessage as "CoAPEventMessage" { event_type, message });
    check!(expected, coap::CoAPEventHandler as "CoAPEventHandler" { h_fp, context });
    check!(expected, coap::SendMsgParams as "SendMsgParams" {
        need_resp, pay_load, pay_load_len, user_context, resp_callback
    });
    check!(expected, coap::CoAPInitParams as "CoAPInitParams" {
        #[cfg(feature = "abi-3-3")]
        region,
        product_id,
        device_name,
        #[cfg(feature = "auth-mode-cert")]
        cert_file,
        #[cfg(feature = "auth-mode-cert")]
        key_file,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret,
        command_timeout,
        max_retry_count,
        event_handle,
    });
    check!(expected, shadow::ShadowInitParams as "ShadowInitParams" {
        #[cfg(feature = "abi-3-3")]
        region,
        product_id,
        device_name,
        #[cfg(feature = "auth-mode-cert")]
        cert_file,
        #[cfg(feature = "auth-mode-cert")]
        key_file,
        #[cfg(not(feature = "auth-mode-cert"))]
        device_secret,
        command_timeout,
        keep_alive_interval_ms,
        clean_session,
        auto_connect_enable,
        event_handle,
        shadow_type,
    });
    check!(expected, shadow::DeviceProperty as "DeviceProperty" { key, data, r#type, delta_arrived });
    check!(expected, shadow::sDataPoint as "sDataPoint" { data_property, state });
}

/// Length of an array field.
fn length<T, const N: usize>(_: fn(&T) -> &[c_char; N]) -> usize {
    N
}

/// Array lengths in structs are written as numbers, since cbindgen can't take an expression there.
#[test]
fn texts_in_structs_have_room_for_the_longest_and_its_nul() {
    use iot_abi::export::*;
    use iot_abi::gateway::SubdevBindInfo;
    use iot_abi::rrpc::{sRRPCReplyPara, MAX_RRPC_REPLY_STATUS_LEN};

    assert_eq!(length(|it: &DeviceInfo| &it.product_id), MAX_SIZE_OF_PRODUCT_ID + 1);
    assert_eq!(length(|it: &DeviceInfo| &it.device_name), MAX_SIZE_OF_DEVICE_NAME + 1);
    assert_eq!(length(|it: &DeviceInfo| &it.client_id), MAX_SIZE_OF_CLIENT_ID + 1);
    #[cfg(feature = "auth-mode-cert")]
    {
        assert_eq!(length(|it: &DeviceInfo| &it.dev_cert_file_name), MAX_SIZE_OF_DEVICE_CERT_FILE_NAME + 1);
        assert_eq!(length(|it: &DeviceInfo| &it.dev_key_file_name), MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME + 1);
    }
    #[cfg(not(feature = "auth-mode-cert"))]
    assert_eq!(length(|it: &DeviceInfo| &it.device_secret), MAX_SIZE_OF_DEVICE_SECRET + 1);
    #[cfg(feature = "dev-dyn-reg")]
    assert_eq!(length(|it: &DeviceInfo| &it.product_secret), MAX_SIZE_OF_PRODUCT_SECRET + 1);
    #[cfg(feature = "abi-3-3")]
    assert_eq!(length(|it: &DeviceInfo| &it.region), MAX_SIZE_OF_REGION);
    #[cfg(all(feature = "abi-3-3", not(any(feature = "auth-mode-cert", feature = "auth-with-notls"))))]
    assert_eq!(length(|it: &iot_abi::import::SSLConnectParams| &it.psk_id), MAX_SIZE_OF_CLIENT_ID + 1);
    assert_eq!(length(|it: &SubdevBindInfo| &it.product_id), MAX_SIZE_OF_PRODUCT_ID + 1);
    assert_eq!(length(|it: &SubdevBindInfo| &it.device_name), MAX_SIZE_OF_DEVICE_NAME + 1);
    assert_eq!(length(|it: &sRRPCReplyPara| &it.status_msg), MAX_RRPC_REPLY_STATUS_LEN);
}
