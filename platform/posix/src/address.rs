//! Addresses as the system's calls take them, and names by those calls. `std::net` has it all, too, and adds 12 kB to a
//! program that has no other use for it.

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::mem::offset_of;
use std::os::fd::RawFd;
use std::{fmt, io, ptr};

use crate::net::io_text;

/// The size of the longer kind, that of IPv6.
const SIZE: usize = size_of::<libc::sockaddr_in6>();
/// Both kinds have the port here.
const PORT: usize = offset_of!(libc::sockaddr_in6, sin6_port);
/// Room for an address as text, with its NUL (`INET6_ADDRSTRLEN`).
const TEXT_SIZE: usize = 46;

extern "C" {
    fn inet_ntop(family: c_int, ip: *const c_void, text: *mut c_char, size: libc::socklen_t) -> *const c_char;
}

/// An IPv4 or IPv6 address and a port: the bytes of a `sockaddr_in`, with zeros behind it, or of a `sockaddr_in6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(4))]
pub struct Address([u8; SIZE]);

impl Address {
    /// No address: nothing has a family of 0.
    const NONE: Self = Self([0; SIZE]);

    /// Where the connection `fd` leads. `None`: it leads nowhere.
    #[must_use]
    pub fn of_peer(fd: RawFd) -> Option<Self> {
        let mut address = Self::NONE;
        let mut len = SIZE as libc::socklen_t;
        // SAFETY: `address` has the alignment of a socket's address and the size that `len` says.
        let result = unsafe { libc::getpeername(fd, address.0.as_mut_ptr().cast(), &mut len) };
        (result == 0 && address.is_known()).then_some(address)
    }

    fn is_known(&self) -> bool {
        [libc::AF_INET, libc::AF_INET6].contains(&self.family())
    }

    fn family(&self) -> c_int {
        c_int::from(libc::sa_family_t::from_ne_bytes(self.bytes(0)))
    }

    /// What stands at a field's place.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|place| self.0[at + place])
    }

    /// Whether it is one of IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.family() == libc::AF_INET6
    }

    /// A new socket of `kind` for it: what socket(2) returns.
    pub(crate) fn socket(&self, kind: c_int) -> RawFd {
        // SAFETY: touches no memory.
        unsafe { libc::socket(self.family(), kind, 0) }
    }

    /// Connects the socket `fd` with it: what connect(2) returns.
    pub(crate) fn connect(&self, fd: RawFd) -> c_int {
        let len = if self.is_ipv6() { SIZE } else { size_of::<libc::sockaddr_in>() };
        // SAFETY: an address of its size.
        unsafe { libc::connect(fd, self.0.as_ptr().cast(), len as libc::socklen_t) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ipv6 = self.is_ipv6();
        let ip =
            if is_ipv6 { offset_of!(libc::sockaddr_in6, sin6_addr) } else { offset_of!(libc::sockaddr_in, sin_addr) };
        let mut text: [c_char; TEXT_SIZE] = [0; TEXT_SIZE];
        // SAFETY: what an address of the family has there, and as much room as said. A NUL ends the text, also where nothing
        // was written.
        let text = unsafe {
            inet_ntop(self.family(), self.0[ip..].as_ptr().cast(), text.as_mut_ptr(), TEXT_SIZE as libc::socklen_t);
            CStr::from_ptr(text.as_ptr())
        };
        let text = text.to_str().unwrap_or_default();
        let port = u16::from_be_bytes(self.bytes(PORT));
        if !is_ipv6 {
            return write!(f, "{text}:{port}");
        }
        match u32::from_ne_bytes(self.bytes(offset_of!(libc::sockaddr_in6, sin6_scope_id))) {
            0 => write!(f, "[{text}]:{port}"),
            scope => write!(f, "[{text}%{scope}]:{port}"),
        }
    }
}

/// What getaddrinfo(3) has found, to be given back.
struct Found(*mut libc::addrinfo);

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: from getaddrinfo, and given back once.
        unsafe { libc::freeaddrinfo(self.0) };
    }
}

