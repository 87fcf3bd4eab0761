//! What the TLS stacks do not tell of a certificate, read from its DER (RFC 5280, 4.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::date::at_midnight;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Where the version stands; version 1 leaves it out.
const CONTEXT_0: u8 = 0xa0;
/// Where the extensions stand.
const CONTEXT_3: u8 = 0xa3;
/// Among the alternative names.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Longer than an RSA key of fewer than 2048 bits, in bytes.
const RSA_2048: usize = 257;
/// The encoded identifier of RSA keys, 1.2.840.113549.1.1.1, with its NULL parameter.
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// A name that a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlternativeName<'a> {
    Dns(&'a str),
    Address(IpAddr),
}

/// What stands in a certificate.
pub struct Facts<'a> {
    /// 1 to 3.
    pub version: u8,
    /// In seconds since 1970, as the next one.
    pub not_before: u64,
    pub not_after: u64,
    /// The content of the name's sequence.
    subject: &'a [u8],
    /// The key with its algorithm, encoded.
    #[cfg_attr(feature = "tls-mbedtls", allow(dead_code))] // for rustls
    pub key_info: &'a [u8],
    /// The content of the algorithm's sequence.
    pub key_algorithm: &'a [u8],
    pub key: &'a [u8],
    /// The content of the alternative names' sequence.
    alternative_names: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// `None`: that is no certificate.
    pub fn read(certificate: &'a [u8]) -> Option<Self> {
        let certificate = Reader(certificate).expect(SEQUENCE)?.content;
        let mut fields = Reader(Reader(certificate).expect(SEQUENCE)?.content);
        let version = match fields.peek()? {
            CONTEXT_0 => {
                let version = Reader(fields.next()?.content).expect(INTEGER)?.content;
                version.first().filter(|_| version.len() == 1)?.checked_add(1)?
            }
            _ => 1,
        };
        fields.expect(INTEGER)?; // serial number
        fields.expect(SEQUENCE)?; // signature algorithm
        fields.expect(SEQUENCE)?; // issuer
        let mut validity = Reader(fields.expect(SEQUENCE)?.content);
        let (not_before, not_after) = (time(&validity.next()?)?, time(&validity.next()?)?);
        let subject = fields.expect(SEQUENCE)?.content;
        let key_info = fields.expect(SEQUENCE)?;
        let mut key_fields = Reader(key_info.content);
        let key_algorithm = key_fields.expect(SEQUENCE)?.content;
        // The first byte says how many bits of the last one are unused.
        let (0, key) = key_fields.expect(BIT_STRING)?.content.split_first()? else { return None };
        let mut alternative_names = None;
        while let Some(field) = fields.next() {
            if field.tag == CONTEXT_3 {
                let mut extensions = Reader(Reader(field.content).expect(SEQUENCE)?.content);
                while let Some(extension) = extensions.expect(SEQUENCE) {
                    if let Some(names) = alternative_names_of(extension.content) {
                        alternative_names = Some(names);
                    }
                }
            }
        }
        let key_info = key_info.whole;
        Some(Self { version, not_before, not_after, subject, key_info, key_algorithm, key, alternative_names })
    }

    /// Whether it has an RSA key of fewer than 2048 bits.
    pub fn has_short_key(&self) -> bool {
        self.key_algorithm == RSA && self.key.len() < RSA_2048
    }

    /// Those of the alternative names that are names or addresses of hosts.
    pub fn alternative_names(&self) -> impl Iterator<Item = AlternativeName<'a>> {
        let mut names = Reader(self.alternative_names.unwrap_or_default());
        std::iter::from_fn(move || names.next()).filter_map(|name| match name.tag {
            DNS_NAME => std::str::from_utf8(name.content).ok().map(AlternativeName::Dns),
            IP_ADDRESS => {
                let four = <[u8; 4]>::try_from(name.content).map(|bytes| Ipv4Addr::from(bytes).into());
                let sixteen = <[u8; 16]>::try_from(name.content).map(|bytes| Ipv6Addr::from(bytes).into());
                four.or(sixteen).ok().map(AlternativeName::Address)
            }
            _ => None,
        })
    }

    /// The common names of the subject.
    pub fn common_names(&self) -> impl Iterator<Item = &'a str> {
        let mut sets = Reader(self.subject);
        std::iter::from_fn(move || sets.next()).filter_map(|set| {
            // A name of several parts at one level is not a host's.
            let mut parts = Reader(Reader(Some(set).filter(|set| set.tag == SET)?.content).expect(SEQUENCE)?.content);
            let kind = parts.expect(OBJECT_IDENTIFIER)?;
            let value = parts.next()?;
            let is_text = matches!(value.tag, UTF8_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING);
            (kind.content == COMMON_NAME && is_text).then(|| std::str::from_utf8(value.content).ok()).flatten()
        })
    }
}

