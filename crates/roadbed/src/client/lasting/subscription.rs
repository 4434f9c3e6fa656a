//! Subscriptions that outlive their sessions.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use roadbed_core::options::SubscribeOptions;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::declared::{Patience, Standing, Waiter, What};
use super::state::Lasting;
use super::waiting::WhileDisconnected;
use crate::client::event::{Event, Item};
use crate::client::queue::{Popped, Queue};
use crate::client::request::timeout_setters;
use crate::client::session::check;
use crate::error::{Error, Operation, TimedOut};
use crate::fuse::Fused;

/// A subscription for every session of a client: await it, `wait()` for it, or [`declare`](Self::declare) it.
///
/// Awaited, it waits for the router to grant it; refused, it fails, and nothing is left of it. Without a session it
/// waits or fails as [`WhileDisconnected`] says, and in all no longer than its timeout; `declare` needs no session.
#[derive(Debug)]
#[must_use = "nothing is declared before it is awaited"]
pub struct ClientSubscribe {
    client: Arc<Lasting>,
    waits: WhileDisconnected,
    timeout: Option<Duration>,
    topic: Uri,
    options: SubscribeOptions,
}

impl ClientSubscribe {
    pub(super) fn new(client: &Arc<Lasting>, waits: WhileDisconnected, topic: Uri) -> Self {
        let (timeout, options) = (client.request_timeout, SubscribeOptions::new());
        Self { client: Arc::clone(client), waits, timeout, topic, options }
    }

    /// How the topic matches; by default exactly.
    pub const fn matching(mut self, policy: MatchPolicy) -> Self {
        self.options.match_policy = Some(policy);
        self
    }

    /// Sets every option, in place of what was set before.
    pub fn options(mut self, options: SubscribeOptions) -> Self {
        self.options = options;
        self
    }

    /// Declares it and waits for nothing. Where the router refuses it,
    /// [`ClientEvent::Refused`](super::ClientEvent::Refused) says so.
    ///
    /// # Errors
    /// [`Error::Uri`] when the topic is no URI, or why the client has ended.
    pub fn declare(self) -> Result<ClientSubscription, Error> {
        self.declare_for(None)
    }

    fn declare_for(self, waiter: Option<Waiter>) -> Result<ClientSubscription, Error> {
        let topic = check(self.topic, self.options.match_policy.unwrap_or_default())?;
        let limits = self.client.queues;
        let queue = Arc::new(Queue::lasting(limits.events, limits.event_bytes));
        let (for_session, options) = (Arc::clone(&queue), self.options);
        let (topic_here, timeout) = (topic.clone(), self.timeout);
        let what = What::Subscription { topic: topic_here, options, queue: for_session, timeout };
        let standing = Standing::declare(&self.client, what, waiter)?;
        Ok(ClientSubscription { topic, queue, standing })
    }

    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// As when it is awaited: the router's refusal, [`Error::Uri`], [`Error::Timeout`], or why the client has ended;
    /// and [`Error::WaitInTask`] where the runtime can tell that it would wait for itself.
    pub fn wait(self) -> Result<ClientSubscription, Error> {
        let runtime = Arc::clone(&self.client.runtime);
        crate::park::wait_for(&*runtime, self.into_future())
    }
}

timeout_setters!(ClientSubscribe, timeout);

impl IntoFuture for ClientSubscribe {
    type Output = Result<ClientSubscription, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new({
            let patience = Patience {
                client: Arc::clone(&self.client),
                waits: self.waits,
                timeout: self.timeout,
                operation: Operation::Subscribe,
                uri: check(self.topic.clone(), self.options.match_policy.unwrap_or_default()),
            };
            patience.granted(|waiter| self.declare_for(waiter))
        }))
    }
}

/// What a subscription of a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missed {
    /// So many events were dropped, because nobody took them in time.
    #[error("{0} events were dropped")]
    Lagged(u64),
    /// The session was lost. What follows belongs to another one; nobody knows what was published in
    /// between.
    #[error("the events before session {generation} may not be all there were")]
    Gap {
        /// The generation of the session that follows.
        generation: u64,
    },
    /// The router took the subscription back; [`ClientEvent::Revoked`](super::ClientEvent::Revoked) says why. No event
    /// comes before the next session, which is asked for it again.
    #[error("the router took the subscription back")]
    Revoked,
}

/// The events of a topic, over all sessions of a client: a [`Stream`], and, with [`wait`](Self::wait), an
/// iterator.
///
/// Where a session was lost, [`Missed::Gap`] stands between the events before and after, once for all
/// sessions without any event. It ends with the client. Otherwise it is as a
/// [`Subscription`](crate::client::Subscription). Dropped, it unsubscribes.
///
/// ```
/// use roadbed::client::{Client, Missed};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut ticks = client.subscribe("com.example.tick").await?;
/// while let Some(tick) = ticks.next().await {
///     match tick {
///         Ok(event) => println!("tick {}", event.get::<u64>()?),
///         Err(Missed::Gap { .. }) => println!("reading everything anew"),
///         Err(missed) => println!("too slow: {missed}"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it unsubscribes at once: keep it"]
pub struct ClientSubscription {
    topic: Uri,
    queue: Arc<Queue<Item>>,
    standing: Standing,
}

impl ClientSubscription {
    /// The topic, as it was declared.
    pub const fn topic(&self) -> &Uri {
        &self.topic
    }

    /// Returns whether the present session has it: there is one, the router granted it, and did not take it back.
    pub fn is_active(&self) -> bool {
        self.standing.is_granted()
    }

    /// The next event; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, or why there is none yet.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Missed>>> {
        self.queue.poll_pop(cx).map(|popped| match popped {
            Popped::Entry(Item::Event(event)) => Some(Ok(event)),
            Popped::Entry(Item::Gap(generation)) => Some(Err(Missed::Gap { generation })),
            Popped::Entry(Item::Revoked) => Some(Err(Missed::Revoked)),
            Popped::Lost(count) => Some(Err(Missed::Lagged(count))),
            Popped::End => None,
        })
    }

    /// The events, each waited for in this thread.
    ///
    /// # Panics
    /// The iterator does, in a task of the runtime that drives the connection, where that can tell: it would wait for
    /// itself. See [`Error::WaitInTask`](crate::Error::WaitInTask).
    pub const fn wait(&mut self) -> WaitClientSubscription<'_> {
        WaitClientSubscription(self)
    }

    /// The next event, waited for in this thread for at most `span`. `Ok(None)`: the client has ended.
    ///
    /// # Errors
    /// [`Error::Timeout`] when none came in time; [`Error::WaitInTask`] where the runtime can tell that it would wait for
    /// itself, even if there is an event already.
    pub fn wait_for(&mut self, span: Duration) -> Result<Option<Result<Event, Missed>>, Error> {
        let runtime = Arc::clone(self.standing.runtime());
        let event = crate::park::wait_within(&*runtime, span, |cx| self.poll_event(cx))?;
        let late = || TimedOut::new(Operation::NextEvent, Some(self.topic.clone()), Some(span));
        event.ok_or_else(|| late().into())
    }
}

impl Stream for ClientSubscription {
    type Item = Result<Event, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

/// The events of a client's subscription, waited for in the thread that asks.
#[derive(Debug)]
pub struct WaitClientSubscription<'a>(&'a mut ClientSubscription);

impl Iterator for WaitClientSubscription<'_> {
    type Item = Result<Event, Missed>;

    fn next(&mut self) -> Option<Self::Item> {
        let runtime = Arc::clone(self.0.standing.runtime());
        crate::park::wait_or_panic(&*runtime, self.0.next())
    }
}
