//! `hub run --once`: one upgrade of a device, and whether it got where it had to. For a firmware's own tests.
//!
//! `verdict` is the rules; `program` the device's program; here they are put together.

pub mod args;
mod program;
pub mod verdict;

use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Map, Value};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout_at, Instant};

use crate::state_file::write_whole;
use hub_core::devices::Devices;
use hub_core::error::{Context, Fatal, Result};
use hub_core::events::{CertPaths, Event, OnceReady, Ready};
use hub_core::random;

use args::{Auth, OnceArgs};
use program::Program;
use verdict::{Case, Judge, Verdict};

/// The device that is made where there is no list.
const PRODUCT_ID: &str = "TESTPRODUC";
const DEVICE_NAME: &str = "device";

/// What a device's program is told by (the library reads them).
const ENDPOINT: &str = "QCLOUD_IOT_MQTT_ENDPOINT";
const COAP_ENDPOINT: &str = "QCLOUD_IOT_COAP_ENDPOINT";
const CA_FILE: &str = "QCLOUD_IOT_CA_FILE";

/// Where a program of certificate mode looks for its files: below the folder it runs in.
const CERT_FOLDER: &str = "certs";
const CERT_FILE: &str = "dev_cert.crt";
const KEY_FILE: &str = "dev_private.key";

/// A device that restarts is away for a moment.
const RESTART: Duration = Duration::from_millis(300);
/// How long what a program said last may take to arrive, and a fault rule to bite once the device got there.
const LAST_WORDS: Duration = Duration::from_secs(3);

const TIMED_OUT: u8 = 3;

/// Options of any run that a test fills in where they were not given.
pub struct Furnished<'a> {
    pub version: Option<&'a str>,
    pub firmware: &'a mut Option<PathBuf>,
    pub devices: &'a mut Option<PathBuf>,
    pub state: &'a mut Option<PathBuf>,
    pub upgrade_on_report: &'a mut bool,
}

/// One test, before the hub runs.
pub struct Test {
    args: OnceArgs,
    /// Where its files are; removed with it.
    work: TempDir,
    folder: PathBuf,
    firmware: PathBuf,
    device: Option<OwnDevice>,
}

/// The only device of a test.
struct OwnDevice {
    product_id: String,
    device_name: String,
    /// Base64.
    secret: Option<String>,
}

impl OwnDevice {
    fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }
}

impl Test {
    /// Takes the test out of the command line and makes what it needs: from here on the rest is like any other run.
    /// `None` where it is none.
    pub fn prepare(args: &OnceArgs, rest: Furnished<'_>) -> Result<Option<Self>> {
        if !args.once {
            return Ok(None);
        }
        let work = tempfile::Builder::new().prefix("hub-once-").tempdir();
        let work = work.context(|| "cannot make a temporary folder".to_owned())?;
        if args.from_version.as_deref() == rest.version {
            return Err(Fatal::new("--from-version and --version are the same: there is nothing to upgrade"));
        }
        let folder = match &args.folder {
            None => work.path().join("device"),
            Some(folder) => {
                let used = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
                if used {
                    return Err(Fatal::new(format!("--folder {}: the folder must be empty", folder.display())));
                }
                folder.clone()
            }
        };
        let what = || format!("cannot make the folder {}", folder.display());
        fs::create_dir_all(&folder).context(what)?;
        let folder = folder.canonicalize().context(what)?;
        let firmware = match (rest.firmware.as_ref(), args.size) {
            (Some(firmware), _) => firmware.clone(),
            (None, size) => {
                let path = work.path().join("firmware.bin");
                write_noise(&path, size.unwrap_or_default())?;
                *rest.firmware = Some(path.clone());
                path
            }
        };
        let device = match rest.devices.as_ref() {
            Some(list) => own_device(&Devices::load(list)?),
            None => {
                let secret = BASE64_STANDARD.encode(random::bytes(24)?);
                let list = work.path().join("devices.json");
                let entry = json!({"productId": PRODUCT_ID, "deviceName": DEVICE_NAME, "deviceSecret": secret});
                write_whole(&list, json!({"devices": [entry]}).to_string().as_bytes())?;
                *rest.devices = Some(list);
                let (product_id, device_name) = (PRODUCT_ID.to_owned(), DEVICE_NAME.to_owned());
                Some(OwnDevice { product_id, device_name, secret: Some(secret) })
            }
        };
        rest.state.get_or_insert_with(|| work.path().join("hub"));
        *rest.upgrade_on_report = true;
        Ok(Some(Test { args: args.clone(), work, folder, firmware, device }))
    }

