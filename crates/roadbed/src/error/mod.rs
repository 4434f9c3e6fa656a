//! Why something asked of a handle did not succeed.

mod disconnected;
mod end;
mod timed_out;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::{
    CloseReason, CommandError, ConfigError, PayloadError, ProtocolViolation, RequestError, WampError,
};
use roadbed_core::transport::ProxyError;
use roadbed_core::transport::websocket::{Refusal, UpgradeError};
use roadbed_core::uri::{Uri, UriError};
use serde::de::DeserializeOwned;

use crate::url::UrlError;

pub use disconnected::Disconnected;
pub use end::End;
pub use timed_out::{Operation, TimedOut};

/// Why a call, a subscription, a connection … did not come about. Cheap to clone.
///
/// ```
/// use roadbed::Error;
/// use roadbed::core::error::{WampError, uris};
/// use roadbed::core::payload::Payload;
/// use roadbed::core::serializer::Serializer;
///
/// let payload = Payload::from_args(Serializer::Cbor, &("busy", 3))?;
/// let error = Error::from(WampError::with_payload(uris::UNAVAILABLE.clone(), payload));
/// assert_eq!(error.uri().unwrap().as_str(), "wamp.error.unavailable");
/// assert_eq!(error.args::<(String, u32)>()?, ("busy".into(), 3));
/// assert!(error.is_retryable());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The other side answered with an error: its URI, args and kwargs.
    Wamp(Box<WampError>),
    /// A local deadline passed: of what, and whether the request had been sent.
    Timeout(Box<TimedOut>),
    /// It was canceled here: before it was sent, or where the dealer cannot pass that on.
    Canceled,
    /// `wait()` was called in a task of the runtime that drives the connection, which would have kept the answer from
    /// coming. Nothing was sent: await the request there.
    WaitInTask,
    /// The other side answered, but not all of its answer can be read; the session goes on.
    Unreadable(ProtocolViolation),
    /// The session has ended, or the connection ended before there was one.
    Ended(End),
    /// There is no session at this address, for a reason that is an error of its own; see
    /// [`root`](Self::root).
    Connect {
        /// The address, without its query.
        address: ByteString,
        /// Why.
        source: Arc<Error>,
    },
    /// Refused here; nothing was sent.
    Command(CommandError),
    /// Arguments that cannot be written, or a result that is not of the type asked for.
    Payload(PayloadError),
    /// A topic or procedure that is no URI; nothing was sent.
    Uri {
        /// The text given.
        uri: ByteString,
        /// What is wrong with it.
        error: UriError,
    },
    /// A configuration that cannot work; nothing was connected.
    Config(ConfigError),
    /// An address that cannot be used; nothing was connected.
    Url(UrlError),
    /// What the operating system said.
    Io(Arc<io::Error>),
    /// There is no trust between the two ends, or what came was not TLS.
    #[cfg(feature = "tls")]
    Tls(roadbed_tls::TlsError),
    /// A configuration of TLS that cannot work; nothing was connected.
    #[cfg(feature = "tls")]
    TlsConfig(roadbed_tls::TlsConfigError),
    /// The proxy opened no way to the router.
    Proxy(ProxyError),
    /// A hook refused the session.
    Vetoed(Veto),
    /// A [`Client`](crate::client::Client) is not connected; nothing was sent.
    Disconnected(Disconnected),
}

/// Why a hook does not want the session that the router offers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("vetoed: {0}")]
pub struct Veto(ByteString);

impl Veto {
    /// A veto, and why.
    pub fn new(reason: impl Into<ByteString>) -> Self {
        Self(reason.into())
    }
}

impl Error {
    /// Returns the error itself, without the address that [`Connect`](Self::Connect) adds.
    ///
    /// ```
    /// use roadbed::Error;
    ///
    /// fn was_refused(error: &Error) -> bool {
    ///     matches!(error.root(), Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
    /// }
    /// ```
    pub fn root(&self) -> &Self {
        let mut error = self;
        while let Self::Connect { source, .. } = error {
            error = source;
        }
        error
    }

