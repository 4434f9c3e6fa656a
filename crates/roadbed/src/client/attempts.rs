//! What is tried, one after the other, until there is a session.

use std::fmt;
use std::sync::Arc;

use roadbed_core::connection::Endpoint;
use roadbed_core::error::{CloseReason, ConfigError, ViolationKind};
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::websocket::{Subprotocol, WebSocketClientConfig};
use roadbed_core::transport::{
    HandshakeError, HttpConnect, RawSocketError, TransportDetails, TransportError,
};

use super::settings::Settings;
use crate::error::Error;
use crate::url::{Address, Proxy, Url, UrlError};

/// How WebSockets are opened.
#[derive(Clone, Default)]
pub(crate) struct WebSocketSettings {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) is_batched: bool,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<roadbed_core::transport::websocket::DeflateConfig>,
}

/// Without the values of headers: they may be secrets.
impl fmt::Debug for WebSocketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("WebSocketSettings")
            .field("headers", &names)
            .field("is_batched", &self.is_batched)
            .finish_non_exhaustive()
    }
}

/// Where to connect to, and what to ask for there.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    url: Arc<Url>,
    proxy: Option<Arc<Proxy>>,
    /// What is spoken there. A RawSocket client names exactly one serializer, and a router that does not have it
    /// closes; of a WebSocket's the router chooses.
    endpoint: Endpoint,
}

/// The attempts of a list of addresses, in order.
#[derive(Debug)]
pub(crate) struct Attempts {
    now: Attempt,
    rest: std::vec::IntoIter<Attempt>,
}

impl Attempts {
    /// Checks the addresses and settings, all before anything is connected.
    pub(crate) fn new(urls: &[String], settings: &Settings) -> Result<Self, Error> {
        let proxy = settings.proxy.clone().transpose()?.map(Arc::new);
        let mut all = Vec::new();
        let mut is_any_secure = false;
        for url in urls {
            let url: Arc<Url> = Arc::new(url.parse()?);
            if is_any_secure && url.is_exposed() {
                return Err(UrlError::Downgrade(without_query(&url)).into());
            }
            is_any_secure |= url.is_secure();
            check_tls(&url)?;
            let named = url.serializer().map(|named| vec![named]);
            let serializers = named.as_deref().unwrap_or(&settings.serializers);
            if serializers.is_empty() {
                return Err(UrlError::NoSerializer.into());
            }
            // What does not leave the machine needs no proxy.
            let proxy = proxy.clone().filter(|_| matches!(url.address(), Address::Tcp { .. }));
            if let (Some(proxy), Address::Tcp { host, port }) = (&proxy, url.address()) {
                proxy.connect(host, *port)?;
            }
            let attempt = |endpoint| Attempt { url: Arc::clone(&url), proxy: proxy.clone(), endpoint };
            match websocket(&url, serializers, &settings.websocket)? {
                Some(config) => all.push(attempt(Endpoint::websocket(config))),
                None => all.extend(serializers.iter().map(|&serializer| attempt(serializer.into()))),
            }
        }
        let mut rest = all.into_iter();
        let now = rest.next().ok_or_else(|| UrlError::Empty(String::new()))?;
        Ok(Self { now, rest })
    }

    /// What to try now.
    pub(crate) const fn now(&self) -> &Attempt {
        &self.now
    }

    /// Whether to try on, after an attempt that ended in `error`. When the router does not have the
    /// serializer, that is the next one; when there is no router, the next address.
    pub(crate) fn retry(&mut self, error: &Error) -> bool {
        let is_elsewhere = !refuses_serializer(error);
        if is_elsewhere && !may_succeed_elsewhere(error) {
            return false;
        }
        for next in self.rest.by_ref() {
            if !is_elsewhere || !Arc::ptr_eq(&next.url, &self.now.url) {
                self.now = next;
                return true;
            }
        }
        false
    }
}

impl Attempt {
    /// Where to open a stream to: the router, or the proxy.
    pub(crate) fn address(&self) -> &Address {
        self.proxy.as_ref().map_or(self.url.address(), |proxy| proxy.address())
    }

    /// What is spoken with the router.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// How to ask the proxy for the router; `None` without a proxy.
    pub(crate) fn tunnel(&self) -> Result<Option<HttpConnect>, ConfigError> {
        match (&self.proxy, self.url.address()) {
            (Some(proxy), Address::Tcp { host, port }) => proxy.connect(host, *port).map(Some),
            _ => Ok(None),
        }
    }

    /// What is known of the way to the router, when this is known of the stream. However near the proxy is,
    /// the router is not.
    pub(crate) fn details(&self, mut details: TransportDetails) -> TransportDetails {
        if self.proxy.is_some() {
            details.is_local = false;
        }
        details
    }
}

fn websocket(
    url: &Url,
    serializers: &[Serializer],
    settings: &WebSocketSettings,
) -> Result<Option<WebSocketClientConfig>, ConfigError> {
    let Some(request) = url.request() else { return Ok(None) };
    let plain = serializers.iter().map(|&serializer| Subprotocol::plain(serializer));
    let batched = serializers.iter().map(|&serializer| Subprotocol::batched(serializer));
    let subprotocols: Vec<_> = batched.filter(|_| settings.is_batched).chain(plain).collect();
    let mut config =
        WebSocketClientConfig::new(request.host(), request.target())?.subprotocols(&subprotocols);
    for (name, value) in &settings.headers {
        config = config.header(name, value)?;
    }
    #[cfg(feature = "deflate")]
    if let Some(deflate) = settings.deflate {
        config = config.deflate(deflate);
    }
    Ok(Some(config))
}

/// Secure addresses are spoken to over TLS or not at all.
fn check_tls(url: &Url) -> Result<(), UrlError> {
    if url.is_secure() { Err(UrlError::NoTls(without_query(url))) } else { Ok(()) }
}

/// Queries may hold secrets.
fn without_query(url: &Url) -> String {
    let text = url.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

fn refuses_serializer(error: &Error) -> bool {
    let Error::Ended(reason) = error else { return false };
    let CloseReason::PeerViolation(violation) = &**reason else { return false };
    let ViolationKind::Transport(TransportError::RawSocket(error)) = violation.kind() else { return false };
    matches!(
        error,
        RawSocketError::Refused(HandshakeError::SerializerUnsupported)
            | RawSocketError::SerializerMismatch { .. }
    )
}

/// Whether there was no router, or none that is well. A router that says no would say so at its other addresses.
pub(crate) fn may_succeed_elsewhere(error: &Error) -> bool {
    match error {
        Error::Ended(reason) => match &**reason {
            CloseReason::PeerViolation(violation) => matches!(violation.kind(), ViolationKind::Transport(_)),
            reason => reason.is_retryable(),
        },
        Error::Config(_) | Error::Url(_) | Error::Vetoed(_) => false,
        Error::Io(_) | Error::Timeout | Error::Proxy(_) => true,
        _ => false,
    }
}
