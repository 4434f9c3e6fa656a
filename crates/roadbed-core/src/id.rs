//! WAMP ids: integers from 1 to 2^53, one type per meaning (basic profile, "IDs").
//!
//! Ids on the wire ([`SessionId`], [`RequestId`], …) are plain checked integers. Handles of commands
//! ([`CallId`], [`SubscribeId`], …) also carry the *epoch* of the session that issued them, so that a
//! handle kept across a re-join on the same transport is recognised as dead instead of hitting a
//! stranger's request.

use core::fmt;

/// The largest id, 2^53: every integer up to it is exact in an IEEE 754 double.
pub const MAX_ID: u64 = 1 << 53;

/// An integer that is no WAMP id: 0, or above 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a WAMP id (1 to 2^53)")]
pub struct InvalidId(pub u64);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The smallest id.
            pub const MIN: Self = Self(1);
            /// The largest id, 2^53.
            pub const MAX: Self = Self(MAX_ID);

            /// Checks that `value` lies in 1..=2^53.
            ///
            /// # Errors
            /// [`InvalidId`] when it does not.
            pub const fn new(value: u64) -> Result<Self, InvalidId> {
                if value == 0 || value > MAX_ID { Err(InvalidId(value)) } else { Ok(Self(value)) }
            }

            /// The integer.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = InvalidId;

            fn try_from(value: u64) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }
    )*};
}

ids! {
    /// Names a session; global scope, drawn at random by the router.
    SessionId,
    /// Names a publication; global scope, drawn at random by the broker.
    PublicationId,
    /// Names a subscription; router scope.
    SubscriptionId,
    /// Names a registration; router scope.
    RegistrationId,
    /// Names a request; session scope, sequential from 1 in each direction.
    RequestId,
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { epoch: u32, request: RequestId }

        impl $name {
            pub(crate) const fn new(epoch: u32, request: RequestId) -> Self {
                Self { epoch, request }
            }

            /// The request id on the wire.
            pub const fn request(self) -> RequestId {
                self.request
            }

            /// Which session of this connection issued it: 1 for the first join, 2 after a re-join, …
            pub const fn epoch(self) -> u32 {
                self.epoch
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}/{})"), self.epoch, self.request)
            }
        }
    )*};
}

handles! {
    /// A call of ours, from the command to its one final answer.
    CallId,
    /// A publication of ours that asked to be acknowledged.
    PublishId,
    /// A subscribe command of ours. It names the handler it installs until that is unsubscribed.
    SubscribeId,
    /// A register command of ours. It names the registration until that is unregistered.
    RegisterId,
    /// An invocation that we, as callee, have to answer.
    InvocationId,
}

/// Issues session-scope request ids: 1, 2, 3, … and 1 again after 2^53.
///
/// ```
/// use roadbed_core::id::{IdSequence, RequestId};
///
/// let mut ids = IdSequence::new();
/// assert_eq!(ids.next_free(|_| false).get(), 1);
/// assert_eq!(ids.next_free(|id| id.get() == 2).get(), 3); // 2 is still in flight
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdSequence {
    last: u64,
}

impl IdSequence {
    /// A sequence whose first id is 1.
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// A sequence that continues after `last`; for tests of the wrap-around.
    pub const fn continue_after(last: RequestId) -> Self {
        Self { last: last.0 }
    }

    /// The last id issued, `None` before the first.
    pub const fn last(&self) -> Option<RequestId> {
        if self.last == 0 { None } else { Some(RequestId(self.last)) }
    }

    /// The id that follows `last` in session scope.
    pub const fn successor(last: Option<RequestId>) -> RequestId {
        match last {
            Some(RequestId(n)) if n < MAX_ID => RequestId(n.saturating_add(1)),
            _ => RequestId::MIN,
        }
    }

    /// Issues the next id that is not in flight. Ids are only ever skipped after a wrap-around.
    pub fn next_free(&mut self, in_flight: impl Fn(RequestId) -> bool) -> RequestId {
        loop {
            let id = Self::successor(self.last());
            self.last = id.0;
            if !in_flight(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_to_two_to_the_53() {
        assert_eq!(SessionId::new(0), Err(InvalidId(0)));
        assert_eq!(SessionId::new(MAX_ID).unwrap(), SessionId::MAX);
        assert_eq!(SessionId::new(MAX_ID + 1), Err(InvalidId(MAX_ID + 1)));
    }

    #[test]
    fn sequence_wraps_to_one_and_skips_ids_in_flight() {
        let mut ids = IdSequence::continue_after(RequestId::new(MAX_ID - 1).unwrap());
        assert_eq!(ids.next_free(|_| false).get(), MAX_ID);
        assert_eq!(ids.next_free(|id| id.get() < 3).get(), 3);
    }
}
