//! What foreign peers are tried with: each adapter, and the reference loop.

use std::path::Path;

use roadbed_core::serializer::Serializer;
use roadbed_core::session::ClientConfig;
use roadbed_core::uri::Uri;
use roadbed_router::{RouterConfig, RouterStats};

use crate::adapters::{AsyncStd, Blocking, Smol, Tokio};
use crate::client::Client;
use crate::reference::Loop;

/// One of them.
pub(crate) trait Subject: Sync {
    fn name(&self) -> &'static str;

    /// Serves a router on a free TCP port and at this path.
    fn serve(&self, config: RouterConfig, path: &Path) -> Serving;

    /// Joins; or the URI of the router's ABORT.
    fn join(&self, url: &str, config: ClientConfig, serializer: Serializer) -> Result<Box<dyn Client>, Uri>;
}

/// All of them.
pub(crate) const SUBJECTS: [&dyn Subject; 5] = [&Tokio, &AsyncStd, &Smol, &Blocking, &Loop];

/// A router at work.
pub(crate) struct Serving {
    /// Where to reach it over TCP.
    pub(crate) tcp: String,
    pub(crate) stats: Box<dyn Fn() -> RouterStats>,
    /// Closes the listeners and ends whoever is there.
    pub(crate) end: Box<dyn FnOnce()>,
}
