//! Every sample of `c_examples`, from its start to its end against a hub, with a person at the hub's command line where one is
//! needed. ctest runs them, a test each (`ctest -L samples` in a build folder with the hub, ../CMakeLists.txt); `SAMPLES_MODE`
//! says whose programs they are. Once more with a broker that is not the hub's, RabbitMQ, in one test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use e2e::{each_row, Build, Device, Finished, Firmware, Hub, HubSetup, Process, RabbitMq, Sample};
use serde_json::{json, Value};
use tempfile::TempDir;

const VERSION: &str = "2.0.0";
const PRODUCT_SECRET: &str = "0123456789abcdef01234567";

/// A sample, the names of the devices that it needs, and what it goes through.
type Row = (&'static str, &'static [&'static str], fn(&Scene));

/// The tests, named after their samples, so that ctest can ask for one.
macro_rules! samples {
    ($($program:ident, $devices:expr, $scene:expr;)*) => {
        const ROWS: &[Row] = &[$((stringify!($program), &$devices, $scene)),*];

        $(
            #[test]
            #[ignore = "ctest runs it"]
            fn $program() {
                run(&(stringify!($program), &$devices, $scene), chosen_build(), None);
            }
        )*
    };
}

samples! {
    mqtt_sample, ["dev"], talks_to_itself;
    door_mqtt_sample, ["dev"], tells_who_comes;
    multi_client_mqtt_sample, ["one", "two", "three"], has_several_clients;
    multi_thread_mqtt_sample, ["dev"], has_several_threads;
    broadcast_sample, ["dev"], hears_broadcasts;
    dynreg_dev_sample, ["dev"], registers;
    gateway_sample, ["dev", "behind"], binds_serves_and_unbinds;
    remote_config_mqtt_sample, ["dev"], takes_its_configuration;
    rrpc_sample, ["dev"], answers_requests;
    shadow_sample, ["dev"], takes_over_what_is_desired;
    aircond_shadow_sample, ["dev"], hears_of_a_wish;
    aircond_shadow_sample_v2, ["dev"], starts_with_a_wish;
    multi_client_shadow_sample, ["one", "two", "three"], has_several_shadows;
    ota_mqtt_sample, ["dev"], upgrades;
    ota_mqtt_sample_cpp, ["dev"], upgrades;
    ota_mqtt_subdev_sample, ["dev", "behind"], upgrades_the_device_behind_it;
    resource_mqtt_sample, ["dev"], hands_a_file_over_and_takes_one;
    ssh_sample, ["dev"], lets_the_cloud_in;
}

/// One node, over WebSocket: the programs that CI has of the 3.3 interface, which has all services, speak that.
#[test]
fn every_sample_with_a_hub_on_rabbitmq() {
    let folder = TempDir::new().expect("a temporary folder");
    let broker = RabbitMq::single(folder.path());
    each_row(ROWS, |row| run(row, Build::WebSocket, Some(&broker)));
}

/// What is there before the sample begins.
struct Mode<'a> {
    build: Build,
    /// Where it is not the hub's.
    broker: Option<&'a RabbitMq>,
    folder: TempDir,
    firmware: Firmware,
    setup: HubSetup,
    hub: Hub,
}

/// One sample.
struct Scene<'a> {
    mode: &'a Mode<'a>,
    program: &'static str,
    home: PathBuf,
    devices: Vec<Device>,
}

/// The devices of a row, which has a product of its own: on one broker, rows are beside each other.
fn devices(build: Build, (program, names, _): &Row) -> Vec<Device> {
    let number = ROWS.iter().position(|(name, ..)| name == program).expect("a row");
    let device = |name: &&str| {
        let model = Device { product_id: format!("PRODUCT{number:03}"), name: (*name).to_owned(), ..Device::default() };
        // One that has to prove itself by its certificate has no secret.
        let by_certificate = build.is_cert() && (*name == "behind" || *program == "dynreg_dev_sample");
        Device { secret: if by_certificate { String::new() } else { model.secret.clone() }, ..model }
    };
    names.iter().map(device).collect()
}

fn chosen_build() -> Build {
    match std::env::var("SAMPLES_MODE").as_deref() {
        Ok("key") => Build::Key,
        Ok("notls") => Build::NoTls,
        Ok("cert") => Build::Cert,
        Ok("websocket") => Build::WebSocket,
        Ok("websocket-cert") => Build::WebSocketCert,
        other => panic!("SAMPLES_MODE must be key, notls, cert, websocket or websocket-cert: {other:?}"),
    }
}

