//! Connecting to a name: every address that it has is tried, with TCP the next one before the one before it has timed out
//! (RFC 8305, 5).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::address::{self, Address};
use crate::cause::Cause;
use crate::net::{io_text, Deadline};
use crate::{addresses, descriptors};

/// The most addresses of a name that are tried. A name server decides how many there are.
const MAX_ADDRESSES: usize = 32;
/// How long an address may leave the next one waiting.
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection in the making.
struct Attempt {
    socket: OwnedFd,
    address: Address,
}

/// The addresses of a name, some of them being connected to. Gives one connection after the other, for a caller that finds
/// the first of no use.
pub struct Candidates {
    /// Not tried yet, the next one last.
    untried: Vec<Address>,
    pending: Vec<Attempt>,
    /// When the next address is to be tried, whatever the pending ones do.
    next_start: Instant,
    reasons: Vec<Cause>,
}

impl Candidates {
    /// The addresses of `host`, see [`resolve`].
    ///
    /// # Errors
    /// Cause and place.
    pub fn resolve(host: &str, port: u16) -> Result<Self, Cause> {
        resolve(host, port).map(Self::new)
    }

    /// Those addresses, the most promising first.
    #[must_use]
    pub fn new(mut addresses: Vec<Address>) -> Self {
        addresses::sort(&mut addresses);
        addresses.reverse();
        Self { untried: addresses, pending: Vec::new(), next_start: Instant::now(), reasons: Vec::new() }
    }

    /// How many addresses are left to connect to.
    #[must_use]
    pub fn left(&self) -> usize {
        self.untried.len() + self.pending.len()
    }

    /// The connection that was given last is of no use.
    pub fn reject(&mut self, cause: Cause) {
        if !self.reasons.contains(&cause) {
            self.reasons.push(cause);
        }
    }

    /// The next connection that comes to be. It does not block and does not delay small packets; its descriptor is above 2
    /// and not inherited by programs that are started with exec.
    ///
    /// # Errors
    /// No address is left, or the time is over: the reason for each address.
    pub fn next(&mut self, deadline: &Deadline) -> Result<(OwnedFd, Address), Cause> {
        loop {
            if self.pending.is_empty() || Instant::now() >= self.next_start {
                self.start_one(deadline);
            }
            if self.left() == 0 {
                return Err(self.verdict());
            }
            if let Some(connection) = self.settled() {
                return Ok(connection);
            }
            if deadline.remaining().is_zero() {
                let silent: Vec<_> = self.pending.drain(..).map(|attempt| attempt.address).collect();
                for address in silent {
                    self.fail(&io::ErrorKind::TimedOut.into(), address);
                }
                self.untried.clear();
                return Err(self.verdict());
            }
            if !self.pending.is_empty() {
                self.wait(deadline);
            }
        }
    }

    /// Begins to connect to the next address.
    fn start_one(&mut self, deadline: &Deadline) {
        let Some(address) = self.untried.pop() else { return };
        let share = deadline.remaining() / u32::try_from(self.untried.len() + 1).unwrap_or(u32::MAX);
        self.next_start = Instant::now() + HEAD_START.min(share);
        addresses::tried(address);
        match start(address, libc::SOCK_STREAM | libc::SOCK_NONBLOCK) {
            Ok(socket) => self.pending.push(Attempt { socket, address }),
            Err(error) => self.fail(&error, address),
        }
    }

