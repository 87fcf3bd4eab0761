use std::sync::atomic::Ordering;

use iot_engine::services::registration::{Failure, Wanted};

use super::*;
use crate::drive::testing::web_server::{Answer, Traits, World};
use crate::hal::TransportError;

/// The vectors of dynreg.md section 3.
const SECRET: &str = "0123456789abcdef01234567";
const PAYLOAD: &str = "utkU+JMoQ9Xlnldd66IE8jX1ThSWJUimWVzONyOmip6Mckx123WzeEnaD4ekkPo5IdsAgQlPgZ8kEfMyXdkcRQ==";
const PSK: &str = "MTIzNDU2Nzg5MGFiY2RlZg==";

const SERVER: &str = if TLS { "gateway.tencentdevices.com:443 tls" } else { "gateway.tencentdevices.com:80" };

fn granted() -> String {
    format!(r#"{{"code":0,"message":"","len":53,"payload":"{PAYLOAD}"}}"#)
}

fn with_length(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn register_in(world: &Arc<World>) -> Result<Credentials, RegistrationFault> {
    let registration = Registration::new("C1PRODUCT1", "dev01", SECRET, Wanted::Secret).unwrap();
    let result = register(&world.platform(), &registration);
    assert_eq!(world.open.load(Ordering::Relaxed), 0, "the connection is closed");
    result
}

/// Registers with a server that sends `answer`.
fn answered(answer: impl Fn() -> Answer + Send + 'static) -> (Arc<World>, Result<Credentials, RegistrationFault>) {
    let world = World::new(Traits::default(), move |_, _| answer());
    let result = register_in(&world);
    (world, result)
}

fn secret() -> Result<Credentials, RegistrationFault> {
    Ok(Credentials::Secret(PSK.to_owned().into()))
}

/// Cases 1, 2 and 16: one request to the cloud's host, and back at once though the server keeps the connection open.
#[test]
fn one_request_brings_the_secret_at_once() {
    let (world, result) = answered(|| Answer::new(with_length(&granted())).then_silent());
    assert_eq!(result, secret());
    assert_eq!(*world.attempts.lock().unwrap(), [SERVER]);
    assert_eq!(world.ms(), 1_000_000);
    let requests = world.requests.lock().unwrap();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let expected = format!(
        "POST /register/dev HTTP/1.1\r\nHost: gateway.tencentdevices.com\r\nAccept: text/xml,application/json;*/*\r\n\
         Content-Length: {}\r\nContent-Type: application/x-www-form-urlencoded",
        body.len()
    );
    assert_eq!(head, expected);
    let number = |key: &str| {
        let (_, rest) = body.split_once(key).unwrap();
        rest[..rest.find(',').unwrap()].parse::<u64>().unwrap()
    };
    assert!((1..1 << 31).contains(&number("\"nonce\":")), "{body}");
    // Later than this was written, and no year that a clock in milliseconds would give.
    assert!((1_750_000_000..20_000_000_000).contains(&number("\"timestamp\":")), "{body}");
}

/// Cases 14 and 15: every framing, in any pieces, with the connection open afterwards or closed, on platforms that fill
/// their buffers and on those that do not wait.
#[test]
fn an_answer_is_taken_however_it_comes() {
    let body = granted();
    let (front, back) = body.split_at(20);
    let chunks = format!("{:x}\r\n{front}\r\n{:X};x\r\n{back}\r\n0\r\n\r\n", front.len(), back.len());
    for (answer, ends_by_itself) in [
        (with_length(&body), true),
        (with_length(&body).replace("Content-Length", "content-length"), true),
        (format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"), true),
        (format!("HTTP/1.1 200 OK\r\n\r\n{body}"), false),
        (format!("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{body}"), false),
    ] {
        for (filling, hasty) in [(false, false), (true, false), (false, true)] {
            for pace in [None, Some(1)] {
                for open in [false, true] {
                    if open && !ends_by_itself {
                        continue;
                    }
                    let sent = answer.clone();
                    let world = World::new(Traits { filling, hasty }, move |_, _| {
                        let answer = Answer::new(sent.clone());
                        let answer = if open { answer.then_silent() } else { answer };
                        pace.map_or_else(|| Answer::new(sent.clone()), |pace| answer.paced(pace))
                    });
                    assert_eq!(register_in(&world), secret(), "{answer}");
                }
            }
        }
    }
}

/// Case 7, and 13 with bodies that would do.
#[test]
fn what_the_cloud_says_comes_back() {
    let (_, result) = answered(|| Answer::new(with_length(r#"{"code":1005,"message":"why","len":0,"payload":""}"#)));
    assert_eq!(result, Err(RegistrationFault::Refused(Failure::Refused(1005, "why".to_owned()))));
    let (_, result) = answered(|| Answer::new(with_length("")));
    assert_eq!(result, Err(RegistrationFault::Refused(Failure::NoCode)));
    for status in [302, 401, 403, 404, 429, 500] {
        let (_, result) =
            answered(move || Answer::new(with_length(&granted()).replace("200 OK", &format!("{status} X"))));
        assert_eq!(result, Err(RegistrationFault::Refused(Failure::Status(status))));
    }
}

/// A connection that ends before the answer is complete.
#[test]
fn a_cut_answer_is_none() {
    let whole = with_length(&granted());
    for cut in [0, 10, whole.len() - 1] {
        let sent = whole.clone();
        let (_, result) = answered(move || Answer::new(sent.clone()).cut_at(cut));
        assert_eq!(result, Err(RegistrationFault::Exchange(ExchangeFault::Cut(TransportError::Closed(-608)))), "{cut}");
    }
    let (_, result) = answered(|| Answer::new("SSH-2.0-x\r\n\r\n"));
    assert!(matches!(result, Err(RegistrationFault::NoAnswer(Fault::Malformed(_)))), "{result:?}");
}

/// Case 20.
#[test]
fn a_body_of_70000_bytes_is_refused() {
    let body = format!(r#"{{"code":0,"payload":"{PAYLOAD}","x":"{}"}}"#, "x".repeat(70_000));
    for answer in [with_length(&body), format!("HTTP/1.1 200 OK\r\n\r\n{body}")] {
        let (world, result) = answered(move || Answer::new(answer.clone()).then_silent());
        assert_eq!(result, Err(RegistrationFault::NoAnswer(Fault::TooLong(65_536))));
        assert!(world.taken.load(Ordering::Relaxed) < 70_000);
    }
}

/// Case 17: silence from the beginning, and after half a body; and a server that takes no request.
#[test]
fn a_silent_server_is_given_up_after_ten_seconds() {
    for cut in [0, 150] {
        let (world, result) = answered(move || Answer::new(with_length(&granted())).cut_at(cut).then_silent());
        assert_eq!(result, Err(RegistrationFault::Exchange(ExchangeFault::Silent)));
        assert_eq!(world.ms(), 1_010_000);
    }
    let world = World::new(Traits::default(), |_, _| panic!("nothing was sent"));
    world.clogged.store(true, Ordering::Relaxed);
    assert_eq!(register_in(&world), Err(RegistrationFault::Exchange(ExchangeFault::Silent)));
    assert_eq!(world.ms(), 1_010_000);
}

/// Case 18: no server, and a handshake that hangs.
#[test]
fn a_connection_that_is_not_made_is_given_up_after_ten_seconds() {
    let world = World::new(Traits::default(), |_, _| panic!("nothing was sent"));
    world.refuse.store(true, Ordering::Relaxed);
    assert!(matches!(register_in(&world), Err(RegistrationFault::Exchange(ExchangeFault::Unreachable(_)))));
    world.connect_ms.store(u64::MAX, Ordering::Relaxed);
    let Err(RegistrationFault::Exchange(ExchangeFault::Unreachable(why))) = register_in(&world) else {
        panic!("it was registered")
    };
    assert!(why.ends_with("no connection in 10 s"), "{why}");
    assert_eq!(world.ms(), 1_010_000);
}

/// Case 22.
#[test]
fn two_devices_register_from_two_threads() {
    let worlds = [1, 2].map(|_| World::new(Traits::default(), |_, _| Answer::new(with_length(&granted())).paced(1)));
    std::thread::scope(|scope| {
        let both = worlds.each_ref().map(|world| scope.spawn(|| register_in(world)));
        for result in both {
            assert_eq!(result.join().unwrap(), secret());
        }
    });
}
