//! Why something asked of a handle did not succeed.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use roadbed_core::error::{CloseReason, CommandError, ConfigError, PayloadError, RequestError, WampError};
use roadbed_core::transport::ProxyError;
use roadbed_core::uri::{Uri, UriError};
use serde::de::DeserializeOwned;

use crate::url::UrlError;

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
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other side answered with an error: its URI, args and kwargs.
    #[error("{0}")]
    Wamp(Box<WampError>),
    /// The local deadline passed.
    #[error("the deadline passed")]
    Timeout,
    /// It was canceled here, and the dealer cannot pass that on.
    #[error("canceled")]
    Canceled,
    /// The session has ended.
    #[error("the session has ended: {0}")]
    Ended(Arc<CloseReason>),
    /// Refused here; nothing was sent.
    #[error(transparent)]
    Command(CommandError),
    /// Arguments that cannot be written, or a result that is not of the type asked for.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A topic or procedure that is no URI; nothing was sent.
    #[error("{uri:?} cannot be used: {error}")]
    Uri {
        /// The text given.
        uri: ByteString,
        /// What is wrong with it.
        error: UriError,
    },
    /// A configuration that cannot work; nothing was connected.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address that cannot be used; nothing was connected.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The connection could not be opened.
    #[error("cannot connect: {0}")]
    Io(Arc<io::Error>),
    /// There is no trust between the two ends, or what came was not TLS.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] roadbed_tls::TlsError),
    /// A configuration of TLS that cannot work; nothing was connected.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    TlsConfig(#[from] roadbed_tls::TlsConfigError),
    /// The proxy opened no way to the router.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A hook refused the session.
    #[error(transparent)]
    Vetoed(Veto),
    /// A [`Client`](crate::client::Client) is not connected; nothing was sent.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
}

/// Why a request of a [`Client`](crate::client::Client) was not sent while it was not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// Requests do not wait, see [`WhileDisconnected`](crate::client::WhileDisconnected).
    #[error("not connected{}", when(*.retry_in))]
    Now {
        /// When the next attempt to connect begins; `None` while one is under way.
        retry_in: Option<Duration>,
    },
    /// It waited as long as it may.
    #[error("not connected for {waited:?}")]
    TooLong {
        /// How long it waited.
        waited: Duration,
    },
    /// Too many requests wait already.
    #[error("not connected, and {limit} requests wait already")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// The payloads of those that wait are too large already.
    #[error("not connected, and no room to let {size} bytes wait: the limit is {limit}")]
    TooLarge {
        /// The payload's bytes.
        size: usize,
        /// How many bytes may wait in all.
        limit: usize,
    },
}

fn when(retry_in: Option<Duration>) -> String {
    retry_in.map_or_else(|| ", connecting".to_owned(), |delay| format!(", connecting in {delay:?}"))
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
    /// The error URI that the other side answered with, or that it ended the session with.
    pub fn uri(&self) -> Option<&Uri> {
        match self {
            Self::Wamp(error) => Some(&error.uri),
            Self::Ended(reason) => match &**reason {
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
        match self {
            Self::Wamp(error) => &error.payload,
            Self::Ended(reason) => match &**reason {
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
        match self {
            Self::Wamp(error) => error.is_retryable(),
            Self::Ended(reason) => reason.is_retryable(),
            Self::Timeout | Self::Disconnected(_) | Self::Command(CommandError::WouldBlock { .. }) => true,
            Self::Io(error) => is_transient(error.kind()),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.is_retryable(),
            Self::Proxy(ProxyError::Truncated { .. }) => true,
            // The proxy did not reach the router, this time.
            Self::Proxy(ProxyError::Refused { status, .. }) => *status >= 500,
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

/// Whether connecting again may help.
fn is_transient(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    !matches!(kind, Kind::PermissionDenied | Kind::InvalidInput | Kind::Unsupported)
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Wamp(error) => error.into(),
            RequestError::Canceled => Self::Canceled,
            RequestError::Ended(reason) => reason.into(),
            _ => Self::Timeout,
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

impl From<CloseReason> for Error {
    fn from(reason: CloseReason) -> Self {
        Self::Ended(Arc::new(reason))
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