    /// Sleeps until one of the attempts has an outcome, the next one is due, or the time is over.
    fn wait(&self, deadline: &Deadline) {
        let mut polls = [libc::pollfd { fd: -1, events: libc::POLLOUT, revents: 0 }; MAX_ADDRESSES];
        for (poll, attempt) in polls.iter_mut().zip(&self.pending) {
            poll.fd = attempt.socket.as_raw_fd();
        }
        let mut limit = deadline.remaining();
        if !self.untried.is_empty() {
            limit = limit.min(self.next_start.saturating_duration_since(Instant::now()));
        }
        // Rounded up: a wait that ends too early would make the caller go round with nothing to do.
        let ms = libc::c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX);
        // SAFETY: as many valid entries as said; negative descriptors are skipped. Whatever it returns, the caller looks at
        // each attempt again.
        unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, ms) };
    }

    /// The first attempt that succeeded. Those that failed go.
    fn settled(&mut self) -> Option<(OwnedFd, Address)> {
        let mut place = 0;
        while place < self.pending.len() {
            match outcome(&self.pending[place].socket) {
                None => place += 1,
                Some(result) => {
                    let Attempt { socket, address } = self.pending.remove(place);
                    match result.and_then(|()| send_at_once(&socket)) {
                        Ok(()) => return Some((socket, address)),
                        Err(error) => {
                            self.fail(&error, address);
                            // No need to wait for the others.
                            self.next_start = Instant::now();
                        }
                    }
                }
            }
        }
        None
    }

    fn fail(&mut self, error: &io::Error, address: Address) {
        self.reject(reason(error, address));
    }

    fn verdict(&self) -> Cause {
        verdict(&self.reasons)
    }
}

/// Resolves `host` (name, IPv4 or IPv6 address). That takes as long as the system's resolver takes.
///
/// # Errors
/// Cause and place.
pub fn resolve(host: &str, port: u16) -> Result<Vec<Address>, Cause> {
    let _hold = descriptors::hold();
    let addresses = address::resolve(host, port, MAX_ADDRESSES)
        .map_err(|why| Cause::passing(format!("name {host} not found ({why})")))?;
    if addresses.is_empty() {
        return Err(Cause::passing(format!("name {host} not found (it has no address)")));
    }
    Ok(addresses)
}

/// Why there is no connection with `address`.
#[must_use]
pub fn reason(error: &io::Error, address: Address) -> Cause {
    Cause::passing(match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer from {address} (time-out)"),
        io::ErrorKind::ConnectionRefused => format!("connection refused by {address}"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => format!("no route to {address}"),
        _ => format!("can't connect to {address} ({})", io_text(error)),
    })
}

/// The reasons of all addresses as one. It lasts where all of them do.
#[must_use]
pub fn verdict(reasons: &[Cause]) -> Cause {
    let texts: Vec<&str> = reasons.iter().map(|cause| cause.text.as_str()).collect();
    Cause {
        text: if texts.is_empty() { "no time left to connect".to_owned() } else { texts.join(", ") },
        is_lasting: !texts.is_empty() && reasons.iter().all(|cause| cause.is_lasting),
    }
}

/// Connects, to whichever address answers first.
///
/// # Errors
/// Cause and place, for each address.
pub fn connect(host: &str, port: u16, deadline: &Deadline) -> Result<OwnedFd, Cause> {
    Candidates::resolve(host, port)?.next(deadline).map(|(socket, _)| socket)
}

/// A socket that is being connected; one for datagrams is connected with it. Its descriptor is above 2 and not inherited by
/// programs that are started with exec.
///
/// # Errors
/// There is no socket to be had, or no way to the address.
pub fn start(address: Address, kind: libc::c_int) -> io::Result<OwnedFd> {
    let socket = {
        let _hold = descriptors::hold();
        let fd = address.socket(kind | libc::SOCK_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor, owned by nobody else.
        descriptors::lift(unsafe { OwnedFd::from_raw_fd(fd) })?
    };
    let code = address.connect(socket.as_raw_fd());
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Interrupted, it goes on in the background (POSIX, connect).
        _ if code == 0 => Ok(socket),
        Some(libc::EINPROGRESS | libc::EINTR) => Ok(socket),
        _ => Err(error),
    }
}

/// Small packets of `socket` don't wait for the answer to those before them.
fn send_at_once(socket: &OwnedFd) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let len = size_of_val(&yes) as libc::socklen_t;
    // SAFETY: `yes` has the size that `len` says.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const yes).cast(), len)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What has become of connecting `socket`; `None`: not known yet.