    /// Returns the address that could not be connected to, without its query.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Connect { address, .. } => Some(address),
            _ => None,
        }
    }

    /// Returns the HTTP status with which the router refused a WebSocket, or the proxy the way to it.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(Refusal::status)
    }

    /// Returns the HTTP answer with which the router refused a WebSocket, or the proxy the way to it: status, headers
    /// and the beginning of its text.
    ///
    /// ```
    /// use roadbed::Error;
    ///
    /// /// Where to log in, when the site in front of the router asks for that.
    /// fn login(error: &Error) -> Option<&str> {
    ///     let refusal = error.refusal()?;
    ///     if refusal.status() == 302 { refusal.header("Location") } else { None }
    /// }
    /// ```
    pub fn refusal(&self) -> Option<&Refusal> {
        match self.root() {
            Self::Proxy(ProxyError::Refused(refusal)) => Some(refusal),
            Self::Ended(end) => match end.upgrade_error() {
                // The others were found here.
                Some(UpgradeError::Refused(refusal)) => Some(refusal),
                _ => None,
            },
            _ => None,
        }
    }

    /// Adds the address where there is no session; what was wrong before anything was connected stays as it is.
    pub(crate) fn at(self, address: &str) -> Self {
        match self {
            Self::Connect { .. } | Self::Config(_) | Self::Url(_) => self,
            #[cfg(feature = "tls")]
            Self::TlsConfig(_) => self,
            error => Self::Connect { address: address.into(), source: Arc::new(error) },
        }
    }

    /// Says what timed out, where that was not known: `act` sees it.
    pub(crate) fn timed_out(self, act: impl FnOnce(&mut TimedOut)) -> Self {
        match self {
            Self::Timeout(mut timed_out) => {
                act(&mut timed_out);
                Self::Timeout(timed_out)
            }
            error => error,
        }
    }

    /// The error URI that the other side answered with, or that it ended the session with.
    pub fn uri(&self) -> Option<&Uri> {
        match self.root() {
            Self::Wamp(error) => Some(&error.uri),
            Self::Ended(end) => match end.reason() {
                CloseReason::Abort { reason, .. } | CloseReason::Goodbye { reason, .. } => Some(reason),
                _ => None,
            },
            _ => None,
        }
    }

    /// The args of the other side's answer, read as a list; see
    /// [`Payload::args`](roadbed_core::payload::Payload::args). None are an empty list.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.payload().args()
    }

    /// The kwargs of the other side's answer, read as a dict; see
    /// [`Payload::kwargs`](roadbed_core::payload::Payload::kwargs). None are an empty dict.
    ///
    /// # Errors
    /// [`PayloadError::Type`] when they have another shape.
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.payload().kwargs()
    }

    fn payload(&self) -> &roadbed_core::payload::Payload {
        static EMPTY: roadbed_core::payload::Payload = roadbed_core::payload::Payload::EMPTY;
        match self.root() {
            Self::Wamp(error) => &error.payload,
            Self::Ended(end) => match end.reason() {
                CloseReason::Abort { payload, .. } => payload,
                _ => &EMPTY,
            },
            _ => &EMPTY,
        }
    }

    /// Whether the same may succeed later, perhaps over a new connection: the other side was unavailable
    /// or slow, or the connection was lost. Refused credentials, unknown realms and wrong arguments stay
    /// what they are.
    pub fn is_retryable(&self) -> bool {
        match self.root() {
            Self::Wamp(error) => error.is_retryable(),
            Self::Ended(end) => end.is_retryable(),
            Self::Timeout(_) | Self::Disconnected(_) | Self::Command(CommandError::WouldBlock { .. }) => true,
            Self::Io(error) => is_transient(error.kind()),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.is_retryable(),
            Self::Proxy(ProxyError::Truncated { .. }) => true,
            // The proxy did not reach the router, this time.
            Self::Proxy(ProxyError::Refused(refusal)) => refusal.status() >= 500,
            _ => false,
        }
    }

    /// Whether the call was canceled, here or by the other side.
    pub fn is_canceled(&self) -> bool {
        match self {
            Self::Wamp(error) => error.is_canceled(),
            Self::Canceled => true,
            _ => false,
        }
    }
}

