//! Authentication: what a client proves itself with (advanced profile, "Authentication Methods").

mod secret;
mod ticket;

use bytestring::ByteString;

pub use secret::Secret;

use crate::message::{Authenticate, Challenge};
use crate::transport::TransportDetails;

/// The longest method name kept of a challenge, in bytes; it goes into error texts.
const MAX_METHOD_SHOWN: usize = 64;

/// What a client offers to authenticate with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing: the client asks to be let in as anybody. Never challenged.
    Anonymous,
    /// A secret that is sent as it is (advanced profile, "Ticket-based Authentication"). It leaves this
    /// machine only over an encrypted transport, unless
    /// [`ClientConfig::allow_insecure_ticket`](crate::session::ClientConfig::allow_insecure_ticket) is set.
    Ticket(Secret),
}

/// Why a challenge could not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The router chose a method that was not offered.
    #[error("the router asks for {0:?}, which was not offered")]
    NotOffered(ByteString),
    /// A ticket would have been sent in the clear.
    #[error("a ticket is not sent over a transport that others can read")]
    InsecureTransport,
    /// What the credential says cannot be sent to this router.
    #[error("the answer to the challenge cannot be sent: it is too large or not representable")]
    Unsendable,
}

impl Credential {
    /// The method's name in HELLO and CHALLENGE.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Ticket(_) => "ticket",
        }
    }

    /// Whether the method needs to know whom the client wants to be.
    pub(crate) const fn needs_authid(&self) -> bool {
        matches!(self, Self::Ticket(_))
    }

    /// Answers a challenge of this credential's method.
    pub(crate) fn answer(
        &self,
        challenge: &Challenge,
        transport: &TransportDetails,
        allow_insecure_ticket: bool,
    ) -> Result<Authenticate, AuthError> {
        match self {
            Self::Anonymous => Err(AuthError::not_offered(&challenge.method)),
            Self::Ticket(ticket) => ticket::answer(ticket, transport, allow_insecure_ticket),
        }
    }
}

impl AuthError {
    /// Keeps only the beginning of the method's name, which the peer chose.
    pub(crate) fn not_offered(method: &str) -> Self {
        let end = method.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8()));
        let end = end.take_while(|&end| end <= MAX_METHOD_SHOWN).last().unwrap_or(0);
        Self::NotOffered(ByteString::from(method.get(..end).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn names_chosen_by_the_peer_are_cut() {
        let long: String = core::iter::repeat_n('é', 1000).collect();
        let AuthError::NotOffered(method) = AuthError::not_offered(&long) else { unreachable!() };
        assert_eq!(method.len(), MAX_METHOD_SHOWN);
        assert_eq!(AuthError::not_offered("wampcra"), AuthError::NotOffered("wampcra".into()));
    }
}
