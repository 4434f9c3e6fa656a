//! TLS without the I/O: ciphertext in, plaintext out, over [rustls](https://docs.rs/rustls) with its *ring* provider.
//!
//! A [`TlsLayer`] sits between a socket and a protocol. It reads no clock, opens no file and no socket: the
//! driver gives it what was read, and the time, and writes what it is given. It knows nothing of WAMP but
//! what WAMP needs of it: the `tls-exporter` [channel binding](TlsLayer::channel_binding) of RFC 9266.
//!
//! # The loop
//!
//! Both ends in memory; over a socket the bytes that are exchanged here are written and read.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use roadbed_core::time::{Timestamp, UnixMicros};
//! use roadbed_tls::{Identity, Protocol, Roots, TlsClientConfig, TlsEvent, TlsLayer, TlsServerConfig};
//! # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
//! # let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
//! # let (now, utc) = (Timestamp::ZERO, UnixMicros::from_micros(1_700_000_000_000_000));
//!
//! let server = TlsServerConfig::new(Identity::from_pem(certificate.as_bytes(), key.as_bytes())?)?;
//! let client = TlsClientConfig::new(Roots::from_pem(certificate.as_bytes())?)?;
//! let mut server = TlsLayer::server(&server, now, utc);
//! let mut client = TlsLayer::client(&client, "localhost", Protocol::Raw, now, utc)?;
//!
//! let (mut hello, mut heard) = (Bytes::from_static(b"hello"), BytesMut::new());
//! while heard.is_empty() {
//!     // Takes nothing before the handshake is done.
//!     client.send(&mut hello);
//!     while let Some(bytes) = client.poll_transmit() {
//!         server.handle_input(now, &mut BytesMut::from(&bytes[..]), &mut heard);
//!     }
//!     while let Some(bytes) = server.poll_transmit() {
//!         client.handle_input(now, &mut BytesMut::from(&bytes[..]), &mut BytesMut::new());
//!     }
//! }
//! assert_eq!(heard, "hello");
//! assert_eq!(server.poll_event(), Some(TlsEvent::Open));
//! assert!(server.channel_binding().is_some() && server.channel_binding() == client.channel_binding());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is not in the caller's hands
//!
//! - **Randomness**: keys and nonces come from *ring*, which asks the operating system. Ciphertext differs from run to
//!   run; plaintext and events do not.
//! - **Memory**: rustls keeps at least 4 KiB for reading. A connection that stops in the middle of its handshake holds
//!   less than 40 KiB: at most [`HANDSHAKE_LIMIT`] bytes of a peer are looked at before it is done.
//! - **Files**: only with feature `system-roots`, and only `Roots::system` reads any.
//!
//! # Choices
//!
//! - TLS 1.3 and 1.2; in 1.2 only with the extended master secret, without which a channel binding binds nothing.
//! - No session resumption and no early data: every connection checks its certificates, and nothing is kept of it.
//! - `rustls`'s buffered connections, not its `unbuffered` ones: those cannot export keying material in 0.23,
//!   which channel binding needs, and they copy plaintext out of their records just the same.
//! - What these configurations cannot say, a configuration of rustls can: see [`TlsClientConfig::from_rustls`] and
//!   [`TlsServerConfig::from_rustls`].
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

mod client;
mod clock;
mod error;
mod identity;
mod layer;
mod record;
mod roots;
mod server;
mod side;
#[cfg(test)]
mod tests;
mod words;

pub use client::{Protocol, TlsClientConfig};
pub use error::{TlsConfigError, TlsError};
pub use identity::Identity;
pub use layer::{HANDSHAKE_LIMIT, TlsEvent, TlsLayer};
pub use roots::Roots;
pub use rustls;
pub use server::{ClientCertificates, TlsServerConfig};

/// The first byte of a TLS connection: the type of a record that carries a handshake.
const HANDSHAKE_RECORD: u8 = 22;
/// The first byte of an alert, with which a server may answer a handshake.
const ALERT_RECORD: u8 = 21;

/// Whether what a peer sent begins as a TLS handshake does. One byte decides: 22, with which neither a
/// RawSocket (0x7F) nor a line of text begins. `None` while there is none.
///
/// ```
/// assert_eq!(roadbed_tls::is_handshake(b""), None);
/// assert_eq!(roadbed_tls::is_handshake(&[0x16, 3, 1]), Some(true));
/// assert_eq!(roadbed_tls::is_handshake(b"GET / HTTP/1.1"), Some(false));
/// ```
pub fn is_handshake(input: &[u8]) -> Option<bool> {
    input.first().map(|byte| *byte == HANDSHAKE_RECORD)
}

/// The README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