fn mode<'a>(row: &Row, build: Build, broker: Option<&'a RabbitMq>) -> Mode<'a> {
    let folder = TempDir::new().expect("a temporary folder");
    let firmware = Firmware::new(folder.path(), VERSION, 100_000);
    let mut all = devices(build, row).into_iter();
    let first = all.next().expect("a device");
    let setup = HubSetup::new(folder.path(), &first).devices(all).firmware(&firmware).args(&[
        "--upgrade-on-report",
        "--scheme",
        build.scheme(),
    ]);
    let setup = if build == Build::WebSocketCert { setup.with_rsa_keys() } else { setup };
    let setup = match broker {
        Some(broker) => setup.args(&["--broker", &broker.url()]),
        None => setup,
    };
    let hub = setup.start();
    Mode { build, broker, folder, firmware, setup, hub }
}

fn run(row: &Row, build: Build, broker: Option<&RabbitMq>) {
    let mode = &mode(row, build, broker);
    let home = mode.folder.path().join("device");
    fs::create_dir(&home).expect("the sample's folder");
    let scene = Scene { mode, program: row.0, home, devices: devices(mode.build, row) };
    for (at, device) in scene.devices.iter().enumerate() {
        let mut info: Value = serde_json::from_str(&device.info(mode.build)).expect("JSON");
        info["cert_deviceinfo"]["devCertFile"] = json!(format!("{}.crt", device.name));
        info["cert_deviceinfo"]["devPrivateKeyFile"] = json!(format!("{}.key", device.name));
        if let Some(behind) = scene.devices.get(1).filter(|_| at == 0) {
            info["subDev"] = json!({ "sub_productId": behind.product_id, "sub_devName": behind.name });
        }
        let text = format!("{info:#}\n");
        fs::write(scene.home.join(format!("{}.json", device.name)), &text).expect("a device's file");
        if at == 0 {
            fs::write(scene.home.join("device_info.json"), text).expect("the device's file");
        }
        if mode.build.is_cert() {
            let (cert, key) = mode.hub.client_cert(device);
            fs::create_dir_all(scene.home.join("certs")).expect("certs");
            fs::copy(&key, scene.home.join(format!("certs/{}.key", device.name))).expect("a key");
            fs::copy(&cert, scene.home.join(format!("certs/{}.crt", device.name))).expect("a certificate");
            // Where a gateway looks for that of the device it binds.
            fs::copy(&cert, scene.home.join(format!("{}.crt", device.name))).expect("a certificate");
        }
    }
    (row.2)(&scene);
}

impl Scene<'_> {
    fn device(&self) -> &Device {
        &self.devices[0]
    }

    fn client_id(&self) -> String {
        self.device().client_id()
    }

    fn sample(&self) -> Sample {
        let Mode { hub, build, broker, .. } = self.mode;
        let endpoint = broker.map_or_else(|| hub.ready(build.listener()), RabbitMq::websocket_address);
        Sample::new(*build, self.program, &self.home)
            .endpoint(&endpoint)
            .environment("QCLOUD_IOT_LOG_ENDPOINT", &format!("{}/device/reportlog", hub.ready("http")))
            .trusts(hub.ready("ca_file"))
    }

    /// A sample that goes on until the test ends.
    fn start(&self, args: &[&str]) -> Process {
        self.sample().args(args).start()
    }

    /// Runs the sample, which must succeed and say these.
    #[track_caller]
    fn run(&self, args: &[&str], says: &[&str]) -> Finished {
        let finished = self.start(args).finish();
        assert_eq!(finished.code(), 0, "{}", self.program);
        says.iter().for_each(|text| finished.assert_says(&[text]));
        finished
    }

    /// The hub's command line, which must succeed.
    #[track_caller]
    fn ask(&self, args: &[&str]) -> Finished {
        let finished = self.mode.setup.ask(args);
        assert_eq!(finished.code(), 0, "{args:?}");
        finished
    }

    /// The same; what it answers in JSON.
    #[track_caller]
    fn show(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ask(&[args, &["--json"]].concat()).lines.concat()).expect("JSON")
    }

    fn shadow(&self, device: &Device) -> Value {
        self.show(&["shadow", "show", &device.client_id()])
    }

    /// Waits for an event of one of the row's devices.
    fn wait(&self, kind: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let is_own =
            |event: &Value| self.devices.iter().any(|device| event["client_id"] == device.client_id().as_str());
        self.mode.hub.wait(kind, |event| is_own(event) && matches(event))
    }
}

