//! Who asks a realm for something.

use std::sync::Arc;

use roadbed_core::id::RequestId;

use crate::identity::SessionInfo;
use crate::keys::SessionKey;

/// Who asks. Only sessions have request ids, and are answered.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A joined session.
    Session {
        session: SessionKey,
        /// The id of its request.
        request: RequestId,
    },
    /// The router itself, or its embedder.
    Router,
    /// A session that has ended, and left word what is to be published then.
    #[cfg_attr(not(test), expect(dead_code, reason = "sessions leave nothing behind so far"))]
    Former(Arc<SessionInfo>),
}

impl Origin {
    /// Returns the session, as long as it is joined.
    pub(crate) const fn session(&self) -> Option<SessionKey> {
        match self {
            Self::Session { session, .. } => Some(*session),
            Self::Router | Self::Former(_) => None,
        }
    }
}
