//! Whether a certificate is for a host.

use std::net::IpAddr;

use super::der::{AlternativeName, Facts};
use super::refusal::Refusal;

/// By the alternative names only, as chains of CAs have it (RFC 6125).
///
/// # Errors
/// It is for others.
pub fn check_alternative(facts: &Facts<'_>, host: &str) -> Result<(), Refusal> {
    let address = host.parse::<IpAddr>().ok();
    let is_it = |name| match (name, address) {
        (AlternativeName::Address(name), Some(address)) => name == address,
        (AlternativeName::Dns(name), None) => is_for(name, host),
        _ => false,
    };
    if facts.alternative_names().any(is_it) {
        return Ok(());
    }
    Err(if facts.alternative_names().next().is_none() {
        Refusal::NoAlternativeName
    } else if has_address_as_name(facts, host) {
        Refusal::AddressAsName
    } else {
        Refusal::OtherHosts(facts.alternative_names().map(text).collect())
    })
}

/// By any name: the certificate is trusted itself.
///
/// # Errors
/// It is for others.
pub fn check_any(facts: &Facts<'_>, host: &str) -> Result<(), Refusal> {
    match check_alternative(facts, host) {
        // Versions 1 and 2 have no alternative names.
        Err(Refusal::NoAlternativeName) => {}
        Err(Refusal::AddressAsName) => return Ok(()),
        result => return result,
    }
    if facts.common_names().any(|name| is_for(name, host)) {
        return Ok(());
    }
    let names: Vec<_> = facts.common_names().map(str::to_owned).collect();
    Err(if names.is_empty() { Refusal::NamesNoHost } else { Refusal::OtherHosts(names) })
}

/// Whether `host` is an address, and the certificate has it as a DNS name. mbedTLS's older versions know no other way.
fn has_address_as_name(facts: &Facts<'_>, host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() && facts.alternative_names().any(|name| name == AlternativeName::Dns(host))
}

fn text(name: AlternativeName<'_>) -> String {
    match name {
        AlternativeName::Dns(name) => name.to_owned(),
        AlternativeName::Address(address) => address.to_string(),
    }
}

/// Whether `name` is that of `host`. A "*" stands for the first label (RFC 6125, 6.4.3).
fn is_for(name: &str, host: &str) -> bool {
    if let Ok(host) = host.parse::<IpAddr>() {
        return name.parse::<IpAddr>().is_ok_and(|name| name == host);
    }
    let is_under = |parent: &str| {
        parent.contains('.')
            && host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest.eq_ignore_ascii_case(parent))
    };
    name.eq_ignore_ascii_case(host) || name.strip_prefix("*.").is_some_and(is_under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_addresses_or_one_star() {
        let table = [
            ("fw.example", "fw.example", true),
            ("FW.Example", "fw.example", true),
            ("*.example.com", "fw.example.com", true),
            ("*.example.com", "a.fw.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("*", "example", false),
            ("f*.example.com", "fw.example.com", false),
            ("fw.example.org", "fw.example", false),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.07", "10.0.0.7", false),
            ("::1", "0:0::1", true),
            ("*.0.0.7", "10.0.0.7", false),
            ("", "fw.example", false),
        ];
        for (name, host, expected) in table {
            assert_eq!(is_for(name, host), expected, "{name} {host}");
        }
    }
}