    /// Writes the device's files and puts them into what is told about the hub.
    pub fn furnish(&self, ready: &mut Ready) -> Result<()> {
        let endpoint = match self.args.auth {
            Auth::Psk => &ready.mqtt_psk,
            Auth::Password => &ready.mqtt,
            Auth::Certificate => &ready.mqtt_cert,
        };
        let coap_endpoint = match self.args.auth {
            Auth::Psk => ready.coap_psk.clone(),
            Auth::Password => ready.coap.clone(),
            Auth::Certificate => ready.coap_cert.clone(),
        };
        let name = self.args.auth.name();
        let endpoint = endpoint.clone().ok_or_else(|| {
            Fatal::new(format!(
                "--auth {name} needs the listener that is switched off; there are --mqtt-psk, --mqtt, --mqtt-cert"
            ))
        })?;
        let mut once = OnceReady {
            auth: name,
            endpoint,
            coap_endpoint,
            folder: self.folder.clone(),
            from_version: self.args.from_version.clone(),
            client_id: None,
            product_id: None,
            device_name: None,
            device_info: None,
        };
        if let Some(device) = &self.device {
            if self.args.auth != Auth::Certificate && device.secret.is_none() {
                return Err(Fatal::new(format!("--auth {name}: the device of the list has no deviceSecret")));
            }
            once.device_info = Some(self.write_device(device, ready.client_certs.get(&device.client_id()))?);
            once.client_id = Some(device.client_id());
            once.product_id = Some(device.product_id.clone());
            once.device_name = Some(device.device_name.clone());
        }
        ready.once = Some(once);
        Ok(())
    }

    fn write_device(&self, device: &OwnDevice, paths: Option<&CertPaths>) -> Result<PathBuf> {
        let mode = if self.args.auth == Auth::Certificate { "CERT" } else { "KEY" };
        let info = json!({
            "auth_mode": mode,
            "productId": device.product_id,
            "deviceName": device.device_name,
            "key_deviceinfo": {"deviceSecret": device.secret.as_deref().unwrap_or_default()},
            "cert_deviceinfo": {"devCertFile": CERT_FILE, "devPrivateKeyFile": KEY_FILE},
        });
        if let (Auth::Certificate, Some(paths)) = (self.args.auth, paths) {
            let certs = self.folder.join(CERT_FOLDER);
            fs::create_dir_all(&certs).context(|| format!("cannot make the folder {}", certs.display()))?;
            for (from, to) in [(&paths.cert, CERT_FILE), (&paths.key, KEY_FILE)] {
                // With its mode: the key is its owner's.
                fs::copy(from, certs.join(to)).context(|| format!("cannot copy {}", from.display()))?;
            }
        }
        let path = self.folder.join("device_info.json");
        write_whole(&path, format!("{info:#}\n").as_bytes())?;
        Ok(path)
    }

