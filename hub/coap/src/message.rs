//! CoAP messages in and out (RFC 7252 section 3, coap.md section 5). The codec is crate `coap-lite`; it lets some pass that
//! the contract calls malformed, which are turned down here.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};

/// The option that holds the token of the authentication.
pub const AUTH_OPTION: u16 = 61;
/// The option that says whether a response is wanted.
pub const RESPONSE_OPTION: u16 = 62;

/// Longest datagram that is looked at: twice what any client of the contract takes.
pub const MAX_DATAGRAM: usize = 8192;

/// Options that a receiver must understand or refuse (RFC 7252 section 5.4.1), and that are understood, or mean nothing here.
const UNDERSTOOD: [u16; 6] = [3, 7, 11, 15, 17, AUTH_OPTION];

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// An acknowledgement, whatever its code: `60 02` is one, too.
    Acknowledged(u16),
    /// A message of ours makes no sense to the other side.
    Reset(u16),
    /// A confirmable message that only a reset answers: an empty one, or a response that nobody has asked for.
    Senseless(u16),
    /// Nothing that wants an answer.
    Nothing,
}

/// A request of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// It wants to be acknowledged.
    pub confirmable: bool,
    /// The message's id.
    pub id: u16,
    /// Comes back with the response.
    pub token: Vec<u8>,
    /// What it asks for, or the code of its refusal.
    pub content: Result<Post, u8>,
}

/// A POST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// All levels, with slashes between them.
    pub path: String,
    /// What proves who it is.
    pub proof: Option<Vec<u8>>,
    /// A response with content is waited for.
    pub wants_response: bool,
    /// The rest.
    pub payload: Vec<u8>,
}

/// Codes of responses as they stand in the header.
pub mod code {
    /// 2.03, this cloud's empty acknowledgement.
    pub const VALID: u8 = 0x43;
    /// 2.05
    pub const CONTENT: u8 = 0x45;
    /// 4.00
    pub const BAD_REQUEST: u8 = 0x80;
    /// 4.01
    pub const UNAUTHORIZED: u8 = 0x81;
    /// 4.02
    pub const BAD_OPTION: u8 = 0x82;
    /// 4.03
    pub const FORBIDDEN: u8 = 0x83;
    /// 4.05
    pub const METHOD_NOT_ALLOWED: u8 = 0x85;
}

/// Takes a datagram apart, or says what is wrong with it.
pub fn read(datagram: &[u8]) -> Result<Incoming, &'static str> {
    if datagram.len() > MAX_DATAGRAM {
        return Err("longer than any message");
    }
    let [first, code, ..] = *datagram else {
        return Err("shorter than a header");
    };
    let packet = Packet::from_bytes(datagram).map_err(|_| "a header, a token or an option is cut off or malformed")?;
    if first >> 6 != 1 {
        return Err("not version 1");
    }
    if !matches!(code >> 5, 0 | 2 | 4 | 5) {
        return Err("a reserved class of codes");
    }
    // There is one way only to write a message: what reads but does not come out alike is a payload marker with nothing behind
    // it, or an empty message with something.
    if packet.to_bytes_unlimited().ok().as_deref() != Some(datagram) {
        return Err("a payload marker without a payload, or an empty message that is not empty");
    }
    Ok(sort(packet))
}

fn sort(packet: Packet) -> Incoming {
    let id = packet.header.message_id;
    let confirmable = match packet.header.get_type() {
        MessageType::Acknowledgement => return Incoming::Acknowledged(id),
        MessageType::Reset => return Incoming::Reset(id),
        MessageType::Confirmable => true,
        MessageType::NonConfirmable => false,
    };
    let content = match packet.header.code {
        MessageClass::Request(RequestType::Post) => post(&packet),
        MessageClass::Request(_) | MessageClass::Reserved(1..=31) => Err(code::METHOD_NOT_ALLOWED),
        _ if confirmable => return Incoming::Senseless(id),
        _ => return Incoming::Nothing,
    };
    Incoming::Request(Request { confirmable, id, token: packet.get_token().to_vec(), content })
}

