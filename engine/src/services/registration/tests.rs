use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;

use super::*;

/// The vectors of dynreg.md sections 2 and 3.
const SECRET: &str = "0123456789abcdef01234567";
const PAYLOAD: &str = "utkU+JMoQ9Xlnldd66IE8jX1ThSWJUimWVzONyOmip6Mckx123WzeEnaD4ekkPo5IdsAgQlPgZ8kEfMyXdkcRQ==";
const PSK: &str = "MTIzNDU2Nzg5MGFiY2RlZg==";

fn registration(wanted: Wanted) -> Registration {
    Registration::new("C1PRODUCT1", "dev01", SECRET, wanted).unwrap()
}

fn read_body(wanted: Wanted, body: &str) -> Result<Credentials, Failure> {
    registration(wanted).read(&Answer { status: 200, body: body.as_bytes().to_vec() })
}

/// As the cloud does it, filled up with zeros unless the blocks are whole.
fn encrypt(plain: &[u8]) -> String {
    let mut bytes = plain.to_vec();
    bytes.resize(plain.len().next_multiple_of(16), 0);
    let mut cipher = cbc::Encryptor::<aes::Aes128>::new_from_slices(&SECRET.as_bytes()[..16], &[b'0'; 16]).unwrap();
    for block in bytes.chunks_exact_mut(16) {
        cipher.encrypt_block(block.try_into().unwrap());
    }
    STANDARD.encode(bytes)
}

fn granted(plain: &[u8]) -> String {
    format!(r#"{{"code":0,"message":"","payload":"{}"}}"#, encrypt(plain))
}

fn secret(text: &str) -> Result<Credentials, Failure> {
    Ok(Credentials::Secret(text.to_owned().into()))
}

/// What is wrong with a reply that is of no use.
#[track_caller]
fn unusable(result: Result<Credentials, Failure>) -> &'static str {
    match result {
        Err(Failure::Unusable(what)) => what,
        other => panic!("{other:?}"),
    }
}

/// Case 1.
#[test]
fn the_request_is_the_vector_byte_for_byte() {
    let nonce = 1_741_681_695_u64;
    let request = registration(Wanted::Secret).request("gateway.tencentdevices.com", nonce << 33, 1_795_887_523);
    let head = "POST /register/dev HTTP/1.1\r\n\
                Host: gateway.tencentdevices.com\r\n\
                Accept: text/xml,application/json;*/*\r\n\
                Content-Length: 160\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let body = r#"{"deviceName":"dev01","nonce":1741681695,"productId":"C1PRODUCT1","timestamp":1795887523,"signature":"MzNhOWE5OTNlOGVhMmM0YzA5ZTg1YjQwM2ExM2U0ODUyMTMwMGRkOQ=="}"#;
    assert_eq!(request, Request { head: head.to_owned(), body: body.to_owned() });
    // The same for a certificate.
    assert_eq!(
        registration(Wanted::Certificate).request("gateway.tencentdevices.com", nonce << 33, 1_795_887_523),
        request
    );
}

#[test]
fn a_nonce_is_positive_and_has_31_bits() {
    for (random, nonce) in [(0, 1), (u64::MAX, 0x7FFF_FFFF), (1 << 33, 1), (u64::MAX >> 31, 1)] {
        let request = registration(Wanted::Secret).request("h", random, 0);
        assert!(request.body.contains(&format!("\"nonce\":{nonce},")), "{}", request.body);
    }
}

