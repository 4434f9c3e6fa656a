//! The states of a session, and which message is legal in which of them, as a table.

use crate::message::MessageType;

/// Where a client session stands (basic profile, "Sessions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionState {
    /// No session: before HELLO, or after GOODBYE on a transport that stays.
    Idle,
    /// HELLO was sent; the router's answer is awaited.
    Joining,
    /// The router sent CHALLENGE, and the application has to answer it.
    Challenged,
    /// The router sent WELCOME, and the application has to accept it.
    Confirming,
    /// The session is open.
    Joined,
    /// GOODBYE was sent; its answer is awaited.
    Leaving,
    /// Nothing happens any more.
    Closed,
}

impl SessionState {
    /// Every state, in the order of the table below.
    pub(super) const ALL: [Self; 7] = [
        Self::Idle,
        Self::Joining,
        Self::Challenged,
        Self::Confirming,
        Self::Joined,
        Self::Leaving,
        Self::Closed,
    ];
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Handle it.
    Take,
    /// Pass over it.
    Ignore,
    /// Abort the session, with this text.
    Violation(&'static str),
}

use Verdict::{Ignore as Skip, Take, Violation};

const EARLY: Verdict = Violation("before HELLO was sent");
const NO_SESSION: Verdict = Violation("before the session was established");
const UNANSWERED: Verdict = Violation("while a challenge was not answered yet");
const LATE: Verdict = Violation("after the session was established");
const FOREIGN: Verdict = Violation("from a router, but only clients send it");

/// A router's message that belongs into an open session.
const IN_SESSION: [Verdict; 7] = [EARLY, NO_SESSION, NO_SESSION, Take, Take, Skip, Skip];
/// A message that only clients send.
const CLIENT: [Verdict; 7] = [FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, Skip, Skip];

/// One row a message type, one column a state.
#[rustfmt::skip]
const TABLE: &[(MessageType, [Verdict; 7])] = &[
    //                           Idle   Joining     Challenged  Confirming Joined Leaving Closed
    (MessageType::Welcome,      [EARLY, Take,       UNANSWERED, LATE,      LATE,  Skip,   Skip]),
    (MessageType::Challenge,    [EARLY, Take,       UNANSWERED, LATE,      LATE,  Skip,   Skip]),
    (MessageType::Abort,        [Take,  Take,       Take,       Take,      Take,  Take,   Skip]),
    (MessageType::Goodbye,      [EARLY, NO_SESSION, NO_SESSION, Take,      Take,  Take,   Skip]),
    (MessageType::Error,        IN_SESSION),
    (MessageType::Published,    IN_SESSION),
    (MessageType::Subscribed,   IN_SESSION),
    (MessageType::Unsubscribed, IN_SESSION),
    (MessageType::Event,        IN_SESSION),
    (MessageType::CallResult,   IN_SESSION),
    (MessageType::Registered,   IN_SESSION),
    (MessageType::Unregistered, IN_SESSION),
    (MessageType::Invocation,   IN_SESSION),
    (MessageType::Interrupt,    IN_SESSION),
    (MessageType::Hello,         CLIENT),
    (MessageType::Authenticate,  CLIENT),
    (MessageType::Publish,       CLIENT),
    (MessageType::Subscribe,     CLIENT),
    (MessageType::Unsubscribe,   CLIENT),
    (MessageType::Call,          CLIENT),
    (MessageType::Cancel,        CLIENT),
    (MessageType::Register,      CLIENT),
    (MessageType::Unregister,    CLIENT),
    (MessageType::Yield,         CLIENT),
    (MessageType::EventReceived, CLIENT),
];

/// What a client in `state` does with a message of this type.
pub(super) fn verdict(state: SessionState, message: MessageType) -> Verdict {
    let row = TABLE.iter().find(|(row, _)| *row == message);
    let verdicts = row.map_or(&CLIENT, |(_, verdicts)| verdicts);
    let column = SessionState::ALL.iter().position(|column| *column == state);
    column.and_then(|column| verdicts.get(column)).copied().unwrap_or(Skip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Sender;

    #[test]
    fn the_table_covers_every_message_and_agrees_on_who_sends_what() {
        assert_eq!(TABLE.len(), MessageType::ALL.len());
        for &message in MessageType::ALL {
            let rows = TABLE.iter().filter(|(row, _)| *row == message).count();
            assert_eq!(rows, 1, "{message}");
            let is_foreign = verdict(SessionState::Joined, message) == FOREIGN;
            assert_eq!(is_foreign, message.sender() == Sender::Client, "{message}");
        }
    }

    #[test]
    fn while_leaving_only_goodbye_and_abort_count() {
        for &message in MessageType::ALL {
            let counts = matches!(message, MessageType::Goodbye | MessageType::Abort);
            let expected = if counts { Take } else { Skip };
            assert_eq!(verdict(SessionState::Leaving, message), expected, "{message}");
            assert_eq!(verdict(SessionState::Closed, message), Skip, "{message}");
        }
    }
}
