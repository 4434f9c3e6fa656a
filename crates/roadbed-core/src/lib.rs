//! WAMP v2 without the I/O.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod auth;
pub mod connection;
pub mod error;
pub mod id;
pub mod limits;
pub mod link;
pub mod message;
pub mod options;
pub mod payload;
pub mod role;
pub mod serializer;
pub mod session;
pub mod time;
pub mod transport;
pub mod uri;
pub mod value;
