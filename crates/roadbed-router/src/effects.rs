//! What a realm asks of its owner. It is collected while a request is carried out, and done when what the request is
//! answered with is queued.

use roadbed_core::id::SessionId;
use roadbed_core::message::Goodbye;

use crate::authorizer::AuthorizationRequest;
use crate::keys::SeatKey;

/// Something that only the owner of a realm can do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Close a peer: what is queued for it grew to several times its budget.
    Overrun(SeatKey),
    /// Ask the driver whether a request is allowed.
    Ask(Box<AuthorizationRequest>),
    /// Let a session end by its GOODBYE, whose turn has come.
    Leave(SessionId, Goodbye),
}
