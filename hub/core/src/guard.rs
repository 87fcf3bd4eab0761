//! What one address, and each of its connections, may cost the firmware and CoAP servers. Devices behind one router have one
//! address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::headway::Headway;
use crate::rate::{Excess, Quota, Rate, Rates, MINUTE};

/// Limits of each address; `None`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: Option<u32>,
    /// Requests a minute, of CoAP datagrams.
    pub requests: Option<u32>,
    /// Bytes a second that must be taken of an answer, at least.
    pub slowest: Option<u32>,
}

/// Keeps to the limits.
pub struct Guard {
    connections: Option<u32>,
    requests: Quota<IpAddr>,
    slowest: Option<u32>,
    open: Mutex<HashMap<IpAddr, u32>>,
    /// Whom a person has been told of.
    told: Rates<IpAddr>,
}

/// A connection that an address has.
pub struct Seat {
    guard: Arc<Guard>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.guard.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

impl Guard {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Guard {
            connections: limits.connections,
            requests: Quota::new(limits.requests),
            slowest: limits.slowest,
            open: Mutex::default(),
            told: Rates::new(Rate { count: 1, period: MINUTE }),
        }
    }

    /// An address has a connection more; where it has too many, why not.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Seat, String> {
        let address = one_for_all(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        match self.connections {
            Some(most) if *count >= most => {
                Err(format!("{address} has {most} connections to the firmware servers: it gets no more"))
            }
            _ => {
                *count += 1;
                Ok(Seat { guard: self.clone(), address })
            }
        }
    }

    /// An address asks for something; where it asks too often, when it may again, and why.
    pub fn ask(&self, address: IpAddr, now: Instant) -> Result<(), (Duration, String)> {
        let address = one_for_all(address);
        self.requests.spend(address, now).map_err(|Excess { count, wait }| {
            (wait, format!("{address} asks more than {count} times a minute: it is refused"))
        })
    }

    /// How a connection must take what it is sent; `None`: as it likes.
    pub fn headway(&self) -> Option<Headway> {
        self.slowest.map(Headway::new)
    }

    /// What a person should know of an address that takes too little.
    pub fn too_slow(&self, address: IpAddr) -> String {
        let least = self.slowest.unwrap_or_default();
        format!("{address} takes less than {least} bytes a second of what it has asked for: its connection is ended")
    }

    /// Whether a person is to be told of an address now: once a minute.
    pub fn tells(&self, address: IpAddr, now: Instant) -> bool {
        self.told.spend(one_for_all(address), now).is_ok()
    }
}

/// Whoever has one address of IPv6 has as many as there are in its network.
fn one_for_all(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_so_many_connections_at_a_time() {
        let guard = Arc::new(Guard::new(Limits { connections: Some(2), ..Limits::default() }));
        let first = guard.enter(ip("10.0.0.7")).expect("the first");
        let _second = guard.enter(ip("::ffff:10.0.0.7")).expect("the second");
        assert!(guard.enter(ip("10.0.0.7")).is_err_and(|why| why.contains("10.0.0.7 has 2 connections")));
        assert!(guard.enter(ip("10.0.0.8")).is_ok());
        drop(first);
        assert!(guard.enter(ip("10.0.0.7")).is_ok());
        assert_eq!(guard.open.lock().expect("open").len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_a_person_is_told_once_a_minute() {
        let (guard, now) = (Guard::new(Limits { requests: Some(2), ..Limits::default() }), Instant::now());
        assert!(guard.ask(ip("2001:db8::1"), now).is_ok() && guard.ask(ip("2001:db8::2"), now).is_ok());
        assert!(guard.ask(ip("2001:db8::3"), now).is_err_and(|(wait, _)| wait == MINUTE / 2));
        assert!(guard.ask(ip("2001:db8:0:1::3"), now).is_ok());
        let told: Vec<bool> =
            [0, 1, 60].map(|second| guard.tells(ip("2001:db8::3"), now + Duration::from_secs(second))).into();
        assert_eq!(told, [true, false, true]);
        assert!((0..1000).all(|_| Guard::new(Limits::default()).ask(ip("10.0.0.7"), now).is_ok()));
    }
}
