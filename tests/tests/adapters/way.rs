//! The ways to a router.

use std::fmt::Display;

/// How sessions reach the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    RawSocket,
    WebSocket,
    SecureRawSocket,
    SecureWebSocket,
    Unix,
    WebSocketUnix,
    Memory,
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::RawSocket,
        Self::WebSocket,
        Self::SecureRawSocket,
        Self::SecureWebSocket,
        Self::Unix,
        Self::WebSocketUnix,
        Self::Memory,
    ];
    /// One port answers all of these.
    pub(crate) const TCP: [Self; 4] =
        [Self::RawSocket, Self::WebSocket, Self::SecureRawSocket, Self::SecureWebSocket];
    /// One socket answers both of these.
    pub(crate) const UNIX: [Self; 2] = [Self::Unix, Self::WebSocketUnix];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RawSocket => "rs",
            Self::WebSocket => "ws",
            Self::SecureRawSocket => "rss",
            Self::SecureWebSocket => "wss",
            Self::Unix => "unix",
            Self::WebSocketUnix => "ws+unix",
            Self::Memory => "memory",
        }
    }

    /// Its mark in the table.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::RawSocket => 'R',
            Self::WebSocket => 'W',
            Self::SecureRawSocket => 'r',
            Self::SecureWebSocket => 'w',
            Self::Unix => 'U',
            Self::WebSocketUnix => 'V',
            Self::Memory => 'M',
        }
    }

    /// The URL of whoever listens there: `host:port`, or the path of a Unix socket.
    pub(crate) fn url(self, place: impl Display) -> String {
        match self {
            Self::RawSocket | Self::SecureRawSocket => format!("{}://{place}", self.name()),
            Self::WebSocket | Self::SecureWebSocket => format!("{}://{place}/ws", self.name()),
            Self::Unix => format!("unix:{place}"),
            Self::WebSocketUnix => format!("ws+unix:{place}:/ws"),
            Self::Memory => String::new(),
        }
    }

    /// The same way with the other kind of socket, where there is one.
    pub(crate) const fn over_tcp(self) -> Self {
        match self {
            Self::Unix => Self::RawSocket,
            Self::WebSocketUnix => Self::WebSocket,
            way => way,
        }
    }

    /// The same way without a port.
    pub(crate) const fn over_unix(self) -> Self {
        match self {
            Self::RawSocket | Self::SecureRawSocket => Self::Unix,
            Self::WebSocket | Self::SecureWebSocket => Self::WebSocketUnix,
            way => way,
        }
    }

    pub(crate) const fn is_secure(self) -> bool {
        matches!(self, Self::SecureRawSocket | Self::SecureWebSocket)
    }

    /// All that the same listener answers.
    pub(crate) fn siblings(self) -> &'static [Self] {
        if Self::TCP.contains(&self) { &Self::TCP } else { &Self::UNIX }
    }

    /// The path that a WebSocket is opened at.
    pub(crate) const fn path(self) -> Option<&'static str> {
        match self {
            Self::WebSocket | Self::SecureWebSocket | Self::WebSocketUnix => Some("/ws"),
            _ => None,
        }
    }
}