/// shadow.md section 9. What plays the SSH server here only listens; OpenSSH does in tests/ssh.rs.
fn lets_the_cloud_in(scene: &Scene) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let cloud = scene.mode.hub.ready(scene.mode.build.scheme());
    let (_, cloud) = cloud.rsplit_once("//").expect("a URL");
    let sample = scene.sample().environment("QCLOUD_IOT_SSH_ENDPOINT", cloud);
    let address = server.local_addr().expect("its address").to_string();
    let mut sample = sample.environment("QCLOUD_IOT_SSH_SERVER", &address).start();
    sample.wait_for(&["the cloud may open an SSH tunnel"]);
    let tunnel = scene.show(&["ssh", &scene.client_id()]);
    let port = tunnel["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    let mut near = TcpStream::connect(("127.0.0.1", port)).expect("the tunnel's port");
    near.write_all(b"hello").expect("written");
    let mut said = [0; 5];
    server.accept().expect("the device").0.read_exact(&mut said).expect("what the person says");
    assert_eq!(&said, b"hello");
    sample.terminate();
    assert_eq!(sample.finish().code(), 0);
}

fn talks_to_itself(scene: &Scene) {
    let uploads = scene.mode.build.uploads_log();
    if uploads {
        scene.ask(&["log", &scene.client_id(), "--level", "4"]);
    }
    scene.run(&["-n", "1"], &["1 published, 1 acknowledged, 1 received"]);
    if uploads {
        // It has asked for the level, which is no line's without that, and for the time.
        let device = scene.device();
        let time = format!("$sys/operation/{}/{}", device.product_id, device.name);
        scene.wait("message", |event| event["topic"] == time.as_str());
        scene.wait("log", |event| event["lines"].to_string().contains("DBG|"));
    }
}

