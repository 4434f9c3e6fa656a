//! How a session is joined, and how its handles behave.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use roadbed_core::auth::Secret;
use roadbed_core::error::CloseReason;
use roadbed_core::limits::Limits;
use roadbed_core::message::WelcomeDetails;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::ClientConfig;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;

use super::Session;
use super::attempts::WebSocketSettings;
use super::hooks::{Challenge, Closed, Hooks, UserError};
use crate::error::{Error, Veto};
use crate::url::{Proxy, UrlError};

/// How long a request waits for its answer unless it has a timeout of its own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How a session is joined, and how its handles behave: what the connect builders of all adapters set.
///
/// ```
/// use roadbed::client::Settings;
///
/// let settings = Settings::new("realm1")
///     .authid("joe")
///     .ticket("secret!!!")
///     .on_leave(|reason| eprintln!("left: {reason}"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) config: ClientConfig,
    pub(crate) hooks: Hooks,
    pub(crate) serializers: Vec<Serializer>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) queues: QueueLimits,
    pub(crate) exposes_errors: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<roadbed_tls::TlsClientConfig>,
    pub(crate) websocket: WebSocketSettings,
    /// Told when it is used.
    pub(crate) proxy: Option<Result<Proxy, UrlError>>,
}

/// Bounds of the queues between a driver and those who take from it slowly, or not at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) events: usize,
    pub(crate) event_bytes: usize,
    pub(crate) invocations: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { events: 1024, event_bytes: 1 << 20, invocations: 1024 }
    }
}

impl Settings {
    /// Joins `realm`, with every default.
    pub fn new(realm: impl AsRef<str>) -> Self {
        Self::with_config(ClientConfig::without_realm()).realm(realm)
    }

    /// Joins as `config` says.
    pub fn with_config(config: ClientConfig) -> Self {
        Self {
            config,
            hooks: Hooks::default(),
            serializers: Serializer::PREFERENCE.to_vec(),
            request_timeout: Some(REQUEST_TIMEOUT),
            queues: QueueLimits::default(),
            exposes_errors: false,
            #[cfg(feature = "tls")]
            tls: None,
            websocket: WebSocketSettings::default(),
            proxy: None,
        }
    }

    /// The serializers to ask for, best first: for those who connect by themselves, with
    /// [`Attempts`](super::Attempts).
    pub fn preference(&self) -> &[Serializer] {
        &self.serializers
    }

    /// Checks what can be checked before anything is connected; [`open`](super::open) does so too.
    ///
    /// # Errors
    /// [`Error::Config`] names the first thing that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        Ok(self.config.check()?)
    }

    pub(crate) fn without_realm() -> Self {
        Self::with_config(ClientConfig::without_realm())
    }
}

