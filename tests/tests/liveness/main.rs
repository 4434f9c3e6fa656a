//! Peers that fall silent, at every stage, under fake time: whoever waits for them does not wait for ever.

mod client;
mod router;
mod unfinished;

use std::time::Duration;

use roadbed_core::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// The present time in whole seconds.
fn seconds(now: Timestamp) -> u64 {
    now.saturating_since(Timestamp::ZERO).as_secs()
}
