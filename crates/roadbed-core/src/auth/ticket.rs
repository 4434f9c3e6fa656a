//! Ticket-based authentication: the secret itself is the proof.

use super::{AuthError, Secret};
use crate::message::{Authenticate, RawDict};
use crate::transport::TransportDetails;

/// The answer to a `ticket` challenge, unless others could read it on the way.
pub(super) fn answer(
    ticket: &Secret,
    transport: &TransportDetails,
    allow_insecure: bool,
) -> Result<Authenticate, AuthError> {
    if !transport.is_private() && !allow_insecure {
        return Err(AuthError::InsecureTransport);
    }
    Ok(Authenticate { signature: ticket.expose().into(), extra: RawDict::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_leaves_the_machine_only_encrypted_or_when_allowed() {
        let ticket = Secret::from("secret!!!");
        let remote = TransportDetails::tcp("192.0.2.1:8080", false);
        assert_eq!(answer(&ticket, &remote, false), Err(AuthError::InsecureTransport));
        assert_eq!(answer(&ticket, &remote, true).unwrap().signature, "secret!!!".into());
        for private in [
            TransportDetails::local(),
            TransportDetails::tcp("127.0.0.1:8080", true),
            TransportDetails { is_secure: true, ..remote },
        ] {
            assert_eq!(answer(&ticket, &private, false).unwrap().signature, "secret!!!".into());
        }
    }
}