/// Defines the setters on [`Settings`], and, passed on, on the builders of sessions and clients.
macro_rules! setters {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident $([$($generics:tt)*])? ($($argument:ident: $type:ty),*) $self:ident $body:block
    )*) => {
        impl Settings {
            $(
                $(#[$attribute])*
                pub fn $name $(<$($generics)*>)? (mut $self, $($argument: $type),*) -> Self {
                    $body
                    $self
                }
            )*
        }

        impl super::ClientBuilder {
            $(
                $(#[$attribute])*
                pub fn $name $(<$($generics)*>)? (mut self, $($argument: $type),*) -> Self {
                    self.settings = self.settings.$name($($argument),*);
                    self
                }
            )*
        }

        impl<C> super::Connect<C> {
            $(
                $(#[$attribute])*
                pub fn $name $(<$($generics)*>)? (mut self, $($argument: $type),*) -> Self {
                    self.settings = self.settings.$name($($argument),*);
                    self
                }
            )*
        }
    };
}

setters! {
    /// Sets the realm to join. Without one the router chooses.
    fn realm(realm: impl AsRef<str>) self {
        // Checked with the rest of the configuration, when it is used.
        self.config.realm = Some(Uri::from_wire(ByteString::from(realm.as_ref())));
    }

    /// Sets whom the client wants to be.
    fn authid(authid: impl Into<ByteString>) self {
        self.config.authid = Some(authid.into());
    }

    /// Offers to come in as anybody, after what was offered before.
    fn anonymous() self {
        self.config = self.config.anonymous();
    }

    /// Offers a ticket, after what was offered before. It needs an authid.
    fn ticket(ticket: impl Into<Secret>) self {
        self.config = self.config.ticket(ticket);
    }

    /// Changes anything else of the configuration.
    fn configure(change: impl FnOnce(ClientConfig) -> ClientConfig) self {
        self.config = change(self.config);
    }

    /// Sets bounds and deadlines.
    fn limits(limits: Limits) self {
        self.config.limits = limits;
    }

    /// Sets the only serializer to use.
    fn serializer(serializer: Serializer) self {
        self.serializers = vec![serializer];
    }

    /// Sets the serializers to use, best first. Where the router refuses one, the next is tried. Default:
    /// [`Serializer::PREFERENCE`].
    fn serializers(serializers: &[Serializer]) self {
        self.serializers = serializers.to_vec();
    }

    /// Sets how long calls, publications, subscriptions, registrations and their ends may take, from the moment
    /// they are awaited to their answer, unless they have a timeout of their own; `None`: for ever. Default: 60 s.
    fn request_timeout(timeout: Option<Duration>) self {
        self.request_timeout = timeout;
    }

    /// Sets how much a subscription holds that nobody takes: so many events, and so many bytes of memory, their
    /// overhead included. Beyond it the oldest are dropped, and [`Lagged`](super::Lagged) says how many; a single
    /// event that is larger still waits, alone. Default: 1,024 and 1 MiB.
    fn event_queue(events: usize, bytes: usize) self {
        self.queues.events = events.max(1);
        self.queues.event_bytes = bytes;
    }

    /// Sets how many invocations of one registration wait or run at a time. Beyond it callers are told
    /// `wamp.error.unavailable`, and also where those that wait in a queue hold more bytes than
    /// [`event_queue`](Self::event_queue) allows. Payloads of up to 4 KiB are copied for a handler; a larger one
    /// keeps the read buffer alive that it came in. Default: 1,024.
    fn invocation_queue(invocations: usize) self {
        self.queues.invocations = invocations.max(1);
    }

    /// Sets whether callers get the texts of the internal errors of handlers, and of panics, with
    /// `wamp.error.runtime_error`. For development: they may name files, addresses and people. Default: no.
    fn expose_errors(is_exposing: bool) self {
        self.exposes_errors = is_exposing;
    }

    /// Sets whom to trust, and which certificate to show, where TLS is spoken. Default: whom the operating
    /// system trusts, and none.
    #[cfg(feature = "tls")]
    fn tls(config: roadbed_tls::TlsClientConfig) self {
        self.tls = Some(config);
    }

    /// Connects through an HTTP proxy, `http://host:port` or `http://user:password@host:port`; see
    /// [`Proxy`]. Unix sockets need none.
    fn proxy(proxy: impl AsRef<str>) self {
        self.proxy = Some(proxy.as_ref().parse());
    }

    /// Names an origin where a WebSocket is opened, as pages of browsers do, to a router that lets in those of a list.
    fn origin(origin: impl Into<String>) self {
        // Checked with the addresses, when it is used.
        self.websocket.origin = Some(origin.into());
    }

    /// Sends one more cookie where a WebSocket is opened. Its value is sent as it is: percent-encode it if the server
    /// expects that.
    fn cookie(name: impl Into<String>, value: impl Into<String>) self {
        self.websocket.cookies.push((name.into(), value.into()));
    }

    /// Sends one more header where a WebSocket is opened, such as `Authorization`.
    fn header(name: impl Into<String>, value: impl Into<String>) self {
        // Checked with the addresses, when it is used.
        self.websocket.headers.push((name.into(), value.into()));
    }

    /// Asks for the batched forms of the subprotocols where a WebSocket is opened, and for the others after
    /// them: what is sent together is framed together.
    fn batched() self {
        self.websocket.is_batched = true;
    }

    /// Offers to compress where a WebSocket is opened. Compressing what is secret together with what others
    /// choose can give it away by its length.
    #[cfg(feature = "deflate")]
    fn deflate(deflate: roadbed_core::transport::websocket::DeflateConfig) self {
        self.websocket.deflate = Some(deflate);
    }

    /// Calls `hook` when the transport is there, before the session is asked for.
    fn on_connect(hook: impl Fn(&TransportDetails) + Send + Sync + 'static) self {
        self.hooks.on_connect = Some(Arc::new(hook));
    }

    /// Offers an authentication method that `hook` answers: it returns the signature. It is asked for challenges by
    /// this method alone; every other method has a hook of its own. It runs on the driver, so it should not take
    /// long.
    fn on_challenge(
        method: impl Into<ByteString>,
        hook: impl Fn(&Challenge) -> Result<String, Veto> + Send + Sync + 'static
    ) self {
        let method = method.into();
        self.config = self.config.external_auth_method(method.clone());
        self.hooks.on_challenge.push((method, Arc::new(hook)));
    }

    /// Calls `hook` when the router lets the client in; it may refuse the session.
    fn on_welcome(hook: impl Fn(&WelcomeDetails) -> Result<(), Veto> + Send + Sync + 'static) self {
        self.config.confirm_welcome = true;
        self.hooks.on_welcome = Some(Arc::new(hook));
    }

    /// Runs `hook` when the session is joined: the place to subscribe and register. Connecting is done
    /// when it is; when it fails, the session is left.
    fn on_join[F: Future<Output = Result<(), Error>> + Send + 'static](
        hook: impl Fn(Session) -> F + Send + Sync + 'static
    ) self {
        self.hooks.on_join = Some(Arc::new(move |session| Box::pin(hook(session))));
    }

    /// Calls `hook` when what `on_join` does is done.
    fn on_ready(hook: impl Fn(&Session) + Send + Sync + 'static) self {
        self.hooks.on_ready = Some(Arc::new(hook));
    }

    /// Calls `hook` when the session has ended.
    fn on_leave(hook: impl Fn(&CloseReason) + Send + Sync + 'static) self {
        self.hooks.on_leave = Some(Arc::new(hook));
    }

    /// Calls `hook` when the connection has ended.
    fn on_disconnect(hook: impl Fn(&Closed) + Send + Sync + 'static) self {
        self.hooks.on_disconnect = Some(Arc::new(hook));
    }

    /// Calls `hook` when a handler panicked, failed with an error that is none of WAMP's, or returned
    /// what cannot be sent. The caller is only told that something went wrong.
    fn on_user_error(hook: impl Fn(&UserError) + Send + Sync + 'static) self {
        self.hooks.on_user_error = Some(Arc::new(hook));
    }
}
