//! What happens to a client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use roadbed_core::uri::Uri;

use crate::client::event::Lagged;
use crate::client::queue::{Entry, Popped, Queue};
use crate::error::Error;
use crate::runtime::Runtime;

/// How many events wait that nobody takes.
pub(super) const LENGTH: usize = 256;

/// What happens to a [`Client`](super::Client).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// There is a session. What was declared is being asked for, before anything else.
    Connected {
        /// How many there were, with this one.
        generation: u64,
    },
    /// An attempt to connect failed.
    Failed {
        /// Why.
        error: Error,
        /// How many failed in a row.
        attempts: u32,
        /// When the next one begins; `None` when there is none.
        retry_in: Option<Duration>,
    },
    /// The session ended, and this side did not want it to.
    Lost {
        /// Which it was.
        generation: u64,
        /// Why: [`Error::Ended`].
        error: Error,
        /// When it is tried to connect anew; `None` when it is not.
        retry_in: Option<Duration>,
    },
    /// The router refused a subscription or a registration that was declared.
    Refused {
        /// The topic or procedure.
        uri: Uri,
        /// Why.
        error: Error,
        /// When it is asked for again; `None`: with the next session.
        retry_in: Option<Duration>,
    },
    /// The router took back a subscription or a registration that was declared. It stays declared: the next session is
    /// asked for it, and this one is not asked again.
    Revoked {
        /// The topic or procedure.
        uri: Uri,
        /// Why, where the router says so.
        reason: Option<Uri>,
    },
    /// There will be no other session. This is the last event.
    GaveUp {
        /// Why.
        error: Error,
    },
}

impl Entry for ClientEvent {
    fn detach(self) -> Self {
        self
    }

    fn size(&self) -> usize {
        0
    }
}

/// The events of a client: a [`Stream`], and, with [`wait`](Self::wait), an iterator.
///
/// It begins with the last [`Connected`](ClientEvent::Connected), [`Failed`](ClientEvent::Failed),
/// [`Lost`](ClientEvent::Lost) or [`GaveUp`](ClientEvent::GaveUp) there was, so it does not matter when one
/// asks for it, and ends with the client. When nobody takes them, 256 events wait; beyond that the oldest
/// are dropped, and [`Lagged`] says how many.
pub struct Events {
    queue: Arc<Queue<ClientEvent>>,
    runtime: Arc<dyn Runtime>,
}

impl Events {
    pub(super) fn new(queue: Arc<Queue<ClientEvent>>, runtime: Arc<dyn Runtime>) -> Self {
        Self { queue, runtime }
    }

    /// The next event; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Result<ClientEvent, Lagged>> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, or why there is none yet.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ClientEvent, Lagged>>> {
        self.queue.poll_pop(cx).map(|popped| match popped {
            Popped::Entry(event) => Some(Ok(event)),
            Popped::Lost(count) => Some(Err(Lagged(count))),
            Popped::End => None,
        })
    }

    /// The events, each waited for in this thread.
    ///
    /// # Panics
    /// The iterator does, in a task of the runtime that drives the connection, where that can tell: it would wait for
    /// itself. See [`Error::WaitInTask`](crate::Error::WaitInTask).
    pub const fn wait(&mut self) -> WaitEvents<'_> {
        WaitEvents(self)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.queue).finish()
    }
}

impl Stream for Events {
    type Item = Result<ClientEvent, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

/// The events of a client, waited for in the thread that asks.
#[derive(Debug)]
pub struct WaitEvents<'a>(&'a mut Events);

impl Iterator for WaitEvents<'_> {
    type Item = Result<ClientEvent, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        let runtime = Arc::clone(&self.0.runtime);
        crate::park::wait_or_panic(&*runtime, self.0.next())
    }
}
