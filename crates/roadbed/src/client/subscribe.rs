//! Subscriptions.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_channel::oneshot;
use futures_core::Stream;
use roadbed_core::error::CommandError;
use roadbed_core::id::SubscribeId;
use roadbed_core::options::SubscribeOptions;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::ending::{Ended, Ending, Fate};
use super::event::{Event, Item, Lagged};
use super::queue::{Popped, Queue};
use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::session::check;
use super::shared::{After, Shared};
use super::state::State;
use crate::error::{Error, Operation, TimedOut};

/// A subscription to be made: await it, or `wait()` for it. Nothing is sent before.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Subscribe {
    shared: Arc<Shared>,
    topic: Uri,
    options: SubscribeOptions,
    queue: Option<Arc<Queue<Item>>>,
    timeout: Option<Duration>,
}

impl Subscribe {
    pub(crate) fn new(shared: &Arc<Shared>, topic: Uri) -> Self {
        let (shared, options, timeout) =
            (Arc::clone(shared), SubscribeOptions::new(), shared.request_timeout);
        Self { shared, topic, options, queue: None, timeout }
    }

    /// Where its events go, if somebody has a queue for them already.
    pub(super) fn into_queue(mut self, queue: Arc<Queue<Item>>) -> Self {
        self.queue = Some(queue);
        self
    }

    /// As `timeout`, or `no_timeout`.
    pub(super) const fn within(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
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

    fn into_request(self) -> Request<SubscribeCommand> {
        let options = self.options;
        let policy = options.match_policy.unwrap_or_default();
        let shared = Arc::clone(&self.shared);
        let queues = shared.queues;
        let queue = self.queue.unwrap_or_else(|| Arc::new(Queue::new(queues.events, queues.event_bytes)));
        let command = check(self.topic, policy).map(|topic| SubscribeCommand {
            shared,
            topic,
            options,
            queue,
            fate: Arc::default(),
            sent: None,
        });
        Request::new(self.shared, command, self.timeout)
    }
}

timeout_setters!(Subscribe, timeout);

request_future! {
    /// A subscription under way.
    Subscribing(SubscribeCommand) of Subscribe -> Subscription, |subscription| subscription
}

impl Subscribing {
    /// Whether it does not wait for room to be sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.0.is_sent()
    }
}

/// The events of a topic: a [`Stream`], and, with [`wait`](Self::wait), an iterator.
///
/// Events come in the order in which the broker sent them. When nobody takes them, 1,024 of them or 1 MiB
/// wait; beyond that the oldest are dropped, and [`Lagged`] says how many. The stream ends with the
/// session, or when the broker takes the subscription back.
///
/// Dropped, it unsubscribes; see [`detach`](Self::detach).
///
/// ```
/// # async fn example(session: roadbed::client::Session) -> Result<(), Box<dyn std::error::Error>> {
/// let mut ticks = session.subscribe("com.example.tick").await?;
/// while let Some(event) = ticks.next().await {
///     match event {
///         Ok(event) => println!("tick {}", event.get::<u64>()?),
///         Err(lagged) => eprintln!("too slow: {lagged}"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it unsubscribes at once: keep it, or `detach` it"]
pub struct Subscription {
    shared: Arc<Shared>,
    id: SubscribeId,
    topic: Uri,
    queue: Arc<Queue<Item>>,
    fate: Arc<Fate>,
    is_over: bool,
}

impl Subscription {
    /// The topic, as it was subscribed.
    pub const fn topic(&self) -> &Uri {
        &self.topic
    }

    /// Waits until the subscription has ended: the router took it back, this side gave it up, or the session ended.
    /// When [`next`](Self::next) gives `None`, this says at once why.
    ///
    /// ```
    /// # async fn example(mut ticks: roadbed::client::Subscription) {
    /// while let Some(event) = ticks.next().await {
    ///     println!("{event:?}");
    /// }
    /// eprintln!("no more ticks: {}", ticks.ended().await);
    /// # }
    /// ```
    pub fn ended(&self) -> Ended {
        Ended::new(&self.fate, &self.shared.runtime)
    }

    /// Returns whether the topic is subscribed to, as far as this side knows.
    pub fn is_active(&self) -> bool {
        self.fate.get().is_none()
    }

    /// The next event; `None` when the subscription has ended, and [`ended`](Self::ended) says why.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, or why there is none yet.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Lagged>>> {
        loop {
            return Poll::Ready(match ready!(self.queue.poll_pop(cx)) {
                Popped::Entry(Item::Event(event)) => Some(Ok(event)),
                // One session has no gaps.
                Popped::Entry(Item::Gap(_) | Item::Revoked) => continue,
                Popped::Lost(count) => Some(Err(Lagged(count))),
                Popped::End => None,
            });
        }
    }

    /// The events, each waited for in this thread.
    ///
    /// # Panics
    /// The iterator does, in a task of the runtime that drives the connection, where that can tell: it would wait for
    /// itself. See [`Error::WaitInTask`](crate::Error::WaitInTask).
    pub const fn wait(&mut self) -> Wait<'_> {
        Wait(self)
    }

    /// The next event, waited for in this thread for at most `span`. `Ok(None)`: the subscription has
    /// ended.
    ///
    /// # Errors
    /// [`Error::Timeout`] when none came in time; [`Error::WaitInTask`] where the runtime can tell that it would wait for
    /// itself, even if there is an event already.
    pub fn wait_for(&mut self, span: Duration) -> Result<Option<Result<Event, Lagged>>, Error> {
        let runtime = Arc::clone(&self.shared.runtime);
        let event = crate::park::wait_within(&*runtime, span, |cx| self.poll_event(cx))?;
        let late = || TimedOut::new(Operation::NextEvent, Some(self.topic.clone()), Some(span));
        event.ok_or_else(|| late().into())
    }

    /// Ends the subscription: await it, or `wait()` for it. What is in the queue is dropped.
    pub fn unsubscribe(self) -> Unsubscribe {
        let timeout = self.shared.request_timeout;
        Unsubscribe { subscription: self, timeout }
    }

    /// Gives the handle up and leaves the subscription to the session: events are received, and dropped.
    pub fn detach(mut self) {
        self.is_over = true;
        self.queue.drain();
    }
}

