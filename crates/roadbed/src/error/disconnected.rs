//! Requests of a client that is not connected.

use std::time::Duration;

/// Why a request of a [`Client`](crate::client::Client) was not sent while it was not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// Requests do not wait, see [`WhileDisconnected`](crate::client::WhileDisconnected).
    #[error("not connected{}", when(*.retry_in))]
    Now {
        /// When the next attempt to connect begins; `None` while one is under way.
        retry_in: Option<Duration>,
    },
    /// It waited as long as it may.
    #[error("not connected for {waited:?}")]
    TooLong {
        /// How long it waited.
        waited: Duration,
    },
    /// Too many requests wait already.
    #[error("not connected, and {limit} requests wait already")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// The payloads of those that wait are too large already.
    #[error("not connected, and no room to let {size} bytes wait: the limit is {limit}")]
    TooLarge {
        /// The payload's bytes.
        size: usize,
        /// How many bytes may wait in all.
        limit: usize,
    },
}

fn when(retry_in: Option<Duration>) -> String {
    retry_in.map_or_else(|| ", connecting".to_owned(), |delay| format!(", connecting in {delay:?}"))
}
