//! What foreign peers are tried with: each adapter, and the reference loop.

use std::path::Path;

use roadbed::client::Settings;
use roadbed::server::{Builder, RouterHandle};
use roadbed::tls::{TlsClientConfig, TlsServerConfig};
use roadbed_core::serializer::Serializer;
use roadbed_core::session::ClientConfig;
use roadbed_core::transport::websocket::{DeflateConfig, WebSocketServerConfig};
use roadbed_core::uri::Uri;
use roadbed_router::{RouterConfig, RouterStats};

use crate::adapters::{AsyncStd, Blocking, Smol, Tokio};
use crate::client::Client;
use crate::reference::Loop;
use crate::ways::Way;

/// One of them.
pub(crate) trait Subject: Sync {
    fn name(&self) -> &'static str;

    /// What it speaks.
    fn ways(&self) -> &'static [Way] {
        &Way::ALL
    }

    /// Serves a router on a free TCP port and at this path.
    fn serve(&self, setup: Setup, path: &Path) -> Serving;

    /// Joins; or the URI of the router's ABORT.
    fn join(&self, url: &str, joining: Joining) -> Result<Box<dyn Client>, Uri>;
}

/// All of them.
pub(crate) const SUBJECTS: [&dyn Subject; 5] = [&Tokio, &AsyncStd, &Smol, &Blocking, &Loop];

/// Which router is to be served.
pub(crate) struct Setup {
    pub(crate) config: RouterConfig,
    pub(crate) tls: TlsServerConfig,
    /// Whether WebSocket peers may compress.
    pub(crate) deflate: bool,
}

impl Setup {
    /// Everything on one port.
    pub(crate) fn builder(self) -> Builder {
        let websocket = WebSocketServerConfig::default();
        let websocket = if self.deflate { websocket.deflate(compression()) } else { websocket };
        RouterHandle::builder(self.config).websocket(websocket).tls(self.tls)
    }
}

/// Most messages of the scenarios are short, so that some of these are compressed and others not.
fn compression() -> DeflateConfig {
    DeflateConfig::default().threshold(100)
}

/// A router at work.
pub(crate) struct Serving {
    /// Where to reach it over TCP.
    pub(crate) port: u16,
    pub(crate) stats: Box<dyn Fn() -> RouterStats>,
    /// Closes the listeners and ends whoever is there.
    pub(crate) end: Box<dyn FnOnce()>,
}

/// How a client joins.
pub(crate) struct Joining {
    pub(crate) config: ClientConfig,
    pub(crate) serializer: Serializer,
    pub(crate) tls: TlsClientConfig,
    pub(crate) deflate: bool,
    pub(crate) batched: bool,
}

impl Joining {
    pub(crate) fn settings(self) -> Settings {
        let settings = Settings::with_config(self.config).serializer(self.serializer).tls(self.tls);
        let settings = if self.deflate { settings.deflate(compression()) } else { settings };
        if self.batched { settings.batched() } else { settings }
    }
}
