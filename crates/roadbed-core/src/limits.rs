//! One [`Limits`] struct, one meaning on every transport and for both roles.

use core::time::Duration;

/// The smallest message limit RawSocket can express: 512 bytes.
pub const MIN_MESSAGE_SIZE: usize = 512;
/// The largest message limit: 16 MiB. (RawSocket sends at most 2^24 − 1 bytes.)
pub const MAX_MESSAGE_SIZE: usize = 1 << 24;
/// The deepest nesting that [`Limits::depth`] may allow.
pub const MAX_DEPTH: usize = 256;

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
    /// Bytes of one message received before WELCOME. Default 64 KiB.
    pub handshake_message_size: usize,
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
    /// Invocations of one session that wait for an answer. Default 65,536.
    pub pending_invocations: usize,
    /// Subscriptions of one session; twice as many may wait for the answer to UNSUBSCRIBE. Default 10,000.
    pub subscriptions: usize,
    /// Registrations of one session; twice as many may wait for the answer to UNREGISTER. Default 10,000.
    pub registrations: usize,
    /// Events decoded but not yet polled; at this number `wants_input()` turns false. Default 1,024.
    pub queued_events: usize,
    /// Queued output, in bytes, above which `is_writable()` is false; `output_size`, if that is less.
    /// Default 1 MiB.
    pub output_high_water: usize,
    /// Queued output, in bytes, above which commands answer `WouldBlock`. Default 16 MiB.
    pub output_size: usize,
    /// The peer's share of the time from transport open to WELCOME, on the router side. Default 5 s.
    pub handshake_timeout: Duration,
    /// How long a decision of ours (authenticate, authorize) may take. Default 30 s.
    pub decision_timeout: Duration,
    /// How long a client waits from transport open to WELCOME. Default 30 s.
    pub join_timeout: Duration,
    /// How long we wait for the answer to our GOODBYE. Default 5 s.
    pub goodbye_timeout: Duration,
    /// After GOODBYE, how long a router waits for a new HELLO on the same transport. Default 5 s.
    pub rejoin_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 1 << 20,
            envelope_size: 64 << 10,
            handshake_message_size: 64 << 10,
            depth: 64,
            uri_length: 1 << 10,
            list_length: 4096,
            pending_calls: 65_536,
            pending_publications: 65_536,
            pending_invocations: 65_536,
            subscriptions: 10_000,
            registrations: 10_000,
            queued_events: 1_024,
            output_high_water: 1 << 20,
            output_size: 16 << 20,
            handshake_timeout: Duration::from_secs(5),
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
        message_size: usize, envelope_size: usize, handshake_message_size: usize, depth: usize,
        uri_length: usize, list_length: usize, pending_calls: usize, pending_publications: usize,
        pending_invocations: usize, subscriptions: usize, registrations: usize, queued_events: usize, output_high_water: usize,
        output_size: usize, handshake_timeout: Duration, decision_timeout: Duration,
        join_timeout: Duration, goodbye_timeout: Duration, rejoin_timeout: Duration,
    }

    /// Checks that every value lies in its documented range. Configuration builders call it.
    ///
    /// # Errors
    /// [`LimitsError`] names the first field outside its range.
    pub fn check(&self) -> Result<(), LimitsError> {
        let ranges = [
            ("message_size", self.message_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("handshake_message_size", self.handshake_message_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("envelope_size", self.envelope_size, MIN_MESSAGE_SIZE, MAX_MESSAGE_SIZE),
            ("depth", self.depth, 1, MAX_DEPTH),
            ("uri_length", self.uri_length, 1, 65_536),
            ("list_length", self.list_length, 0, 1 << 20),
            ("queued_events", self.queued_events, 1, 1 << 20),
        ];
        for (field, value, min, max) in ranges {
            if value < min || value > max {
                return Err(LimitsError { field, value, min, max });
            }
        }
        Ok(())
    }
}

/// A field of [`Limits`] outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {field} is {value}, allowed are {min} to {max}")]
pub struct LimitsError {
    /// The field's name.
    pub field: &'static str,
    /// The value found.
    pub value: usize,
    /// The smallest value allowed.
    pub min: usize,
    /// The largest value allowed.
    pub max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_and_excess_is_named() {
        Limits::default().check().unwrap();
        let error = Limits::default().depth(257).check().unwrap_err();
        assert_eq!(alloc::string::ToString::to_string(&error), "limit depth is 257, allowed are 1 to 256");
    }
}
