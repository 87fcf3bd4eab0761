//! Certificates as people keep them in files (RFC 7468 and what is met besides).

use super::base64;

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

/// A certificate in DER as PEM.
fn from_der(der: &[u8]) -> String {
    let mut pem = String::new();
    append(&mut pem, der);
    pem
}

/// Certificates in DER, one after the other, as [`append_all`] takes them apart.
fn each(mut all: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [0x30, 0x82, high, low, ..] = *all else { return None };
        let (first, rest) = all.split_at_checked(4 + usize::from(u16::from_be_bytes([high, low])))?;
        all = rest;
        Some(first)
    })
}

/// How many bytes [`append_all`] appends.
#[must_use]
pub fn size_of_all(der: &[u8]) -> usize {
    let size = |len: usize| BEGIN.len() + END.len() + 2 + base64::size(len) + len.div_ceil(LINE / 4 * 3);
    each(der).map(|one| size(one.len())).sum()
}

/// Appends certificates that stand in `der` one after the other, as PEM. Needs no memory besides the room for them.
pub fn append_all(pem: &mut String, der: &[u8]) {
    each(der).for_each(|one| append(pem, one));
}

fn append(pem: &mut String, der: &[u8]) {
    pem.push_str(BEGIN);
    pem.push('\n');
    for bytes in der.chunks(LINE / 4 * 3) {
        base64::append(pem, bytes);
        pem.push('\n');
    }
    pem.push_str(END);
    pem.push('\n');
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
        assert_eq!(base64::bytes(lines[1..lines.len() - 1].concat().as_bytes()), Some(der));
    }

    #[test]
    fn certificates_one_after_the_other_take_the_room_that_was_asked_for() {
        let of = |len: u8| [0x30, 0x82, 0, len].into_iter().chain(vec![7; len.into()]).collect::<Vec<_>>();
        for lens in [&[][..], &[0], &[43, 44], &[45, 96, 92, 1]] {
            let all: Vec<u8> = lens.iter().flat_map(|len| of(*len)).collect();
            let mut pem = String::new();
            append_all(&mut pem, &all);
            assert_eq!(pem.len(), size_of_all(&all), "{lens:?}");
            assert_eq!(pem, lens.iter().map(|len| from_der(&of(*len))).collect::<String>());
        }
        let mut pem = String::new();
        append_all(&mut pem, &of(50)[..53]);
        assert_eq!((pem.as_str(), size_of_all(b"0")), ("", 0), "what is cut is none");
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for file in ["", "text", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(certificates(file.as_bytes()), Err("no certificate in it"));
        }
    }
}
