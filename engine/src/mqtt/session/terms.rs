//! The types of a session: its settings, states, errors and events.

use std::fmt;

use super::super::packet::Message;
use super::super::{Broken, Malformed, NoMemory};
use crate::time::Millis;

/// What stays the same over all connections of a session.
#[derive(Debug, Clone)]
pub struct Config {
    /// MQTT client id.
    pub client_id: String,
    /// Keep-alive in seconds, 0 for none.
    pub keep_alive_s: u16,
    /// Whether the server shall forget the session when the connection ends.
    pub clean_session: bool,
    /// How long an acknowledgement may take, in milliseconds.
    pub command_timeout_ms: u32,
    /// Whether to connect again after the link was lost.
    pub auto_connect: bool,
}

/// What proves the device's identity in one connection attempt.
#[derive(Clone)]
pub struct Login {
    /// MQTT user name.
    pub user_name: String,
    /// MQTT password; empty for none.
    pub password: String,
}

/// The state of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// There is none yet, or it was lost and is not to be made again by itself.
    Down,
    /// It was closed by [`Session::close`](super::Session::close).
    Closed,
    /// It was lost; the next attempt is due at that moment.
    Waiting(Millis),
    /// It was lost and the wait between attempts grew too long.
    GaveUp,
    /// CONNECT is on its way, CONNACK is due by that moment.
    Connecting(Millis),
    /// Up.
    Up,
}

/// Why a link can't go on. The caller closes the transport and calls [`Session::lost`](super::Session::lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// The server sent something that is not MQTT 3.1.1 from a server.
    Malformed(Malformed),
    /// The server refused the connection with this CONNACK code.
    Refused(u8),
    /// No CONNACK in time.
    ConnackTimeout,
    /// Pings stayed without an answer.
    PingTimeout,
    /// The server makes the device answer more than it takes.
    Unread,
    /// A packet that is too long to be taken comes in too slowly.
    TooSlow,
    /// There is no memory for what came, or for the answer.
    NoMemory,
}

impl From<Broken> for LinkFault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Malformed(what) => LinkFault::Malformed(what),
            Broken::NoMemory => LinkFault::NoMemory,
        }
    }
}

impl From<NoMemory> for LinkFault {
    fn from(_: NoMemory) -> Self {
        LinkFault::NoMemory
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkFault::Malformed(what) => what.fmt(f),
            LinkFault::Refused(1) => write!(f, "server refuses the connection: protocol version (1)"),
            LinkFault::Refused(2) => write!(f, "server refuses the connection: client id (2)"),
            LinkFault::Refused(3) => write!(f, "server refuses the connection: server unavailable (3)"),
            LinkFault::Refused(4) => write!(f, "server refuses the connection: bad user name or password (4)"),
            LinkFault::Refused(5) => write!(f, "server refuses the connection: not authorised (5)"),
            LinkFault::Refused(code) => write!(f, "server refuses the connection: code {code}"),
            LinkFault::ConnackTimeout => write!(f, "no CONNACK in time"),
            LinkFault::PingTimeout => write!(f, "no answer to pings"),
            LinkFault::Unread => write!(f, "the server does not read its answers"),
            LinkFault::TooSlow => write!(f, "a packet that is too long comes in at less than 1 kB/s"),
            LinkFault::NoMemory => write!(f, "no memory for a packet"),
        }
    }
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The topic is empty, has wildcards where none may be, or is no valid filter.
    BadTopic,
    /// The topic is longer than [`MAX_TOPIC_LEN`](crate::topic::MAX_TOPIC_LEN).
    TopicTooLong,
    /// The link is down.
    NotConnected,
    /// The packet would be longer than [`MAX_SEND`](super::MAX_SEND).
    PacketTooLong,
    /// [`MAX_PENDING_PUBLISHES`](super::MAX_PENDING_PUBLISHES) publishes or [`MAX_UNSENT`](super::MAX_UNSENT) bytes wait
    /// already.
    TooManyPublishes,
    /// [`MAX_SUBSCRIPTIONS`](super::MAX_SUBSCRIPTIONS) subscriptions exist already.
    TooManySubscriptions,
    /// There is no such subscription.
    UnknownTopic,
    /// The allocator has no memory.
    NoMemory,
}

impl From<NoMemory> for Refusal {
    fn from(_: NoMemory) -> Self {
        Refusal::NoMemory
    }
}

/// Why a message was not taken. Each with the length of its packet in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// It was too long.
    TooLong(usize),
    /// There was no memory for it.
    NoMemory(usize),
    /// Its topic is no text, empty, or has wildcards.
    BadTopic(usize),
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skipped::TooLong(len) => write!(f, "a message of {len} bytes is too long and was skipped"),
            Skipped::NoMemory(len) => write!(f, "no memory for a message of {len} bytes, it was skipped"),
            Skipped::BadTopic(len) => write!(f, "a message of {len} bytes has no valid topic and was skipped"),
        }
    }
}

/// What happened, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<H> {
    /// The first connection of this session is up.
    Connected,
    /// The link was lost.
    Disconnected,
    /// The link is up again and every subscription was asked for again.
    Reconnected {
        /// The server still has what the device asked for over the last connection, and what it missed.
        session_present: bool,
    },
    /// A message came. It goes to [`Session::recipients`](super::Session::recipients) at the moment when it is handed on;
    /// then call [`Session::delivered`](super::Session::delivered).
    Message(Message),
    /// A message was not taken, and acknowledged all the same: it would come again after each reconnect.
    Skipped(Skipped),
    /// A SUBACK grants the subscription.
    Subscribed(u16, H),
    /// A SUBACK refuses the subscription.
    SubscribeRefused(u16, H),
    /// No SUBACK in time.
    SubscribeTimedOut(u16, H),
    /// An UNSUBACK came.
    Unsubscribed(u16),
    /// No UNSUBACK in time.
    UnsubscribeTimedOut(u16),
    /// A PUBACK came.
    Published(u16),
    /// No PUBACK in time.
    PublishTimedOut(u16),
}
