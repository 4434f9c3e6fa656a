//! Connections over real sockets and threads, without any runtime.

#[path = "../../src/testing/tls.rs"]
mod certificates;
mod net;
mod peers;
mod proxy;
mod secure;
mod story;
mod stress;

/// Where the certificates expect it.
use roadbed::tls;
