//! Against a broker that is a script.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use hub_core::messaging;
use hub_core::model::Problem;
use hub_core::ota;
use hub_core::ports::Downlink;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, SubAck};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::start::{filters, shares};
use super::*;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn subscriptions_are_shared_in_a_group() {
    let all: Vec<&str> = ota::FILTERS.into_iter().chain(messaging::FILTERS).collect();
    assert_eq!(filters(None), all);
    assert_eq!(filters(Some("g")), filters(None).iter().map(|filter| format!("$share/g/{filter}")).collect::<Vec<_>>());
}

/// An agreement of hubs in this process.
#[derive(Default)]
pub struct Text(Mutex<String>);

impl Agreement for Text {
    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> std::result::Result<(), Problem> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = change(&text) {
            *text = next;
        }
        Ok(())
    }
}

/// The broker's end of a connection.
struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

impl Peer {
    /// Takes a connection and its CONNECT.
    async fn accept(listener: &TcpListener) -> Peer {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut peer = Peer { stream, input: BytesMut::new() };
        assert!(matches!(peer.read().await, Packet::Connect(_)));
        peer.write(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await;
        peer
    }

    /// The next packet, but for what hubs tell each other.
    async fn read(&mut self) -> Packet {
        let read = async {
            loop {
                match Packet::read(&mut self.input, 1 << 20) {
                    Ok(Packet::Publish(message)) if message.topic.starts_with("$ota/report/hub/hub-") => continue,
                    Ok(packet) => return packet,
                    Err(_) => {}
                }
                assert_ne!(self.stream.read_buf(&mut self.input).await.expect("bytes"), 0, "closed");
            }
        };
        timeout(LIMIT, read).await.expect("a packet in time")
    }

    /// The next message of this hub to the hubs, but for marks.
    async fn note(&mut self) -> Publish {
        let read = async {
            loop {
                match Packet::read(&mut self.input, 1 << 20) {
                    Ok(Packet::Publish(message)) if !message.payload.starts_with(b"mark") => return message,
                    Ok(_) => continue,
                    Err(_) => {}
                }
                assert_ne!(self.stream.read_buf(&mut self.input).await.expect("bytes"), 0, "closed");
            }
        };
        timeout(LIMIT, read).await.expect("a message in time")
    }

    async fn write(&mut self, packet: &Packet) {
        let mut output = BytesMut::new();
        packet.write(&mut output, usize::MAX).expect("a packet");
        self.stream.write_all(&output).await.expect("it is read");
    }

    /// Answers a SUBSCRIBE.
    async fn subscribe(&mut self, code: SubscribeReasonCode) -> Vec<String> {
        let Packet::Subscribe(packet) = self.read().await else {
            panic!("no SUBSCRIBE");
        };
        let codes = packet.filters.iter().map(|_| code).collect();
        self.write(&Packet::SubAck(SubAck::new(packet.pkid, codes))).await;
        packet.filters.into_iter().map(|filter| filter.path).collect()
    }

    async fn publish(&mut self) -> Publish {
        match self.read().await {
            Packet::Publish(message) => message,
            other => panic!("{other:?} instead of a message"),
        }
    }
}

async fn listen() -> (TcpListener, BrokerOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let args = BrokerOptions {
        broker: Some(format!("mqtt://{address}")),
        broker_ca: None,
        broker_cert: None,
        broker_key: None,
        broker_user: None,
        broker_password_file: None,
        broker_group: None,
    };
    (listener, args)
}

const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(QoS::AtLeastOnce);

#[tokio::test]
async fn a_broker_that_shares_is_known_by_what_it_delivers() {
    for (code, delivers, expected) in
        [(GRANTED, true, true), (GRANTED, false, false), (SubscribeReasonCode::Failure, false, false)]
    {
        let (listener, args) = listen().await;
        let address = Address::of(&args).expect("good options").expect("a broker");
        let broker = tokio::spawn(async move {
            let mut peer = Peer::accept(&listener).await;
            assert_eq!(peer.subscribe(code).await, ["$share/me/$ota/report/hub/me"]);
            if code == GRANTED {
                let message = peer.publish().await;
                peer.write(&Packet::PubAck(PubAck::new(message.pkid))).await;
                if delivers {
                    peer.write(&Packet::Publish(message)).await;
                }
            }
            // Open until the hub has made up its mind.
            let _ = peer.stream.read_buf(&mut peer.input).await;
        });
        assert_eq!(shares(&address, "me").await, Ok(expected));
        broker.await.expect("the broker's script");
    }
}

/// Answers every report, and has dealt with it; says which commands the broker has.
struct Answering(Client, mpsc::UnboundedSender<Vec<i64>>);

impl Uplink for Answering {
    fn device_message(&self, client_id: &str, message: &Publish) -> bool {
        assert_eq!((client_id, message.topic.as_str()), ("P1a", "$ota/report/P1/a"));
        self.0.send(self::message("the answer"))
    }

