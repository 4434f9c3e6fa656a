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

use super::open::{self, Driver, Joining};
use super::settings::Settings;
use crate::error::Error;
use crate::runtime::Runtime;
use crate::url::{Address, Proxy, Url, UrlError, without_zone};

/// How WebSockets are opened.
#[derive(Clone, Default)]
pub(crate) struct WebSocketSettings {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) origin: Option<String>,
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
            .field("cookies", &self.cookies.len())
            .field("origin", &self.origin)
            .field("is_batched", &self.is_batched)
            .finish_non_exhaustive()
    }
}

/// Where to connect to, and what to ask for there.
#[derive(Clone, Debug)]
pub struct Attempt {
    url: Arc<Url>,
    proxy: Option<Arc<Proxy>>,
    /// What is spoken there. A RawSocket client names exactly one serializer, and a router that does not have it
    /// closes; of a WebSocket's the router chooses.
    endpoint: Endpoint,
}

/// What is tried, one after the other, until there is a session: every address, and at each what can be asked for.
///
/// [`Connect`](super::Connect) goes through them by itself. Those who open their sockets themselves do this:
///
/// ```
/// # use std::sync::Arc;
/// # use roadbed::client::{Attempts, Session, Settings};
/// # use roadbed::core::transport::TransportDetails;
/// # use roadbed::runtime::{ByteStream, Runtime};
/// # use roadbed::url::Address;
/// fn connect<S: ByteStream>(
///     runtime: &Arc<dyn Runtime>,
///     socket: impl Fn(&Address) -> std::io::Result<S>,
/// ) -> Result<Session, roadbed::Error> {
///     let settings = Settings::new("realm1");
///     let mut attempts = Attempts::new(&["rs://127.0.0.1".into(), "unix:/run/wamp.sock".into()], &settings)?;
///     loop {
///         let attempt = attempts.now();
///         let opened = socket(attempt.address()).map_err(|error| attempt.failed(error)).and_then(|stream| {
///             let details = TransportDetails::default();
///             let (joining, driver) = attempt.open(&settings, Arc::clone(runtime), details)?;
///             runtime.spawn(Box::pin(driver.run(stream)));
///             joining.wait()
///         });
///         match opened {
///             Err(error) if attempts.retry(&error) => {}
///             result => return result,
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Attempts {
    now: Attempt,
    rest: std::vec::IntoIter<Attempt>,
}

