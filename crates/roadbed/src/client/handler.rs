//! What a handler answers when it cannot return a result.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use roadbed_core::error::{PayloadError, WampError, uris};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use serde::Serialize;

use crate::error::Error;

/// What the caller is told where nothing else is for its eyes.
const RUNTIME_ERROR: Uri = Uri::from_static("wamp.error.runtime_error");

/// Why a handler returns no result. Any error becomes one with `?`:
///
/// * [`WampError`], and [`Error::Wamp`] of a call made by the handler, reach the caller as they are;
/// * arguments of another shape than the handler reads become `wamp.error.invalid_argument`;
/// * the caller learns of every other error only `wamp.error.runtime_error`, as its text may not be meant
///   for others; the hook `on_user_error` gets it whole.
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

/// A handler that panicked.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {0}")]
struct Panicked(String);

impl HandlerError {
    /// An error of the application's, without arguments.
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

    pub(crate) fn to_wamp(&self) -> WampError {
        match &self.0 {
            Kind::Wamp(error) => error.clone(),
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

impl<E: StdError + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let error: Box<dyn StdError + Send + Sync> = Box::new(error);
        let error = match error.downcast::<WampError>() {
            Ok(error) => return Self(Kind::Wamp(*error)),
            Err(error) => error,
        };
        let error = match error.downcast::<ArgumentError>() {
            Ok(error) => return Self(Kind::Argument(*error)),
            Err(error) => error,
        };
        match error.downcast::<Error>() {
            Ok(error) => match *error {
                Error::Wamp(error) => Self(Kind::Wamp(*error)),
                error => Self(Kind::Internal(Box::new(error))),
            },
            Err(error) => Self(Kind::Internal(error)),
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
