//! How subscriptions and registrations end, and who waits for that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use roadbed_core::uri::Uri;

use super::latch::{Latch, Waiting};
use crate::error::{End, Error};
use crate::runtime::Runtime;

/// How a subscription or a registration ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// The router took it back. The session goes on without it.
    Revoked {
        /// Why, where the router says so.
        reason: Option<Uri>,
    },
    /// This side ended it.
    Given,
    /// The session has ended.
    Session(End),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked { reason: Some(reason) } => write!(f, "the router took it back: {reason}"),
            Self::Revoked { reason: None } => f.write_str("the router took it back"),
            Self::Given => f.write_str("this side ended it"),
            Self::Session(end) => end.fmt(f),
        }
    }
}

/// What became of one subscription or registration.
pub(crate) type Fate = Latch<Ending>;

/// The end of a subscription or a registration: await it, or `wait()` for it. It may outlive the handle it was asked
/// of, and does not keep what that stands for.
#[derive(Clone)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Ended {
    fate: Waiting<Ending>,
    runtime: Arc<dyn Runtime>,
}

impl Ended {
    pub(super) fn new(fate: &Arc<Fate>, runtime: &Arc<dyn Runtime>) -> Self {
        Self { fate: Waiting::new(fate), runtime: Arc::clone(runtime) }
    }

    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// [`Error::WaitInTask`] where the runtime can tell that it would wait for itself; no other.
    pub fn wait(self) -> Result<Ending, Error> {
        let runtime = Arc::clone(&self.runtime);
        crate::park::wait_for(&*runtime, async { Ok(self.await) })
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ended").field(&self.fate).finish()
    }
}

impl Future for Ended {
    type Output = Ending;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        Pin::new(&mut self.fate).poll(cx)
    }
}