fn tells_who_comes(scene: &Scene) {
    scene.run(&[], &["told air_conditioner: come_home"]);
    if scene.mode.broker.is_some() {
        // What devices say among themselves is that broker's affair.
        return;
    }
    let topic = format!("{}/dev/event", scene.device().product_id);
    let said = scene.wait("message", |event| event["topic"] == topic.as_str());
    assert_eq!(said["payload"], r#"{"action": "come_home", "targetDevice": "air_conditioner"}"#);
}

fn has_several_clients(scene: &Scene) {
    scene.run(
        &["one.json", "two.json", "three.json"],
        &["one: 3 of 3 messages came back", "two: 3 of 3 messages came back", "three: 3 of 3 messages came back"],
    );
}

fn has_several_threads(scene: &Scene) {
    scene.run(&["-t", "2"], &["2 threads: 10 published, 10 acknowledged, 10 received"]);
}

fn hears_broadcasts(scene: &Scene) {
    let sample = scene.start(&["-l", "1200"]);
    sample.wait_for(&["subscribed to broadcasts"]);
    for (text, qos) in [("closed", "0"), ("open", "1")] {
        let told = scene.ask(&["broadcast", "--product", &scene.device().product_id, text, "--qos", qos]);
        told.assert_says(&["sent to 1 of 1 devices"]);
        sample.wait_for(&[&format!("broadcast of {} bytes: {text}", text.len())]);
    }
}

/// dynreg.md. It upgrades with what it got in tests/registration.rs.
fn registers(scene: &Scene) {
    let path = scene.home.join("device_info.json");
    let mut info: Value = serde_json::from_str(&fs::read_to_string(&path).expect("the file")).expect("JSON");
    info["productSecret"] = json!(PRODUCT_SECRET);
    info["key_deviceinfo"]["deviceSecret"] = json!("YOUR_IOT_PSK");
    info["cert_deviceinfo"]["devCertFile"] = json!("YOUR_DEVICE_NAME_cert.crt");
    info["cert_deviceinfo"]["devPrivateKeyFile"] = json!("YOUR_DEVICE_NAME_private.key");
    fs::write(&path, info.to_string()).expect("the device's file");
    let secret = scene.home.join("product_secret");
    fs::write(&secret, PRODUCT_SECRET).expect("the secret's file");
    scene.ask(&["registration", "on", &scene.device().product_id, "--secret-file", &secret.to_string_lossy()]);
    let server = scene.mode.hub.ready(scene.mode.build.scheme());
    let (_, address) = server.rsplit_once("//").expect("a URL");
    let sample = scene.sample().environment("QCLOUD_IOT_REGISTRATION_ENDPOINT", address);
    for says in ["the device is registered", "has been registered before"] {
        let finished = sample.start().finish();
        assert_eq!(finished.code(), 0);
        finished.assert_says(&[says]);
    }
}

fn binds_serves_and_unbinds(scene: &Scene) {
    let sub = &scene.devices[1];
    let data = format!("received on {}/{}/data", sub.product_id, sub.name);
    scene.run(&["-b", "behind.json", "-l", "2"], &["bind: 0", "1 bound devices", &data]);
    let own = |event: &Value| event["client_id"] == scene.client_id().as_str();
    scene.wait("gateway", |event| event["action"] == "unbind");
    let events: Vec<Value> = scene.mode.hub.events_of("gateway").into_iter().filter(own).collect();
    let told = |event: &Value| (event["action"].clone(), event["device"].clone(), event["result"].clone());
    let expected =
        ["bind", "online", "offline", "unbind"].map(|action| (json!(action), json!(sub.client_id()), json!(0)));
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    if scene.mode.build.has_regions() {
        hears_what_the_cloud_wants(scene);
    }
}

/// gateway.md section 4: under the 3.3 interface a gateway answers what the cloud begins with.
fn hears_what_the_cloud_wants(scene: &Scene) {
    let (gateway, behind) = (scene.client_id(), scene.devices[1].client_id());
    let answered = |action: &str| scene.wait("gateway", |event| event["action"] == action);
    scene.ask(&["gateways", "bind", &gateway, &behind]);
    let mut sample = scene.start(&["-l", "12000"]);
    sample.wait_for(&["received on"]);
    scene.ask(&["gateways", "search", &gateway]);
    sample.wait_for(&["a search for devices to begin"]);
    answered("search_devices");
    scene.ask(&["gateways", "search", &gateway, "--stop"]);
    sample.wait_for(&["a search for devices to end"]);
    scene.ask(&["gateways", "unbind", &gateway, &behind]);
    answered("change");
    scene.ask(&["gateways", "unbind", &gateway, "--all"]);
    sample.wait_for(&["the cloud has unbound every device"]);
    assert_eq!(sample.finish().code(), 0);
    // The order is told of, then the answer.
    let mut told = 0;
    scene.mode.hub.wait("gateway", |event| {
        told += u32::from(event["action"] == "unbind_all");
        told == 2
    });
}

/// What can go wrong is in tests/resources.rs.
fn hands_a_file_over_and_takes_one(scene: &Scene) {
    let (file, id) = (scene.home.join("file"), scene.client_id());
    fs::write(scene.home.join("uploadtest"), [7; 12_345]).expect("the file to upload");
    fs::write(&file, [31; 23_456]).expect("the file to download");
    scene.ask(&["resources", "send", &id, &file.to_string_lossy(), "--name", "test file"]);
    scene.run(&[], &["uploaded uploadtest", "downloaded test file"]);
    let got = fs::read(scene.home.join(format!("download_{id}_test file"))).expect("the downloaded file");
    assert!(got == [31; 23_456], "the downloaded file is another one");
}

const CONFIGURATION: &str = r#"{"baud rate":9600,"data bits":8,"stop bit":1,"parity":"NONE","thread sleep":1000}"#;

fn takes_its_configuration(scene: &Scene) {
    let file = scene.home.join("config.json");
    fs::write(&file, CONFIGURATION).expect("the configuration");
    let product = scene.device().product_id.as_str();
    scene.run(&[], &["no configuration: 1002"]);
    scene.ask(&["config", "set", product, "--file", &file.to_string_lossy()]);
    scene.ask(&["config", "off", product]);
    scene.run(&[], &["no configuration: 1001"]);
    scene.ask(&["config", "on", product]);
    scene.run(&[], &[&format!("configuration of {} bytes: {CONFIGURATION}", CONFIGURATION.len())]);

    // One that stays hears of another one.
    let sample = scene.start(&["-l", "1200"]);
    sample.wait_for(&["parity: NONE"]);
    scene.ask(&["config", "set", product, r#"{"parity":"EVEN"}"#]).assert_says(&["sent to 1 of 1 devices"]);
    sample.wait_for(&["parity: EVEN"]);
    scene.ask(&["config", "show", product]).assert_says(&[&scene.client_id(), "told"]);
}

fn answers_requests(scene: &Scene) {
    let sample = scene.start(&["-l", "1200"]);
    sample.wait_for(&["ready for requests"]);
    for request in ["closed", "open"] {
        scene.ask(&["rrpc", &scene.client_id(), request, "--timeout", "30000"]).assert_says(&["ok"]);
        sample.wait_for(&[&format!("request of {} bytes: {request}", request.len())]);
    }
    for outcome in ["asked", "answered"] {
        scene.wait("rrpc", |event| event["outcome"] == outcome);
    }
}

fn takes_over_what_is_desired(scene: &Scene) {
    scene.ask(&["shadow", "desire", &scene.client_id(), r#"{"updateCount":10}"#]);
    scene.run(
        &["-l", "2"],
        &[r#"wanted: {"updateCount":10}"#, "clearing what was desired: accepted", "reported: updateCount is 11"],
    );
    let shadow = scene.shadow(scene.device());
    assert_eq!((&shadow["reported"], &shadow["desired"]), (&json!({ "updateCount": 11 }), &json!({})));
    // The wish, its end, and two reports.
    assert_eq!(shadow["version"], 4);
}

/// The wish comes while it runs.
fn hears_of_a_wish(scene: &Scene) {
    let _sample = scene.start(&["-l", "1000"]);
    scene.wait("shadow", |event| event["action"] == "update");
    scene.ask(&["shadow", "desire", &scene.client_id(), r#"{"temperatureDesire":22.5}"#]);
    // It reports what it has taken over, and what was desired is no more.
    let desired_at = scene.wait("shadow", |event| event["action"] == "desire")["version"].as_u64();
    scene.wait("message", |event| {
        event["payload"].as_str().is_some_and(|text| text.contains(r#""temperatureDesire":22.500000"#))
    });
    scene.wait("shadow", |event| event["action"] == "update" && event["version"].as_u64() > desired_at);
    let shadow = scene.shadow(scene.device());
    assert_eq!((&shadow["reported"]["temperatureDesire"], &shadow["delta"]), (&json!(22.5), &json!({})));
}

/// The wish was there before.
fn starts_with_a_wish(scene: &Scene) {
    scene.ask(&["shadow", "desire", &scene.client_id(), r#"{"temperatureDesire":22.5}"#]);
    scene.run(&["-l", "3"], &[r#"desired: {"temperatureDesire":22.5}"#, "reported: wanted 22.5"]);
    let shadow = scene.shadow(scene.device());
    assert_eq!((&shadow["reported"]["temperatureDesire"], &shadow["delta"]), (&json!(22.5), &json!({})));
}

fn has_several_shadows(scene: &Scene) {
    scene.run(&["one.json", "two.json", "three.json"], &[]);
    for device in &scene.devices {
        let shadow = scene.shadow(device);
        assert_eq!((&shadow["reported"], &shadow["version"]), (&json!({ "updateCount": 3 }), &json!(3)));
    }
}

fn upgrades(scene: &Scene) {
    scene.run(&[], &["upgrade to version 2.0.0 succeeded"]);
    assert_upgraded(scene, scene.device());
}

fn upgrades_the_device_behind_it(scene: &Scene) {
    let sub = &scene.devices[1];
    scene.ask(&["gateways", "bind", &scene.client_id(), &sub.client_id()]);
    scene.run(&["-l", "1"], &["online: behind, version 0.1", "upgrade of behind succeeded"]);
    assert_upgraded(scene, sub);
}

fn assert_upgraded(scene: &Scene, device: &Device) {
    let stored = fs::read(Sample::bin_file(&scene.home, device, VERSION)).expect("the firmware on the device");
    assert!(stored == scene.mode.firmware.bytes, "the firmware on the device is not the one that was offered");
    scene.wait("upgrade", |event| event["state"] == "done" && event["client_id"] == device.client_id().as_str());
}
