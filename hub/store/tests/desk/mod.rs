//! A hub on the real store and the real broker, without sockets.

#![allow(dead_code)] // Each test program uses a part of this.

use std::sync::Arc;

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

use hub_core::devices::Devices;
use hub_core::events::Event;
use hub_core::folder::Folder;
use hub_core::hub::{Hub, Parts};
use hub_core::model::{
    AddFirmware, DeviceFilter, Firmware, JobFilter, OrderUpgrade, Page, ProblemKind, Scope, SeenFilter, State, Upgrade,
};
use hub_core::ports::store::{Outcome, Store};
use hub_core::ports::{Downlink, Events, Uplink};
use hub_core::site::Site;
use hub_mqtt::broker::{Attachment, Broker};
use hub_mqtt::tls::certs::Authority;
use hub_store::Database;

pub struct Desk {
    pub folder: TempDir,
    pub store: Arc<Database>,
    pub hub: Hub,
    pub broker: Arc<Broker>,
}

/// Nobody is told.
pub struct Quiet;

impl Events for Quiet {
    fn emit(&self, _event: &Event) {}
}

/// A hub that knows the devices a, b and c of product P1 and x of P2.
pub fn desk() -> Desk {
    let folder = tempfile::tempdir().expect("temporary folder");
    let desk = Desk::open(folder, Some("http://localhost:1"));
    let list = r#"{"devices":[{"productId":"P1","deviceName":"a"},{"productId":"P1","deviceName":"b"},
        {"productId":"P1","deviceName":"c"},{"productId":"P2","deviceName":"x"}]}"#;
    desk.store.import(&Devices::parse(list).expect("good list")).expect("import");
    desk
}

/// A hub on the data in a folder.
pub fn hub(folder: &TempDir, server: Option<&str>) -> (Hub, Arc<Database>, Arc<Broker>) {
    let broker = Arc::new(Broker::default());
    let (hub, store) = hub_on(folder, server, broker.clone());
    (hub, store, broker)
}

/// The same with any way to the devices.
pub fn hub_on(folder: &TempDir, server: Option<&str>, downlink: Arc<dyn Downlink>) -> (Hub, Arc<Database>) {
    let store = Arc::new(Database::open(&folder.path().join("hub.db"), false).expect("a database"));
    let firmware_folder = Folder::at(folder.path().join("firmware"));
    firmware_folder.tidy().expect("the firmware's folder");
    let hub = Hub::new(Parts {
        events: Arc::new(Quiet),
        store: store.clone(),
        site: Site {
            key: b"key".to_vec(),
            lifetime: 60,
            server: server.map(str::to_owned),
            instead: None,
            elsewhere: None,
            folder: firmware_folder,
            object_store: None,
        },
        certificates: Arc::new(Authority::open(folder.path()).expect("a CA")),
        downlink,
        verdicts: mpsc::unbounded_channel().0,
        offer: None,
        awaited: Default::default(),
        uploads: Default::default(),
    });
    (hub, store)
}

pub fn name(product_id: &str, version: &str) -> AddFirmware {
    AddFirmware { product_id: product_id.to_owned(), version: version.to_owned(), name: String::new(), md5: None }
}

pub fn order(firmware: &Firmware, scope: Scope) -> OrderUpgrade {
    OrderUpgrade {
        firmware_id: firmware.id,
        scope,
        from_versions: Vec::new(),
        devices: Vec::new(),
        list: String::new(),
        tag: None,
        roll_out: None,
    }
}

impl Desk {
    pub fn open(folder: TempDir, server: Option<&str>) -> Self {
        let (hub, store, broker) = hub(&folder, server);
        Desk { folder, store, hub, broker }
    }

    pub fn firmware(&self, version: &str) -> Firmware {
        self.take_in(name("P1", version), b"firmware").expect("an upload")
    }

    pub fn take_in(&self, what: AddFirmware, content: &[u8]) -> Outcome<Firmware> {
        let mut upload = self.hub.upload(what, Some(content.len() as u64))?;
        upload.write(content)?;
        upload.finish()
    }

    pub fn connect(&self, device: &str) -> Attachment {
        let client_id = format!("P1{device}");
        let attachment = self.broker.attach(&client_id, true);
        self.broker.subscribe(&client_id, &format!("$ota/update/P1/{device}"), QoS::AtLeastOnce);
        attachment
    }

    pub fn say(&self, device: &str, payload: String) {
        let message = Publish::new(format!("$ota/report/P1/{device}"), QoS::AtLeastOnce, payload);
        self.hub.device_message(&format!("P1{device}"), &message);
    }

    pub fn version(&self, device: &str, version: &str) {
        self.say(device, format!(r#"{{"type":"report_version","report":{{"version":"{version}"}}}}"#));
    }

    pub fn progress(&self, device: &str, state: &str, version: &str) {
        let progress = format!(r#"{{"state":"{state}","percent":"42","result_code":"-4","result_msg":"m"}}"#);
        let report = format!(r#"{{"progress":{progress},"version":"{version}"}}"#);
        self.say(device, format!(r#"{{"type":"report_progress","report":{report}}}"#));
    }

    pub fn counts(&self, upgrade: &Upgrade) -> [u64; 5] {
        let counts =
            self.hub.upgrade_jobs(upgrade.id, &JobFilter::default(), &Page::first()).expect("order").upgrade.counts;
        [counts.waiting, counts.running, counts.done, counts.failed, counts.cancelled]
    }

    pub fn state(&self, device: &str) -> Option<State> {
        let device = self
            .hub
            .device_list(&DeviceFilter::default(), &SeenFilter::default(), &Page::first())
            .expect("devices")
            .devices
            .into_iter()
            .find(|one| one.client_id == format!("P1{device}"));
        device.expect("device").job.map(|job| job.state)
    }

    pub fn in_firmware_folder(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("firmware")).expect("folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The versions of the update commands that a device got.
pub fn commands(attachment: &mut Attachment) -> Vec<String> {
    let messages = std::iter::from_fn(|| attachment.receiver.try_recv().ok());
    messages
        .filter_map(|message| {
            let value: Value = serde_json::from_slice(&message.payload).expect("JSON");
            (value["type"] == "update_firmware").then(|| value["version"].as_str().expect("version").to_owned())
        })
        .collect()
}

pub fn refused<T>(outcome: Outcome<T>, kind: ProblemKind, part: &str) {
    let problem = outcome.err().expect("must be refused");
    assert!(problem.kind == kind && problem.detail.contains(part), "{problem:?}");
}
