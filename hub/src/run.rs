//! `hub run`: puts the parts together and waits for the end.

use std::fs;
use std::io::{self, BufRead};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

use hub_coap::listener as coap;
use hub_core::devices::Devices;
use hub_core::error::{Context, Fatal, Result};
use hub_core::events::{Event, Ready};
use hub_core::firmware::Measured;
use hub_core::hub::{now_ms, Hub, Parts};
use hub_core::model::Addresses;
use hub_core::ports::files::Files;
use hub_core::ports::store::{Store, Stored};
use hub_core::ports::{Events, Verdict};
use hub_core::site::Site;
use hub_core::users;
use hub_fault::listener::{InterruptibleListener, Interruption};
use hub_fault::{Faults, Stage};
use hub_http::api::{self, Access, Console, Kept, Proxies};
use hub_http::firmware;
use hub_http::ssh::Tunnels;
use hub_mqtt::broker::limit::Limiter;
use hub_mqtt::broker::listener::{self, Proof};
use hub_mqtt::broker::{Broker, Side};
use hub_mqtt::remote;
use hub_mqtt::tls::certs::ServerFiles;
use hub_mqtt::tls::psk;
use hub_mqtt::Identity;

use crate::cli::{Listen, LogFormat, RunArgs, Scheme};
use crate::commands::{carry_out, StdinCommand};
use crate::console_tls::{ConsoleTls, Shown};
use crate::data_folder::{import, Data};
use crate::once::{Furnished, Test};
use crate::reporter::{Form, Reporter};
use crate::state_file::{write_whole, StateFile, TOKEN_VARIABLE};

/// How often the hub checks whether another hub has changed something.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// Every so many checks it also looks for jobs that nobody has told of.
const CHECKS_PER_SWEEP: u32 = 4;

/// Runs the hub. An error is a problem at start.
pub fn run(args: Box<RunArgs>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context(|| "cannot start the runtime".to_owned())?;
    let outcome = runtime.block_on(start(*args));
    // Connections may be in the middle of anything, and the thread on standard input never ends by itself.
    runtime.shutdown_background();
    outcome
}

/// The state folder: the user's, or one that is removed at the end.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn open(state: Option<&Path>) -> Result<Self> {
        match state {
            Some(path) => Ok(Folder::Kept(path.to_owned())),
            None => tempfile::Builder::new()
                .prefix("hub-")
                .tempdir()
                .map(Folder::Temporary)
                .context(|| "cannot make a temporary folder".to_owned()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Kept(path) => path,
            Folder::Temporary(folder) => folder.path(),
        }
    }

    /// Whether it outlives the hub.
    fn is_kept(&self) -> bool {
        matches!(self, Folder::Kept(_))
    }
}

/// A bound socket with its address.
struct Socket {
    listener: TcpListener,
    address: SocketAddr,
}

impl Socket {
    fn interruptible(self, interruption: &Interruption) -> Result<InterruptibleListener> {
        InterruptibleListener::new(self.listener, interruption).context(|| format!("cannot listen on {}", self.address))
    }
}

/// What an option says, for messages, and the addresses that it names; `None` where it says `off`.
fn addresses(option: &str, listen: &Listen) -> Result<Option<(String, Vec<SocketAddr>)>> {
    let Listen::At(text) = listen else {
        return Ok(None);
    };
    let what = format!("{option} {text}");
    let addresses = text.to_socket_addrs().context(|| what.clone())?.collect();
    Ok(Some((what, addresses)))
}

async fn bind(option: &str, listen: &Listen) -> Result<Option<Socket>> {
    let Some((what, addresses)) = addresses(option, listen)? else {
        return Ok(None);
    };
    let listener = TcpListener::bind(&addresses[..]).await.map_err(|error| cannot_bind(&what, &error))?;
    let address = listener.local_addr().context(|| what)?;
    Ok(Some(Socket { listener, address }))
}

fn cannot_bind(what: &str, error: &io::Error) -> Fatal {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or port 0 for any free one",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are root's",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    Fatal::new(format!("{what}: {error}{advice}"))
}

/// The same for datagrams.
async fn bind_udp(option: &str, listen: &Listen) -> Result<Option<(UdpSocket, SocketAddr)>> {
    let Some((what, addresses)) = addresses(option, listen)? else {
        return Ok(None);
    };
    let socket = UdpSocket::bind(&addresses[..]).await.map_err(|error| cannot_bind(&what, &error))?;
    let address = socket.local_addr().context(|| what)?;
    Ok(Some((socket, address)))
}

