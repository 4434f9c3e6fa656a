//! Messages between callers, the dealer and callees (basic profile, "Remote Procedure Calls").

use super::details::{InvocationDetails, ResultDetails, UnregisteredDetails};
use super::element::bodies;
use super::sparse::Sparse;
use crate::id::{RegistrationId, RequestId};
use crate::options::{
    CallOptions, CancelOptions, InterruptOptions, RegisterOptions, ReleaseOptions, YieldOptions,
};
use crate::payload::Payload;
use crate::uri::Uri;

bodies! {
    /// `[48, Request, Options, Procedure]`, with or without payload: call a procedure.
    Call {
        /// The request.
        request: [RequestId],
        /// Time-out, progress, disclosure.
        options: [Sparse<CallOptions>],
        /// The procedure.
        procedure: [Uri],
        ; /// The arguments.
        payload: Payload
    }

    /// `[49, CALL.Request, Options]`: cancel a call.
    Cancel {
        /// The call's request.
        request: [RequestId],
        /// How it is canceled.
        options: [Sparse<CancelOptions>],
    }

    /// `[50, CALL.Request, Details]`, with or without payload: RESULT, what a call returned.
    CallResult {
        /// The call's request.
        request: [RequestId],
        /// Whether more follows.
        details: [Sparse<ResultDetails>],
        ; /// The result.
        payload: Payload
    }

    /// `[64, Request, Options, Procedure]`: register a procedure.
    Register {
        /// The request.
        request: [RequestId],
        /// How the procedure matches, how callees share it.
        options: [Sparse<RegisterOptions>],
        /// The procedure, or a pattern of procedures.
        procedure: [Uri],
    }

    /// `[65, REGISTER.Request, Registration]`: the registration stands.
    Registered {
        /// The request.
        request: [RequestId],
        /// The registration.
        registration: [RegistrationId],
    }

    /// `[66, Request, REGISTERED.Registration]`: unregister.
    Unregister {
        /// The request.
        request: [RequestId],
        /// The registration.
        registration: [RegistrationId],
        ; /// Options of forwarding routers.
        options: Option<ReleaseOptions>
    }

    /// `[67, UNREGISTER.Request]`: the registration ended. With request 0 and details the dealer took
    /// it back (advanced profile, "registration revocation").
    Unregistered {
        /// The request; `None` (0) when the dealer took the registration back.
        request: [Option<RequestId>],
        ; /// Which registration the dealer took back, and why.
        details: Option<UnregisteredDetails>
    }

    /// `[68, Request, REGISTERED.Registration, Details]`, with or without payload: a call for the
    /// callee to answer.
    Invocation {
        /// The request.
        request: [RequestId],
        /// The registration called.
        registration: [RegistrationId],
        /// Procedure and caller, where they are told.
        details: [Sparse<InvocationDetails>],
        ; /// The arguments.
        payload: Payload
    }

    /// `[69, INVOCATION.Request, Options]`: the invocation is canceled.
    Interrupt {
        /// The invocation's request.
        request: [RequestId],
        /// Whether an answer is awaited.
        options: [Sparse<InterruptOptions>],
    }

    /// `[70, INVOCATION.Request, Options]`, with or without payload: what an invocation returned.
    Yield {
        /// The invocation's request.
        request: [RequestId],
        /// Whether more follows.
        options: [Sparse<YieldOptions>],
        ; /// The result.
        payload: Payload
    }
}
