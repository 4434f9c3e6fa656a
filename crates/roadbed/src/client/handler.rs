//! What a handler answers when it cannot return a result.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use roadbed_core::error::{CommandError, PayloadError, WampError, uris};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::{MAX_URI_LENGTH, MatchPolicy, Uri, UriRules};
use serde::Serialize;

use crate::error::Error;

/// What the caller is told where nothing else is for its eyes.
const RUNTIME_ERROR: Uri = Uri::from_static("wamp.error.runtime_error");

/// Why a handler returns no result. These become one with `?`:
///
/// * an [`ApplicationError`] reaches the caller under its URI, and whatever a crate has a `From` of its own for;
/// * [`WampError`], and [`Error::Wamp`] of a call made by the handler, reach the caller as they are;
/// * arguments of another shape than the handler reads become `wamp.error.invalid_argument`;
/// * other errors say so: [`Internal::internal`], or [`HandlerError::internal`]. The caller learns of them only
///   `wamp.error.runtime_error`, as their text may not be meant for others; the hook `on_user_error` gets them
///   whole, and [`expose_errors`](super::Settings::expose_errors) shows them to callers during development.
///
/// ```
/// use roadbed::client::{ApplicationError, HandlerError, Internal, Invocation};
///
/// #[derive(Debug)]
/// struct Overdrawn { missing: u64 }
///
/// impl ApplicationError for Overdrawn {
///     fn uri(&self) -> &str {
///         "com.example.error.overdrawn"
///     }
///
///     fn describe(&self, error: HandlerError) -> HandlerError {
///         error.args(&(self.missing,))
///     }
/// }
///
/// fn withdraw(balance: u64, amount: u64) -> Result<u64, Overdrawn> {
///     balance.checked_sub(amount).ok_or(Overdrawn { missing: amount - balance })
/// }
///
/// async fn pay(inv: Invocation) -> Result<u64, HandlerError> {
///     let amount: u64 = inv.get()?;
///     let balance = std::fs::read_to_string("balance").internal()?.trim().parse().internal()?;
///     Ok(withdraw(balance, amount)?)
/// }
/// ```
///
/// Where an error is somebody else's, or has several URIs, a conversion of one's own does:
///
/// ```
/// use roadbed::client::HandlerError;
///
/// #[derive(Debug)]
/// enum Failure { NotFound(String), Database(std::io::Error) }
///
/// impl From<Failure> for HandlerError {
///     fn from(failure: Failure) -> Self {
///         match failure {
///             Failure::NotFound(what) => HandlerError::new("com.example.error.not_found").args(&(what,)),
///             Failure::Database(error) => HandlerError::internal(error),
///         }
///     }
/// }
///
/// fn handle(found: Result<u32, Failure>) -> Result<u32, HandlerError> {
///     Ok(found?)
/// }
/// # assert_eq!(handle(Err(Failure::NotFound("joe".into()))).unwrap_err().to_string(), "com.example.error.not_found: joe");
/// ```
///
/// ```
/// use roadbed::client::{HandlerError, Invocation};
///
/// async fn divide(inv: Invocation) -> Result<i64, HandlerError> {
///     let (a, b) = inv.args::<(i64, i64)>()?;
///     a.checked_div(b).ok_or_else(|| HandlerError::new("com.example.error.by_zero").args(&(a,)))
/// }
/// ```
pub struct HandlerError(Kind);

enum Kind {
    Wamp(WampError),
    Argument(ArgumentError),
    Internal(Box<dyn StdError + Send + Sync>),
}

/// Arguments that are not of the shape a handler reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct ArgumentError(pub PayloadError);

/// An error of the application's that callers are meant to see: it has a URI.
///
/// A handler passes it on with `?`; see [`HandlerError`].
pub trait ApplicationError {
    /// Returns the URI that callers tell it by. One that is no URI makes an internal error of it.
    fn uri(&self) -> &str;

    /// Adds arguments and keywords to what the caller gets. By default there are none.
    fn describe(&self, error: HandlerError) -> HandlerError {
        error
    }
}

impl<E: ApplicationError> From<E> for HandlerError {
    fn from(error: E) -> Self {
        error.describe(Self::new(error.uri()))
    }
}

/// Makes any error one that callers do not see, in the middle of a line: `fs::read("x").internal()?`.
pub trait Internal<T> {
    /// Makes the error, if it is one, an internal error of a handler; see [`HandlerError::internal`].
    ///
    /// # Errors
    /// The same error.
    fn internal(self) -> Result<T, HandlerError>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Internal<T> for Result<T, E> {
    fn internal(self) -> Result<T, HandlerError> {
        self.map_err(HandlerError::internal)
    }
}

/// A handler that panicked.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {0}")]
struct Panicked(String);

impl HandlerError {
    /// Makes an error that callers learn nothing of but `wamp.error.runtime_error`; the hook `on_user_error` gets it
    /// whole. It takes every standard error, texts, and the errors of crates such as `anyhow`.
    pub fn internal(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Kind::Internal(error.into()))
    }