impl Stream for Subscription {
    type Item = Result<Event, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if !self.is_over {
            let (id, now) = (self.id, self.shared.now());
            self.shared.with(|state, after| end(id, state, now, after));
        }
    }
}

/// The events of a subscription, waited for in the thread that asks.
#[derive(Debug)]
pub struct Wait<'a>(&'a mut Subscription);

impl Iterator for Wait<'_> {
    type Item = Result<Event, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        let runtime = Arc::clone(&self.0.shared.runtime);
        crate::park::wait_or_panic(&*runtime, self.0.next())
    }
}

/// Takes a subscription away; its answer is nobody's.
fn end(id: SubscribeId, state: &mut State, now: Timestamp, after: &mut After) {
    state.end_subscription(id, Ending::Given, after);
    // It may have been revoked, or the session have ended.
    let _ = state.connection.unsubscribe(now, id);
}

/// A subscription, ready to be asked for.
#[derive(Debug)]
struct SubscribeCommand {
    shared: Arc<Shared>,
    topic: Uri,
    options: SubscribeOptions,
    /// Where its events go.
    queue: Arc<Queue<Item>>,
    fate: Arc<Fate>,
    sent: Option<SubscribeId>,
}

impl Command for SubscribeCommand {
    type Id = SubscribeId;
    type Answer = ();
    type Output = Subscription;

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Subscribe, Some(&self.topic))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<SubscribeId, ()>, Error> {
        let Sending { state, now, until, .. } = sending;
        let result = state.connection.subscribe(now, &self.topic, &self.options);
        let id = result.map_err(|error| state.refusal(error))?;
        let (waiter, answer) = oneshot::channel();
        state.subscriptions.insert(id, (Arc::clone(&self.queue), Arc::clone(&self.fate)));
        state.subscribing.insert(id, waiter, until);
        self.sent = Some(id);
        Ok(Sent::Waits(id, answer))
    }

    fn finish(&mut self, (): ()) -> Result<Subscription, Error> {
        let id = self.sent.take().ok_or(Error::Canceled)?;
        let (shared, topic, queue) = (Arc::clone(&self.shared), self.topic.clone(), Arc::clone(&self.queue));
        Ok(Subscription { shared, id, topic, queue, fate: Arc::clone(&self.fate), is_over: false })
    }

    fn abandon(id: SubscribeId, state: &mut State, now: Timestamp, after: &mut After) {
        state.end_subscription(id, Ending::Given, after);
        if state.subscribing.remove(&id).is_none() {
            // The answer came, and nobody took it.
            end(id, state, now, after);
        }
    }
}

/// The end of a subscription to be asked for: await it, or `wait()` for it. Dropped, the end comes all the
/// same.
#[derive(Debug)]
#[must_use = "to end a subscription without waiting, drop it"]
pub struct Unsubscribe {
    subscription: Subscription,
    timeout: Option<Duration>,
}

timeout_setters!(Unsubscribe, timeout);

impl Unsubscribe {
    fn into_request(self) -> Request<UnsubscribeCommand> {
        let shared = Arc::clone(&self.subscription.shared);
        Request::new(shared, Ok(UnsubscribeCommand(self.subscription)), self.timeout)
    }
}

request_future! {
    /// The end of a subscription under way.
    Unsubscribing(UnsubscribeCommand) of Unsubscribe -> (), |()| ()
}

#[derive(Debug)]
struct UnsubscribeCommand(Subscription);

impl Command for UnsubscribeCommand {
    type Id = SubscribeId;
    type Answer = ();
    type Output = ();

    const NEEDS_ROOM: bool = false;

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Unsubscribe, Some(&self.0.topic))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<SubscribeId, ()>, Error> {
        let Sending { state, after, now, until } = sending;
        let id = self.0.id;
        self.0.is_over = true;
        state.end_subscription(id, Ending::Given, after);
        match state.connection.unsubscribe(now, id) {
            Ok(()) => {
                let (waiter, answer) = oneshot::channel();
                state.unsubscribing.insert(id, waiter, until);
                Ok(Sent::Waits(id, answer))
            }
            // It was revoked.
            Err(CommandError::NotActive) => Ok(Sent::Done(())),
            Err(error) => Err(state.refusal(error)),
        }
    }

    fn finish(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    fn abandon(id: SubscribeId, state: &mut State, _: Timestamp, _: &mut After) {
        state.unsubscribing.remove(&id);
    }
}
