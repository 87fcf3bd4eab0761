//! The gateway sample as a program, against a broker that plays the cloud (gateway.md).

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

const SUB_PRODUCT: &str = "SUBPROD001";
const SUB_NAME: &str = "d1";
const SUB_SECRET: &str = "c2VjcmV0c2VjcmV0MTIzNA==";

/// A gateway's folder: its own device_info.json, which names the device behind it, and that device's file for `-b`.
fn home(gateway: &Device) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let with_sub = |text: String| {
        text.replace(r#""sub_productId": """#, &format!(r#""sub_productId": "{SUB_PRODUCT}""#))
            .replace(r#""sub_devName": """#, &format!(r#""sub_devName":"{SUB_NAME}""#))
    };
    let info = with_sub(gateway.info(Build::NoTls));
    assert!(info.contains(SUB_PRODUCT) && info.contains(SUB_NAME), "{info}");
    fs::write(folder.path().join("device_info.json"), info).expect("the gateway's file");
    let sub = Device { product_id: SUB_PRODUCT.to_owned(), name: SUB_NAME.to_owned(), secret: SUB_SECRET.to_owned() };
    fs::write(folder.path().join("sub.json"), sub.info(Build::NoTls)).expect("the device's file");
    folder
}

/// What the cloud answers on the result topic; the same for all that names the device.
fn cloud(gateway: &Device, packet: &Packet, result: i32) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (topic, _, payload) = packet.message();
    let text = String::from_utf8_lossy(&payload).into_owned();
    if topic == format!("{SUB_PRODUCT}/{SUB_NAME}/data") {
        return Reaction::Also(publish(&topic, 0, 0, &payload));
    }
    let operation = ["online", "offline", "unbind", "bind"]
        .into_iter()
        .find(|name| text.starts_with(&format!(r#"{{"type":"{name}","#)));
    let entry = format!(r#"{{"product_id":"{SUB_PRODUCT}","device_name":"{SUB_NAME}""#);
    let answer = match operation {
        Some(operation) => {
            format!(r#"{{"type":"{operation}","payload":{{"devices":[{entry},"result":{result}}}]}}}}"#)
        }
        None => format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":[{entry}}}]}}}}"#),
    };
    let down = format!("$gateway/operation/result/{}/{}", gateway.product_id, gateway.name);
    Reaction::Also(publish(&down, 1, 7, answer.as_bytes()))
}

/// What the sample published, in order: topic and payload.
fn published(broker: &Broker) -> Vec<(String, String)> {
    let packets = broker.packets().all();
    let messages = packets.iter().filter(|packet| packet.kind == PUBLISH).map(Packet::message);
    messages.map(|(topic, _, payload)| (topic, String::from_utf8_lossy(&payload).into_owned())).collect()
}

fn run(result: i32, args: &[&str]) -> (Finished, Broker, Device) {
    let gateway = Device::default();
    let folder = home(&gateway);
    let script = gateway.clone();
    let broker = Broker::start(move |packet| cloud(&script, packet, result));
    let sample = Sample::new(Build::NoTls, "gateway_sample", folder.path()).endpoint(&broker.address()).args(args);
    // The list that the sample gets and frees would show there (gateway.md section 8, case 14).
    let finished = sample.under_valgrind().start().finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    (finished, broker, gateway)
}

/// gateway.md section 8, cases 14 and 33.
#[test]
fn case_33_the_sample_brings_a_device_online_and_back() {
    let (finished, broker, gateway) = run(0, &["-b", "sub.json", "-l", "2"]);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&[&format!("bound: {SUB_PRODUCT} {SUB_NAME}")]);
    finished.assert_says(&[&format!("received on {SUB_PRODUCT}/{SUB_NAME}/data")]);

    let up = format!("$gateway/operation/{}/{}", gateway.product_id, gateway.name);
    let messages = published(&broker);
    let entry = format!(r#"[{{"product_id":"{SUB_PRODUCT}","device_name":"{SUB_NAME}""#);
    let bind = &messages[0].1;
    assert!(bind.starts_with(&format!(r#"{{"type":"bind","payload":{{"devices":{entry},"signature":""#)), "{bind}");
    assert!(bind.ends_with(r#","signmethod":"hmacsha1","authtype":"psk"}]}}"#), "{bind}");
    let told = |name: &str| (up.clone(), format!(r#"{{"type":"{name}","payload":{{"devices":{entry}}}]}}}}"#));
    assert_eq!(messages[1], (up.clone(), r#"{"type":"describe_sub_devices"}"#.to_owned()));
    assert_eq!(messages[2], told("online"));
    assert_eq!([&messages[3].0, &messages[4].0], [&format!("{SUB_PRODUCT}/{SUB_NAME}/data"); 2]);
    assert_eq!(messages[5..], [told("offline"), told("unbind")]);

    let subscribed = broker.packets().all().into_iter().filter(|packet| packet.kind == SUBSCRIBE).count();
    assert_eq!(subscribed, 2);
}

#[test]
fn a_device_that_the_cloud_refuses_ends_the_sample() {
    let (finished, broker, _) = run(-1, &[]);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["could not be put online: -1"]);
    assert_eq!(published(&broker).len(), 2);
}