/// The first `most` addresses of `host` (name, IPv4 or IPv6 address), with `port`. That takes as long as the system's
/// resolver takes.
///
/// # Errors
/// The resolver's own words.
pub fn resolve(host: &str, port: u16, most: usize) -> Result<Vec<Address>, String> {
    let host = CString::new(host).map_err(|_| "a NUL in it".to_owned())?;
    // SAFETY: all-zero bytes are valid: anything.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    // Each address would come once for each kind of socket.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut first = ptr::null_mut();
    // SAFETY: a NUL-terminated name, valid hints, and a place for the result.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &hints, &mut first) };
    if code != 0 {
        return Err(why_not(code));
    }
    let found = Found(first);
    let mut addresses = Vec::new();
    let mut next = found.0;
    // SAFETY: NULL, or an entry of the list, which lives as long as `found`.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ai_next;
        if addresses.len() == most {
            break;
        }
        let mut address = Address::NONE;
        // SAFETY: the entry has an address of this many bytes, and no more are copied than there is room for.
        unsafe {
            ptr::copy_nonoverlapping(entry.ai_addr.cast(), address.0.as_mut_ptr(), SIZE.min(entry.ai_addrlen as usize));
        }
        if !address.is_known() {
            continue;
        }
        address.0[PORT..PORT + 2].copy_from_slice(&port.to_be_bytes());
        addresses.push(address);
    }
    Ok(addresses)
}

/// The resolver's error `code` in its own words.
fn why_not(code: c_int) -> String {
    let error = io::Error::last_os_error();
    read_name_servers_again();
    if code == libc::EAI_SYSTEM {
        return io_text(&error);
    }
    // SAFETY: it returns a text of its own for each number.
    unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy().into_owned()
}

/// Before 2.26, glibc never looks at /etc/resolv.conf again by itself, and a device may have started before its network.
#[cfg(target_env = "gnu")]
fn read_name_servers_again() {
    // SAFETY: it returns a text of its own.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    if let [b'2', b'.', b'1', _, ..] | [b'2', b'.', b'2', b'0'..=b'5', ..] = version.to_bytes() {
        // SAFETY: touches nothing of ours.
        unsafe { libc::res_init() };
    }
}

#[cfg(not(target_env = "gnu"))]
fn read_name_servers_again() {}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
    use std::os::fd::AsRawFd;

    use super::*;

    /// `address`, as it is written.
    pub(crate) fn of(address: impl ToString) -> Address {
        let text = address.to_string();
        let (host, port) = text.rsplit_once(':').unwrap();
        resolve(host.trim_matches(['[', ']']), port.parse().unwrap(), 1).unwrap()[0]
    }

    #[test]
    fn an_address_reads_as_the_standard_library_writes_it() {
        for text in [
            "0.0.0.0:1",
            "192.0.2.255:65535",
            "[::]:443",
            "[::1]:443",
            "[2001:db8::1:0:0:1]:80",
            "[2001:db8:0:1:1:1:1:1]:80",
            "[::ffff:192.0.2.1]:80",
            "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:8883",
            "[fe80::1%4000000000]:9",
        ] {
            let witness: SocketAddr = text.parse().unwrap();
            let address = of(witness);
            assert_eq!(address.to_string(), witness.to_string());
            assert_eq!(address.is_ipv6(), witness.is_ipv6());
        }
    }

    #[test]
    fn the_peer_of_a_connection_is_the_address_that_it_was_made_with() {
        for host in ["127.0.0.1", "::1"] {
            let listener = TcpListener::bind((host, 0)).unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert_eq!(Address::of_peer(stream.as_raw_fd()), Some(of(listener.local_addr().unwrap())));
            assert_eq!(Address::of_peer(listener.as_raw_fd()), None);
        }
    }

    #[test]
    fn no_more_addresses_are_taken_than_asked_for() {
        assert_eq!(resolve("127.0.0.1", 1, 0), Ok(Vec::new()));
        assert_eq!(resolve("127.0.0.1", 1, 2).map(|all| all.len()), Ok(1));
    }

    #[test]
    fn what_the_resolver_says_is_told() {
        let witness = ("no such host", 1).to_socket_addrs().unwrap_err().to_string();
        assert_eq!(
            witness,
            format!("failed to lookup address information: {}", resolve("no such host", 1, 1).unwrap_err())
        );
        assert_eq!(resolve("a\0b", 1, 1), Err("a NUL in it".to_owned()));
    }
}
