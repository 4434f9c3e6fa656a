//! How a session ended, or why there never was one.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use roadbed_core::error::CloseReason;

/// The end of a session or of the connection it was to be joined over. Cheap to clone; it derefs to its
/// [`CloseReason`].
///
/// ```
/// use roadbed::Error;
/// use roadbed::core::error::CloseReason;
///
/// fn was_cut_off(error: &Error) -> bool {
///     matches!(error.root(), Error::Ended(end) if **end == CloseReason::Eof)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct End(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reason: CloseReason,
    io: Option<Arc<io::Error>>,
    was_joined: bool,
}

impl End {
    /// Makes the end of a joined session.
    pub fn new(reason: CloseReason) -> Self {
        Self(Arc::new(Inner { reason, io: None, was_joined: true }))
    }

    /// Makes the end of a connection over which no session was joined.
    pub fn not_joined(reason: CloseReason) -> Self {
        Self(Arc::new(Inner { reason, io: None, was_joined: false }))
    }

    /// Adds what the operating system said when it lost the connection.
    #[must_use]
    pub fn with_io(self, io: Option<Arc<io::Error>>) -> Self {
        let Inner { reason, was_joined, .. } = &*self.0;
        Self(Arc::new(Inner { reason: reason.clone(), io, was_joined: *was_joined }))
    }

    /// Returns why it ended.
    pub fn reason(&self) -> &CloseReason {
        &self.0.reason
    }

    /// Returns what the operating system said when it lost the connection, if that is how it ended.
    pub fn io(&self) -> Option<&io::Error> {
        self.0.io.as_deref()
    }

    /// Returns whether there was a session.
    pub fn was_joined(&self) -> bool {
        self.0.was_joined
    }
}

impl Deref for End {
    type Target = CloseReason;

    fn deref(&self) -> &CloseReason {
        &self.0.reason
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { reason, io, was_joined } = &*self.0;
        let what = if *was_joined { "the session has ended" } else { "no session was joined" };
        write!(f, "{what}: {reason}")?;
        io.as_ref().map_or(Ok(()), |io| write!(f, ": {io}"))
    }
}

impl StdError for End {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.io() {
            Some(io) => Some(io),
            None => Some(self.reason()),
        }
    }
}
