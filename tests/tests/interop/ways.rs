//! The ways between a peer and a router, and how many of what could be tried there is tried.

/// What carries a session. Batched messages are another serializer to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Tcp,
    Unix,
    /// RawSocket inside TLS.
    Tls,
    WebSocket,
    SecureWebSocket,
    /// WebSocket with permessage-deflate, which the others offer in vain.
    Deflate,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tcp, Self::Unix, Self::Tls, Self::WebSocket, Self::SecureWebSocket, Self::Deflate];

    /// Those of RawSocket without TLS, which need nothing but a socket.
    pub(crate) const PLAIN: [Self; 2] = [Self::Tcp, Self::Unix];

    /// In the table, and in what crossbar_router.py says.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Tls => "rss",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
            Self::Deflate => "deflate",
        }
    }

    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket | Self::Deflate)
    }
}

/// What is tried together: each of these serializers over each of these ways.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) ways: &'static [Way],
    pub(crate) serializers: &'static [&'static str],
    pub(crate) share: Share,
}

/// How many serializers of a round each subject has.
#[derive(Clone, Copy)]
pub(crate) enum Share {
    All,
    /// One, and the next subject the next: with at least as many subjects as serializers each of them meets every
    /// way and every serializer, and each way every serializer. The number is where it begins.
    InTurn(usize),
}

impl Round {
    /// The serializers for the subject with this number: all of them when `ROADBED_INTEROP` is `all`.
    pub(crate) fn serializers(&self, subject: usize) -> Vec<&'static str> {
        match self.share {
            Share::InTurn(first) if !is_everything_wanted() => {
                self.serializers.iter().copied().cycle().skip(first + subject).take(1).collect()
            }
            _ => self.serializers.to_vec(),
        }
    }
}

/// Whether to try everything that can be tried, which takes long.
fn is_everything_wanted() -> bool {
    std::env::var("ROADBED_INTEROP").is_ok_and(|wanted| wanted == "all")
}
