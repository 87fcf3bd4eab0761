//! A slow link: two TUN devices, one of them in a network namespace, and threads that carry packets between them at
//! 10 Mbit/s and 25 ms each way, as `tc netem` does where the kernel has it.

use std::collections::VecDeque;
use std::io;
use std::process::{self, Command};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use tappers::Tun;

const BITS_PER_SECOND: u64 = 10_000_000;
const ONE_WAY: Duration = Duration::from_millis(25);
const MTU: usize = 1500;
/// Packets that wait for their turn; what comes then is lost.
const QUEUE: usize = 100;

/// The link. The near end is in this namespace, where servers listen; clients run below [`Link::wrapper`].
pub struct Link {
    near: String,
    namespace: String,
    address: String,
}

impl Link {
    /// Makes it; `Err` says why that is not possible here.
    pub fn new() -> Result<Link, String> {
        let id = process::id();
        // Of the addresses set aside for measurements (RFC 2544), four for each process.
        let (high, low) = (id / 64 % 256, id % 64 * 4);
        let address = |last: u32| format!("198.18.{high}.{}", low + last);
        let open = || Tun::new().map_err(|error| format!("it takes root and /dev/net/tun: {error}"));
        let (near_tun, far_tun) = (open()?, open()?);
        let name = |tun: &Tun| {
            let name = tun.name().map_err(|error| error.to_string())?;
            Ok::<_, String>(name.name().to_string_lossy().into_owned())
        };
        let (near, far) = (name(&near_tun)?, name(&far_tun)?);
        let namespace = format!("iot-bench-{id}");
        ip(&["netns", "add", &namespace])?;
        let link = Link { near: near.clone(), namespace: namespace.clone(), address: address(1) };
        ip(&["addr", "add", &format!("{}/30", address(1)), "dev", &near])?;
        ip(&["link", "set", &near, "mtu", &MTU.to_string(), "up"])?;
        ip(&["link", "set", &far, "netns", &namespace])?;
        ip(&["-n", &namespace, "addr", "add", &format!("{}/30", address(2)), "dev", &far])?;
        ip(&["-n", &namespace, "link", "set", &far, "mtu", &MTU.to_string(), "up"])?;
        let (near_tun, far_tun) = (Arc::new(near_tun), Arc::new(far_tun));
        carry(near_tun.clone(), far_tun.clone());
        carry(far_tun, near_tun);
        Ok(link)
    }

    /// Where servers listen.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stands before the command of a client.
    pub fn wrapper(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace].map(str::to_owned).to_vec()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The devices go, which ends the threads. Nothing more can be done where that fails.
        drop(ip(&["link", "delete", &self.near]));
        drop(ip(&["netns", "delete", &self.namespace]));
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let text = format!("ip {}", words.join(" "));
    match Command::new("ip").args(words).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{text}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{text}: {error}")),
    }
}

/// When packets leave a link of limited speed.
struct Clock {
    free: Instant,
    /// When each waiting packet is on its way.
    waiting: VecDeque<Instant>,
}

impl Clock {
    /// When a packet that comes now has arrived; `None` when the queue is full.
    fn arrival(&mut self, now: Instant, len: usize) -> Option<Instant> {
        while self.waiting.front().is_some_and(|gone| *gone <= now) {
            self.waiting.pop_front();
        }
        if self.waiting.len() >= QUEUE {
            return None;
        }
        let takes = Duration::from_nanos(len as u64 * 8 * 1_000_000_000 / BITS_PER_SECOND);
        self.free = self.free.max(now) + takes;
        self.waiting.push_back(self.free);
        Some(self.free + ONE_WAY)
    }
}

fn carry(from: Arc<Tun>, to: Arc<Tun>) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || -> io::Result<()> {
        let mut clock = Clock { free: Instant::now(), waiting: VecDeque::new() };
        let mut packet = [0; MTU];
        loop {
            let len = from.recv(&mut packet)?;
            let arrival = clock.arrival(Instant::now(), len);
            if arrival.is_some_and(|arrival| sender.send((arrival, packet[..len].to_vec())).is_err()) {
                return Ok(());
            }
        }
    });
    thread::spawn(move || {
        for (arrival, packet) in receiver {
            thread::sleep(arrival.saturating_duration_since(Instant::now()));
            if to.send(&packet).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_wait_for_those_before_them_and_are_lost_when_too_many_wait() {
        let start = Instant::now();
        let mut clock = Clock { free: start, waiting: VecDeque::new() };
        let packet = Duration::from_micros(1200);
        for count in 1..=QUEUE as u32 {
            assert_eq!(clock.arrival(start, MTU), Some(start + packet * count + ONE_WAY));
        }
        assert_eq!(clock.arrival(start, MTU), None);
        assert_eq!(clock.arrival(start + packet, MTU), Some(start + packet * (QUEUE as u32 + 1) + ONE_WAY));
    }
}
