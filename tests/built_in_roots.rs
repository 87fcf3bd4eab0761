//! The built-in roots (wire.md section 5) outlive the firmware that is built today by a year.
//!
//! Here the calendar decides: when this fails, a root in `certs/` is about to end or has ended. One that has ended must
//! go, because rustls trusts a root whatever its dates; for one that is about to, see [`LEAVING`].

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use x509_parser::pem::Pem;

const DAY: i64 = 24 * 60 * 60;
/// In seconds.
const MARGIN: i64 = 365 * DAY;

/// Roots that may stay until they end: name, and why nothing has to take their place.
const LEAVING: [(&str, &str); 1] = [
    // Ends on 2028-01-28. Servers still send chains that end there.
    ("GlobalSign Root CA", "GlobalSign R3, R6, R46 and E46 are in the file, too"),
];

/// What is wrong with the certificates of a file at `now`, in seconds since 1970.
fn complaints(file: &str, pem: &[u8], now: i64) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut count = 0;
    for block in Pem::iter_from_buffer(pem) {
        let block = block.unwrap_or_else(|error| panic!("{file}: {error}"));
        let certificate = block.parse_x509().unwrap_or_else(|error| panic!("{file}: {error}"));
        let name = certificate
            .subject()
            .iter_common_name()
            .next()
            .or_else(|| certificate.subject().iter_organizational_unit().next());
        let name = name.and_then(|name| name.as_str().ok()).expect("a name");
        let (begin, end) = (certificate.validity().not_before, certificate.validity().not_after);
        let is_leaving = LEAVING.iter().any(|(leaving, _)| *leaving == name);
        if end.timestamp() < now {
            complaints.push(format!("{file}: {name} has expired ({end})"));
        } else if end.timestamp() < now + MARGIN && !is_leaving {
            complaints.push(format!("{file}: {name} expires within a year ({end})"));
        } else if begin.timestamp() > now {
            complaints.push(format!("{file}: {name} is not valid yet ({begin})"));
        }
        count += 1;
    }
    assert!(count > 0, "{file} has no certificate");
    complaints
}

fn all_complaints(now: i64) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    files
        .iter()
        .flat_map(|path| complaints(path.file_name().unwrap().to_str().unwrap(), &fs::read(path).unwrap(), now))
        .collect()
}

#[test]
fn every_built_in_root_is_good_for_another_year() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(all_complaints(now.try_into().unwrap()), Vec::<String>::new());
}

#[test]
fn a_root_that_ends_is_named() {
    // 2027-06-01: half a year before the end of a root that is known to leave.
    let mid_2027 = 1_811_808_000;
    assert_eq!(all_complaints(mid_2027), Vec::<String>::new());
    // 2028-06-01.
    let mid_2028 = mid_2027 + 366 * DAY;
    let complaints = all_complaints(mid_2028);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].starts_with("https_roots.pem: GlobalSign Root CA has expired (Jan 28"), "{complaints:?}");
    assert!(complaints[1].starts_with("https_roots.pem: GlobalSign expires within a year (Mar 18"), "{complaints:?}");
    // 2000-01-01.
    assert!(!all_complaints(946_684_800).is_empty());
}
