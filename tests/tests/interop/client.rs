//! What the scenarios need of a client of ours.

use roadbed_core::error::WampError;
use roadbed_core::id::SessionId;
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;

/// How a call ended, if not by the end of everything.
pub(crate) type Outcome = Result<Payload, WampError>;

/// What becomes of the arguments of a procedure.
pub(crate) type Procedure = fn(&Payload, Serializer) -> Payload;

/// A joined session that does one thing at a time, each until it is answered. What nobody expects panics.
pub(crate) trait Client {
    fn serializer(&self) -> Serializer;
    fn session(&self) -> SessionId;
    fn call(&mut self, procedure: &str, payload: Payload) -> Outcome;
    /// Calls, and does not wait.
    fn start(&mut self, procedure: &str);
    /// Cancels the call that was started.
    fn cancel(&mut self, mode: CancelMode) -> Outcome;
    /// Publishes, and waits for the acknowledgement.
    fn publish(&mut self, topic: &str, payload: Payload);
    fn subscribe(&mut self, topic: &str);
    /// The next event of the subscription.
    fn event(&mut self) -> Payload;
    fn unsubscribe(&mut self);
    fn register(&mut self, procedure: &str, answer: Procedure);
    fn unregister(&mut self);
    /// Leaves; the end has to be a clean one.
    fn leave(self: Box<Self>);
}
