//! The bodies of the fuzz targets.
//!
//! A body takes any bytes and panics when a property does not hold. cargo-fuzz runs them guided by coverage
//! (`cargo xtask fuzz`), the program `fuzz-smoke` runs them on stable over the corpus and mutations of it,
//! and `cargo test` runs them over the corpus as it is. They check more than the absence of panics: each
//! module says what.
#![deny(unsafe_code)]

// The allocator that counts; the tests have it too.
#[allow(unsafe_code)]
#[path = "../../../tests/src/alloc.rs"]
pub mod alloc;
mod answers;
mod client;
pub mod connection;
pub mod corpus;
pub mod driven;
pub mod frames;
pub mod link;
pub mod messages;
pub mod mutate;
pub mod payloads;
pub mod rawsocket;
pub mod router;
pub mod samples;
pub mod socket;
pub mod source;
mod speech;
pub mod tls;
pub mod upgrade;
pub mod values;

/// Counts what the bodies allocate that look at it.
#[global_allocator]
static COUNTING: alloc::Counting = alloc::Counting;

/// A body: panics when a property does not hold for these bytes.
pub type Body = fn(&[u8]);

/// Every target, by name. Each has a file in `fuzz/fuzz_targets` and a folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Body)] = &[
    ("json_message", messages::json_message),
    ("msgpack_message", messages::msgpack_message),
    ("cbor_message", messages::cbor_message),
    ("json_value", values::json_value),
    ("msgpack_value", values::msgpack_value),
    ("cbor_value", values::cbor_value),
    ("transcode", payloads::transcode),
    ("payload_typed", payloads::payload_typed),
    ("rawsocket_client", rawsocket::rawsocket_client),
    ("rawsocket_server", rawsocket::rawsocket_server),
    ("websocket_client", frames::websocket_client),
    ("websocket_server", frames::websocket_server),
    ("websocket_deflate", frames::websocket_deflate),
    ("websocket_peer", frames::websocket_peer),
    ("websocket_socket", socket::websocket_socket),
    ("link", link::link),
    ("connection", connection::connection),
    ("router", router::router),
    ("session_driver", driven::session_driver),
    ("router_driver", driven::router_driver),
    ("reconnecting_client", driven::reconnecting_client),
    ("tls_server", tls::tls_server),
    ("sniffing", upgrade::sniffing),
    ("websocket_request", upgrade::websocket_request),
    ("websocket_answer", upgrade::websocket_answer),
    ("proxy_answer", upgrade::proxy_answer),
];

/// The body of this name.
pub fn target(name: &str) -> Option<Body> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, body)| *body)
}

/// Runs the body of this name.
///
/// # Panics
/// When a property does not hold, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    match target(name) {
        Some(body) => body(data),
        None => panic!("no target {name}"),
    }
}

/// Bytes in an error text: it goes into logs and into ABORT.
pub const MAX_ERROR_TEXT: usize = 1024;

/// Checks that an error says something, and not more than a log line should hold.
pub(crate) fn check_text(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an error without a text: {error:?}");
    assert!(text.len() <= MAX_ERROR_TEXT, "an error of {} bytes: {text}", text.len());
}
