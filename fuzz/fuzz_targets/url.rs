//! Any text as the URL of a firmware and as the `Location` of a redirect. The oracle takes a URL apart by hand, as RFC
//! 3986 describes it.
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
    let base = Url::parse("http://u:p@h:81/a/b;c?d").expect("a URL");
    match base.join(text.as_bytes()) {
        Ok(url) => redirected(&base, &url),
        Err(why) => assert!(!why.is_empty()),
    }
});

/// The parts of a URL, by hand.
struct Parts<'a> {
    tls: bool,
    host: String,
    port: u16,
    target: &'a str,
}

fn split(text: &str) -> Parts<'_> {
    let (scheme, rest) = text.trim_ascii().split_once("://").expect("a scheme");
    let tls = scheme.eq_ignore_ascii_case("https");
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, after)| after);
    let usual = if tls { 443 } else { 80 };
    let (host, port) = match host_and_port.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, "")) => (host, usual),
        Some((host, port)) => (host, port.parse().expect("a port")),
        None => (host_and_port, usual),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.replacen("%25", "%", 1),
        None => host.to_owned(),
    };
    Parts { tls, host, port, target }
}

fn taken(text: &str, url: &Url) {
    let parts = split(text);
    assert_eq!((url.tls(), url.host(), url.port()), (parts.tls, parts.host.as_str(), parts.port), "{text:?}");
    // What goes into the request line stands there as it came, but for spaces.
    let slash = if parts.target.starts_with('/') { "" } else { "/" };
    assert_eq!(url.target(), format!("{slash}{}", parts.target.replace(' ', "%20")), "{text:?}");
    fit_to_send(url);
}

fn redirected(base: &Url, url: &Url) {
    fit_to_send(url);
    assert!(url.target().is_ascii(), "{:?}", url.target());
    let same_host = url.host().eq_ignore_ascii_case(base.host());
    let same_server = url.tls() == base.tls() && url.port() == base.port() && same_host;
    if url.authorization() == base.authorization() {
        assert!(same_server || url.authorization() == Some("Basic dTpw"), "credentials went elsewhere");
    }
}

/// Nothing in it can break a line of the request, and nothing shows that is a secret.
fn fit_to_send(url: &Url) {
    assert!(!url.host().is_empty() && url.port() > 0);
    assert!(url.target().starts_with('/'));
    assert!(url.target().bytes().all(|byte| byte > b' ' && byte != 0x7f), "{:?}", url.target());
    let shown = url.to_string();
    assert_eq!(shown, format!("{url:?}"));
    assert!(!shown.contains(['?', '#']), "{shown}");
    let authority = shown.split('/').nth(2).expect("an authority");
    assert!(!authority.contains('@'), "{shown}");
    let again = Url::parse(&shown).expect("what is shown is a URL");
    assert_eq!((again.tls(), again.port()), (url.tls(), url.port()), "{shown}");
    assert_eq!(again.host(), url.host().split('%').next().expect("a host"), "{shown}");
}
