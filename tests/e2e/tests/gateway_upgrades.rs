//! The sample that upgrades the devices behind a gateway, against a broker that plays the cloud (gateway.md section 6).

use std::fs;

use e2e::{
    assert_good_run, publish, Answer, Broker, Build, Device, Finished, Firmware, Packet, Reaction, Sample, Server,
    PUBLISH, SUBSCRIBE,
};
use tempfile::TempDir;

const PRODUCT: &str = "SUBPROD001";

/// The devices behind the gateway.
fn devices() -> [Device; 4] {
    ["d1", "d2", "d3", "d4"].map(|name| Device {
        product_id: PRODUCT.to_owned(),
        name: name.to_owned(),
        ..Device::default()
    })
}

/// Every device is bound, and gets the update command when it reports its version.
fn cloud(gateway: &Device, command: &str, packet: &Packet) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (topic, _, payload) = packet.message();
    let text = String::from_utf8_lossy(&payload).into_owned();
    if topic == format!("$gateway/operation/{}/{}", gateway.product_id, gateway.name) {
        let online = text.strip_suffix("}]}}").expect("one device");
        let down = format!("$gateway/operation/result/{}/{}", gateway.product_id, gateway.name);
        return Reaction::Also(publish(&down, 0, 0, format!(r#"{online},"result":0}}]}}}}"#).as_bytes()));
    }
    match devices().iter().find(|device| device.report_topic() == topic) {
        Some(device) if packet.says("report_version") => {
            Reaction::Also(publish(&device.update_topic(), 1, 7, command.as_bytes()))
        }
        _ => Reaction::Answer,
    }
}

fn run(script: impl Fn(&Firmware) -> Answer + Send + Sync + 'static, md5_of: usize) -> (Finished, Broker, TempDir) {
    let gateway = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    let info = gateway
        .info(Build::NoTls)
        .replace(r#""sub_productId": """#, &format!(r#""sub_productId": "{PRODUCT}""#))
        .replace(r#""sub_devName": """#, r#""sub_devName": "d1""#);
    assert!(info.contains(PRODUCT) && info.contains("d1"), "{info}");
    fs::write(folder.path().join("device_info.json"), info).expect("the gateway's file");
    let firmware = Firmware::new(folder.path(), "2.0.0", 60_000);
    let announced = Firmware { bytes: Firmware::image(md5_of), ..firmware.clone() };
    let served = firmware.clone();
    let server = Server::http(move |_| script(&served));
    let command = announced.command(&server.url("/firmware"));
    let broker = Broker::start(move |packet| cloud(&gateway, &command, packet));
    let finished = Sample::new(Build::NoTls, "ota_mqtt_subdev_sample", folder.path())
        .endpoint(&broker.address())
        .args(&["-s", "d2", "-s", "d3", "-s", "d4", "-l", "4"])
        .under_valgrind()
        .start()
        .finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    (finished, broker, folder)
}

/// gateway.md section 8, case 33.
#[test]
fn case_33_the_sample_upgrades_four_devices_one_after_the_other() {
    let (finished, broker, folder) = run(|firmware| Answer::status(200).body(&firmware.bytes), 60_000);
    assert_eq!(finished.code(), 0);
    let image = Firmware::image(60_000);
    for device in devices() {
        finished.assert_says(&[&format!("online: {}, version 0.1", device.name)]);
        finished.assert_says(&[&format!("update command for {}: version 2.0.0, 60000 bytes", device.name)]);
        finished.assert_says(&[&format!("upgrade of {} succeeded", device.name)]);
        assert_good_run(&broker.reports(&device));
        let stored = folder.path().join(format!("FW_{PRODUCT}{}_2.0.0.bin", device.name));
        assert!(fs::read(stored).expect("the firmware") == image, "{}", device.name);
    }
    // Of the gateway, and of each device.
    assert_eq!(broker.packets().all().iter().filter(|packet| packet.kind == SUBSCRIBE).count(), 5);
}

#[test]
fn a_firmware_with_another_md5_ends_the_sample_and_is_reported() {
    // As long as the announced one.
    let (finished, broker, _) = run(|firmware| Answer::status(200).body(&firmware.bytes[..59_999]), 59_999);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["failed: last error"]);
    let failures: usize = devices().iter().map(|device| broker.failures(device).len()).sum();
    assert!(failures > 0);
}
