//! The hub misbehaves on purpose: `--fault RULE`. What rules there are stands in [`guide`].
//!
//! `rule` is the language; `http`, `register`, `ssh`, `mqtt`, `coap` and `connection` are the effects with their names; `packet` and `command` what
//! the broker may send; `stream` ends connections in other ways than closing them,
//! `listener` is one that can go away.
//!
//! The servers ask [`Faults`] what is due and do it; this crate knows neither of them. [`Stage`] is what it is told of the hub.
//!
//! ```
//! use hub_fault::http::Spoil;
//! use hub_fault::Faults;
//!
//! let faults = Faults::default();
//! faults.add("http:corrupt=5#2").expect("a rule");
//! assert!(faults.http_request().is_empty());
//! assert_eq!(faults.http_request(), [Spoil::Corrupt(5)]);
//! ```

#![forbid(unsafe_code)]

pub mod coap;
mod command;
mod connection;
pub mod http;
pub mod listener;
mod message;
pub mod mqtt;
pub mod noise;
mod packet;
mod register;
mod rule;
pub mod ssh;
pub mod stream;
pub mod websocket;

pub use command::OddCommand;
pub use connection::{Flaw, OnConnection};
pub use message::OddMessage;
pub use packet::Stray;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_rustls::TlsAcceptor;

use hub_core::events::Event;
use hub_core::ports::Events;
use hub_core::registration::Twist;

use coap::{CoapEffect, CoapEvent, CoapRule};
use http::{HttpEffect, HttpEvent, HttpRule, Spoil};
use listener::Interruption;
use mqtt::{MqttEffect, MqttEvent, MqttRule};
use register::RegisterRule;
use rule::Written;
use ssh::{OnTunnel, SshRule};
use websocket::{OddFrame, OddUpgrade};

/// Every rule in force. Any thread may call it.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Rules>,
    /// Has the firmware servers' listeners go away.
    pub http_interruption: Interruption,
    /// Has the broker's listeners go away.
    pub mqtt_interruption: Interruption,
    stage: OnceLock<Stage>,
}

/// Makes TLS with a flawed certificate; the second argument says whether clients must have one. `None` where it can't.
pub type FlawedTls = Box<dyn Fn(Flaw, bool) -> Option<TlsAcceptor> + Send + Sync>;

/// What faults need to know of the hub.
pub struct Stage {
    /// Told of every rule that is due.
    pub events: Arc<dyn Events>,
    /// Makes the certificates.
    pub flawed_tls: FlawedTls,
    /// The HTTP server's URL, without a path.
    pub http: Option<String>,
    /// The HTTPS server's URL, without a path.
    pub https: Option<String>,
}

#[derive(Default, Clone)]
struct Rules {
    http: Vec<Arc<HttpRule>>,
    register: Vec<Arc<RegisterRule>>,
    ssh: Vec<Arc<SshRule>>,
    mqtt: Vec<Arc<MqttRule>>,
    coap: Vec<Arc<CoapRule>>,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule. An error says what was wrong with it and what there is.
    pub fn add(&self, text: &str) -> Result<(), String> {
        let understood = Written::parse(text).and_then(|rule| match rule.place {
            "http" => http::parse(text, &rule).map(|rule| self.rules().http.push(Arc::new(rule))),
            "register" => register::parse(text, &rule).map(|rule| self.rules().register.push(Arc::new(rule))),
            "ssh" => ssh::parse(text, &rule).map(|rule| self.rules().ssh.push(Arc::new(rule))),
            "mqtt" => mqtt::parse(text, &rule).map(|rule| self.rules().mqtt.push(Arc::new(rule))),
            "coap" => coap::parse(text, &rule).map(|rule| self.rules().coap.push(Arc::new(rule))),
            other => Err(format!("there is no place {other:?}; there are: http, register, ssh, mqtt, coap")),
        });
        understood.map_err(|error| format!("bad fault rule {text:?}: {error}"))
    }

    /// Ends all rules, and lets whoever is away come back. Connections that are under way go on as they are.
    pub fn clear(&self) {
        *self.rules() = Rules::default();
        self.http_interruption.end();
        self.mqtt_interruption.end();
    }

    /// Tells of the hub, once it is known.
    pub fn set_stage(&self, stage: Stage) {
        let _ = self.stage.set(stage);
    }

