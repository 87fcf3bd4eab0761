//! What the hub tells the world: one JSON object per line, or lines and progress bars for people.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub_core::events::{DeviceRow, Event, RrpcOutcome};
use hub_core::hub::now_ms;
use hub_core::ports::Events;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

/// Writes events to standard output. Any thread may call it; lines never mix.
pub struct Reporter {
    sink: Mutex<Sink>,
    /// Who else is told.
    witness: Option<UnboundedSender<Event>>,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// JSON lines for the program that has started the hub.
    Json,
    /// The same, each with its time: for those who gather logs.
    Log,
}

enum Sink {
    Json,
    Log,
    Text(Text),
    /// Where the hub is on standard output, everything else on standard error.
    Once(Text),
}

impl Reporter {
    /// On standard output.
    pub fn new(form: Form) -> Self {
        let sink = match form {
            Form::Text => Sink::Text(Text::new()),
            Form::Json => Sink::Json,
            Form::Log => Sink::Log,
        };
        Reporter { sink: Mutex::new(sink), witness: None }
    }

    /// For a run with `--once`, which follows the events itself.
    pub fn once(form: Form, witness: UnboundedSender<Event>) -> Self {
        let sink = match form {
            Form::Text => Sink::Once(Text::log()),
            Form::Json => Sink::Json,
            Form::Log => Sink::Log,
        };
        Reporter { sink: Mutex::new(sink), witness: Some(witness) }
    }
}

impl Events for Reporter {
    /// Writes one event out. Output that nobody reads any more is no reason to stop.
    fn emit(&self, event: &Event) {
        match (&mut *self.sink.lock().unwrap_or_else(PoisonError::into_inner), event) {
            (Sink::Json, event) => print_json(event),
            (Sink::Log, event) => print_json(&Logged { at: now_ms(), event }),
            (Sink::Once(_), Event::Ready(ready)) => print_json(ready),
            (Sink::Text(text) | Sink::Once(text), event) => text.show(event),
        }
        if let Some(witness) = &self.witness {
            // Nobody listens any more when the verdict is there.
            let _ = witness.send(event.clone());
        }
    }
}

/// A line of a log.
#[derive(Serialize)]
struct Logged<'a> {
    /// UTC in milliseconds.
    at: u64,
    #[serde(flatten)]
    event: &'a Event,
}

fn print_json(value: &impl Serialize) {
    if let Ok(mut line) = serde_json::to_vec(value) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// How often a device's progress makes a line where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// The form for people.
struct Text {
    /// Lines go to standard error.
    aside: bool,
    /// Bars that redraw themselves; only on a terminal.
    screen: Option<MultiProgress>,
    bars: HashMap<String, ProgressBar>,
    shown: HashMap<String, Instant>,
}

impl Text {
    fn new() -> Self {
        let screen = io::stdout()
            .is_terminal()
            .then(|| MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::stdout()));
        Text { aside: false, screen, bars: HashMap::new(), shown: HashMap::new() }
    }

    fn log() -> Self {
        Text { aside: true, screen: None, bars: HashMap::new(), shown: HashMap::new() }
    }

    fn line(&self, text: &str) {
        let line = format!("{} {text}", chrono::Local::now().format("%H:%M:%S"));
        match &self.screen {
            Some(screen) => drop(screen.println(line)),
            None if self.aside => drop(writeln!(io::stderr(), "hub: {line}")),
            None => {
                let mut out = io::stdout().lock();
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
        }
    }

    fn show(&mut self, event: &Event) {
        if let Event::Upgrade { client_id, version, state, percent: Some(percent), .. } = event {
            if state == "downloading" {
                return self.progress(client_id, version, *percent);
            }
        }
        if let Event::Upgrade { client_id, .. } = event {
            self.shown.remove(client_id);
            if let Some(bar) = self.bars.remove(client_id) {
                bar.finish();
            }
        }
        for text in describe(event) {
            self.line(&text);
        }
    }

    fn progress(&mut self, client_id: &str, version: &str, percent: u8) {
        if let Some(screen) = &self.screen {
            let bar = self.bars.entry(client_id.to_owned()).or_insert_with(|| {
                let bar = screen.add(ProgressBar::new(100));
                if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:40}] {percent:>3} %") {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_prefix(format!("{client_id} {version}"));
                bar
            });
            bar.set_position(u64::from(percent));
            return;
        }
        let now = Instant::now();
        let due = self.shown.get(client_id).is_none_or(|last| now.duration_since(*last) >= LINE_INTERVAL);
        if due || percent == 100 {
            self.shown.insert(client_id.to_owned(), now);
            self.line(&format!("{client_id} downloads {version}: {percent:>3} %"));
        }
    }
}

