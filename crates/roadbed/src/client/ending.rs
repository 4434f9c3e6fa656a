//! How subscriptions and registrations end, and who waits for that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use roadbed_core::uri::Uri;

use crate::error::{End, Error};
use crate::guard::Guarded;
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
#[derive(Debug)]
pub(crate) struct Fate(Guarded<(Option<Ending>, Vec<Waker>)>);

impl Default for Fate {
    fn default() -> Self {
        Self(Guarded::new((None, Vec::new())))
    }
}

impl Fate {
    /// It ended like this, unless it had ended before. Returns whom to wake.
    pub(super) fn end(&self, ending: Ending) -> Vec<Waker> {
        let (wakers, ()) = self.0.with(|(fate, wakers), (): &mut ()| {
            fate.get_or_insert(ending);
            std::mem::take(wakers)
        });
        wakers
    }

    pub(super) fn get(&self) -> Option<Ending> {
        self.0.with(|(fate, _), (): &mut ()| fate.clone()).0
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Ending> {
        let (fate, ()) = self.0.with(|(fate, wakers), (): &mut ()| {
            if fate.is_none() && !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            fate.clone()
        });
        fate.map_or(Poll::Pending, Poll::Ready)
    }
}

/// The end of a subscription or a registration: await it, or `wait()` for it. It may outlive the handle it was asked
/// of, and does not keep what that stands for.
#[derive(Clone)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Ended {
    fate: Arc<Fate>,
    runtime: Arc<dyn Runtime>,
}

impl Ended {
    pub(super) fn new(fate: &Arc<Fate>, runtime: &Arc<dyn Runtime>) -> Self {
        Self { fate: Arc::clone(fate), runtime: Arc::clone(runtime) }
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        self.fate.poll(cx)
    }
}