    /// The hub.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.get()
    }

    /// TLS with a flawed certificate.
    pub fn acceptor(&self, flaw: Flaw, client_certificates: bool) -> Option<TlsAcceptor> {
        (self.stage()?.flawed_tls)(flaw, client_certificates)
    }

    /// Whether answers can be faulty at all.
    pub fn touches_answers(&self) -> bool {
        let rules = self.rules();
        !rules.http.is_empty() || !rules.register.is_empty()
    }

    /// A connection to a firmware server was accepted.
    pub fn http_connection(&self) -> Option<OnConnection> {
        self.http(HttpEvent::Connection).into_iter().find_map(|effect| match effect {
            HttpEffect::Connection(effect) => Some(effect),
            HttpEffect::Answer(_) => None,
        })
    }

    /// A firmware server got a request.
    pub fn http_request(&self) -> Vec<Spoil> {
        let effects = self.http(HttpEvent::Request).into_iter();
        let spoils = effects.filter_map(|effect| match effect {
            HttpEffect::Answer(spoil) => Some(spoil),
            HttpEffect::Connection(_) => None,
        });
        spoils.collect()
    }

    fn http(&self, event: HttpEvent) -> Vec<HttpEffect> {
        let rules = self.rules().http.clone();
        self.due(&rules, &[event])
    }

    /// A device wants to be registered.
    pub fn registration(&self) -> Vec<Twist> {
        let rules = self.rules().register.clone();
        self.due(&rules, &[()])
    }

    /// A device comes to make a tunnel.
    pub fn tunnel(&self) -> Option<OnTunnel> {
        let rules = self.rules().ssh.clone();
        self.due(&rules, &[()]).into_iter().next()
    }

    /// A connection to the broker was accepted.
    pub fn mqtt_connection(&self) -> Option<OnConnection> {
        self.mqtt(&[MqttEvent::Connection]).into_iter().find_map(|effect| match effect {
            MqttEffect::Connection(effect) => Some(effect),
            _ => None,
        })
    }

    /// A device asks for WebSocket at the broker.
    pub fn websocket_request(&self) -> Option<OddUpgrade> {
        self.mqtt(&[MqttEvent::Upgrade]).into_iter().find_map(|effect| match effect {
            MqttEffect::Upgrade(answer) => Some(answer),
            _ => None,
        })
    }

    /// A WebSocket frame with data goes out from the broker.
    pub fn websocket_frame(&self) -> Option<OddFrame> {
        self.mqtt(&[MqttEvent::Frame]).into_iter().find_map(|effect| match effect {
            MqttEffect::Frame(frame) => Some(frame),
            _ => None,
        })
    }

    /// Something that counts as each of these happened at the broker.
    pub fn mqtt(&self, happened: &[MqttEvent]) -> Vec<MqttEffect> {
        let rules = self.rules().mqtt.clone();
        self.due(&rules, happened)
    }

    /// Something that counts as each of these happened at a CoAP server.
    pub fn coap(&self, happened: &[CoapEvent]) -> Vec<CoapEffect> {
        let rules = self.rules().coap.clone();
        self.due(&rules, happened)
    }

    fn due<E: PartialEq, F: Clone>(&self, rules: &[Arc<rule::Rule<E, F>>], happened: &[E]) -> Vec<F> {
        let mut effects = Vec::new();
        for rule in rules {
            if let Some(effect) = rule.happened(happened) {
                if let Some(stage) = self.stage() {
                    stage.events.emit(&Event::Fault { rule: rule.to_string() });
                }
                effects.push(effect.clone());
            }
        }
        effects
    }
}

/// The error for an effect that is in none of the guides.
fn unknown_effect(name: &str, guides: &[&[(&str, &str)]]) -> String {
    let names: Vec<&str> =
        guides.iter().flat_map(|guide| guide.iter()).map(|(example, _)| effect_of(example)).collect();
    format!("there is no effect {name:?}; there are: {}", names.join(", "))
}

fn effect_of(example: &str) -> &str {
    let rest = example.split_once(':').map_or(example, |(_, rest)| rest);
    rest.split(['=', '@', '#', ',']).next().unwrap_or(rest)
}