/// A server's URL. The scheme's own port is left out: there are devices that take "host:443" for a name.
fn base(scheme: &str, host: &str, socket: Option<&Socket>) -> Option<String> {
    let own = if scheme == "https" { ":443" } else { ":80" };
    socket.map(|socket| {
        let place = named(host, socket.address);
        format!("{scheme}://{}", place.strip_suffix(own).unwrap_or(&place))
    })
}

fn named(host: &str, address: SocketAddr) -> String {
    let port = address.port();
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Where others find a socket.
fn reached(host: &str, address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        // Nobody can go to that address.
        named(host, address)
    } else {
        address.to_string()
    }
}

async fn start(mut args: RunArgs) -> Result<ExitCode> {
    let furnished = Furnished {
        version: args.version.as_deref(),
        firmware: &mut args.firmware,
        devices: &mut args.devices,
        state: &mut args.state,
        upgrade_on_report: &mut args.upgrade_on_report,
    };
    let test = Test::prepare(&args.once, furnished)?;
    let faults = Arc::new(Faults::default());
    for rule in &args.faults {
        faults.add(rule).map_err(Fatal::new)?;
    }
    let devices = match &args.devices {
        Some(path) => Devices::load(path)?,
        None => Devices::default(),
    };
    let file = match (&args.firmware, &args.version) {
        (Some(path), Some(version)) => Some(Measured::load(path, version)?),
        _ => None,
    };
    if let Some(url) = &args.firmware_url {
        check_firmware_url("--firmware-url", url)?;
    }
    if let Some(url) = &args.firmware_base_url {
        check_firmware_url("--firmware-base-url", url)?;
        if url.contains(['?', '#']) {
            return Err(Fatal::new("--firmware-base-url: a file's name is put behind it, so it has no ? and no #"));
        }
    }
    if let Some(url) = &args.public_url {
        check_public_url(url)?;
    }
    let asks = args.console_users || !args.console_proxies.is_empty();
    let console_token = match console_token(args.console_token_file.as_deref())? {
        // For the commands on this machine.
        None if asks => Some(users::token()?),
        token => token,
    };
    let proxies = Proxies { addresses: args.console_proxies.clone(), header: args.console_proxy_header.clone() };
    let folder = Folder::open(args.state.as_deref())?;
    let Data { store, authority, signing_key, firmware_folder } =
        Data::open(folder.path(), folder.is_kept(), args.database.as_deref())?;
    import(&*store, &devices)?;
    let client_certs = authority.clients(&devices)?;
    let server_tls = TlsAcceptor::from(authority.server_config(&args.host, false)?);
    let ServerFiles { ca, own, key } = authority.server_files(&args.host)?;
    let identity = |der: &[u8]| Identity::of_certificate(der).map(|identity| (identity.name, identity.serial));
    let coap_certificates = coap::Certificates { ca, own, key, identity };
    let console_tls =
        args.console_tls.as_ref().map(|wanted| Shown::open(wanted, &authority, &args.host)).transpose()?;
    let mutual_tls = TlsAcceptor::from(authority.server_config(&args.host, true)?);

    let own_broker = args.broker.broker.is_none();
    let mqtt = |listen: &Listen| if own_broker { listen.clone() } else { Listen::Off };
    let psk_socket = bind("--mqtt-psk", &mqtt(&args.mqtt_psk)).await?;
    let tcp_socket = bind("--mqtt", &mqtt(&args.mqtt)).await?;
    let cert_socket = bind("--mqtt-cert", &mqtt(&args.mqtt_cert)).await?;
    let coap_socket = bind_udp("--coap", &args.coap).await?;
    let coap_psk_socket = bind_udp("--coap-psk", &args.coap_psk).await?;
    let coap_cert_socket = bind_udp("--coap-cert", &args.coap_cert).await?;
    let http_socket = bind("--http", &args.http).await?;
    let https_socket = bind("--https", &args.https).await?;
    let console_socket = bind("--console", &args.console).await?;
    if let Some(socket) = console_socket.as_ref().filter(|_| console_token.is_none()) {
        check_console(socket)?;
    }

    let http = base("http", &args.host, http_socket.as_ref());
    let https = base("https", &args.host, https_socket.as_ref());
    let site = Site {
        key: signing_key,
        lifetime: args.url_lifetime,
        server: match (&args.public_url, args.scheme) {
            (Some(url), _) => Some(url.trim_end_matches('/').to_owned()),
            (None, Scheme::Http) => http.clone(),
            (None, Scheme::Https) => https.clone(),
        },
        instead: args.firmware_url.clone(),
        elsewhere: args.firmware_base_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        folder: firmware_folder,
        object_store: args.firmware_store.as_deref().map(|url| object_store(url, args.url_lifetime)).transpose()?,
    };
    let offered = match &file {
        None => None,
        Some(file) => Some(offer(&args, &*store, &site, &devices, file)?),
    };
    let mut ready = Ready {
        mqtt_psk: psk_socket.as_ref().map(|socket| reached(&args.host, socket.address)),
        mqtt: tcp_socket.as_ref().map(|socket| reached(&args.host, socket.address)),
        mqtt_cert: cert_socket.as_ref().map(|socket| reached(&args.host, socket.address)),
        coap: coap_socket.as_ref().map(|(_, address)| reached(&args.host, *address)),
        coap_psk: coap_psk_socket.as_ref().map(|(_, address)| reached(&args.host, *address)),
        coap_cert: coap_cert_socket.as_ref().map(|(_, address)| reached(&args.host, *address)),
        http,
        https,
        console: console_socket.as_ref().map(|socket| match &args.console_tls {
            None => format!("http://{}", reached(&args.host, socket.address)),
            Some(ConsoleTls::Auto) => format!("https://{}", reached(&args.host, socket.address)),
            // The certificate may be for no address.
            Some(_) => format!("https://{}", named(&args.host, socket.address)),
        }),
        ca_file: authority.ca_file(),
        firmware_url: offered.and_then(|stored| site.url(&stored, now_ms() / 1000)),
        version: file.as_ref().map(|file| file.version.clone()),
        md5: file.as_ref().map(|file| file.md5.clone()),
        file_size: file.as_ref().map(|file| file.size),
        client_certs,
        once: None,
    };
    if let Some(test) = &test {
        test.furnish(&mut ready)?;
    }

    let (verdicts, verdict) = mpsc::unbounded_channel();
    let client_ids: Vec<String> = match args.devices {
        Some(_) => devices.iter().map(|(id, _)| id.to_owned()).collect(),
        None if args.exit_when_done => store.client_ids().map_err(|problem| Fatal::new(problem.detail))?,
        // Only who waits for their end need know them all.
        None => Vec::new(),
    };
    let (witness, witnessed) = mpsc::unbounded_channel();
    let form = match (args.json, args.log_format) {
        (true, _) => Form::Json,
        (false, LogFormat::Json) => Form::Log,
        (false, LogFormat::Text) => Form::Text,
    };
    let events: Arc<dyn Events> = Arc::new(match &test {
        Some(_) => Reporter::once(form, witness),
        None => Reporter::new(form),
    });
    let (flawed_authority, host) = (authority.clone(), args.host.clone());
    faults.set_stage(Stage {
        events: events.clone(),
        flawed_tls: Box::new(move |flaw, client_certificates| {
            let config = flawed_authority.flawed_server_config(&host, flaw, client_certificates);
            config.ok().map(TlsAcceptor::from)
        }),
        http: ready.http.clone(),
        https: ready.https.clone(),
    });
    let parts = |downlink| Parts {
        events,
        store: store.clone(),
        site,
        certificates: authority,
        downlink,
        verdicts,
        offer: file.map(|file| file.version),
        awaited: client_ids.iter().cloned().collect(),
        uploads: args.limits.uploads(),
    };
    let (hub, _presence) =
        match remote::connect(&args.broker.options(), Arc::new(store.clone()), folder.is_kept()).await? {
            Some((client, service, presence)) => {
                let hub = Arc::new(Hub::new(parts(Arc::new(client))));
                tokio::spawn(service.serve(hub.clone()));
                (hub, Some(presence))
            }
            None => {
                let broker = Arc::new(Broker::default());
                let acceptor = psk::Acceptor::new(store.clone());
                let hub = Arc::new(Hub::new(parts(broker.clone())));
                let limiter = Arc::new(Limiter::new(args.limits.limits()));
                let side = Side { hub: hub.clone(), broker, faults: faults.clone(), limiter };
                let listeners = [
                    (psk_socket, Proof::Psk(acceptor)),
                    (tcp_socket, Proof::Password),
                    (cert_socket, Proof::Certificate(mutual_tls)),
                ];
                for (socket, proof) in listeners {
                    if let Some(socket) = socket {
                        let socket = socket.interruptible(&faults.mqtt_interruption)?;
                        tokio::spawn(listener::accept(side.clone(), socket, proof));
                    }
                }
                (hub, None)
            }
        };
    let (guard, tunnels) = (args.limits.guard(), Arc::new(Tunnels::default()));
    let coap_side = coap::Side { hub: hub.clone(), faults: faults.clone(), guard: guard.clone() };
    if let Some((socket, _)) = coap_socket {
        tokio::spawn(coap::serve(coap_side.clone(), socket));
    }
    if let Some((socket, _)) = coap_psk_socket {
        tokio::spawn(coap::serve_psk(coap_side.clone(), socket));
    }
    if let Some((socket, _)) = coap_cert_socket {
        tokio::spawn(coap::serve_certificates(coap_side, socket, coap_certificates));
    }
    let firmware_side = firmware::Side::new(hub.clone(), faults.clone(), tunnels.clone(), guard);
    for (socket, tls) in [(http_socket, None), (https_socket, Some(server_tls))] {
        if let Some(socket) = socket {
            let socket = socket.interruptible(&faults.http_interruption)?;
            tokio::spawn(firmware::accept(firmware_side.clone(), socket, tls));
        }
    }
    if let Some(socket) = console_socket {
        let console = Console {
            hub: hub.clone(),
            tunnels: tunnels.clone(),
            access: Access::new(console_token.as_deref(), proxies, socket.address.port(), args.console_tls.is_some()),
            broker: args.broker.broker.clone(),
            addresses: Addresses {
                mqtt_psk: ready.mqtt_psk.clone(),
                mqtt: ready.mqtt.clone(),
                mqtt_cert: ready.mqtt_cert.clone(),
                coap: ready.coap.clone(),
                coap_psk: ready.coap_psk.clone(),
                coap_cert: ready.coap_cert.clone(),
                http: ready.http.clone(),
                https: ready.https.clone(),
            },
            ca_pem: fs::read_to_string(&ready.ca_file).context(|| ready.ca_file.display().to_string())?,
            max_upload: args.max_upload,
            kept: Kept::default(),
        };
        tokio::spawn(api::serve(console, socket.listener, console_tls.as_ref().map(Shown::watch)));
        if let Some(shown) = console_tls {
            tokio::spawn(shown.keep_up(hub.clone()));
        }
    }
    tokio::spawn(upkeep(hub.clone()));
    let mut signals = Signals::take()?;
    let _state_file = StateFile::write(folder.path(), &ready, console_token.as_deref())?;
    if let Some(path) = &args.ready_file {
        let content = serde_json::to_vec(&ready).context(|| path.display().to_string())?;
        write_whole(path, &content)?;
    }
    hub.emit(&Event::Ready(Box::new(ready.clone())));
    match test {
        Some(test) => test.run(&ready, &args.faults, client_ids, witnessed, signals.any()).await,
        None => Ok(signals.wait(&hub, &faults, commands(), verdict, args.exit_when_done).await),
    }
}