/// What is wrong with `wait()` in a task.
pub(crate) const WAIT_IN_TASK: &str =
    "wait() in a task of the runtime keeps the connection from being driven: use .await there";

/// Whether connecting again may help.
fn is_transient(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    !matches!(kind, Kind::PermissionDenied | Kind::InvalidInput | Kind::Unsupported)
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Wamp(error) => error.into(),
            RequestError::Timeout => TimedOut::new(Operation::Other, None, None).into(),
            RequestError::Canceled => Self::Canceled,
            RequestError::Ended(reason) => reason.into(),
            RequestError::Unreadable(violation) => Self::Unreadable(violation),
        }
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Payload(error) => Self::Payload(error),
            error => Self::Command(error),
        }
    }
}

impl From<WampError> for Error {
    fn from(error: WampError) -> Self {
        Self::Wamp(Box::new(error))
    }
}

/// Of a session that was joined.
impl From<CloseReason> for Error {
    fn from(reason: CloseReason) -> Self {
        Self::Ended(End::new(reason))
    }
}

impl From<TimedOut> for Error {
    fn from(timed_out: TimedOut) -> Self {
        Self::Timeout(Box::new(timed_out))
    }
}

/// Converts what is an error of its own.
macro_rules! from {
    ($($(#[$cfg:meta])* $kind:ident($error:ty);)*) => {
        $(
            $(#[$cfg])*
            impl From<$error> for Error {
                fn from(error: $error) -> Self {
                    Self::$kind(error)
                }
            }
        )*

        impl Error {
            /// What is shown as it is, and is its own cause.
            fn transparent(&self) -> Option<&(dyn StdError + 'static)> {
                match self {
                    $($(#[$cfg])* Self::$kind(error) => Some(error),)*
                    _ => None,
                }
            }
        }
    };
}

from! {
    Ended(End);
    Payload(PayloadError);
    Config(ConfigError);
    Url(UrlError);
    #[cfg(feature = "tls")]
    Tls(roadbed_tls::TlsError);
    #[cfg(feature = "tls")]
    TlsConfig(roadbed_tls::TlsConfigError);
    Proxy(ProxyError);
    Vetoed(Veto);
    Disconnected(Disconnected);
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wamp(error) => error.fmt(f),
            Self::Timeout(error) => error.fmt(f),
            Self::Canceled => f.write_str("canceled"),
            Self::WaitInTask => f.write_str(WAIT_IN_TASK),
            Self::Connect { address, source } => write!(f, "cannot connect to {address}: {source}"),
            Self::Command(error) => error.fmt(f),
            Self::Unreadable(violation) => write!(f, "the answer cannot be read: {violation}"),
            Self::Uri { uri, error } => write!(f, "{uri:?} cannot be used: {error}"),
            Self::Io(error) => error.fmt(f),
            other => other.transparent().map_or(Ok(()), |error| fmt::Display::fmt(error, f)),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Wamp(error) => Some(&**error),
            Self::Timeout(error) => Some(&**error),
            Self::Canceled | Self::WaitInTask => None,
            Self::Connect { source, .. } => Some(&**source),
            Self::Command(error) => Some(error),
            Self::Unreadable(violation) => Some(violation),
            Self::Uri { error, .. } => Some(error),
            Self::Io(error) => Some(&**error),
            other => other.transparent(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// What a user sees of an error that has a text but no place in [`Error`].
pub(crate) fn text(error: &dyn fmt::Display) -> ByteString {
    ByteString::from(error.to_string())
}
