//! One [`Limits`] struct, one meaning on every transport and for both roles.

use core::time::Duration;

/// The smallest message limit RawSocket can express: 512 bytes.
pub const MIN_MESSAGE_SIZE: usize = 512;
/// The largest message limit: 16 MiB. (RawSocket sends at most 2^24 − 1 bytes.)
pub const MAX_MESSAGE_SIZE: usize = 1 << 24;
/// The deepest nesting that [`Limits::depth`] may allow.
pub const MAX_DEPTH: usize = 256;
/// Room for every name that the specification has: URIs such as
/// `wamp.error.option_disallowed.disclose_me`, and authentication methods.
const MIN_NAME_LENGTH: usize = 64;
const MAX_NAME_LENGTH: usize = 65_536;
/// The most of anything that one session may have.
const MAX_COUNT: usize = 1 << 24;
/// The shortest time in which a peer could do anything.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Bounds on what a peer can make us hold, and the deadlines it has to keep.
///
/// Every field is checked before memory is spent. The defaults suit a router open to strangers.
///
/// ```
/// use roadbed_core::limits::Limits;
///
/// let limits = Limits::default().message_size(8 << 20).depth(128);
/// assert_eq!(limits.message_size, 8 << 20);
/// limits.check().unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one received message, decompressed and reassembled: 512 B to 16 MiB. Default 1 MiB.
    pub message_size: usize,
    /// Bytes of a message without its payload (options, details, URIs). Default 64 KiB.
    pub envelope_size: usize,
    /// Bytes of HELLO, or of whatever else comes before it or instead of it: what a router reads from a peer
    /// that it knows nothing about. Default 8 KiB.
    pub handshake_message_size: usize,
    /// Bytes of AUTHENTICATE, which a router reads only after its own CHALLENGE; and of CHALLENGE and WELCOME,
    /// which a client reads before it has a session. Default 32 KiB.
    pub authentication_message_size: usize,
    /// Bytes of an identity in HELLO: the authid, the authrole, and each name of an authentication method.
    /// Default 1 KiB.
    pub identity_length: usize,
    /// HELLOs of one connection that a router refuses before it closes the connection. Default 3.
    pub join_attempts: usize,
    /// How deep a payload, an option or a detail may nest: 1 to 256. Default 64.
    pub depth: usize,
    /// Bytes of a URI. Default 1 KiB.
    pub uri_length: usize,
    /// Entries of an id or name list in options (`eligible`, `exclude_authid`, …). Default 4,096.
    pub list_length: usize,
    /// Calls of one session that wait for an answer. Default 65,536.
    pub pending_calls: usize,
    /// Publications of one session that wait for their acknowledgement. Default 65,536.
    pub pending_publications: usize,
    /// Invocations that one session has not answered. At a router those count whose caller does not wait any more, and
    /// of a callee with more than half of these each caller may have a quarter of what is left. Default 65,536.
    pub pending_invocations: usize,
    /// Subscriptions of one session; twice as many may wait for the answer to UNSUBSCRIBE. Default 10,000.
    pub subscriptions: usize,
    /// Registrations of one session; twice as many may wait for the answer to UNREGISTER. Default 10,000.
    pub registrations: usize,
    /// Components of a wildcard pattern: 1 to 32. Default 32.
    pub pattern_components: usize,
    /// Wildcards in one pattern: 1 to 32. Default 8.
    pub pattern_wildcards: usize,
    /// Different places that wildcards have in the patterns of a realm, for each number of components: 1 to
    /// 4,096. Each costs a publication or call a look. Default 128.
    pub pattern_masks: usize,
    /// How many of these may be in use because of one session alone: 1 to 4,096. Default 16.
    pub pattern_masks_alone: usize,
    /// Events of one publication for one session that has several subscriptions to its topic: at least 1.
    /// Default 64.
    pub event_matches: usize,
    /// Events that wait to be polled; at this number `wants_input()` turns false. At a router it does for the peers
    /// without session, as it is they who cause most events for its driver; and as many of its questions whether a
    /// request is allowed may be open. Default 1,024.
    pub queued_events: usize,
    /// Requests of one session that wait while it is decided whether an earlier one is allowed. Default 64.
    pub backlog_length: usize,
    /// Bytes that these may hold. Default 256 KiB.
    pub backlog_size: usize,
    /// Verdicts of a realm's authorizer that hold for whole roles and are kept. Zero keeps none. Default 4,096.
    pub kept_verdicts: usize,
    /// Queued output, in bytes, above which `is_writable()` is false; `output_size`, if that is less.
    /// Default 1 MiB.
    pub output_high_water: usize,
    /// Queued output, in bytes, above which commands answer `WouldBlock`; at a router the budget of a peer's queue.
    /// At least 512 B. Default 16 MiB.
    pub output_size: usize,
    /// Bytes that wait for all peers of a router together; its shards have equal parts of it. Above, a peer for which
    /// more waits than its fair share, which is this divided by the number of peers for which something waits, gets no
    /// more events and invocations, and is not read. What waits already stays, so together it is at most twice this,
    /// replies apart. At least `output_size`, or 1 MiB if that is less. Default 1 GiB.
    pub total_output_size: usize,
    /// The peer's share of the time from transport open to WELCOME, on the router side. Default 5 s.
    pub handshake_timeout: Duration,
    /// How long a peer with a session may take to send a message that it has begun, on the router side; and a second
    /// more for each 4 KiB of it that arrived. Default 30 s.
    pub message_timeout: Duration,
    /// How long a decision of ours (authenticate, authorize) may take. Default 30 s.
    pub decision_timeout: Duration,
    /// How long a client waits from transport open to WELCOME. Default 30 s.
    pub join_timeout: Duration,
    /// How long we wait for the answer to our GOODBYE. Default 5 s.
    pub goodbye_timeout: Duration,
    /// After GOODBYE, or after HELLO was refused, how long a router waits for a new HELLO on the same transport.
    /// Zero closes at once. Default 5 s.
    pub rejoin_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 1 << 20,
            envelope_size: 64 << 10,
            handshake_message_size: 8 << 10,
            authentication_message_size: 32 << 10,
            identity_length: 1 << 10,
            join_attempts: 3,
            depth: 64,
            uri_length: 1 << 10,
            list_length: 4096,
            pending_calls: 65_536,
            pending_publications: 65_536,
            pending_invocations: 65_536,
            subscriptions: 10_000,
            registrations: 10_000,
            pattern_components: 32,
            pattern_wildcards: 8,
            pattern_masks: 128,
            pattern_masks_alone: 16,
            event_matches: 64,
            queued_events: 1_024,
            backlog_length: 64,
            backlog_size: 256 << 10,
            kept_verdicts: 4_096,
            output_high_water: 1 << 20,
            output_size: 16 << 20,
            total_output_size: 1 << 30,
            handshake_timeout: Duration::from_secs(5),
            message_timeout: Duration::from_secs(30),
            decision_timeout: Duration::from_secs(30),
            join_timeout: Duration::from_secs(30),
            goodbye_timeout: Duration::from_secs(5),
            rejoin_timeout: Duration::from_secs(5),
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`Limits::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, value: $type) -> Self {
            self.$name = value;
            self
        }
    )*};
}

impl Limits {
    setters! {
        message_size: usize, envelope_size: usize, handshake_message_size: usize,
        authentication_message_size: usize, identity_length: usize, join_attempts: usize, depth: usize,
        uri_length: usize, list_length: usize, pending_calls: usize, pending_publications: usize,
        pending_invocations: usize, subscriptions: usize, registrations: usize, pattern_components: usize,
        pattern_wildcards: usize, pattern_masks: usize, pattern_masks_alone: usize, event_matches: usize, queued_events: usize, backlog_length: usize,
        backlog_size: usize, kept_verdicts: usize, output_high_water: usize,
        output_size: usize, total_output_size: usize, handshake_timeout: Duration, message_timeout: Duration, decision_timeout: Duration,
        join_timeout: Duration, goodbye_timeout: Duration, rejoin_timeout: Duration,
    }

    /// Checks that every value lies in its documented range. Configuration builders call it.
    ///
    /// # Errors
    /// [`LimitsError`] names the first field outside its range.
    pub fn check(&self) -> Result<(), LimitsError> {
        // Without `..`: a field that is added has to have its row.
        let Self {
            message_size,
            envelope_size,
            handshake_message_size,
            authentication_message_size,
            identity_length,
            join_attempts,
            depth,
            uri_length,
            list_length,
            pending_calls,
            pending_publications,
            pending_invocations,
            subscriptions,
            registrations,
            pattern_components,
            pattern_wildcards,
            pattern_masks,
            pattern_masks_alone,
            event_matches,
            queued_events,
            backlog_length,
            backlog_size,
            kept_verdicts,
            output_high_water,
            output_size,
            total_output_size,
            handshake_timeout,
            message_timeout,
            decision_timeout,
            join_timeout,
            goodbye_timeout,
            rejoin_timeout,
        } = *self;
        let counts = [
            ("message_size", message_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("envelope_size", envelope_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("handshake_message_size", handshake_message_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("authentication_message_size", authentication_message_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("identity_length", identity_length, MIN_NAME_LENGTH, MAX_NAME_LENGTH),
            ("join_attempts", join_attempts, 1, MAX_COUNT),
            ("depth", depth, 1, MAX_DEPTH),
            ("uri_length", uri_length, MIN_NAME_LENGTH, MAX_NAME_LENGTH),
            ("list_length", list_length, 1, 1 << 20),
            ("pending_calls", pending_calls, 1, MAX_COUNT),
            ("pending_publications", pending_publications, 1, MAX_COUNT),
            ("pending_invocations", pending_invocations, 1, MAX_COUNT),
            ("subscriptions", subscriptions, 1, MAX_COUNT),
            ("registrations", registrations, 1, MAX_COUNT),
            ("pattern_components", pattern_components, 1, 32),
            ("pattern_wildcards", pattern_wildcards, 1, 32),
            ("pattern_masks", pattern_masks, 1, 4096),
            ("pattern_masks_alone", pattern_masks_alone, 1, 4096),
            ("event_matches", event_matches, 1, MAX_COUNT),
            ("queued_events", queued_events, 1, 1 << 20),
            ("backlog_length", backlog_length, 1, MAX_COUNT),
            ("backlog_size", backlog_size, 1, usize::MAX),
            ("kept_verdicts", kept_verdicts, 0, MAX_COUNT),
            ("output_high_water", output_high_water, 1, usize::MAX),
            ("output_size", output_size, MIN_MESSAGE_SIZE, usize::MAX),
            ("total_output_size", total_output_size, output_size.min(1 << 20), usize::MAX),
        ];
        for (field, value, min, max) in counts {
            if value < min || value > max {
                return Err(LimitsError::Count { field, value, min, max });
            }
        }
        let times = [
            ("handshake_timeout", handshake_timeout, MIN_TIMEOUT),
            ("message_timeout", message_timeout, MIN_TIMEOUT),
            ("decision_timeout", decision_timeout, MIN_TIMEOUT),
            ("join_timeout", join_timeout, MIN_TIMEOUT),
            ("goodbye_timeout", goodbye_timeout, MIN_TIMEOUT),
            ("rejoin_timeout", rejoin_timeout, Duration::ZERO),
        ];
        for (field, value, min) in times {
            if value < min {
                return Err(LimitsError::Time { field, value, min });
            }
        }
        Ok(())
    }
}

/// A field of [`Limits`] outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// A number of bytes, levels or entries.
    #[error("limit {field} is {value}, allowed are {min} to {max}")]
    Count {
        /// The field's name.
        field: &'static str,
        /// The value found.
        value: usize,
        /// The smallest value allowed.
        min: usize,
        /// The largest value allowed.
        max: usize,
    },
    /// A time so short that nothing could be done in it.
    #[error("limit {field} is {value:?}, the least is {min:?}")]
    Time {
        /// The field's name.
        field: &'static str,
        /// The value found.
        value: Duration,
        /// The smallest value allowed.
        min: Duration,
    },
}

impl LimitsError {
    /// The name of the field.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Count { field, .. } | Self::Time { field, .. } => field,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn defaults_pass_and_excess_is_named() {
        Limits::default().check().unwrap();
        let error = Limits::default().depth(257).check().unwrap_err();
        assert_eq!(error.to_string(), "limit depth is 257, allowed are 1 to 256");
        let error = Limits::default().handshake_timeout(Duration::ZERO).check().unwrap_err();
        assert_eq!(error.to_string(), "limit handshake_timeout is 0ns, the least is 1ms");
    }

    /// Zero locks everybody out, wherever it is not a way to say "none".
    #[test]
    fn no_field_may_be_zero_but_those_that_mean_something_by_it() {
        macro_rules! refused {
            ($($field:ident: $zero:expr),* $(,)?) => {{
                // Without `..`: a field that is added has to be listed here.
                let Limits { $($field: _,)* rejoin_timeout: _, kept_verdicts: _ } = Limits::default();
                $(
                    let error = Limits::default().$field($zero).check().expect_err(stringify!($field));
                    assert_eq!(error.field(), stringify!($field));
                )*
            }};
        }
        refused! {
            message_size: 0, envelope_size: 0, handshake_message_size: 0, authentication_message_size: 0,
            identity_length: 0, join_attempts: 0, depth: 0, uri_length: 0, list_length: 0, pending_calls: 0,
            pending_publications: 0, pending_invocations: 0, subscriptions: 0, registrations: 0,
            pattern_components: 0, pattern_wildcards: 0, pattern_masks: 0, pattern_masks_alone: 0, event_matches: 0,
            queued_events: 0, backlog_length: 0, backlog_size: 0, output_high_water: 0, output_size: 0, total_output_size: 0,
            handshake_timeout: Duration::ZERO, message_timeout: Duration::ZERO, decision_timeout: Duration::ZERO, join_timeout: Duration::ZERO,
            goodbye_timeout: Duration::ZERO,
        }
        Limits::default().rejoin_timeout(Duration::ZERO).kept_verdicts(0).check().unwrap();
    }
}