/// What `hub faults` prints.
pub fn guide() -> String {
    let mut text = String::from(
        "A rule: PLACE:EFFECT[=VALUE][,OPTION=VALUE][@EVENT][#OCCASIONS]\n\
         PLACE      http (both firmware servers), register (registration at them), ssh (tunnels), mqtt (the broker) or coap (both CoAP servers)\n\
         EVENT      mqtt: connection, packet, connect, subscribe, unsubscribe, publish, puback, pingreq, disconnect;\n\
         \x20          a report of version, downloading, burning, done, fail; a message or an order to a device;\n\
         \x20          a broadcast, a request (RRPC), a config or a log level to a device; its answer, or that it asks;\n\
         \x20          what the service shadow or gateway says to a device\n\
         \x20          coap: datagram, handshake; request, auth, message, a report as above; ack, response\n\
         OCCASIONS  #2: the second time, #1-3: the first three, #2-: from the second on; none: always\n",
    );
    let parts = [
        ("On a connection (mqtt: or http:)", connection::GUIDE),
        ("In an answer of a firmware server; bytes count in the file, from 0", http::GUIDE),
        ("In the reply to a device that registers", register::GUIDE),
        ("In a tunnel to a device's SSH server", ssh::GUIDE),
        ("In MQTT", mqtt::GUIDE),
        ("In CoAP", coap::GUIDE),
        ("Kinds of send= in MQTT besides the following", packet::NUMBERED),
    ];
    for (title, entries) in parts {
        text.push_str(&format!("\n{title}:\n"));
        for (example, meaning) in entries {
            text.push_str(&format!("  {example:34} {meaning}\n"));
        }
    }
    let names = |table: Vec<&str>| table.join(", ");
    text.push_str(&format!(
        "\nKinds of send= in MQTT: {}\n",
        names(packet::KINDS.iter().map(|(name, _)| *name).collect())
    ));
    let commands = names(command::KINDS.iter().map(|(name, _)| *name).collect());
    text.push_str(&format!("\nKinds of command=: {commands}, text:PAYLOAD\n"));
    let messages = names(message::KINDS.iter().map(|(name, _)| *name).collect());
    text.push_str(&format!("\nKinds of message=: {messages}, text:PAYLOAD, id:TEXT, result:JSON\n"));
    let answers = names(websocket::ANSWERS.iter().map(|(name, _)| *name).collect());
    let frames = names(websocket::FRAMES.iter().map(|(name, _)| *name).collect());
    text.push_str(&format!("\nKinds of websocket=: {answers}\n\nKinds of frame=: {frames}\n"));
    let strays = names(coap::KINDS.iter().map(|(name, _)| *name).collect());
    text.push_str(&format!("\nKinds of send= in CoAP: {strays}, hex:DIGITS\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(rule: &str) -> String {
        Faults::default().add(rule).expect_err(rule)
    }

    #[test]
    fn every_example_of_the_guide_is_a_rule() {
        let faults = Faults::default();
        for (example, _) in [connection::GUIDE, http::GUIDE, register::GUIDE, ssh::GUIDE, mqtt::GUIDE, coap::GUIDE]
            .into_iter()
            .flatten()
        {
            assert_eq!(faults.add(example), Ok(()), "{example}");
        }
        for (example, _) in connection::GUIDE {
            assert_eq!(faults.add(&example.replace("http:", "mqtt:")), Ok(()), "{example}");
        }
        let kinds = packet::KINDS.iter().map(|(name, _)| name).chain(packet::NUMBERED.iter().map(|(name, _)| name));
        for kind in kinds {
            assert_eq!(faults.add(&format!("mqtt:send={kind}@version#1")), Ok(()), "{kind}");
        }
        for (kind, _) in message::KINDS {
            assert_eq!(faults.add(&format!("mqtt:message={kind}@config#1")), Ok(()), "{kind}");
        }
        for (kind, _) in command::KINDS {
            assert_eq!(faults.add(&format!("mqtt:command={kind}@order#1")), Ok(()), "{kind}");
        }
    }

    #[test]
    fn the_readme_tells_of_every_effect() {
        let readme = include_str!("../../README.md");
        for (example, _) in [connection::GUIDE, http::GUIDE, register::GUIDE, ssh::GUIDE, mqtt::GUIDE, coap::GUIDE]
            .into_iter()
            .flatten()
        {
            assert!(readme.contains(&format!("`{}", effect_of(example))), "{example}");
        }
    }

    #[test]
    fn bad_rules_are_told_what_there_is() {
        assert!(error("smtp:cut=1").contains("there are: http, register, ssh, mqtt, coap"));
        assert!(error("coap:burn").contains("other-token") && error("coap:silent@lunch").contains("response"));
        assert!(error("http:burn").contains("there are:") && error("http:burn").contains("cut-head"));
        assert!(error("mqtt:burn").contains("refuse-subscription"));
        assert!(error("http:cert=old").contains("self-signed"));
        assert!(error("mqtt:cut@lunch").contains("downloading"));
        assert!(error("mqtt:send=odd@version").contains("type-15"));
        assert!(error("http:content-range=odd").contains("begin"));
        for rule in [
            "http:cut",
            "http:cut=x",
            "http:cut=1,for=2",
            "http:cut=1@connection",
            "http:page=1",
            "http:stall=1,until=2",
            "http:status=99",
            "http:redirect=elsewhere",
            "http:length=ten",
            "mqtt:away",
            "mqtt:connack=999",
            "mqtt:twice@publish",
            "mqtt:send=type-0@order",
            "mqtt:no-answer@connection",
            "mqtt:message=half@ask",
            "mqtt:message=odd@config",
            "mqtt:late=1@answer",
            "mqtt:late@config",
            "http:cert",
            "mqtt:websocket",
            "mqtt:websocket=odd",
            "mqtt:websocket=ok@connect",
            "mqtt:frame=odd",
            "mqtt:frame=text@message",
            "coap:silent,for=2",
            "coap:silent=1",
            "coap:silent@ack",
            "coap:loss",
            "coap:loss=101",
            "coap:loss=3@ack",
            "coap:no-cookie@request",
            "coap:lose@message",
            "coap:no-answer@ack",
            "coap:twice@datagram",
            "coap:late=x",
            "coap:late=-1",
            "coap:late=1e9",
            "coap:code=403",
            "coap:payload=60001",
            "coap:answer=odd",
            "coap:command=no-md5@auth",
            "coap:send=odd",
            "register:burn",
            "register:key",
            "register:key=good",
            "register:type=two",
            "register:psk=1001",
            "register:no-psk=1",
            "register:payload=odd",
            "register:short=0",
            "register:body=1000001",
            "register:code=0",
            "register:code=65536",
            "register:code=1005,why=x",
            "register:key=wrong@request",
            "ssh:burn",
            "ssh:cut",
            "ssh:cut=1,for=2",
            "ssh:status=101",
            "ssh:status=600",
            "ssh:deny=1",
            "ssh:refuse@connection",
            "cut=1",
            "",
        ] {
            let text = error(rule);
            assert!(text.starts_with(&format!("bad fault rule {rule:?}: ")) && text.len() > rule.len() + 20, "{text}");
        }
    }

    #[test]
    fn registration_is_twisted_as_the_rules_say() {
        let faults = Faults::default();
        for (rule, twist) in [
            ("register:key=wrong", Twist::Key),
            ("register:type=1", Twist::Type(1)),
            ("register:psk=65", Twist::Psk(65)),
            ("register:no-psk", Twist::NoPsk),
            ("register:payload=no-base64", Twist::NoBase64),
            ("register:short=1", Twist::Short(1)),
            ("register:body=6000", Twist::Body(6000)),
            ("register:code=1234", Twist::Code(1234, String::new())),
            ("register:code=1234,reason=why", Twist::Code(1234, "why".to_owned())),
        ] {
            faults.add(&format!("{rule}#2")).expect(rule);
            assert!(faults.touches_answers() && faults.registration().is_empty(), "{rule}");
            assert_eq!(faults.registration(), [twist], "{rule}");
            assert!(faults.registration().is_empty(), "{rule}");
            faults.clear();
            assert!(!faults.touches_answers(), "{rule}");
        }
    }

    #[test]
    fn a_tunnel_goes_wrong_as_the_rules_say() {
        use ssh::Ending;
        let faults = Faults::default();
        for (rule, effect) in [
            ("ssh:refuse", OnTunnel::Refuse),
            ("ssh:status=503", OnTunnel::Status(503)),
            ("ssh:deny", OnTunnel::Deny),
            ("ssh:cut=7", OnTunnel::Before(7, Ending::Cut)),
            ("ssh:reset=7", OnTunnel::Before(7, Ending::Reset)),
            ("ssh:stall=0", OnTunnel::Before(0, Ending::Stall)),
            ("ssh:garbage=7", OnTunnel::Before(7, Ending::Garbage)),
        ] {
            faults.add(&format!("{rule}#2")).expect(rule);
            assert_eq!((faults.tunnel(), faults.tunnel(), faults.tunnel()), (None, Some(effect), None), "{rule}");
            // Answers are as good as ever.
            assert!(!faults.touches_answers(), "{rule}");
            faults.clear();
            assert_eq!(faults.tunnel(), None);
        }
    }

    #[test]
    fn effects_come_when_they_are_due() {
        let faults = Faults::default();
        for rule in ["http:status=503#2", "http:corrupt=5", "http:refuse#1"] {
            faults.add(rule).expect(rule);
        }
        assert_eq!(faults.http_request(), [Spoil::Corrupt(5)]);
        let status = Spoil::Status { code: 503, retry_after: None };
        assert_eq!(faults.http_request(), [status, Spoil::Corrupt(5)]);
        assert_eq!(faults.http_connection(), Some(OnConnection::Refuse));
        assert_eq!(faults.http_connection(), None);
        faults.clear();
        assert!(faults.http_request().is_empty() && !faults.touches_answers());
    }
}