/// Case 21.
#[test]
fn names_are_escaped_or_refused() {
    let quote = Registration::new("C1PRODUCT1", "a\"b\\", SECRET, Wanted::Secret).unwrap().request("h", 0, 5);
    assert!(quote.body.starts_with(r#"{"deviceName":"a\"b\\","nonce":1,"#), "{}", quote.body);
    // printf '%s' 'deviceName=a"b\&nonce=1&productId=C1PRODUCT1&timestamp=5' | openssl dgst -sha1 -hmac 0123456789abcdef01234567
    let digits = "dfd7c52b8da1c8aaec3b9749af73358d9569bfca";
    assert!(quote.body.ends_with(&format!("\"signature\":\"{}\"}}", STANDARD.encode(digits))), "{}", quote.body);
    let refused = |name: &str| Registration::new("C1PRODUCT1", name, SECRET, Wanted::Secret).err();
    assert_eq!(refused("a/b"), Some(Failure::Name(IdentityError::DeviceNameLevel)));
    assert_eq!(refused("../b"), Some(Failure::Name(IdentityError::DeviceNameLevel)));
    assert_eq!(refused(".."), Some(Failure::NameInPath));
    assert_eq!(refused("a..b"), Some(Failure::NameInPath));
    assert_eq!(refused("a.b"), None);
}

/// Case 6, as far as there are values.
#[test]
fn empty_names_are_refused() {
    let refused = |id: &str, name: &str| Registration::new(id, name, SECRET, Wanted::Secret).err();
    assert_eq!(refused("", "d"), Some(Failure::Name(IdentityError::ProductId)));
    assert_eq!(refused("p", ""), Some(Failure::Name(IdentityError::DeviceName)));
}

/// Case 5.
#[test]
fn product_secrets_have_sixteen_characters_at_least() {
    for (length, is_fine) in [(0, false), (15, false), (16, true), (24, true), (32, true)] {
        let secret = "0123456789abcdef0123456789abcdef".get(..length).unwrap();
        let registration = Registration::new("C1PRODUCT1", "dev01", secret, Wanted::Secret);
        assert_eq!(registration.as_ref().err(), (!is_fine).then_some(&Failure::ShortSecret));
        if let Ok(registration) = registration {
            // The first sixteen are the key.
            let body = format!(r#"{{"code":0,"payload":"{PAYLOAD}"}}"#).into_bytes();
            assert_eq!(registration.read(&Answer { status: 200, body }), self::secret(PSK));
        }
    }
}

/// Case 2, as far as there are values: the vector of the page.
#[test]
fn the_vectors_payload_becomes_the_secret() {
    let body = format!(r#"{{"code":0,"message":"","len":53,"payload":"{PAYLOAD}"}}"#);
    assert_eq!(read_body(Wanted::Secret, &body), secret(PSK));
    let body = format!(r#"{{"payload":"{}","len":53,"x":[{{}}],"code":0}} behind"#, PAYLOAD.replace('/', "\\/"));
    assert_eq!(read_body(Wanted::Secret, &body), secret(PSK));
    assert_eq!(encrypt(format!(r#"{{"encryptionType":2,"psk":"{PSK}"}}"#).as_bytes()), PAYLOAD);
}

/// Case 7.
#[test]
fn a_code_of_the_cloud_comes_back_as_it_is() {
    let refused = |body: &str| read_body(Wanted::Secret, body).unwrap_err();
    let message = |code, text: &str| Failure::Refused(code, text.to_owned());
    assert_eq!(
        refused(r#"{"code":1005,"message":"bad signature","len":0,"payload":""}"#),
        message(1005, "bad signature")
    );
    assert_eq!(refused(r#"{"code":"1006","message":"a\nb"}"#), message(1006, "a b"));
    assert_eq!(refused(r#"{"code":-7,"message":5}"#), message(-7, ""));
    let long = refused(&format!(r#"{{"code":7,"message":"{}"}}"#, "x".repeat(5000)));
    assert_eq!(long, message(7, &"x".repeat(200)));
    assert_eq!(refused(r#"{"code":7,"message":"see https://h/a?sign=s3cret"}"#), message(7, "see https://h/a"));
    let body = format!(r#"{{"code":"0","payload":"{PAYLOAD}"}}"#);
    assert_eq!(read_body(Wanted::Secret, &body), secret(PSK));
    for body in [
        "",
        "{}",
        "no JSON",
        "[]",
        r#"{"code":null}"#,
        r#"{"code":""}"#,
        r#"{"code":0.5}"#,
        r#"{"code":4294967296}"#,
        r#"{"code":0,"#,
    ] {
        assert_eq!(refused(body), Failure::NoCode, "{body}");
    }
}

/// Case 8.
#[test]
fn a_payload_that_can_not_be_decrypted_is_of_no_use() {
    let payload = |text: &str| read_body(Wanted::Secret, &format!(r#"{{"code":0,"payload":{text}}}"#));
    assert_eq!(unusable(read_body(Wanted::Secret, r#"{"code":0}"#)), "it holds no payload");
    assert_eq!(unusable(payload("5")), "it holds no payload");
    assert_eq!(unusable(payload("\"*\"")), "its payload is not base64");
    assert_eq!(unusable(payload(&format!("\"{}\"", PAYLOAD.trim_end_matches('=')))), "its payload is not base64");
    assert_eq!(unusable(payload(r#""\ud800""#)), "its payload can't be read");
    for length in [0, 15, 17] {
        let text = format!("\"{}\"", STANDARD.encode(vec![7; length]));
        assert_eq!(unusable(payload(&text)), "its payload is not made of whole blocks", "{length}");
    }
    let other = Registration::new("C1PRODUCT1", "dev01", "another secret of the product", Wanted::Secret).unwrap();
    let body = format!(r#"{{"code":0,"payload":"{PAYLOAD}"}}"#).into_bytes();
    let result = other.read(&Answer { status: 200, body });
    assert_eq!(unusable(result), "its payload does not become JSON by this product secret");
}

/// Case 9.
#[test]
fn the_filling_may_be_any_and_the_length_may_be_missing() {
    let plain = format!(r#"{{"encryptionType":2,"psk":"{PSK}"}}"#);
    let pkcs7 = [plain.as_bytes(), &[11; 11]].concat();
    // Blanks make whole blocks of it.
    let whole = format!(r#"{{"encryptionType":2,"psk":"{PSK}"{}}}"#, " ".repeat(11));
    assert_eq!(whole.len(), 64);
    for len in ["", "\"len\":0,", "\"len\":53,", "\"len\":\"53\",", "\"len\":1000,", "\"len\":-5,", "\"len\":\"x\","] {
        for plain in [plain.as_bytes(), &pkcs7] {
            let body = granted(plain).replace("\"message\":\"\",", len);
            assert_eq!(read_body(Wanted::Secret, &body), secret(PSK), "{len}");
        }
    }
    for len in ["", "\"len\":64,", "\"len\":65,"] {
        let body = granted(whole.as_bytes()).replace("\"message\":\"\",", len);
        assert_eq!(read_body(Wanted::Secret, &body), secret(PSK), "{len}");
    }
    // A length that cuts the text is believed.
    let body = granted(plain.as_bytes()).replace("\"message\":\"\",", "\"len\":52,");
    assert_eq!(unusable(read_body(Wanted::Secret, &body)), "its payload does not become JSON by this product secret");
}

/// Case 10.
#[test]
fn the_type_is_that_of_the_build() {
    let psk = format!("\"psk\":\"{PSK}\"");
    let pair = r#""clientCert":"C","clientKey":"K""#;
    let secret_of = |kind: &str| read_body(Wanted::Secret, &granted(format!("{{{kind}{psk},{pair}}}").as_bytes()));
    let pair_of = |kind: &str| read_body(Wanted::Certificate, &granted(format!("{{{kind}{psk},{pair}}}").as_bytes()));
    let given = || Ok(Credentials::Certificate { certificate: "C".to_owned(), key: "K".to_owned().into() });
    assert_eq!(secret_of("\"encryptionType\":2,"), secret(PSK));
    assert_eq!(secret_of("\"encryptionType\":\"2\","), secret(PSK));
    assert_eq!(pair_of("\"encryptionType\":1,"), given());
    assert_eq!(pair_of("\"encryptionType\":\"1\","), given());
    let other = "its encryptionType is not that of this build";
    assert_eq!(unusable(secret_of("\"encryptionType\":1,")), other);
    assert_eq!(unusable(pair_of("\"encryptionType\":2,")), other);
    assert_eq!(unusable(secret_of("\"encryptionType\":3,")), other);
    assert_eq!(unusable(secret_of("")), "it tells no encryptionType");
    assert_eq!(unusable(pair_of("\"encryptionType\":true,")), "it tells no encryptionType");
}

/// Case 11.
#[test]
fn a_psk_has_up_to_64_characters_of_base64() {
    let psk = |text: &str| read_body(Wanted::Secret, &granted(format!(r#"{{"encryptionType":2{text}}}"#).as_bytes()));
    assert_eq!(psk(&format!(r#","psk":"{}""#, "A".repeat(64))), secret(&"A".repeat(64)));
    for text in ["", r#","psk":"""#, r#","psk":5"#, r#","psk":null"#] {
        assert_eq!(unusable(psk(text)), "it holds no psk", "{text}");
    }
    for text in ["A".repeat(65), "A".repeat(80), "not base64".to_owned(), "MTIz\\u0000".to_owned()] {
        let result = psk(&format!(r#","psk":"{text}""#));
        assert_eq!(unusable(result), "its psk is not 1 to 64 characters of base64", "{text}");
    }
}

/// Cases 3 and 12, as far as there are values.
#[test]
fn a_certificate_and_its_key_come_with_their_lines() {
    let plain = r#"{"encryptionType":1,"clientCert":"-----BEGIN C-----\nA\/B\r\n-----END C-----\n","clientKey":"K\n"}"#;
    let expected = Credentials::Certificate {
        certificate: "-----BEGIN C-----\nA/B\r\n-----END C-----\n".to_owned(),
        key: "K\n".to_owned().into(),
    };
    assert_eq!(read_body(Wanted::Certificate, &granted(plain.as_bytes())), Ok(expected));
    for (plain, what) in [
        (r#"{"encryptionType":1,"clientCert":"C"}"#, "it holds no clientKey"),
        (r#"{"encryptionType":1,"clientCert":"C","clientKey":""}"#, "it holds no clientKey"),
        (r#"{"encryptionType":1,"clientKey":"K"}"#, "it holds no clientCert"),
    ] {
        assert_eq!(unusable(read_body(Wanted::Certificate, &granted(plain.as_bytes()))), what);
    }
}

/// Case 4, as far as there are values.
#[test]
fn a_long_chain_comes_whole() {
    let pem = "MIIFazCCA1OgAwIBAgIRAIIQz7DSQONZRGPgu2OCiwAwDQYJKoZIhvcNAQELBQAw\\n".repeat(140);
    let plain = format!(r#"{{"encryptionType":1,"clientCert":"{pem}","clientKey":"{pem}"}}"#);
    let Ok(Credentials::Certificate { certificate, key }) = read_body(Wanted::Certificate, &granted(plain.as_bytes()))
    else {
        panic!("not read");
    };
    assert_eq!(certificate, pem.replace("\\n", "\n"));
    assert_eq!(*key, certificate);
}

/// Case 13, as far as there are values.
#[test]
fn the_body_of_another_status_is_not_used() {
    for status in [199, 302, 401, 403, 404, 500] {
        let answer = Answer { status, body: format!(r#"{{"code":0,"payload":"{PAYLOAD}"}}"#).into_bytes() };
        assert_eq!(registration(Wanted::Secret).read(&answer), Err(Failure::Status(status)));
    }
}

/// Case 25, as far as there are values.
#[test]
fn nothing_secret_shows() {
    let shown = format!("{:?}", read_body(Wanted::Secret, &format!(r#"{{"code":0,"payload":"{PAYLOAD}"}}"#)).unwrap());
    assert_eq!(shown, "Secret(***)");
    let pair = Credentials::Certificate { certificate: "C".to_owned(), key: "K".to_owned().into() };
    assert_eq!(format!("{pair:?}"), "Certificate(***)");
    for (failure, text) in [
        (Failure::Name(IdentityError::ProductId), "product id must have 1 to 10 characters"),
        (Failure::NameInPath, "the device name holds \"..\""),
        (Failure::ShortSecret, "the product secret has less than 16 characters"),
        (Failure::Status(302), "the server answered with status 302"),
        (Failure::NoCode, "the reply holds no code"),
        (Failure::Refused(1005, String::new()), "the cloud refused with code 1005"),
        (Failure::Refused(1005, "why".to_owned()), "the cloud refused with code 1005: why"),
        (Failure::Unusable("it holds no psk"), "the reply is of no use: it holds no psk"),
    ] {
        assert_eq!(failure.to_string(), text);
    }
}

/// The vector of dynreg.md section 5.
#[test]
fn a_request_that_is_signed_in_its_head_is_the_vector() {
    let registration = || registration(Wanted::Secret).with_signed_head(Region::China);
    let host = registration().server();
    assert_eq!(host, "ap-guangzhou.gateway.tencentdevices.com");
    let request = registration().request(host, 378_626_276 << 33, 5);
    let head = "POST /device/register HTTP/1.1\r\nHost: ap-guangzhou.gateway.tencentdevices.com\r\n\
                Accept: application/json;*/*\r\nX-TC-Algorithm: hmacsha1\r\nX-TC-Timestamp: 1609430400\r\n\
                X-TC-Nonce: 378626276\r\nX-TC-Signature: 1V7J7VDy6oiJy6PxUUbtzryvgEM=\r\nContent-Length: 47\r\n\
                Content-Type: application/json; charset=utf-8\r\n\r\n";
    let body = r#"{"ProductId":"C1PRODUCT1","DeviceName":"dev01"}"#;
    assert_eq!(request, Request { head: head.to_owned(), body: body.to_owned() });
    for (region, host) in [
        (Region::UsEast, "us-east.gateway.tencentdevices.com"),
        (Region::Europe, "europe.gateway.tencentdevices.com"),
        (Region::ApBangkok, "ap-bangkok.gateway.tencentdevices.com"),
    ] {
        assert_eq!(registration().with_signed_head(region).server(), host);
    }
}

#[test]
fn a_reply_to_it_is_in_one_member() {
    let read = |body: &str| {
        let registration = registration(Wanted::Secret).with_signed_head(Region::China);
        registration.read(&Answer { status: 200, body: body.as_bytes().to_vec() })
    };
    let granted = |len: &str| read(&format!(r#"{{"Response":{{{len}"Payload":"{PAYLOAD}","RequestId":"x"}}}}"#));
    assert_eq!(granted(r#""Len":53,"#), secret(PSK));
    assert_eq!(granted(""), secret(PSK));
    assert_eq!(unusable(read(r#"{"Response":{"RequestId":"x"}}"#)), "it holds no payload");
    assert_eq!(unusable(read(r#"{"Response":{"Payload":"\ud800"}}"#)), "its payload can't be read");
    for body in ["", "[]", "{}", r#"{"Response":1}"#, r#"{"Response":{"Error":{"Code"}}}"#, r#"{"code":0}"#] {
        assert_eq!(read(body), Err(Failure::NoCode), "{body}");
    }
    let declined = r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":"no\nproduct"},"RequestId":"x"}}"#;
    let why = read(declined).unwrap_err();
    assert_eq!(why, Failure::Declined("InvalidParameter: no product".to_owned()));
    assert_eq!(why.to_string(), "the cloud refused: InvalidParameter: no product");
}

/// Case 27: a private certificate.
#[test]
fn a_certificate_of_its_own_goes_out_and_nothing_comes_back() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAEC\r\n-----END CERTIFICATE-----\n";
    let own = || registration(Wanted::Certificate).with_certificate(pem.to_owned());
    let request = own().with_signed_head(Region::China).request("host", 1 << 33, 5);
    let expected = concat!(
        r#"{"ProductId":"C1PRODUCT1","DeviceName":"dev01","clientCert":"#,
        r#""-----BEGIN CERTIFICATE-----\nAAEC\r\n-----END CERTIFICATE-----\n"}"#
    );
    assert_eq!(request.body, expected);
    assert!(request.head.contains(&format!("Content-Length: {}\r\n", expected.len())));
    let read = |registration: Registration, plain: &str| {
        let body = format!(r#"{{"Response":{{"Payload":"{}"}}}}"#, encrypt(plain.as_bytes()));
        registration.with_signed_head(Region::China).read(&Answer { status: 200, body: body.into_bytes() })
    };
    let known = r#"{"encryptionType":1}"#;
    assert_eq!(read(own(), known), Ok(Credentials::ItsOwn));
    assert_eq!(format!("{:?}", Credentials::ItsOwn), "ItsOwn");
    // One that the cloud has made all the same has no file to go to: the device's own stays.
    assert_eq!(read(own(), r#"{"encryptionType":1,"clientCert":"c","clientKey":"k"}"#), Ok(Credentials::ItsOwn));
    let other = r#"{"encryptionType":2,"psk":"MTIz"}"#;
    assert_eq!(unusable(read(own(), other)), "its encryptionType is not that of this build");
    // Without one of its own, it needs what the cloud has made.
    assert_eq!(unusable(read(registration(Wanted::Certificate), known)), "it holds no clientCert");
    // The other form knows nothing of it.
    let body = own().request("host", 1 << 33, 5).body;
    assert_eq!(body, registration(Wanted::Certificate).request("host", 1 << 33, 5).body);
    let reply = granted(known.as_bytes());
    let read = own().read(&Answer { status: 200, body: reply.into_bytes() });
    assert_eq!(unusable(read), "it holds no clientCert");
}