    fn broker_has(&self, jobs: &[i64]) {
        self.1.send(jobs.to_vec()).expect("somebody who listens");
    }

    fn still_wanted(&self, jobs: &[i64]) -> BTreeSet<i64> {
        jobs.iter().copied().filter(|job| job % 2 == 0).collect()
    }

    fn warn(&self, _text: &str) {}
}

/// A hub that the broker has taken.
async fn start(
    listener: &TcpListener,
    mut args: BrokerOptions,
) -> (Client, Presence, Peer, mpsc::UnboundedReceiver<Vec<i64>>) {
    args.broker_group = Some("off".to_owned());
    let connected = tokio::spawn(async move { connect(&args, Arc::new(Text::default()), false).await });
    let mut peer = Peer::accept(listener).await;
    assert_eq!(peer.subscribe(GRANTED).await, filters(None));
    let (client, service, presence) = connected.await.expect("no panic").expect("connected").expect("a broker");
    let (sender, taken) = mpsc::unbounded_channel();
    tokio::spawn(service.serve(Arc::new(Answering(client.clone(), sender))));
    (client, presence, peer, taken)
}

fn message(payload: &str) -> Publish {
    Publish::new("$ota/update/P1/a", QoS::AtLeastOnce, payload)
}

#[tokio::test]
async fn what_the_broker_has_not_acknowledged_goes_out_again() {
    let (listener, args) = listen().await;
    let (client, _presence, mut peer, mut taken) = start(&listener, args).await;
    for (job, payload) in [(1, "one"), (2, "two")] {
        assert!(client.send_command(message(payload), job));
    }
    let (one, two) = (peer.publish().await, peer.publish().await);
    peer.write(&Packet::PubAck(PubAck::new(one.pkid))).await;
    // Once this has been answered, the acknowledgement has been taken, too.
    peer.write(&Packet::Publish(Publish { pkid: 7, ..Publish::new("elsewhere", QoS::AtLeastOnce, "") })).await;
    assert_eq!(peer.read().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(timeout(LIMIT, taken.recv()).await, Ok(Some(vec![1])));
    drop(peer);
    // Given while there is no connection.
    assert!(client.send(message("three")));
    let mut peer = Peer::accept(&listener).await;
    assert_eq!(peer.subscribe(GRANTED).await, filters(None), "subscriptions are made again");
    let again = peer.publish().await;
    assert_eq!(again.payload, two.payload);
    assert_eq!(peer.publish().await.payload, "three");
    peer.write(&Packet::PubAck(PubAck::new(again.pkid))).await;
    assert_eq!(timeout(LIMIT, taken.recv()).await, Ok(Some(vec![2])));
}

#[tokio::test]
async fn a_report_is_acknowledged_behind_its_answer() {
    let (listener, args) = listen().await;
    let (client, _presence, mut peer, _taken) = start(&listener, args).await;
    let report = Publish { pkid: 9, ..Publish::new("$ota/report/P1/a", QoS::AtLeastOnce, "a report") };
    peer.write(&Packet::Publish(report)).await;
    assert_eq!(peer.publish().await.payload, "the answer");
    assert_eq!(peer.read().await, Packet::PubAck(PubAck::new(9)));
    drop(client);
}

#[tokio::test]
async fn a_refused_subscription_is_an_error() {
    let (listener, mut args) = listen().await;
    args.broker_group = Some("off".to_owned());
    let connected = tokio::spawn(async move { connect(&args, Arc::new(Text::default()), false).await.map(|_| ()) });
    let mut peer = Peer::accept(&listener).await;
    peer.subscribe(SubscribeReasonCode::Failure).await;
    let error = connected.await.expect("no panic").expect_err("refused").to_string();
    assert!(error.contains("$ota/report/+/+") && error.contains("permission"), "{error}");
}

#[tokio::test]
async fn hubs_tell_each_other_that_one_comes() {
    let (listener, mut args) = listen().await;
    args.broker_group = Some("off".to_owned());
    let text = Arc::new(Text::default());
    let first = Places::new(text.clone(), listener.local_addr().expect("its address").to_string()).expect("a name");
    let given = start::place(&first, &filters(None)).await.expect("a place");
    let serve = |place: &mut roster::Place| (place.stage, place.members) = (Stage::Serves, Members::of(1));
    first.change_own(given.number, serve).expect("agreed").expect("its own");
    let connected = tokio::spawn(async move { connect(&args, text, false).await });
    let mut peer = Peer::accept(&listener).await;
    peer.subscribe(GRANTED).await;
    let (client, service, presence) = connected.await.expect("no panic").expect("connected").expect("a broker");
    let (sender, mut taken) = mpsc::unbounded_channel();
    tokio::spawn(service.serve(Arc::new(Answering(client.clone(), sender))));
    let sessions = first.look().expect("agreed").sessions();
    for note in [Note::Joins(1), Note::Joined(1)] {
        let told = peer.note().await;
        assert_eq!(Note::parse(&told.topic, &told.payload, &sessions), Some(note));
        peer.write(&Packet::PubAck(PubAck::new(told.pkid))).await;
        peer.write(&Packet::Publish(Publish { pkid: told.pkid + 100, ..told })).await;
    }
    // Once this has been answered, they have been taken, too.
    peer.write(&Packet::Publish(Publish { pkid: 7, ..Publish::new("elsewhere", QoS::AtLeastOnce, "") })).await;
    while peer.read().await != Packet::PubAck(PubAck::new(7)) {}
    let roster = first.look().expect("agreed");
    assert_eq!((roster.members(), roster.places[&1].members), (0b11, Members::of(0b11)));
    assert!(taken.try_recv().is_err());
    drop(presence);
    assert_eq!(first.look().expect("agreed").places[&1].holder, "");
}

#[tokio::test]
async fn a_command_that_has_waited_long_goes_only_if_it_is_still_wanted() {
    let (listener, mut args) = listen().await;
    args.broker_group = Some("off".to_owned());
    let connected = tokio::spawn(async move { connect(&args, Arc::new(Text::default()), false).await });
    let mut peer = Peer::accept(&listener).await;
    peer.subscribe(GRANTED).await;
    let (client, mut service, _presence) = connected.await.expect("no panic").expect("connected").expect("a broker");
    let (sender, _taken) = mpsc::unbounded_channel();
    let long_ago = Instant::now().checked_sub(FRESH * 2).expect("a time");
    for (job, looked_at) in [(Some(1), long_ago), (Some(2), long_ago), (Some(3), Instant::now()), (None, long_ago)] {
        let message = Message { publish: message("one"), job, next: None, looked_at };
        service.outgoing.push_back(Outgoing::Message(message));
    }
    service.look_through(&Answering(client, sender));
    let left = service.outgoing.iter().map(|item| match item {
        Outgoing::Message(message) => (message.job, message.looked_at == long_ago),
        Outgoing::Ack(_) => panic!("nothing came"),
    });
    assert_eq!(left.collect::<Vec<_>>(), [(Some(2), false), (Some(3), false), (None, true)]);
}
