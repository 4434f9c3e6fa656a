//! Errors as WAMP carries them: a URI with a payload.

use core::fmt;

use crate::error::{said, uris};
use crate::payload::Payload;
use crate::uri::Uri;

/// An ERROR answer: the URI that names the error, and what the other side said about it.
///
/// ```
/// use roadbed_core::error::{WampError, uris};
/// use roadbed_core::payload::Payload;
/// use roadbed_core::serializer::Serializer;
///
/// let error = WampError::new(uris::UNAVAILABLE.clone());
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "wamp.error.unavailable");
///
/// // A first argument that is a text is taken for a message.
/// let payload = Payload::from_args(Serializer::Cbor, &("try again in a minute",))?;
/// let error = WampError::with_payload(uris::UNAVAILABLE.clone(), payload);
/// assert_eq!(error.to_string(), "wamp.error.unavailable: try again in a minute");
/// # Ok::<(), roadbed_core::error::PayloadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WampError {
    /// What went wrong, as a URI.
    pub uri: Uri,
    /// More on it, still encoded.
    pub payload: Payload,
}

impl WampError {
    /// An error without payload.
    pub const fn new(uri: Uri) -> Self {
        Self { uri, payload: Payload::EMPTY }
    }

    /// An error with a payload.
    pub const fn with_payload(uri: Uri, payload: Payload) -> Self {
        Self { uri, payload }
    }

    /// Whether the same request may succeed later: the other side was unavailable, too slow or cut off.
    pub fn is_retryable(&self) -> bool {
        let retryable = [
            &uris::UNAVAILABLE,
            &uris::NO_AVAILABLE_CALLEE,
            &uris::TIMEOUT,
            &uris::NETWORK_FAILURE,
            &uris::SYSTEM_SHUTDOWN,
        ];
        retryable.into_iter().any(|uri| *uri == self.uri)
    }

    /// Whether the error says that the call was canceled.
    pub fn is_canceled(&self) -> bool {
        uris::is_canceled(&self.uri)
    }
}

impl fmt::Display for WampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        said::Named(&self.uri).fmt(f)?;
        said::write_said(f, said::first_text(&self.payload).as_deref())
    }
}

impl core::error::Error for WampError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn what_is_no_uri_is_shown_and_tame() {
        let shown = |uri: &str| WampError::new(Uri::from_wire(uri.into())).to_string();
        assert_eq!(shown(""), "\"\"");
        assert_eq!(shown("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
    }
}
