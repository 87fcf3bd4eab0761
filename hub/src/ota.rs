//! The OTA service: what the cloud answers to a device, and what it knows about each (wire contract, section 3).
//! No I/O and no clock: messages in, messages and events out.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::devices::Devices;
use crate::events::Event;

/// The firmware to upgrade to, as the update command tells it.
#[derive(Clone, Debug)]
pub struct Order {
    pub version: String,
    pub md5: String,
    pub file_size: u64,
    /// Each product's download URL.
    pub urls: HashMap<String, String>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: String,
    pub payload: String,
    /// At least once instead of at most once.
    pub acknowledged: bool,
}

/// How a run with `--exit-when-done` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every device is done.
    Done,
    /// One device failed.
    Failed,
}

/// What follows from a message or a command.
#[derive(Default)]
pub struct Reaction {
    pub messages: Vec<Outgoing>,
    pub events: Vec<Event>,
    pub verdict: Option<Verdict>,
}

/// What is known of one device.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The running version it reported.
    pub version: Option<String>,
    /// The state of its upgrade as it reported it.
    pub state: Option<String>,
    pub percent: Option<u8>,
    /// An upgrade was ordered by hand and has not ended.
    ordered: bool,
    /// It reported "done" for the version ordered.
    done: bool,
}

/// The service's memory.
pub struct Ota {
    devices: Devices,
    order: Option<Order>,
    upgrade_on_report: bool,
    progress: BTreeMap<String, Progress>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    version: String,
    progress: Option<ReportProgress>,
}

#[derive(Deserialize)]
struct ReportProgress {
    state: String,
    percent: Option<Number>,
    result_code: Option<Number>,
    result_msg: Option<String>,
}

/// Devices send numbers as text, some as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<i64> {
        match self {
            Number::Integer(value) => Some(*value),
            Number::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Serialize)]
struct VersionAnswer<'a> {
    result_code: u8,
    result_msg: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct UpdateCommand<'a> {
    file_size: u64,
    md5sum: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    url: &'a str,
    version: &'a str,
}

#[derive(Deserialize)]
struct TimeRequest {
    #[serde(rename = "type")]
    kind: String,
    resource: Vec<String>,
}

#[derive(Serialize)]
struct TimeAnswer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: u64,
    ntptime1: u64,
    ntptime2: u64,
}

/// Topics the service listens to on a broker.
pub const FILTERS: [&str; 2] = ["$ota/report/+/+", "$sys/operation/+/+"];

/// The topic a device gets its commands on.
pub fn update_topic(product_id: &str, device_name: &str) -> String {
    format!("$ota/update/{product_id}/{device_name}")
}

/// The client id a service topic belongs to, where it is one.
pub fn sender(topic: &str) -> Option<String> {
    let (_, product_id, device_name) = service_topic(topic)?;
    Some(format!("{product_id}{device_name}"))
}

