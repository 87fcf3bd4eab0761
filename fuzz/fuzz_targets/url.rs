//! Any text as the URL of a firmware. The oracle takes a URL apart by hand, as RFC 3986 describes it.
#![no_main]

use iot_engine::http::Url;
use libfuzzer_sys::fuzz_target;

/// Stands for what must not show: a URL's query is a secret, and the reason of a refusal reaches the log.
const SECRET: &str = "s3cretQ7";

fuzz_target!(|text: &str| {
    if let Ok(url) = Url::parse(text) {
        taken(text, &url);
    }
    if let Err(why) = Url::parse(&format!("{text}{SECRET}")) {
        assert!(!why.contains(SECRET), "{why}");
    }
});

/// The parts of a URL, by hand.
struct Parts<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
    target: &'a str,
}

fn split(text: &str) -> Parts<'_> {
    let (scheme, rest) = text.split_once("://").expect("a scheme");
    let tls = scheme.eq_ignore_ascii_case("https");
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, after)| after);
    let (host, port) = match host_and_port.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, port)) => (host, port.parse().expect("a port")),
        None => (host_and_port, if tls { 443 } else { 80 }),
    };
    Parts { tls, host: host.trim_start_matches('[').trim_end_matches(']'), port, target }
}

fn taken(text: &str, url: &Url) {
    let parts = split(text);
    assert_eq!((url.tls(), url.host(), url.port()), (parts.tls, parts.host, parts.port), "{text:?}");
    assert!(!url.host().is_empty() && url.port() > 0);
    // What goes into the request line stands there as it came, and can't break the line.
    assert_eq!(url.target(), if parts.target.is_empty() { "/" } else { parts.target }, "{text:?}");
    assert!(url.target().bytes().all(|byte| byte > b' ' && byte != 0x7f), "{text:?}");

    let shown = url.to_string();
    assert_eq!(shown, format!("{url:?}"));
    assert!(!shown.contains(['?', '#']), "{shown}");
    let authority = shown.split('/').nth(2).expect("an authority");
    assert!(!authority.contains('@'), "{shown}");
    let again = Url::parse(&shown).expect("what is shown is a URL");
    assert_eq!((again.tls(), again.host(), again.port()), (url.tls(), url.host(), url.port()), "{shown}");
}
