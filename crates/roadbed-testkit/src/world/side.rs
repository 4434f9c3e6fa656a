//! The two ends of a client's line.

use roadbed_core::transport::TransportDetails;
use roadbed_router::PeerId;

use crate::end::{Client, End, LinkEnd};
use crate::script::Script;

/// The client's end.
#[derive(Debug)]
pub(super) enum Side {
    Client(Box<Client>),
    Script(Box<Script>),
}

impl Side {
    pub(super) fn end(&self) -> &dyn End {
        match self {
            Self::Client(client) => &**client,
            Self::Script(script) => &**script,
        }
    }

    pub(super) fn end_mut(&mut self) -> &mut dyn End {
        match self {
            Self::Client(client) => &mut **client,
            Self::Script(script) => &mut **script,
        }
    }
}

/// The router's end: what a driver keeps for each peer.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) end: LinkEnd,
    pub(super) details: TransportDetails,
    /// From the transport's handshake to its end.
    pub(super) peer: Option<PeerId>,
    /// The router has output for it.
    pub(super) is_ready: bool,
    /// Its receive limit is that of a session.
    pub(super) is_raised: bool,
    /// It is not read from: the router does not want more of it.
    pub(super) is_paused: bool,
}

impl Port {
    pub(super) const fn new(end: LinkEnd, details: TransportDetails) -> Self {
        Self { end, details, peer: None, is_ready: false, is_raised: false, is_paused: false }
    }
}
