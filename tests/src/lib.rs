//! What the tests of the whole workspace share.

pub mod alloc;
pub mod frames;
pub mod outside;
pub mod vectors;
pub mod wire;