    /// Starts the program, if there is one, and follows the test to its verdict.
    pub async fn run(
        self,
        ready: &Ready,
        rules: &[String],
        devices: Vec<String>,
        events: UnboundedReceiver<Event>,
        stopped: impl Future<Output = ()>,
    ) -> Result<ExitCode> {
        let names = names(ready);
        let fill = |text: &String| program::fill(text, &names).map_err(Fatal::new);
        let compare = self.args.compare.as_ref().map(fill).transpose()?.map(|file| self.folder.join(file));
        let program = match self.args.program.as_slice() {
            [] => None,
            command => {
                let command = command.iter().map(fill).collect::<Result<Vec<String>>>()?;
                let once = ready.once.as_ref().ok_or_else(|| Fatal::new("the test has no device"))?;
                let mut environment =
                    vec![(ENDPOINT, once.endpoint.clone()), (CA_FILE, ready.ca_file.display().to_string())];
                environment.extend(once.coap_endpoint.iter().map(|place| (COAP_ENDPOINT, place.clone())));
                Some(Program::new(&command, &self.folder, environment)?)
            }
        };
        let case = Case {
            expect: self.args.expect,
            version: ready.version.clone().unwrap_or_default(),
            from_version: self.args.from_version.clone(),
            failures: self.args.failures,
            devices,
            rules: rules.to_vec(),
        };
        let limit = Duration::from_secs(self.args.timeout);
        let deadline = Instant::now() + limit;
        let kill_at = self.args.kill_at;
        let restart = self.args.restart || kill_at.is_some();
        let mut course = Course { judge: Judge::new(case), events, program, restart, kill_at };
        if let Some(program) = &mut course.program {
            program.start()?;
        }
        let begin = Instant::now();
        let end = tokio::select! {
            end = course.follow(deadline) => end?,
            () = stopped => End::Failed("stopped by a signal".to_owned()),
        };
        let left = match &mut course.program {
            Some(program) => program.stop().await,
            None => None,
        };
        let end = match (end, left, &compare) {
            (End::Passed, Some(status), _) if program::crashed(status) => {
                End::Failed(format!("the program crashed when it was to end: it ended {}", program::describe(status)))
            }
            (End::Passed, _, Some(path)) => same_file(&self.firmware, path).map_or_else(End::Failed, |()| End::Passed),
            (end, _, _) => end,
        };
        let expect = self.args.expect;
        let (headline, code) = match end {
            End::Passed => {
                eprintln!("hub: passed: {expect} after {:.1} s", begin.elapsed().as_secs_f64());
                return Ok(ExitCode::SUCCESS);
            }
            End::Failed(text) => (text, ExitCode::FAILURE),
            End::TimedOut => (format!("no such thing within {} s", limit.as_secs()), ExitCode::from(TIMED_OUT)),
        };
        eprintln!("hub: FAILED: expected {expect}: {headline}");
        for line in course.judge.account() {
            eprintln!("hub:   {line}");
        }
        if let Some(percent) = course.kill_at {
            eprintln!("hub:   the program was never killed: no report of {percent} % or more");
        }
        // Until here: the program may still have written to its files.
        drop(self.work);
        Ok(code)
    }
}

/// How a test ended.
enum End {
    Passed,
    Failed(String),
    TimedOut,
}

/// A test under way.
struct Course {
    judge: Judge,
    events: UnboundedReceiver<Event>,
    program: Option<Program>,
    restart: bool,
    /// At which percentage the program is killed, as long as it was not.
    kill_at: Option<u8>,
}

impl Course {
    async fn follow(&mut self, deadline: Instant) -> Result<End> {
        loop {
            // What was reported comes before the end of the program that reported it.
            tokio::select! {
                biased;
                event = self.events.recv() => {
                    let Some(event) = event else {
                        return Ok(End::Failed("the hub ended".to_owned()));
                    };
                    match self.judge.see(&event) {
                        Some(Verdict::Arrived) => return Ok(self.arrived().await),
                        Some(Verdict::Elsewhere(text)) => return Ok(End::Failed(text)),
                        None => {}
                    }
                    if self.is_time_to_kill(&event) {
                        self.kill_at = None;
                        if let Some(program) = &mut self.program {
                            program.kill().await;
                            self.again().await?;
                        }
                    }
                }
                status = ended(&mut self.program) => {
                    let status = status.context(|| "cannot wait for the program".to_owned())?;
                    if let Some(end) = self.program_ended(status).await {
                        return Ok(end);
                    }
                    self.again().await?;
                }
                () = tokio::time::sleep_until(deadline) => return Ok(End::TimedOut),
            }
        }
    }