fn outcome(socket: &OwnedFd) -> Option<io::Result<()>> {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid pollfd.
    if unsafe { libc::poll(&mut poll, 1, 0) } < 1 {
        return None;
    }
    let (mut code, mut len): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: `code` has the size that `len` says.
    let result =
        unsafe { libc::getsockopt(poll.fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut code).cast(), &mut len) };
    Some(match (result, code) {
        (0, 0) => Ok(()),
        (0, code) => Err(io::Error::from_raw_os_error(code)),
        _ => Err(io::Error::last_os_error()),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::address::tests::of;

    /// Far beyond what loopback needs; reached only when something is wrong.
    const LONG: u32 = 60_000;

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address that nobody listens at, as long as the listener beside it lives.
    fn deaf(neighbour: SocketAddr, last: u8) -> Address {
        of(format!("127.0.0.{last}:{}", neighbour.port()))
    }

    /// An address that does not answer at all: its queue of one connection is full.
    fn silent() -> (TcpListener, Vec<TcpStream>, Address) {
        let (listener, address) = listen();
        // SAFETY: touches no memory; makes the queue of a listening socket smaller.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let mut full = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            full.push(stream);
        }
        (listener, full, of(address))
    }

    #[test]
    fn the_good_one_is_found_among_refused_silent_and_unreachable_ones_and_remembered() {
        let (_listener, good) = listen();
        let (_silent, _full, silent) = silent();
        let refused = deaf(good, 2);
        // IPv6 with a scope that no interface has: there is no way to it.
        let unreachable = of("[fe80::1%4000000000]:9");
        let good = of(good);
        let all = vec![unreachable, silent, refused, good];
        let begin = Instant::now();
        let (stream, address) = Candidates::new(all.clone()).next(&Deadline::after_ms(LONG)).unwrap();
        assert_eq!((address, Address::of_peer(stream.as_raw_fd())), (good, Some(good)));
        assert!(begin.elapsed() < Duration::from_secs(10));
        addresses::proven(address);
        let mut candidates = Candidates::new(all);
        assert_eq!(candidates.next(&Deadline::after_ms(LONG)).unwrap().1, good);
        assert_eq!(candidates.left(), 3, "no other one was tried");
    }

    #[test]
    fn one_that_the_caller_rejects_is_followed_by_the_next() {
        let ((_one, first), (_two, second)) = (listen(), listen());
        let (first, second) = (of(first), of(second));
        let mut candidates = Candidates::new(vec![first, second]);
        let deadline = Deadline::after_ms(LONG);
        // Either may be connected first: on a busy machine the second is begun before the first has its answer.
        let one = candidates.next(&deadline).unwrap().1;
        candidates.reject(Cause::lasting("certificate of h expired".to_owned()));
        let other = candidates.next(&deadline).unwrap().1;
        assert!([one, other] == [first, second] || [one, other] == [second, first]);
        candidates.reject(Cause::lasting("certificate of h expired".to_owned()));
        let cause = candidates.next(&deadline).unwrap_err();
        assert_eq!(cause, Cause::lasting("certificate of h expired".to_owned()));
    }

    #[test]
    fn one_that_stays_silent_is_the_last_next_time() {
        let ((_one, first), (_two, second)) = (listen(), listen());
        let (first, second) = (of(first), of(second));
        let next = || Candidates::new(vec![first, second]).next(&Deadline::after_ms(LONG)).unwrap().1;
        // Nothing is read from either, so they take turns.
        assert_eq!([next(), next(), next()], [first, second, first]);
        addresses::proven(second);
        assert_eq!([next(), next(), next()], [second, second, first], "not for ever");
    }

    #[test]
    fn each_address_has_its_reason() {
        let (_listener, good) = listen();
        let (_silent, _full, silent) = silent();
        let (refused, also) = (deaf(good, 2), deaf(good, 3));
        let cause = Candidates::new(vec![silent, refused, also]).next(&Deadline::after_ms(700)).unwrap_err();
        let text = format!(
            "connection refused by {refused}, connection refused by {also}, no answer from {silent} (time-out)"
        );
        assert_eq!(cause, Cause::passing(text));
    }

    #[test]
    fn an_unknown_name_is_named() {
        let text = connect("no such host", 1, &Deadline::after_ms(LONG)).unwrap_err().text;
        assert!(text.starts_with("name no such host not found ("), "{text}");
    }
}
