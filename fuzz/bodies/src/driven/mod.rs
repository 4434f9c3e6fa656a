//! The crate `roadbed`: handles and drivers under simulated time, with everything around them hostile.
//!
//! * No wake-up is lost: a half that sleeps and was not woken has nothing to do, and a request that was not woken has
//!   no result.
//! * Nothing spins: each thing comes to rest in a bounded number of steps.
//! * When a connection has ended every request has, at once, and once; when all handles are gone so are all tasks.
//! * The heap stays within what limits and the input's length allow.

mod client;
mod half;
mod network;
mod pending;
mod router;
mod session;
mod wire;

use crate::alloc::measure;

pub use client::reconnecting_client;
pub use router::router_driver;
pub use session::session_driver;

/// What a body may hold at most, beside its input: some connections with their buffers, a router, a few futures.
const BASE: usize = 2 << 20;

/// What each byte of the input may cost: it can stand for a request of 600 bytes, which several peers queue.
const FOR_EACH_BYTE: usize = 2 << 10;

/// Runs a body, and looks at what it allocated.
fn within_bounds(data: &[u8], body: impl FnOnce()) {
    let ((), usage) = measure(body);
    let allowed = BASE + FOR_EACH_BYTE * data.len();
    assert!(usage.peak <= allowed, "{} bytes were held, {allowed} are allowed", usage.peak);
    assert!(usage.kept < 64 << 10, "{} bytes are left behind", usage.kept);
}