/// The content of the names' sequence, where that is what this extension is.
fn alternative_names_of(extension: &[u8]) -> Option<&[u8]> {
    let mut parts = Reader(extension);
    if parts.expect(OBJECT_IDENTIFIER)?.content != SUBJECT_ALTERNATIVE_NAME {
        return None;
    }
    // Whether it is critical may stand between.
    let value = std::iter::from_fn(|| parts.next()).find(|part| part.tag == OCTET_STRING)?;
    Some(Reader(value.content).expect(SEQUENCE)?.content)
}

struct Item<'a> {
    tag: u8,
    content: &'a [u8],
    /// With tag and length.
    whole: &'a [u8],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<Item<'a>> {
        let all = self.0;
        let (&tag, rest) = all.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
            }
            // Longer than any certificate.
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(Item { tag, content, whole: &all[..all.len() - rest.len()] })
    }

    fn expect(&mut self, tag: u8) -> Option<Item<'a>> {
        self.next().filter(|item| item.tag == tag)
    }
}

/// "YYMMDDHHMMSSZ" or "YYYYMMDDHHMMSSZ" in seconds since 1970.
fn time(item: &Item<'_>) -> Option<u64> {
    let text = item.content.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let (year, rest) = match (item.tag, text.len()) {
        // RFC 5280, 4.1.2.5.1: two digits are 1950 to 2049.
        (UTC_TIME, 12) => match number(&text[..2]) {
            year @ 50.. => (1900 + year, &text[2..]),
            year => (2000 + year, &text[2..]),
        },
        (GENERALIZED_TIME, 14) => (number(&text[..4]), &text[4..]),
        _ => return None,
    };
    let part = |place: usize| number(&rest[place..place + 2]);
    let midnight = at_midnight(year, part(0), part(2))?;
    Some(midnight + part(4) * 3600 + part(6) * 60 + part(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<u64> {
        time(&Item { tag: UTC_TIME, content: text.as_bytes(), whole: &[] })
    }

    #[test]
    fn times_in_both_spellings() {
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("260301123456Z"), Some(1_772_323_200 + 12 * 3600 + 34 * 60 + 56));
        let general = |text: &str| time(&Item { tag: GENERALIZED_TIME, content: text.as_bytes(), whole: &[] });
        assert_eq!(general("20260301000000Z"), Some(1_772_323_200));
        assert_eq!(general("99991231235959Z"), Some(253_402_300_799));
        // Before 1970 as 1970.
        assert_eq!(utc("500101000000Z"), Some(0));
        for wrong in ["", "Z", "260301000000", "261301000000Z", "260300000000Z", "2603010000Z", "26030100000xZ"] {
            assert_eq!(utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_and_key_are_read_and_no_beginning_of_a_certificate_is_taken_for_one() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["h.example", "10.0.0.7", "::1"].map(str::to_owned)).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "fw.example");
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        let facts = Facts::read(der).unwrap();
        assert_eq!((facts.version, facts.common_names().collect::<Vec<_>>()), (3, vec!["fw.example"]));
        assert_eq!(facts.key, key.public_key_raw());
        let names = [
            AlternativeName::Dns("h.example"),
            AlternativeName::Address(Ipv4Addr::new(10, 0, 0, 7).into()),
            AlternativeName::Address(Ipv6Addr::LOCALHOST.into()),
        ];
        assert_eq!(facts.alternative_names().collect::<Vec<_>>(), names);
        for len in 0..der.len() {
            assert!(Facts::read(&der[..len]).is_none(), "{len}");
        }
        // Whatever is damaged: no panic.
        for place in 0..der.len() {
            for value in [0, 0x7f, 0x80, 0x83, 0xff] {
                let mut damaged = der.to_vec();
                damaged[place] = value;
                if let Some(facts) = Facts::read(&damaged) {
                    facts.common_names().count();
                    facts.alternative_names().count();
                }
            }
        }
    }
}