impl Attempts {
    /// Checks the addresses and settings, all before anything is connected.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Config`] name the first thing that cannot work.
    pub fn new(urls: &[String], settings: &Settings) -> Result<Self, Error> {
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
                if without_zone(host) != host {
                    return Err(UrlError::Zone(without_query(&url)).into());
                }
                proxy.connect(host, *port)?;
            }
            let attempt = |endpoint| Attempt { url: Arc::clone(&url), proxy: proxy.clone(), endpoint };
            match websocket(&url, serializers, &settings.websocket)? {
                Some(config) => all.push(attempt(Endpoint::websocket(config))),
                None => all.extend(serializers.iter().map(|&serializer| attempt(serializer.into()))),
            }
        }
        settings.check()?;
        let mut rest = all.into_iter();
        let now = rest.next().ok_or_else(|| UrlError::Empty(String::new()))?;
        Ok(Self { now, rest })
    }

    /// What to try now.
    pub const fn now(&self) -> &Attempt {
        &self.now
    }

    /// Whether to try on, after an attempt that ended in `error`. When the router does not have the
    /// serializer, that is the next one; when there is no router, the next address.
    pub fn retry(&mut self, error: &Error) -> bool {
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
    pub fn address(&self) -> &Address {
        self.proxy.as_ref().map_or(self.url.address(), |proxy| proxy.address())
    }

    /// Opens a connection over a stream to [`address`](Self::address), of which this is known: through the proxy,
    /// if there is one, and over TLS, if the address is secure.
    ///
    /// # Errors
    /// [`Error::Config`] when the settings cannot work, [`Error::Url`] for a secure address without TLS.
    pub fn open(
        &self,
        settings: &Settings,
        runtime: Arc<dyn Runtime>,
        details: TransportDetails,
    ) -> Result<(Joining, Driver), Error> {
        let opened = self.open_directly(settings, runtime, details).map_err(|error| self.failed(error));
        let (joining, driver) = opened?;
        let joining = joining.at(without_query(&self.url));
        Ok(match self.tunnel()? {
            Some(connect) => (joining, driver.through(connect)),
            None => (joining, driver),
        })
    }

    /// Adds the address to an error: [`Error::Connect`], unless it was found before anything was connected.
    pub fn failed(&self, error: impl Into<Error>) -> Error {
        error.into().at(&without_query(&self.url))
    }

    fn open_directly(
        &self,
        settings: &Settings,
        runtime: Arc<dyn Runtime>,
        details: TransportDetails,
    ) -> Result<(Joining, Driver), Error> {
        let (endpoint, details) = (self.endpoint.clone(), self.details(details));
        if !self.url.is_secure() {
            return open::open(settings, runtime, endpoint, details);
        }
        // From here on there is TLS, or an error.
        #[cfg(feature = "tls")]
        if let Address::Tcp { host, .. } = self.url.address() {
            let protocol = match self.url.request() {
                None => roadbed_tls::Protocol::Raw,
                Some(_) => roadbed_tls::Protocol::Http,
            };
            return open::open_secure(settings, runtime, endpoint, details, host, protocol);
        }
        Err(UrlError::NoTls(without_query(&self.url)).into())
    }

    /// How to ask the proxy for the router; `None` without a proxy.
    fn tunnel(&self) -> Result<Option<HttpConnect>, ConfigError> {
        match (&self.proxy, self.url.address()) {
            (Some(proxy), Address::Tcp { host, port }) => proxy.connect(host, *port).map(Some),
            _ => Ok(None),
        }
    }

    /// What is known of the way to the router, when this is known of the stream. However near the proxy is,
    /// the router is not.
    fn details(&self, mut details: TransportDetails) -> TransportDetails {
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
    if let Some(origin) = &settings.origin {
        config = config.origin(origin)?;
    }
    for (name, value) in &settings.headers {
        config = config.header(name, value)?;
    }
    for (name, value) in &settings.cookies {
        config = config.cookie(name, value)?;
    }
    #[cfg(feature = "deflate")]
    if let Some(deflate) = settings.deflate {
        config = config.deflate(deflate);
    }
    Ok(Some(config))
}

/// Secure addresses are spoken to over TLS or not at all.
fn check_tls(url: &Url) -> Result<(), UrlError> {
    let is_possible = cfg!(feature = "tls") && matches!(url.address(), Address::Tcp { .. });
    if url.is_secure() && !is_possible { Err(UrlError::NoTls(without_query(url))) } else { Ok(()) }
}

/// Queries may hold secrets.
fn without_query(url: &Url) -> String {
    let text = url.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

fn refuses_serializer(error: &Error) -> bool {
    let Error::Ended(end) = error.root() else { return false };
    let CloseReason::PeerViolation(violation) = end.reason() else { return false };
    let ViolationKind::Transport(TransportError::RawSocket(error)) = violation.kind() else { return false };
    matches!(
        error,
        RawSocketError::Refused(HandshakeError::SerializerUnsupported)
            | RawSocketError::SerializerMismatch { .. }
    )
}

/// Whether there was no router, or none that is well. A router that says no would say so at its other addresses.
pub(crate) fn may_succeed_elsewhere(error: &Error) -> bool {
    match error.root() {
        Error::Ended(end) => match end.reason() {
            CloseReason::PeerViolation(violation) => matches!(violation.kind(), ViolationKind::Transport(_)),
            reason => reason.is_retryable(),
        },
        Error::Config(_) | Error::Url(_) | Error::Vetoed(_) => false,
        Error::Io(_) | Error::Timeout(_) | Error::Proxy(_) => true,
        // Whoever it was, it was not the router; and the next address is no less secure.
        #[cfg(feature = "tls")]
        Error::Tls(_) => true,
        _ => false,
    }
}