/// The lines an event makes.
fn describe(event: &Event) -> Vec<String> {
    let one = |text: String| vec![text];
    match event {
        Event::Ready(ready) => {
            let listeners = [
                ("MQTT, pre-shared key", &ready.mqtt_psk),
                ("MQTT, password", &ready.mqtt),
                ("MQTT, certificate", &ready.mqtt_cert),
                ("CoAP", &ready.coap),
                ("CoAP, pre-shared key", &ready.coap_psk),
                ("CoAP, certificate", &ready.coap_cert),
                ("HTTP", &ready.http),
                ("HTTPS", &ready.https),
            ];
            let mut lines: Vec<String> =
                listeners.iter().filter_map(|(name, at)| Some(format!("{name}: {}", at.as_ref()?))).collect();
            lines.push(format!("CA: {}", ready.ca_file.display()));
            lines.extend(ready.console.iter().map(|url| format!("console: {url}")));
            if let (Some(version), Some(size), Some(md5)) = (&ready.version, ready.file_size, &ready.md5) {
                lines.push(format!("firmware {version}: {size} bytes, MD5 {md5}"));
            }
            lines.push("ready; type help for commands".to_owned());
            lines
        }
        Event::Connected { client_id, listener, keep_alive, .. } => {
            one(format!("{client_id} connected ({listener:?}, keep-alive {keep_alive} s)").to_owned())
        }
        Event::Refused { client_id, listener, reason } => {
            one(format!("{} refused ({listener:?}): {reason}", client_id.as_deref().unwrap_or("somebody")))
        }
        Event::Admitted { client_id, listener } => one(format!("{client_id} has a token ({listener:?})")),
        Event::Disconnected { client_id, reason, .. } => one(format!("{client_id} disconnected: {reason}")),
        Event::Subscribed { client_id, filter, qos } => one(format!("{client_id} subscribed to {filter} (QoS {qos})")),
        Event::Unsubscribed { client_id, filter } => one(format!("{client_id} unsubscribed from {filter}")),
        // What a device says to the OTA service has an event of its own that says it in words.
        Event::Message { topic, .. } if topic.starts_with("$ota/report/") => Vec::new(),
        Event::Message { client_id, topic, payload, .. } => one(format!("{client_id} published {topic}: {payload:?}")),
        Event::Ssh { client_id, state } => one(format!("{client_id} SSH tunnel: {state}")),
        Event::Registered { client_id } => one(format!("{client_id} is registered")),
        Event::Version { client_id, version } => one(format!("{client_id} runs {version}")),
        Event::Ordered { client_id, version } => one(format!("{client_id} is told to upgrade to {version}")),
        Event::Upgrade { client_id, version, state, result_code, result_msg, .. } => {
            let code = match result_code {
                Some(code) if *code != 0 => format!(" ({code}: {:?})", result_msg.as_deref().unwrap_or("")),
                _ => String::new(),
            };
            one(format!("{client_id} upgrade to {version}: {state}{code}"))
        }
        Event::Shadow { client_id, action, result, version } => {
            let result = if *result == 0 { String::new() } else { format!(", refused with {result}") };
            one(format!("{client_id} shadow {action}: version {version}{result}"))
        }
        Event::Broadcast { product_id, bytes, sent } => {
            one(format!("broadcast of {bytes} bytes to product {product_id}: {sent} devices"))
        }
        Event::Rrpc { client_id, id, outcome } => one(format!("{client_id} request {id:?}: {}", rrpc(*outcome))),
        Event::Config { product_id, version, enabled, bytes } => {
            let size = bytes.map_or_else(|| "removed".to_owned(), |bytes| format!("{bytes} bytes"));
            let off = if *enabled { "" } else { ", switched off" };
            one(format!("configuration {version} of product {product_id}: {size}{off}"))
        }
        Event::ConfigSent { client_id, version: Some(version), pushed, .. } => {
            let why = if *pushed { "is told" } else { "asks for" };
            one(format!("{client_id} {why} configuration {version}"))
        }
        Event::ConfigSent { client_id, result, .. } => one(format!("{client_id} asks for its configuration: {result}")),
        Event::Resource { client_id, direction, name, state, percent, result_code, .. } => {
            let percent = percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
            let result = result_code.filter(|code| *code != 0).map(|code| format!(" ({code})")).unwrap_or_default();
            one(format!("{client_id} {direction} of {name:?}: {state}{result}{percent}"))
        }
        Event::Gateway { client_id, action, device, result } => {
            let device = device.as_deref().map(|device| format!(" {device}")).unwrap_or_default();
            let result = if *result == 0 { String::new() } else { format!(": refused with {result}") };
            one(format!("{client_id} gateway {action}{device}{result}"))
        }
        Event::Log { client_id, lines } => lines.iter().map(|line| format!("{client_id} logs {line:?}")).collect(),
        Event::LogLevel { client_id, level, .. } => one(format!("{client_id} is told to upload log level {level}")),
        Event::Http { method, target, range, status, bytes, complete, reason, .. } => {
            let path = target.split('?').next().unwrap_or(target);
            let range = range.as_deref().map(|range| format!(" ({range})")).unwrap_or_default();
            let cut = if *complete { "" } else { ", cut" };
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            one(format!("{method} {path}{range}: {status}{reason}, {bytes} bytes{cut}"))
        }
        Event::Fault { rule } => one(format!("fault {rule}")),
        Event::Devices { devices, next } => {
            let more = next.iter().map(|next| format!("there are more: devices {next}"));
            devices.iter().map(describe_device).chain(more).collect()
        }
        Event::Warning { client_id, text } => match client_id {
            Some(client_id) => one(format!("{client_id}: {text}")),
            None => one(text.clone()),
        },
        Event::Note { text } => text.lines().map(str::to_owned).collect(),
    }
}

fn rrpc(outcome: RrpcOutcome) -> &'static str {
    match outcome {
        RrpcOutcome::Asked => "asked",
        RrpcOutcome::Answered => "answered",
        RrpcOutcome::TimedOut => "not answered in time",
        RrpcOutcome::Late => "answered too late",
        RrpcOutcome::Again => "answered once more",
        RrpcOutcome::NeverAsked => "answered, though it was never asked",
    }
}

fn describe_device(row: &DeviceRow) -> String {
    let online = match row.online {
        Some(true) => "online",
        Some(false) => "offline",
        None => "at the broker",
    };
    let percent = row.percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
    let version = row.version.as_deref().unwrap_or("unknown");
    let state = row.state.as_deref().unwrap_or("none");
    format!("{}: {online}, version {version}, upgrade {state}{percent}", row.client_id)
}