/// The console's token: from a file, else from the environment.
fn console_token(file: Option<&Path>) -> Result<Option<String>> {
    let (source, token) = match file {
        Some(path) => {
            let text = fs::read_to_string(path).context(|| format!("--console-token-file {}", path.display()))?;
            (format!("--console-token-file {}", path.display()), text)
        }
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => (TOKEN_VARIABLE.to_owned(), text),
            Err(_) => return Ok(None),
        },
    };
    let token = token.trim();
    api::check_token(token).context(|| source)?;
    Ok(Some(token.to_owned()))
}

/// Without a token the console must not be reachable from anywhere else.
fn check_console(socket: &Socket) -> Result<()> {
    if socket.address.ip().is_loopback() {
        return Ok(());
    }
    Err(Fatal::new(format!(
        "--console {}: whoever reaches this address could install firmware; give the console a token \
         (--console-token-file FILE, or {TOKEN_VARIABLE} in the environment), let it ask for users (--console-users), or listen on 127.0.0.1",
        socket.address
    )))
}

fn check_firmware_url(option: &str, url: &str) -> Result<()> {
    // Sent exactly as given; only what no device could use is turned down.
    let good = (url.starts_with("http://") || url.starts_with("https://")) && url.parse::<Uri>().is_ok();
    if good {
        Ok(())
    } else {
        Err(Fatal::new(format!("{option} must be a http:// or https:// URL")))
    }
}

