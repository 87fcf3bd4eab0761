//! One CoAP client under many threads.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use iot_engine::identity::Identity;

use super::{hasten, Machine, LIMIT};
use crate::drive::coap::tests::acknowledge;
use crate::drive::coap::{Answer, Client, Event, Listener, Settings, Setup};
use crate::hal::{Datagrams, Security, TransportError};
use iot_engine::coap::packet::{Kind, Packet};

const SENDERS: usize = 4;
const MESSAGES: usize = 50;

struct Socket(UnixDatagram);

impl Datagrams for Socket {
    fn receive(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.0.set_read_timeout(Some(hasten(timeout_ms))).unwrap();
        match self.0.recv(buf) {
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(_) => Err(TransportError::Failed(-606)),
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<(), TransportError> {
        self.0.send(datagram).map(drop).map_err(|_| TransportError::Failed(-607))
    }
}

/// Answers until the client is gone: an empty datagram, or none for too long, ends it.
fn serve(socket: &UnixDatagram) {
    let mut buffer = [0; 600];
    while let Ok(count @ 1..) = socket.recv(&mut buffer) {
        let packet = Packet::parse(&buffer[..count]).unwrap();
        if packet.kind == Kind::Confirmable {
            let payload: &[u8] = if packet.payload.starts_with(b"21010406;") { b"TOKEN" } else { b"" };
            // It fails once the client is gone, and where the client has no room: the request comes again.
            let _ = socket.send(&acknowledge(&packet, payload));
        }
    }
}

#[derive(Default)]
struct Ended(AtomicUsize);

impl Listener for Arc<Ended> {
    fn ended(&self, client: &Arc<Client>, answer: &Answer) {
        assert_eq!(answer.event(), Event::Acknowledged);
        // The first of each sender is followed by one from in here.
        if self.0.fetch_add(1, Ordering::Relaxed) < SENDERS {
            client.send("t", b"from a callback", false, None).unwrap();
        }
    }
}

#[test]
fn case_22_each_message_of_many_threads_ends_once_while_two_receive() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    theirs.set_read_timeout(Some(LIMIT)).unwrap();
    theirs.set_write_timeout(Some(hasten(1))).unwrap();
    let end = ours.try_clone().unwrap();
    let ended = Arc::new(Ended::default());
    let server = thread::spawn(move || serve(&theirs));
    let settings = Settings { command_timeout_ms: 5000, max_repeats: 5 };
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    let setup = Setup::new(identity, settings, Security::None, Some(Box::new(ended.clone())), Box::new(())).unwrap();
    let client = Client::over(Arc::new(Socket(ours)), Arc::new(Machine::new()), setup).unwrap();
    let all = SENDERS * (MESSAGES + 1);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                for _ in 0..MESSAGES {
                    client.send("t", b"x", false, None).unwrap();
                    let _ = client.room("t");
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while ended.0.load(Ordering::Relaxed) < all {
                    client.yield_for(100).unwrap();
                }
            });
        }
    });
    client.destroy();
    end.send(&[]).unwrap();
    server.join().unwrap();
    assert_eq!(ended.0.load(Ordering::Relaxed), all);
}
