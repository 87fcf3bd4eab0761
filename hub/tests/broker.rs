//! The OTA service on an existing broker.

mod common;

use common::mosquitto::Mosquitto;
use common::{json, tcp, Client, Desk};
use e2e::Authority;
use rumqttc::mqttbytes::v4::Connect;

#[test]
#[ignore = "needs mosquitto"]
fn a_device_upgrades_through_mosquitto() {
    let desk = Desk::with_devices(&["one"]);
    let broker = Mosquitto::start(&desk, &Authority::new(desk.folder.path()));
    let address = &broker.address;
    let mut hub = desk.start(&["--broker", &format!("mqtt://{address}"), "--upgrade-on-report", "--exit-when-done"]);
    for key in ["mqtt_psk", "mqtt", "mqtt_cert"] {
        assert!(hub.ready[key].is_null(), "{key}");
    }
    let mut device = Client::new(tcp(address));
    assert_eq!(device.connect(Connect::new("anything")).code as u8, 0);
    device.subscribe("$ota/update/ABCDEFGHIJ/one");
    let report = "$ota/report/ABCDEFGHIJ/one";
    device.publish(report, r#"{"type": "report_version", "report":{"version":"1.0"}}"#);
    assert_eq!(json(&device.message().payload)["type"], "report_version_rsp");
    let command = json(&device.message().payload);
    assert_eq!(command["url"], hub.ready["firmware_url"]);
    assert_eq!(hub.event("message", |_| true)["client_id"], "ABCDEFGHIJone");
    let done = r#"{"type": "report_progress", "report":{"progress":{"state":"done", "result_code":"0", "result_msg":""}, "version":"2.0"}}"#;
    device.publish(report, done);
    assert_eq!(hub.exit_code(), Some(0));
}