    fn is_time_to_kill(&self, event: &Event) -> bool {
        match (event, self.kill_at) {
            (Event::Upgrade { state, percent: Some(percent), .. }, Some(at)) => {
                state == "downloading" && *percent >= at
            }
            _ => false,
        }
    }

    async fn again(&mut self) -> Result<()> {
        sleep(RESTART).await;
        self.program.as_mut().map_or(Ok(()), Program::start)
    }

    /// The device got there; whether everything that had to go wrong on the way did. What is due only then, such as a
    /// fault of its last acknowledgement, gets a moment to happen.
    async fn arrived(&mut self) -> End {
        let deadline = Instant::now() + LAST_WORDS;
        while !self.judge.idle_rules().is_empty() && self.judge.is_connected() {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => drop(self.judge.see(&event)),
                Ok(None) | Err(_) => break,
            }
        }
        if !self.judge.idle_rules().is_empty() {
            End::Failed("the device got there, but not every fault happened".to_owned())
        } else if self.kill_at.is_some() {
            End::Failed("the device got there, but was never killed".to_owned())
        } else {
            End::Passed
        }
    }

    /// The program ended by itself; the end of the test, if it is one. What it said last may still be on its way.
    async fn program_ended(&mut self, status: ExitStatus) -> Option<End> {
        let deadline = Instant::now() + LAST_WORDS;
        while self.judge.is_connected() {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => match self.judge.see(&event) {
                    Some(Verdict::Arrived) => return Some(self.arrived().await),
                    Some(Verdict::Elsewhere(text)) => return Some(End::Failed(text)),
                    None => {}
                },
                Ok(None) | Err(_) => break,
            }
        }
        let crashed = program::crashed(status);
        if self.restart && !crashed {
            return None;
        }
        let how = program::describe(status);
        Some(End::Failed(format!("the program {} early, {how}", if crashed { "crashed" } else { "ended" })))
    }
}

async fn ended(program: &mut Option<Program>) -> io::Result<ExitStatus> {
    match program {
        Some(program) => program.ended().await,
        None => std::future::pending().await,
    }
}

/// What `{name}` can stand for: what the ready object has.
fn names(ready: &Ready) -> Map<String, Value> {
    match serde_json::to_value(ready) {
        Ok(Value::Object(names)) => names,
        _ => Map::new(),
    }
}

/// The device of a list of one.
fn own_device(devices: &Devices) -> Option<OwnDevice> {
    let mut all = devices.iter();
    let (Some((_, device)), None) = (all.next(), all.next()) else {
        return None;
    };
    Some(OwnDevice {
        product_id: device.product_id.clone(),
        device_name: device.device_name.clone(),
        secret: device.key.as_ref().map(|key| BASE64_STANDARD.encode(key)),
    })
}

fn write_noise(path: &Path, size: u64) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut file = fs::File::create(path).context(what)?;
    let mut left = size;
    while left > 0 {
        let count = left.min(65_536);
        file.write_all(&random::bytes(usize::try_from(count).unwrap_or(65_536))?).context(what)?;
        left -= count;
    }
    Ok(())
}

/// Whether the device's file is the firmware; an error says what is wrong with it.
fn same_file(firmware: &Path, got: &Path) -> std::result::Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let (wanted, got_bytes) = (read(firmware)?, read(got)?);
    if wanted == got_bytes {
        return Ok(());
    }
    let at = wanted.iter().zip(&got_bytes).position(|(a, b)| a != b).unwrap_or(wanted.len().min(got_bytes.len()));
    Err(format!(
        "{} is not the firmware: {} bytes instead of {}, the first difference at byte {at}",
        got.display(),
        got_bytes.len(),
        wanted.len()
    ))
}