/// The signature covers the path, and the hub compares it as it comes: nothing may be put before it.
fn check_public_url(url: &str) -> Result<()> {
    check_firmware_url("--public-url", url)?;
    let place = url.split_once("://").map_or(url, |(_, place)| place).trim_end_matches('/');
    if place.contains(['/', '?', '#']) {
        return Err(Fatal::new("--public-url: http:// or https://, a host and perhaps a port, but no path"));
    }
    Ok(())
}

/// The object store of `--firmware-store`.
#[cfg(feature = "s3")]
fn object_store(url: &str, lifetime: u64) -> Result<Arc<dyn Files>> {
    if lifetime > hub_s3::MAX_LIFETIME {
        return Err(Fatal::new(format!("--url-lifetime: with --firmware-store at most {}", hub_s3::MAX_LIFETIME)));
    }
    let store = hub_s3::Access::of_environment().and_then(|access| hub_s3::open(url, access));
    Ok(Arc::new(store.context(|| "--firmware-store".to_owned())?))
}

#[cfg(not(feature = "s3"))]
fn object_store(_url: &str, _lifetime: u64) -> Result<Arc<dyn Files>> {
    Err(Fatal::new("--firmware-store: this hub was built without it (cargo feature `s3`)"))
}

/// Puts the firmware of the command line on offer, and returns it as it is for the first product.
fn offer(args: &RunArgs, store: &dyn Store, site: &Site, devices: &Devices, file: &Measured) -> Result<Stored> {
    let products = match args.devices {
        Some(_) => devices.products(),
        None => store.device_products().map_err(|problem| Fatal::new(problem.detail))?,
    };
    let stored = store.offer(&products, file, args.upgrade_on_report, now_ms());
    let stored = stored.map_err(|problem| Fatal::new(problem.detail))?;
    if args.firmware_base_url.is_some() && args.firmware_url.is_none() {
        // The server knows that folder only.
        for stored in stored.iter().filter(|stored| stored.path.is_some()) {
            let copied = site.folder.copy(&file.path, &stored.file_name);
            copied.context(|| format!("cannot make {}", site.folder.file(&stored.file_name).display()))?;
        }
    }
    let Some(first) = stored.into_iter().next() else {
        return Err(Fatal::new(
            "--firmware is for the products of the devices, and there is none: name some with --devices FILE",
        ));
    };
    if site.url(&first, 0).is_none() {
        let name = match args.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        return Err(Fatal::new(format!("--scheme {name} needs the server that --{name} off switches off")));
    }
    Ok(first)
}