fn post(packet: &Packet) -> Result<Post, u8> {
    let unknown = packet.options().any(|(number, _)| number % 2 == 1 && !UNDERSTOOD.contains(number));
    if unknown {
        return Err(code::BAD_OPTION);
    }
    let first = |number: u16| packet.get_first_option(CoapOption::from(number)).cloned();
    // The contract's clients put the whole path into one option, others a level into each.
    let levels = packet.get_option(CoapOption::UriPath).into_iter().flatten();
    let levels: Result<Vec<&str>, _> = levels.map(|level| std::str::from_utf8(level)).collect();
    let path = levels.map_err(|_| code::BAD_REQUEST)?.join("/");
    // It becomes a topic of MQTT.
    if path.is_empty() || path.contains(['+', '#', '\0']) {
        return Err(code::BAD_REQUEST);
    }
    Ok(Post {
        path,
        proof: first(AUTH_OPTION),
        wants_response: first(RESPONSE_OPTION).as_deref() == Some(b"1"),
        payload: packet.payload.clone(),
    })
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Repeated until it is acknowledged.
    Confirmable,
    /// Sent once.
    NonConfirmable,
    /// Answers a confirmable message.
    Acknowledgement,
    /// Turns a message down.
    Reset,
}

/// A message's bytes.
pub fn write(kind: Kind, code: u8, id: u16, token: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_version(1);
    packet.header.set_type(match kind {
        Kind::Confirmable => MessageType::Confirmable,
        Kind::NonConfirmable => MessageType::NonConfirmable,
        Kind::Acknowledgement => MessageType::Acknowledgement,
        Kind::Reset => MessageType::Reset,
    });
    packet.header.code = MessageClass::from(code);
    packet.header.message_id = id;
    packet.set_token(token.to_vec());
    packet.payload = payload.to_vec();
    // Without a limit and with a token that came in, there is nothing to fail.
    packet.to_bytes_unlimited().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's example of section 3.
    const AUTH: &[u8] =
        b"\x44\x02\xd2\x7b\0\0\0\0\xbd\x13C1PRODUCT1/dev01/txauth9w0BAQsFA\xd1\x26\x30\xff21010406;y6qo9\0\0";
    /// That of section 4.
    const MESSAGE: &[u8] =
        b"\x44\x02\x12\x34\x01\0\0\0\xbd\x08C1PRODUCT1/dev01/data\xda\x25TOKEN12345\x11\x31\xff{\"action\":\"hello world\"}";

    fn request(datagram: &[u8]) -> Request {
        match read(datagram) {
            Ok(Incoming::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn refused(datagram: &[u8]) -> Option<u8> {
        request(datagram).content.err()
    }

    #[test]
    fn the_contracts_messages() {
        let auth = request(AUTH);
        assert_eq!((auth.confirmable, auth.id, auth.token.as_slice()), (true, 0xd27b, &[0; 4][..]));
        let post = Post {
            path: "C1PRODUCT1/dev01/txauth9w0BAQsFA".to_owned(),
            proof: None,
            wants_response: false,
            payload: b"21010406;y6qo9\0\0".to_vec(),
        };
        assert_eq!(auth.content, Ok(post));
        let post = Post {
            path: "C1PRODUCT1/dev01/data".to_owned(),
            proof: Some(b"TOKEN12345".to_vec()),
            wants_response: true,
            payload: br#"{"action":"hello world"}"#.to_vec(),
        };
        assert_eq!(request(MESSAGE).content, Ok(post));
    }

    #[test]
    fn levels_may_stand_in_an_option_each() {
        let post = request(b"\x50\x02\0\x01\xb1a\x02bc\x01d");
        assert_eq!((post.confirmable, post.content.map(|post| post.path)), (false, Ok("a/bc/d".to_owned())));
    }

    #[test]
    fn what_is_malformed_is_told() {
        for (datagram, part) in [
            (&b""[..], "header"),
            (b"\x40", "header"),
            (b"\x40\x02\0", "header"),
            (b"\x80\x02\0\x01", "version"),
            (b"\x00\x02\0\x01", "version"),
            (b"\x49\x02\0\x01123456789", "token"),
            (b"\x44\x02\0\x01123", "token"),
            (b"\x40\x22\0\x01", "class"),
            (b"\x40\x62\0\x01", "class"),
            (b"\x40\xc2\0\x01", "class"),
            (b"\x40\xe2\0\x01", "class"),
            (b"\x40\x02\0\x01\xb4abc", "option"),
            (b"\x40\x02\0\x01\xd0", "option"),
            (b"\x40\x02\0\x01\xe0\x01", "option"),
            (b"\x40\x02\0\x01\x0d", "option"),
            (b"\x40\x02\0\x01\x0e\x01", "option"),
            (b"\x40\x02\0\x01\xf0\x01", "option"),
            (b"\x40\x02\0\x01\x0f\x01", "option"),
            (b"\x40\x02\0\x01\xe0\xff\xff\xe0\xff\xff", "option"),
            (b"\x40\x02\0\x01\xff", "marker"),
            (b"\x40\x02\0\x01\xb1a\xff", "marker"),
            (b"\x40\x00\0\x01\xffx", "empty"),
            (&[0x40; MAX_DATAGRAM + 1], "longer"),
        ] {
            assert!(read(datagram).is_err_and(|text| text.contains(part)), "{datagram:x?}: {:?}", read(datagram));
        }
    }

    #[test]
    fn requests_that_make_no_sense_have_a_code() {
        for (datagram, code) in [
            (&b"\x40\x01\0\x01\xb1a"[..], code::METHOD_NOT_ALLOWED),
            (b"\x40\x03\0\x01\xb1a", code::METHOD_NOT_ALLOWED),
            (b"\x40\x1f\0\x01\xb1a", code::METHOD_NOT_ALLOWED),
            (b"\x40\x02\0\x01", code::BAD_REQUEST),
            (b"\x40\x02\0\x01\xb0", code::BAD_REQUEST),
            (b"\x40\x02\0\x01\xb1\xfe", code::BAD_REQUEST),
            (b"\x40\x02\0\x01\xb1+", code::BAD_REQUEST),
            (b"\x40\x02\0\x01\xb3a/#", code::BAD_REQUEST),
            (b"\x40\x02\0\x01\xb1\0", code::BAD_REQUEST),
            // Block1: a part of something larger.
            (b"\x40\x02\0\x01\xb1a\xd1\x03\x08", code::BAD_OPTION),
        ] {
            assert_eq!(refused(datagram), Some(code), "{datagram:x?}");
        }
        // Host, port, query, format and what is accepted mean nothing here; size is not critical.
        let post = request(b"\x40\x02\0\x01\x31h\x41\x01\x41a\x11\x00\x31q\x20\xd1\x1e\x05");
        assert_eq!(post.content.map(|post| post.path), Ok("a".to_owned()));
    }

    #[test]
    fn what_is_no_request() {
        assert_eq!(read(b"\x60\x00\x12\x34"), Ok(Incoming::Acknowledged(0x1234)));
        assert_eq!(read(b"\x60\x02\x12\x34"), Ok(Incoming::Acknowledged(0x1234)));
        assert_eq!(read(b"\x70\x00\x12\x34"), Ok(Incoming::Reset(0x1234)));
        assert_eq!(read(b"\x40\x00\x12\x34"), Ok(Incoming::Senseless(0x1234)));
        assert_eq!(read(b"\x40\x45\x12\x34"), Ok(Incoming::Senseless(0x1234)));
        assert_eq!(read(b"\x50\x45\x12\x34"), Ok(Incoming::Nothing));
    }

    #[test]
    fn answers_byte_for_byte() {
        let ack = write(Kind::Acknowledgement, code::CONTENT, 0xd27b, &[0; 4], b"TOKEN12345");
        assert_eq!(ack, b"\x64\x45\xd2\x7b\0\0\0\0\xffTOKEN12345");
        assert_eq!(write(Kind::Acknowledgement, code::VALID, 1, b"t", b""), b"\x61\x43\0\x01t");
        assert_eq!(write(Kind::Acknowledgement, 0, 1, b"", b""), b"\x60\0\0\x01");
        assert_eq!(write(Kind::Confirmable, code::CONTENT, 2, b"t", b"x"), b"\x41\x45\0\x02t\xffx");
        assert_eq!(write(Kind::NonConfirmable, code::UNAUTHORIZED, 2, b"", b""), b"\x50\x81\0\x02");
        assert_eq!(write(Kind::Reset, 0, 3, b"", b""), b"\x70\0\0\x03");
        // Any code can be ordered by a fault rule.
        assert_eq!(write(Kind::Acknowledgement, 0x5f, 1, b"", b""), b"\x60\x5f\0\x01");
    }

    #[test]
    fn damaged_messages_never_panic() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 40).unwrap_or_default()
        };
        let mut survivors = 0;
        for round in 0..20_000 {
            let mut bytes = [AUTH, MESSAGE][round % 2].to_vec();
            for _ in 0..1 + noise() % 3 {
                let at = noise() % bytes.len();
                bytes[at] = noise().to_le_bytes()[0];
            }
            bytes.truncate(1 + noise() % (bytes.len() + 8));
            survivors += usize::from(read(&bytes).is_ok());
        }
        assert!(survivors > 1000, "{survivors}");
    }
}