fn service_topic(topic: &str) -> Option<(Service, &str, &str)> {
    let (service, rest) = match topic.strip_prefix("$ota/report/") {
        Some(rest) => (Service::Ota, rest),
        None => (Service::Time, topic.strip_prefix("$sys/operation/")?),
    };
    match rest.split_once('/') {
        Some((product_id, name)) if !product_id.is_empty() && !name.is_empty() && !name.contains('/') => {
            Some((service, product_id, name))
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Ota,
    Time,
}

fn to_json(value: &impl Serialize) -> String {
    // These are structs of strings and numbers; there is nothing in them that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

impl Ota {
    /// A service for these devices. `order` is the firmware on offer; `upgrade_on_report` sends it to every device
    /// that reports another version.
    pub fn new(devices: Devices, order: Option<Order>, upgrade_on_report: bool) -> Self {
        let progress = devices.iter().map(|(id, _)| (id.to_owned(), Progress::default())).collect();
        Ota { devices, order, upgrade_on_report, progress }
    }

    /// What is known of each device, by client id.
    pub fn progress(&self) -> impl Iterator<Item = (&str, &Progress)> {
        self.progress.iter().map(|(id, progress)| (id.as_str(), progress))
    }

    /// Takes a message that a device published. `now_ms` is UTC in milliseconds. Other topics are none of its business.
    pub fn message(&mut self, topic: &str, payload: &[u8], now_ms: u64) -> Reaction {
        let Some((service, product_id, device_name)) = service_topic(topic) else {
            return Reaction::default();
        };
        let client_id = format!("{product_id}{device_name}");
        let known = self
            .devices
            .get(&client_id)
            .is_some_and(|device| device.product_id == product_id && device.device_name == device_name);
        if !known {
            return warning(&client_id, "a report of a device that is not in the list");
        }
        match service {
            Service::Time => answer_time(&client_id, product_id, device_name, payload, now_ms),
            Service::Ota => match serde_json::from_slice::<Message>(payload) {
                Ok(message) => self.report(&client_id, message),
                Err(error) => warning(&client_id, &format!("a report that cannot be read: {error}")),
            },
        }
    }

    /// Orders the upgrade of one device: the command goes out now, and again when it reports another version.
    pub fn upgrade(&mut self, client_id: &str) -> Result<Reaction, String> {
        if self.order.is_none() {
            return Err("there is no firmware: start the hub with --firmware and --version".to_owned());
        }
        let progress = self.progress.get_mut(client_id).ok_or_else(|| format!("unknown device {client_id}"))?;
        progress.ordered = true;
        progress.done = false;
        let mut reaction = Reaction::default();
        self.command(client_id, &mut reaction);
        Ok(reaction)
    }

    fn report(&mut self, client_id: &str, message: Message) -> Reaction {
        match (message.kind.as_str(), message.report.progress) {
            ("report_version", None) => self.version(client_id, &message.report.version),
            ("report_progress", Some(progress)) => self.advance(client_id, message.report.version, progress),
            (kind, _) => warning(client_id, &format!("a report of unknown type {kind:?}")),
        }
    }

    fn version(&mut self, client_id: &str, version: &str) -> Reaction {
        let mut reaction = Reaction::default();
        let current = self.order.as_ref().is_some_and(|order| order.version == version);
        let Some(progress) = self.progress.get_mut(client_id) else {
            return reaction;
        };
        progress.version = Some(version.to_owned());
        progress.ordered &= !current;
        let wanted = !current && (self.upgrade_on_report || progress.ordered);
        reaction.events.push(Event::Version { client_id: client_id.to_owned(), version: version.to_owned() });
        let answer = VersionAnswer { result_code: 0, result_msg: "success", kind: "report_version_rsp", version };
        self.send(client_id, to_json(&answer), &mut reaction);
        if wanted {
            self.command(client_id, &mut reaction);
        }
        reaction
    }

    fn advance(&mut self, client_id: &str, version: String, report: ReportProgress) -> Reaction {
        let mut reaction = Reaction::default();
        let percent = report.percent.as_ref().and_then(Number::value);
        let percent = percent.and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100);
        let ordered = self.order.as_ref().is_some_and(|order| order.version == version);
        if let Some(progress) = self.progress.get_mut(client_id) {
            progress.state = Some(report.state.clone());
            progress.percent = percent;
            let (failed, done) = (report.state == "fail", report.state == "done" && ordered);
            progress.ordered &= !failed && !done;
            progress.done = !failed && (progress.done || done);
        }
        // A command that a device cannot use is reported with whatever version the device made of it.
        if report.state == "fail" {
            reaction.verdict = Some(Verdict::Failed);
        } else if self.progress.values().all(|progress| progress.done) {
            reaction.verdict = Some(Verdict::Done);
        }
        reaction.events.push(Event::Upgrade {
            client_id: client_id.to_owned(),
            version,
            state: report.state,
            percent,
            result_code: report.result_code.as_ref().and_then(Number::value),
            result_msg: report.result_msg,
        });
        reaction
    }

    /// The update command for a device, if there is firmware.
    pub fn order_for(&self, client_id: &str) -> Option<Outgoing> {
        let (order, device) = (self.order.as_ref()?, self.devices.get(client_id)?);
        let command = UpdateCommand {
            file_size: order.file_size,
            md5sum: &order.md5,
            kind: "update_firmware",
            url: order.urls.get(&device.product_id)?,
            version: &order.version,
        };
        let topic = update_topic(&device.product_id, &device.device_name);
        Some(Outgoing { topic, payload: to_json(&command), acknowledged: true })
    }

    fn command(&self, client_id: &str, reaction: &mut Reaction) {
        if let (Some(message), Some(order)) = (self.order_for(client_id), &self.order) {
            let event = Event::Ordered { client_id: client_id.to_owned(), version: order.version.clone() };
            reaction.events.push(event);
            reaction.messages.push(message);
        }
    }

    fn send(&self, client_id: &str, payload: String, reaction: &mut Reaction) {
        if let Some(device) = self.devices.get(client_id) {
            let topic = update_topic(&device.product_id, &device.device_name);
            reaction.messages.push(Outgoing { topic, payload, acknowledged: true });
        }
    }
}

fn warning(client_id: &str, text: &str) -> Reaction {
    let event = Event::Warning { client_id: Some(client_id.to_owned()), text: text.to_owned() };
    Reaction { events: vec![event], ..Reaction::default() }
}

/// System time (behaviour contract, section 7).
fn answer_time(client_id: &str, product_id: &str, device_name: &str, payload: &[u8], now_ms: u64) -> Reaction {
    let request = match serde_json::from_slice::<TimeRequest>(payload) {
        Ok(request) => request,
        Err(error) => return warning(client_id, &format!("a system request that cannot be read: {error}")),
    };
    if request.kind != "get" || !request.resource.iter().any(|resource| resource == "time") {
        return warning(client_id, "a system request for something other than the time");
    }
    let answer = TimeAnswer { kind: "get", time: now_ms / 1000, ntptime1: now_ms, ntptime2: now_ms };
    let topic = format!("$sys/operation/result/{product_id}/{device_name}");
    let message = Outgoing { topic, payload: to_json(&answer), acknowledged: false };
    Reaction { messages: vec![message], ..Reaction::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "$ota/report/P1/dev1";

    fn service(upgrade_on_report: bool, devices: &[&str]) -> Ota {
        let list: Vec<String> =
            devices.iter().map(|name| format!(r#"{{"productId":"P1","deviceName":"{name}"}}"#)).collect();
        let devices = Devices::parse(&format!(r#"{{"devices":[{}]}}"#, list.join(","))).expect("good list");
        let order = Order {
            version: "2.0".to_owned(),
            md5: "0123456789abcdef0123456789abcdef".to_owned(),
            file_size: 7,
            urls: HashMap::from([("P1".to_owned(), "https://localhost:1/1_P1_2.0?sign=a%26b%00".to_owned())]),
        };
        Ota::new(devices, Some(order), upgrade_on_report)
    }

    fn version(version: &str) -> String {
        format!(r#"{{"type": "report_version", "report":{{"version":"{version}"}}}}"#)
    }

    fn progress(state: &str, version: &str) -> String {
        format!(
            r#"{{"type": "report_progress", "report":{{"progress":{{"state":"{state}", "result_code":"0", "result_msg":""}}, "version":"{version}"}}}}"#
        )
    }

    fn payloads(reaction: &Reaction) -> Vec<&str> {
        reaction.messages.iter().map(|message| message.payload.as_str()).collect()
    }

    const ANSWER: &str = r#"{"result_code":0,"result_msg":"success","type":"report_version_rsp","version":"1.0"}"#;
    const COMMAND: &str = r#"{"file_size":7,"md5sum":"0123456789abcdef0123456789abcdef","type":"update_firmware","url":"https://localhost:1/1_P1_2.0?sign=a%26b%00","version":"2.0"}"#;

    #[test]
    fn answers_a_version() {
        let reaction = service(false, &["dev1"]).message(REPORT, version("1.0").as_bytes(), 0);
        assert_eq!(payloads(&reaction), [ANSWER]);
        assert!(reaction.messages.iter().all(|m| m.topic == "$ota/update/P1/dev1" && m.acknowledged));
    }

    #[test]
    fn upgrades_on_report_unless_current() {
        let mut ota = service(true, &["dev1"]);
        assert_eq!(payloads(&ota.message(REPORT, version("1.0").as_bytes(), 0)), [ANSWER, COMMAND]);
        assert_eq!(ota.message(REPORT, version("2.0").as_bytes(), 0).messages.len(), 1);
    }

    #[test]
    fn an_order_lasts_until_the_upgrade_ends() {
        let mut ota = service(false, &["dev1"]);
        assert_eq!(ota.upgrade("P1dev1").map(|r| payloads(&r).join("")), Ok(COMMAND.to_owned()));
        assert!(ota.upgrade("P1dev9").is_err());
        assert_eq!(payloads(&ota.message(REPORT, version("1.0").as_bytes(), 0)), [ANSWER, COMMAND]);
        ota.message(REPORT, progress("fail", "2.0").as_bytes(), 0);
        assert_eq!(payloads(&ota.message(REPORT, version("1.0").as_bytes(), 0)), [ANSWER]);
    }

    #[test]
    fn verdicts() {
        let mut ota = service(false, &["dev1", "dev2"]);
        let mut verdict = |topic: &str, payload: String| ota.message(topic, payload.as_bytes(), 0).verdict;
        assert_eq!(verdict(REPORT, progress("done", "1.0")), None);
        assert_eq!(verdict("$ota/report/P1/dev2", progress("done", "2.0")), None);
        assert_eq!(verdict(REPORT, progress("burning", "2.0")), None);
        assert_eq!(verdict(REPORT, progress("done", "2.0")), Some(Verdict::Done));
        assert_eq!(verdict(REPORT, progress("fail", "2.0")), Some(Verdict::Failed));
    }

    #[test]
    fn reads_percent_and_codes() {
        let text = r#"{"type": "report_progress", "report": {"progress": {"state":"downloading", "percent":"31", "result_code":"-4", "result_msg":"m"}, "version": "2.0"}}"#;
        let reaction = service(false, &["dev1"]).message(REPORT, text.as_bytes(), 0);
        match &reaction.events[..] {
            [Event::Upgrade { percent, result_code, result_msg, .. }] => {
                assert_eq!((*percent, *result_code, result_msg.as_deref()), (Some(31), Some(-4), Some("m")));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tells_the_time() {
        let mut ota = service(false, &["dev1"]);
        let request = br#"{"type": "get", "resource": ["time"]}"#;
        let reaction = ota.message("$sys/operation/P1/dev1", request, 1_604_458_421_734);
        let expected = r#"{"type":"get","time":1604458421,"ntptime1":1604458421734,"ntptime2":1604458421734}"#;
        assert_eq!(payloads(&reaction), [expected]);
        assert_eq!(reaction.messages[0].topic, "$sys/operation/result/P1/dev1");
        assert!(ota.message("$sys/operation/result/P1/dev1", request, 0).messages.is_empty());
    }

    #[test]
    fn nonsense_is_warned_about() {
        let mut ota = service(true, &["dev1"]);
        for (topic, payload) in [
            (REPORT, "{"),
            (REPORT, r#"{"type":"report_version"}"#),
            (REPORT, r#"{"type":"other","report":{"version":"1"}}"#),
            ("$ota/report/P1/dev9", r#"{"type":"report_version","report":{"version":"1"}}"#),
            ("$ota/report/P/1dev1", r#"{"type":"report_version","report":{"version":"1"}}"#),
        ] {
            let reaction = ota.message(topic, payload.as_bytes(), 0);
            assert!(reaction.messages.is_empty(), "{payload}");
            assert!(matches!(reaction.events[..], [Event::Warning { .. }]), "{payload}");
        }
        assert!(ota.message("a/b", b"{", 0).events.is_empty());
    }
}
