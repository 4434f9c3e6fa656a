//! What a session tells the application.

use alloc::boxed::Box;

use bytestring::ByteString;

use crate::error::{CloseReason, RequestError};
use crate::id::{
    CallId, InvocationId, PublicationId, PublishId, RegisterId, RegistrationId, SessionId, SubscribeId,
    SubscriptionId,
};
use crate::message::{EventDetails, InvocationDetails, RawDict, ResultDetails, Sparse, WelcomeDetails};
use crate::options::CancelMode;
use crate::payload::Payload;
use crate::uri::Uri;

/// Something that happened in a session, in order.
///
/// Every command that expects an answer gets exactly one event that carries its handle and ends it:
/// [`Subscribed`](Self::Subscribed), [`Unsubscribed`](Self::Unsubscribed), [`Registered`](Self::Registered),
/// [`Unregistered`](Self::Unregistered), [`Published`](Self::Published) or [`Result`](Self::Result). When the
/// session ends first, that event says so, and comes before [`Left`](Self::Left) and
/// [`Closed`](Self::Closed).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The router asks for proof by a method that the application answers itself, with `authenticate`.
    Challenge {
        /// The method.
        method: ByteString,
        /// What the method needs.
        extra: RawDict,
    },
    /// The router lets the client in. Only with `confirm_welcome`: answer with `accept_welcome` or
    /// `abort`.
    Welcome {
        /// The session to be.
        session: SessionId,
        /// What the router says of it.
        details: Box<WelcomeDetails>,
    },
    /// The session is open; commands are accepted.
    Joined {
        /// The session.
        session: SessionId,
        /// What the router says of it. The realm is always filled in when it is known.
        details: Box<WelcomeDetails>,
    },
    /// The answer to `subscribe`.
    Subscribed {
        /// The command, and from now on the handler.
        handler: SubscribeId,
        /// The subscription under which its events come.
        result: Result<SubscriptionId, RequestError>,
    },
    /// The answer to `unsubscribe`.
    Unsubscribed {
        /// The handler; it is gone either way.
        handler: SubscribeId,
        /// Whether the broker agreed.
        result: Result<(), RequestError>,
    },
    /// The broker took a subscription back; one event for each of its handlers.
    SubscriptionRevoked {
        /// The handler; it is gone.
        handler: SubscribeId,
        /// The subscription that ended.
        subscription: SubscriptionId,
        /// Why.
        reason: Option<Uri>,
    },
    /// An event was published. It comes once, however many handlers share the subscription:
    /// `handlers` lists them.
    Event {
        /// The subscription it matched.
        subscription: SubscriptionId,
        /// The publication.
        publication: PublicationId,
        /// Topic and publisher, where they are told.
        details: Sparse<EventDetails>,
        /// The event.
        payload: Payload,
    },
    /// The answer to a `publish` that asked for acknowledgement.
    Published {
        /// The command.
        publish: PublishId,
        /// The publication.
        result: Result<PublicationId, RequestError>,
    },
    /// The answer to `register`.
    Registered {
        /// The command, and from now on the procedure registered.
        handler: RegisterId,
        /// The registration under which its invocations come.
        result: Result<RegistrationId, RequestError>,
    },
    /// The answer to `unregister`.
    Unregistered {
        /// The handler; it is gone either way.
        handler: RegisterId,
        /// Whether the dealer agreed.
        result: Result<(), RequestError>,
    },
    /// The dealer took a registration back; one event for each of its handlers.
    RegistrationRevoked {
        /// The handler; it is gone.
        handler: RegisterId,
        /// The registration that ended.
        registration: RegistrationId,
        /// Why.
        reason: Option<Uri>,
    },
    /// How a call ended.
    Result {
        /// The call.
        call: CallId,
        /// What the callee returned.
        result: Result<Answer, RequestError>,
    },
    /// Somebody called a procedure of ours. Answer with `yield_result` or `invocation_error`.
    Invocation {
        /// The invocation, to be answered.
        invocation: InvocationId,
        /// The registration called.
        registration: RegistrationId,
        /// The register command behind it; the oldest, when several share the registration.
        handler: RegisterId,
        /// Procedure and caller, where they are told.
        details: Sparse<InvocationDetails>,
        /// The arguments.
        payload: Payload,
    },
    /// An invocation was canceled.
    Interrupted {
        /// The invocation.
        invocation: InvocationId,
        /// With `Kill` it still has to be answered, soon; with the others nobody waits any more, and an
        /// answer gets [`CommandError::NotActive`](crate::error::CommandError::NotActive).
        mode: CancelMode,
        /// Why, as a URI.
        reason: Option<Uri>,
    },
    /// Output drained: [`Connection::is_writable`](crate::connection::Connection::is_writable) is true
    /// again.
    Writable,
    /// The router refused HELLO, and the transport stays: another `join` may follow, with another
    /// configuration's connection or after the reason has gone. Only with `stay_attached`; otherwise
    /// [`Closed`](Self::Closed) tells. Routers close the transport after some refusals.
    Refused {
        /// Why: [`CloseReason::Abort`].
        reason: CloseReason,
    },
    /// The joined session ended; nothing more comes of it. Once for each `Joined`.
    Left {
        /// Why.
        reason: CloseReason,
    },
    /// The end of the transport as well: the last event, exactly once.
    Closed {
        /// Why.
        reason: CloseReason,
        /// Whether nothing was cut off: GOODBYE was exchanged, this side closed before a session was
        /// joined, or the transport ended after GOODBYE or [`Refused`](Self::Refused).
        clean: bool,
    },
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// Who answered, where that is told.
    pub details: Sparse<ResultDetails>,
    /// The result.
    pub payload: Payload,
}
