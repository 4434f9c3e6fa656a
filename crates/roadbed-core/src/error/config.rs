//! What can be wrong with a configuration.

use alloc::string::String;

use crate::limits::LimitsError;
use crate::role::{Feature, Role};
use crate::uri::UriError;

/// A configuration that cannot work; found before anything is connected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit outside its range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The realm is no URI.
    #[error("the realm is no URI: {0}")]
    Realm(UriError),
    /// A client takes at least one role.
    #[error("no role is announced")]
    NoRole,
    /// A role that the other side of a session takes.
    #[error("the {} role belongs to the other side", .0.name())]
    ForeignRole(Role),
    /// A feature that is not implemented; announcing it would be a lie.
    #[error("{} of the {} role is not implemented", .feature.name(), .role.name())]
    FeatureNotHonoured {
        /// The role it was announced for.
        role: Role,
        /// The feature.
        feature: Feature,
    },
    /// The authentication method needs an authid.
    #[error("authentication method {0:?} needs an authid")]
    AuthidMissing(String),
    /// The same authentication method is offered twice.
    #[error("authentication method {0:?} is offered twice")]
    DuplicateMethod(String),
    /// An extra key that has a place of its own.
    #[error("key {0:?} is set by a field of its own")]
    ReservedKey(String),
    /// A text that names no host.
    #[error("{0:?} is no host")]
    Host(String),
    /// A text that is no path, or no path with a query, as HTTP has them.
    #[error("{0:?} is no path as HTTP has them")]
    RequestTarget(String),
    /// A header that cannot be sent, or that is not the user's to set. Only its name is told.
    #[error("header {0:?} cannot be sent")]
    Header(String),
    /// A text that is no origin.
    #[error(
        "{0:?} is no origin: write scheme://host, with :port if it is not the usual one, null, or as pages of an application send it, such as file://"
    )]
    Origin(String),
    /// Neither RawSocket nor WebSocket clients would be served.
    #[error("no transport is served")]
    NoTransport,
}
