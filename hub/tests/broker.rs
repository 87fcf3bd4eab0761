//! The OTA service on an existing broker.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{json, tcp, Client, Desk};
use rumqttc::mqttbytes::v4::Connect;

struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts mosquitto on a port of the system's choice and returns its address.
fn mosquitto(desk: &Desk) -> (Mosquitto, String) {
    // mosquitto cannot choose a port itself; the one just released is as good as any.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
    desk.write("mosquitto.conf", format!("listener {port} 127.0.0.1\nallow_anonymous true\n").as_bytes());
    let mut child = Command::new("mosquitto")
        .arg("-v")
        .arg("-c")
        .arg(desk.path("mosquitto.conf"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("mosquitto");
    let mut log = BufReader::new(child.stderr.take().expect("stderr"));
    let mut line = String::new();
    while !line.contains("running") {
        line.clear();
        assert!(log.read_line(&mut line).expect("log") > 0, "mosquitto ended");
    }
    std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
    (Mosquitto(child), format!("127.0.0.1:{port}"))
}

#[test]
#[ignore = "needs mosquitto"]
fn a_device_upgrades_through_mosquitto() {
    let desk = Desk::with_devices(&["one"]);
    let (_broker, address) = mosquitto(&desk);
    let mut hub = desk.start(&["--broker", &format!("mqtt://{address}"), "--upgrade-on-report", "--exit-when-done"]);
    for key in ["mqtt_psk", "mqtt", "mqtt_cert"] {
        assert!(hub.ready[key].is_null(), "{key}");
    }
    let mut device = Client::new(tcp(&address));
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
