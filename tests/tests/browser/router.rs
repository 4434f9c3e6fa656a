//! The router between pages and their partners.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use roadbed::core::transport::websocket::{DeflateConfig, OriginPolicy, WebSocketServerConfig};
use roadbed::core::uri::Uri;
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed::tls::{Identity, TlsServerConfig};
use roadbed_blocking::{Serving, serve, threads};

/// A router, and where it listens: one port for everything.
pub(crate) struct Router {
    /// How pages reach it: a name for the report, and the URL.
    pub(crate) ways: Vec<(&'static str, String)>,
    /// For the partners.
    pub(crate) rs: String,
    /// Whether browsers, which all offer it, get their messages compressed.
    pub(crate) compresses: bool,
    handle: RouterHandle,
    serving: Serving,
}

impl Router {
    pub(crate) const REALM: &str = "realm1";

    /// Starts one that lets in pages of this origin.
    pub(crate) fn plain(origin: &str) -> Self {
        Self::start(origin, &[("ws", "ws"), ("wss", "wss")], WebSocketServerConfig::default())
    }

    /// As [`plain`](Self::plain), and compresses.
    pub(crate) fn compressing(origin: &str) -> Self {
        let websocket = WebSocketServerConfig::default().deflate(DeflateConfig::default());
        Self::start(origin, &[("ws, deflate", "ws")], websocket)
    }

    fn start(origin: &str, ways: &[(&'static str, &'static str)], websocket: WebSocketServerConfig) -> Self {
        let config = RouterConfig::new()
            .realm(Uri::from_static(Self::REALM), Authentication::new().anonymous("guest"));
        let compresses = websocket.deflate.is_some();
        let handle = RouterHandle::builder(config)
            .websocket(websocket)
            .origins(OriginPolicy::allow([origin]).unwrap())
            .tls(TlsServerConfig::new(identity()).unwrap())
            .start(threads())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, &handle).unwrap();
        let url = |scheme: &str| format!("{scheme}://{address}");
        let ways = ways.iter().map(|(name, scheme)| (*name, url(scheme))).collect();
        Self { ways, rs: url("rs"), compresses, handle, serving }
    }

    /// Ends it, once nothing is left of anybody.
    pub(crate) fn end(self) {
        let start = Instant::now();
        while self.handle.connections() > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "left behind: {:?}", self.handle.stats());
            thread::sleep(Duration::from_millis(10));
        }
        let stats = self.handle.stats();
        let left = [stats.peers, stats.sessions, stats.subscriptions, stats.registrations, stats.calls];
        assert_eq!(left, [0; 5], "{stats:?}");
        self.serving.stop();
        self.handle.shutdown(Duration::from_secs(5)).wait();
    }
}

/// A certificate for the address that pages connect to, made for this run.
fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    Identity::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap()
}