    /// An error of the application's, without arguments. A text that is no URI makes it an internal one.
    pub fn new(uri: impl AsRef<str>) -> Self {
        match Uri::new(uri) {
            Ok(uri) => Self(Kind::Wamp(WampError::new(uri))),
            Err(error) => Self(Kind::Internal(error.into())),
        }
    }

    /// Adds arguments, a tuple or a list.
    #[must_use]
    pub fn args<T: Serialize + ?Sized>(self, args: &T) -> Self {
        self.with(|serializer, payload| {
            let args = Payload::from_args(serializer, args)?;
            let (args, kwargs) = (args.raw_args().cloned(), payload.raw_kwargs().cloned());
            Payload::from_raw(serializer, args, kwargs, roadbed_core::limits::MAX_DEPTH)
        })
    }

    /// Adds keyword arguments, a struct or a map.
    #[must_use]
    pub fn kwargs<T: Serialize + ?Sized>(self, kwargs: &T) -> Self {
        self.with(|serializer, payload| {
            let kwargs = Payload::build(serializer, &(), kwargs)?;
            let (args, kwargs) = (payload.raw_args().cloned(), kwargs.raw_kwargs().cloned());
            Payload::from_raw(serializer, args, kwargs, roadbed_core::limits::MAX_DEPTH)
        })
    }

    /// What is built here is CBOR, and transcoded when it is sent; errors are rare.
    fn with(self, build: impl FnOnce(Serializer, &Payload) -> Result<Payload, PayloadError>) -> Self {
        match self.0 {
            Kind::Wamp(error) => match build(Serializer::Cbor, &error.payload) {
                Ok(payload) => Self(Kind::Wamp(WampError::with_payload(error.uri, payload))),
                Err(error) => Self(Kind::Internal(error.into())),
            },
            kind => Self(kind),
        }
    }

    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self(Kind::Internal(Panicked(text.unwrap_or_else(|| "with no text".to_owned())).into()))
    }

    /// Whether the caller is not told what it is.
    pub(crate) const fn is_internal(&self) -> bool {
        matches!(self.0, Kind::Internal(_))
    }

    /// What the caller is told; with `exposes`, also the text of an internal error and its causes.
    pub(crate) fn to_wamp(&self, exposes: bool) -> WampError {
        match &self.0 {
            Kind::Wamp(error) => error.clone(),
            Kind::Internal(error) if exposes => {
                let mut text = error.to_string();
                let mut cause = error.source();
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                let payload = Payload::from_args(Serializer::Cbor, &(text,)).unwrap_or_default();
                WampError::with_payload(RUNTIME_ERROR, payload)
            }
            Kind::Internal(_) => WampError::new(RUNTIME_ERROR),
            Kind::Argument(ArgumentError(error)) => {
                // Names of Rust types are nothing to the caller.
                let text = match error {
                    PayloadError::Type { part, reason, .. } => format!("{part}: {reason}"),
                    error => error.to_string(),
                };
                let payload = Payload::from_args(Serializer::Cbor, &(text,)).unwrap_or_default();
                WampError::with_payload(uris::INVALID_ARGUMENT.clone(), payload)
            }
        }
    }
}

impl From<WampError> for HandlerError {
    fn from(error: WampError) -> Self {
        // What is no URI must not travel.
        match error.uri.check(UriRules::Loose, MatchPolicy::Exact, MAX_URI_LENGTH) {
            Ok(()) => Self(Kind::Wamp(error)),
            Err(reason) => {
                Self::internal(format!("{:?} is no URI for an error: {reason}", error.uri.as_str()))
            }
        }
    }
}

impl From<ArgumentError> for HandlerError {
    fn from(error: ArgumentError) -> Self {
        Self(Kind::Argument(error))
    }
}

impl From<PayloadError> for HandlerError {
    fn from(error: PayloadError) -> Self {
        Self::internal(error)
    }
}

impl From<CommandError> for HandlerError {
    fn from(error: CommandError) -> Self {
        Self::internal(error)
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Wamp(error) => (*error).into(),
            error => Self::internal(error),
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Wamp(error) => error.fmt(f),
            Kind::Argument(error) => error.fmt(f),
            Kind::Internal(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Wamp(error) => error.fmt(f),
            Kind::Argument(error) => error.fmt(f),
            Kind::Internal(error) => fmt::Debug::fmt(error, f),
        }
    }
}