/// What has to be looked after while the hub runs.
async fn upkeep(hub: Arc<Hub>) {
    let mut checks = 0_u32;
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let hub = hub.clone();
        checks = checks.wrapping_add(1);
        // Both may wait for the database.
        let work = spawn_blocking(move || {
            hub.notice_other_hubs();
            if checks % CHECKS_PER_SWEEP == 0 {
                hub.sweep(now_ms());
            }
        });
        // A panic has been told of on standard error.
        let _ = work.await;
    }
}

/// Lines from standard input. Its end is not the hub's.
fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    // A thread of its own: a blocking read cannot be called off, and must not hold the runtime up at the end.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

/// What ends the hub from outside.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over; before anybody is told that the hub is ready.
    fn take() -> Result<Self> {
        let what = || "cannot handle signals".to_owned();
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt()).context(what)?,
            terminate: signal(SignalKind::terminate()).context(what)?,
        })
    }

    /// Waits for one of them.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Carries commands out until something ends the hub.
    async fn wait(
        mut self,
        hub: &Hub,
        faults: &Faults,
        mut commands: mpsc::UnboundedReceiver<String>,
        mut verdicts: mpsc::UnboundedReceiver<Verdict>,
        exit_when_done: bool,
    ) -> ExitCode {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return ExitCode::SUCCESS,
                _ = self.terminate.recv() => return ExitCode::SUCCESS,
                Some(line) = commands.recv() => match StdinCommand::parse(&line) {
                    None => {}
                    Some(Ok(StdinCommand::Quit)) => return ExitCode::SUCCESS,
                    Some(Ok(command)) => carry_out(hub, faults, command),
                    Some(Err(text)) => hub.warn(&text),
                },
                Some(verdict) = verdicts.recv() => match verdict {
                    _ if !exit_when_done => {}
                    Verdict::Done => return ExitCode::SUCCESS,
                    Verdict::Failed => return ExitCode::FAILURE,
                },
            }
        }
    }
}
