//! Any bytes as the certificate of a server, of which the platform reads what the TLS stacks do not tell. The oracle is
//! crate x509-parser: where it takes the bytes for a certificate, too, both have read the same, and we no name that it does
//! not see.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The reader itself: its crate brings both TLS stacks, and has no use for a reader that everybody can reach.
#[allow(dead_code)]
#[path = "../../platform/tls/src/certificate"]
mod certificate {
    pub mod date;
    pub mod der;
}

use certificate::der::{AlternativeName, Facts};

fuzz_target!(|bytes: &[u8]| {
    let Some(facts) = Facts::read(bytes) else { return };
    let names: Vec<_> = facts.alternative_names().collect();
    assert!(facts.common_names().map(str::len).sum::<usize>() <= bytes.len());
    assert!(!facts.has_short_key() || facts.key.len() < 257);
    certificate::date::date(facts.not_before.max(facts.not_after));
    if let Ok((rest, other)) = X509Certificate::from_der(bytes) {
        let bytes = &bytes[..bytes.len() - rest.len()];
        assert!(Facts::read(&bytes[..bytes.len() - 1]).is_none(), "a beginning is taken for the whole");
        compare(&facts, &names, &other);
    }
});

fn compare(facts: &Facts<'_>, names: &[AlternativeName<'_>], other: &X509Certificate<'_>) {
    assert_eq!(u32::from(facts.version), other.version().0 + 1);
    assert_eq!(facts.key, other.public_key().subject_public_key.data.as_ref());
    // The oracle leaves out what stands behind the key.
    assert!(facts.key_info.starts_with(other.public_key().raw));
    let validity = other.validity();
    for (ours, theirs) in [(facts.not_before, validity.not_before), (facts.not_after, validity.not_after)] {
        // Days before 1970 are its first one.
        let Ok(theirs) = u64::try_from(theirs.timestamp()) else {
            assert!(ours < 86_400);
            continue;
        };
        assert_eq!(ours, theirs);
    }
    // An error where there are several, and where it can't read them.
    let Ok(Some(extension)) = other.subject_alternative_name() else { return };
    let expected: Vec<_> = extension.value.general_names.iter().filter_map(name_of).collect();
    // Of extensions that are broken we read less, and refuse the server then.
    assert!(names.iter().all(|name| expected.contains(name)), "{names:?}, not {expected:?}");
}

fn name_of<'a>(name: &GeneralName<'a>) -> Option<AlternativeName<'a>> {
    match *name {
        GeneralName::DNSName(name) => Some(AlternativeName::Dns(name)),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
            four.or(sixteen).ok().map(AlternativeName::Address)
        }
        _ => None,
    }
}
