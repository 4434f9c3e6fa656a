//! Transports: bytes to frames and back.

mod liveness;
mod output;

pub use liveness::{LivenessConfig, LivenessMode};
