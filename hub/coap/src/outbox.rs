//! Datagrams on their way out, and what fault rules do to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use hub_fault::coap::Spoil;

/// Datagrams to send now, later, or after the next one.
#[derive(Default)]
pub struct Outbox {
    now: VecDeque<(SocketAddr, Vec<u8>)>,
    /// By when they are due, and a number that tells apart those that are due together.
    later: BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>,
    number: u64,
    /// These follow the next datagram to their peer.
    held: HashMap<SocketAddr, Vec<u8>>,
}

impl Outbox {
    /// When something is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.later.keys().next().map(|(due, _)| *due)
    }

    /// The next datagram to send now.
    pub fn next(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.now.pop_front()
    }

    /// Does what the time has come for.
    pub fn tick(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (peer, datagram) = entry.remove();
            self.send(peer, datagram);
        }
    }

    /// Sends a datagram as it is.
    pub fn send(&mut self, peer: SocketAddr, datagram: Vec<u8>) {
        self.now.push_back((peer, datagram));
        if let Some(held) = self.held.remove(&peer) {
            self.now.push_back((peer, held));
        }
    }

    /// Sends a datagram with what happens to it on the way.
    pub fn send_spoilt(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        mut datagram: Vec<u8>,
        spoils: impl Iterator<Item = Spoil>,
    ) {
        let (mut copies, mut due, mut swapped) = (1, now, false);
        for spoil in spoils {
            match spoil {
                Spoil::Lose => copies = 0,
                Spoil::Twice => copies *= 2,
                Spoil::Late(delay) => due += delay,
                Spoil::Swap => swapped = true,
                Spoil::Half => datagram.truncate(datagram.len() / 2),
                Spoil::OtherToken => token(&mut datagram).iter_mut().for_each(|byte| *byte ^= 0xff),
                Spoil::NoToken => {
                    let length = token(&mut datagram).len();
                    datagram.drain(4.min(datagram.len())..(4 + length).min(datagram.len()));
                    datagram.iter_mut().take(1).for_each(|first| *first &= 0xf0);
                }
            }
        }
        for _ in 0..copies {
            if swapped {
                self.held.insert(peer, datagram.clone());
            } else if due > now {
                self.number += 1;
                self.later.insert((due, self.number), (peer, datagram.clone()));
            } else {
                self.send(peer, datagram.clone());
            }
        }
    }
}

/// The token of one of our messages.
fn token(datagram: &mut [u8]) -> &mut [u8] {
    let length = datagram.first().map_or(0, |first| usize::from(first & 15));
    datagram.get_mut(4..4 + length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn spoilt(spoils: &[Spoil]) -> Vec<Vec<u8>> {
        let mut outbox = Outbox::default();
        let peer = ([127, 0, 0, 1], 1).into();
        outbox.send_spoilt(Instant::now(), peer, b"\x62\x45\x00\x01ab\xffxy".to_vec(), spoils.iter().copied());
        std::iter::from_fn(|| outbox.next()).map(|(_, datagram)| datagram).collect()
    }

    #[test]
    fn what_happens_on_the_way() {
        let whole = b"\x62\x45\x00\x01ab\xffxy".to_vec();
        assert_eq!(spoilt(&[])[..], *std::slice::from_ref(&whole));
        assert_eq!(spoilt(&[Spoil::Twice]), [whole.clone(), whole]);
        assert_eq!(spoilt(&[Spoil::Half]), [b"\x62\x45\x00\x01"]);
        assert_eq!(spoilt(&[Spoil::OtherToken]), [b"\x62\x45\x00\x01\x9e\x9d\xffxy"]);
        assert_eq!(spoilt(&[Spoil::NoToken]), [b"\x60\x45\x00\x01\xffxy"]);
        assert_eq!(spoilt(&[Spoil::Half, Spoil::NoToken]), [b"\x60\x45\x00\x01"]);
        assert!(spoilt(&[Spoil::Lose]).is_empty() && spoilt(&[Spoil::Swap]).is_empty());
    }

    #[test]
    fn late_and_swapped_ones_come_in_their_time() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let (one, two): (SocketAddr, SocketAddr) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let late = Duration::from_secs(3);
        outbox.send_spoilt(now, one, vec![1], [Spoil::Late(late)].into_iter());
        outbox.send_spoilt(now, one, vec![2], [Spoil::Swap].into_iter());
        outbox.send(two, vec![3]);
        assert_eq!((outbox.next(), outbox.next()), (Some((two, vec![3])), None));
        assert_eq!(outbox.deadline(), Some(now + late));
        outbox.tick(now + late);
        let rest = [outbox.next(), outbox.next(), outbox.next()];
        assert_eq!(rest, [Some((one, vec![1])), Some((one, vec![2])), None]);
    }
}
