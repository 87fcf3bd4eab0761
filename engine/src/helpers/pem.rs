//! Certificates as people keep them in files (RFC 7468 and what is met besides).

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// Characters in a line of base64 (RFC 7468 section 2).
const LINE: usize = 64;

/// The certificates in `file`, as PEM and nothing else: without comments, other objects, a byte order mark, NULs, and
/// blanks around lines. A certificate in DER is taken, too.
///
/// # Errors
/// There is none.
pub fn certificates(file: &[u8]) -> Result<String, &'static str> {
    // A DER certificate is a SEQUENCE with a length of two bytes.
    if file.starts_with(&[0x30, 0x82]) {
        return Ok(from_der(file));
    }
    let text = String::from_utf8_lossy(file);
    let mut pem = String::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'));
        inside |= line == BEGIN;
        if inside && !line.is_empty() {
            pem.push_str(line);
            pem.push('\n');
        }
        inside &= line != END;
    }
    if pem.is_empty() {
        return Err("no certificate in it");
    }
    Ok(pem)
}

fn from_der(der: &[u8]) -> String {
    let mut pem = format!("{BEGIN}\n");
    for (index, character) in STANDARD.encode(der).chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + "\n" + END + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAEC\nAw==\n-----END CERTIFICATE-----\n";

    #[test]
    fn only_the_certificates_are_left_however_the_file_was_kept() {
        for file in [
            PEM.to_owned(),
            PEM.replace('\n', "\r\n"),
            format!("\u{feff}{PEM}"),
            format!("{PEM}\0\0"),
            PEM.lines().map(|line| format!("  {line} \n")).collect(),
            format!("# My CA\n{PEM}\ntrailing text"),
            format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{PEM}"),
            PEM.trim_end().to_owned(),
        ] {
            assert_eq!(certificates(file.as_bytes()).as_deref(), Ok(PEM), "{file:?}");
        }
        assert_eq!(certificates(format!("{PEM}x\n{PEM}").as_bytes()).unwrap(), PEM.repeat(2));
        assert_eq!(certificates(&[b"caf\xe9\n", PEM.as_bytes()].concat()).as_deref(), Ok(PEM));
    }

    #[test]
    fn a_certificate_in_der_becomes_pem() {
        let der: Vec<u8> = [0x30, 0x82, 0, 96].into_iter().chain([7; 96]).collect();
        let pem = certificates(&der).unwrap();
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), (BEGIN, END));
        assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == LINE));
        assert_eq!(STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap(), der);
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for file in ["", "text", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(certificates(file.as_bytes()), Err("no certificate in it"));
        }
    }
}
