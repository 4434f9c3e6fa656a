//! What took too long.

use std::fmt;
use std::time::Duration;

use roadbed_core::uri::Uri;

/// What is asked of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// A call.
    Call,
    /// A publication.
    Publish,
    /// A subscription.
    Subscribe,
    /// The end of a subscription.
    Unsubscribe,
    /// A registration.
    Register,
    /// The end of a registration.
    Unregister,
    /// Waiting for an event, with a `wait_for`.
    NextEvent,
    /// Waiting until the output was written.
    Flush,
    /// Anything else.
    Other,
}

/// A local deadline that passed: of what, and how far that had come.
///
/// ```
/// use std::time::Duration;
/// use roadbed::core::uri::Uri;
/// use roadbed::error::{Operation, TimedOut};
///
/// let call = TimedOut::new(Operation::Call, Some(Uri::new("com.example.dig")?), Some(Duration::from_secs(1)));
/// assert_eq!(call.to_string(), "the call of com.example.dig was not answered within 1s");
/// assert_eq!(call.unsent().to_string(), "the call of com.example.dig was not sent within 1s");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// What was asked for.
    pub operation: Operation,
    /// The procedure or topic.
    pub uri: Option<Uri>,
    /// How long it was allowed to take.
    pub span: Option<Duration>,
    /// Whether the request was handed to the transport. When it was not, it had no effect anywhere; when it was,
    /// it may have been carried out.
    pub was_sent: bool,
}

impl TimedOut {
    /// Makes the end of a request that was sent.
    pub const fn new(operation: Operation, uri: Option<Uri>, span: Option<Duration>) -> Self {
        Self { operation, uri, span, was_sent: true }
    }

    /// Says that it was never sent.
    #[must_use]
    pub fn unsent(self) -> Self {
        Self { was_sent: false, ..self }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, of) = match self.operation {
            Operation::Call => ("the call", "of"),
            Operation::Publish => ("the publication", "to"),
            Operation::Subscribe => ("the subscription", "to"),
            Operation::Unsubscribe => ("the end of the subscription", "to"),
            Operation::Register => ("the registration", "of"),
            Operation::Unregister => ("the end of the registration", "of"),
            Operation::NextEvent => ("an event", "of"),
            Operation::Flush => ("the output", "of"),
            Operation::Other => ("the request", "of"),
        };
        f.write_str(what)?;
        if let Some(uri) = &self.uri {
            write!(f, " {of} {uri}")?;
        }
        f.write_str(match (self.operation, self.was_sent) {
            (Operation::NextEvent, _) => " did not come",
            (Operation::Flush, _) => " was not written",
            (_, true) => " was not answered",
            (_, false) => " was not sent",
        })?;
        match self.span {
            Some(span) => write!(f, " within {span:?}"),
            None => f.write_str(" in time"),
        }
    }
}

impl std::error::Error for TimedOut {}
