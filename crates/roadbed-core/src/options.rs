//! What a request may ask for: the options of CALL, PUBLISH, SUBSCRIBE, REGISTER, YIELD, CANCEL and
//! INTERRUPT. Unknown keys stay encoded in `extra`.
//!
//! ```
//! use roadbed_core::options::{CallOptions, PublishOptions};
//!
//! let call = CallOptions::new().timeout(250);
//! let publish = PublishOptions::new().acknowledge(true).exclude_me(false);
//! assert_eq!(call.timeout, Some(250));
//! assert_eq!(publish.acknowledge, Some(true));
//! ```

mod detach;

use alloc::vec::Vec;

use bytestring::ByteString;

use crate::id::SessionId;
use crate::message::attributes::attributes;
use crate::message::wire::named_values;
use crate::message::{Forward, PassThru};
use crate::uri::{MatchPolicy, Uri};

/// How a call is canceled (advanced profile, "call canceling").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CancelMode {
    /// The caller gets its ERROR at once; the callee is not told.
    Skip,
    /// The callee is interrupted; the caller gets what the callee answers.
    Kill,
    /// The caller gets its ERROR at once and the callee is interrupted. What an absent mode means.
    #[default]
    KillNoWait,
}

/// Which callee of a shared registration is invoked (advanced profile, "shared registration").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InvokePolicy {
    /// There is only one callee.
    #[default]
    Single,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The one that registered first.
    First,
    /// The one that registered last.
    Last,
    /// All of them.
    All,
}

named_values!(
    CancelMode,
    "skip, kill or killnowait",
    Skip = "skip",
    Kill = "kill",
    KillNoWait = "killnowait"
);
named_values!(
    InvokePolicy,
    "single, roundrobin, random, first, last or all",
    Single = "single",
    RoundRobin = "roundrobin",
    Random = "random",
    First = "first",
    Last = "last",
    All = "all"
);
named_values!(
    MatchPolicy,
    "exact, prefix or wildcard",
    Exact = "exact",
    Prefix = "prefix",
    Wildcard = "wildcard"
);

attributes! {
    /// Options of CALL.
    pub struct CallOptions {
        /// Milliseconds after which the router or the callee ends the call; 0 or absent: never.
        timeout: Option<u64> = "timeout",
        /// Whether the result may come in several parts.
        receive_progress: Option<bool> = "receive_progress",
        /// Whether more arguments follow in further CALLs with the same id.
        progress: Option<bool> = "progress",
        /// Whether the callee is told who calls.
        disclose_me: Option<bool> = "disclose_me",
        /// Sharded registrations: `all` or `partition`.
        runmode: Option<ByteString> = "runmode",
        /// Sharded registrations: the key that chooses the callee.
        rkey: Option<ByteString> = "rkey",
        /// A hash that the application gave the call.
        transaction_hash: Option<ByteString> = "transaction_hash",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of PUBLISH.
    pub struct PublishOptions {
        /// Whether PUBLISHED or ERROR is to be sent.
        acknowledge: Option<bool> = "acknowledge",
        /// Whether the publisher is left out of the receivers; absent means that it is.
        exclude_me: Option<bool> = "exclude_me",
        /// Sessions that do not receive the event.
        exclude: Option<Vec<SessionId>> = "exclude",
        /// Authids that do not receive the event.
        exclude_authid: Option<Vec<ByteString>> = "exclude_authid",
        /// Authroles that do not receive the event.
        exclude_authrole: Option<Vec<ByteString>> = "exclude_authrole",
        /// The only sessions that receive the event; an empty list means nobody.
        eligible: Option<Vec<SessionId>> = "eligible",
        /// The only authids that receive the event.
        eligible_authid: Option<Vec<ByteString>> = "eligible_authid",
        /// The only authroles that receive the event.
        eligible_authrole: Option<Vec<ByteString>> = "eligible_authrole",
        /// Whether the broker keeps the event for late subscribers.
        retain: Option<bool> = "retain",
        /// Whether subscribers are told who publishes.
        disclose_me: Option<bool> = "disclose_me",
        /// Sharded subscriptions: the key that chooses the subscribers.
        rkey: Option<ByteString> = "rkey",
        /// A hash that the application gave the publication.
        transaction_hash: Option<ByteString> = "transaction_hash",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of SUBSCRIBE.
    pub struct SubscribeOptions {
        /// How the topic matches; absent means exactly.
        match_policy: Option<MatchPolicy> = "match",
        /// Whether the retained event is sent at once.
        get_retained: Option<bool> = "get_retained",
        /// Sharded subscriptions: the key of this subscriber.
        nkey: Option<ByteString> = "nkey",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of REGISTER.
    pub struct RegisterOptions {
        /// How the procedure matches; absent means exactly.
        match_policy: Option<MatchPolicy> = "match",
        /// Which callee of a shared registration is invoked; absent means that there is one.
        invoke: Option<InvokePolicy> = "invoke",
        /// How many invocations the callee takes at a time.
        concurrency: Option<u64> = "concurrency",
        /// Whether the registration takes the place of others.
        force_reregister: Option<bool> = "force_reregister",
        /// Whether the callee, not the dealer, ends calls that time out.
        forward_timeout: Option<bool> = "forward_timeout",
        /// Whether the callee wants to be told who calls.
        disclose_caller: Option<bool> = "disclose_caller",
        /// Sharded registrations: the key of this callee.
        nkey: Option<ByteString> = "nkey",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of UNSUBSCRIBE and UNREGISTER, which only forwarding routers send.
    pub struct ReleaseOptions {
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of YIELD.
    pub struct YieldOptions {
        /// Whether more results follow.
        progress: Option<bool> = "progress",
        /// The callee's session, between routers.
        callee: Option<SessionId> = "callee",
        /// The callee's authid, between routers.
        callee_authid: Option<ByteString> = "callee_authid",
        /// The callee's authrole, between routers.
        callee_authrole: Option<ByteString> = "callee_authrole",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of CANCEL.
    pub struct CancelOptions {
        /// How the call is canceled; absent means `killnowait`.
        mode: Option<CancelMode> = "mode",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Options of INTERRUPT.
    pub struct InterruptOptions {
        /// How the call was canceled: with `kill` the caller waits for the callee's answer.
        mode: Option<CancelMode> = "mode",
        /// Why, as an error URI.
        reason: Option<Uri> = "reason",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }
}

macro_rules! setters {
    ($($options:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        impl $options {
            $(
                #[doc = concat!("Sets `", stringify!($field), "`.")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = Some($field);
                    self
                }
            )*
        }
    )*};
}

setters! {
    CallOptions { timeout: u64, receive_progress: bool, progress: bool, disclose_me: bool }
    PublishOptions {
        acknowledge: bool, exclude_me: bool, retain: bool, disclose_me: bool,
        exclude: Vec<SessionId>, exclude_authid: Vec<ByteString>, exclude_authrole: Vec<ByteString>,
        eligible: Vec<SessionId>, eligible_authid: Vec<ByteString>, eligible_authrole: Vec<ByteString>,
    }
    SubscribeOptions { match_policy: MatchPolicy, get_retained: bool }
    RegisterOptions {
        match_policy: MatchPolicy, invoke: InvokePolicy, concurrency: u64, force_reregister: bool,
        forward_timeout: bool,
    }
    YieldOptions { progress: bool }
    CancelOptions { mode: CancelMode }
    InterruptOptions { mode: CancelMode }
}
