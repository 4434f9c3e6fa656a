//! Carrying what was declared over to a session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use roadbed_core::error::{WampError, uris};
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::declared::What;
use super::events::ClientEvent;
use super::ready::Ready;
use super::retry::{Backoff, RetryPolicy};
use super::state::{After, Lasting, State};
use crate::client::ending::{Ended, Ending};
use crate::client::event::Item;
use crate::client::register::{Register, Registering};
use crate::client::registration::Registration;
use crate::client::session::Session;
use crate::client::subscribe::{Subscribe, Subscribing, Subscription};
use crate::error::Error;

/// Carries what was declared over to one session, each once, in order, as fast as there is room.
///
/// Requests are sent one after the other, and their answers are taken in whatever order they come. Each has a waker of
/// its own, and only those that were woken are looked at, so the work is linear in their number.
pub(super) struct Restore {
    session: Session,
    generation: u64,
    policy: RetryPolicy,
    todo: VecDeque<u64>,
    /// Started, and waits for room.
    blocked: Option<(u64, Asking)>,
    asked: BTreeMap<u64, Asking>,
    granted: BTreeMap<u64, Granted>,
    ready: Arc<Ready>,
    /// Refused, to be asked for again.
    later: BTreeSet<(Timestamp, u64)>,
    backoffs: BTreeMap<u64, Backoff>,
}

enum Asking {
    Subscribing(Subscribing),
    Registering(Registering),
}

/// Held for as long as it is wanted.
#[derive(Debug)]
struct Granted {
    /// Waits for its end. Dropped first: an end that this side wants wakes nobody.
    ended: Ended,
    _handle: Handle,
}

#[derive(Debug)]
enum Handle {
    Subscription { _held: Subscription },
    Registration { _held: Registration },
}

impl From<Subscription> for Granted {
    fn from(held: Subscription) -> Self {
        Self { ended: held.ended(), _handle: Handle::Subscription { _held: held } }
    }
}

impl From<Registration> for Granted {
    fn from(held: Registration) -> Self {
        Self { ended: held.ended(), _handle: Handle::Registration { _held: held } }
    }
}

impl Asking {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Granted, Error>> {
        match self {
            Self::Subscribing(future) => Pin::new(future).poll(cx).map_ok(Granted::from),
            Self::Registering(future) => Pin::new(future).poll(cx).map_ok(Granted::from),
        }
    }

    const fn is_sent(&self) -> bool {
        match self {
            Self::Subscribing(future) => future.is_sent(),
            Self::Registering(future) => future.is_sent(),
        }
    }
}

impl Restore {
    pub(super) fn new(client: &Lasting, session: Session, policy: RetryPolicy) -> Self {
        let (generation, todo) = client.with(|state, _| {
            state.generation += 1;
            (state.generation, state.declarations.begin().into())
        });
        Self {
            session,
            generation,
            policy,
            todo,
            blocked: None,
            asked: BTreeMap::new(),
            granted: BTreeMap::new(),
            ready: Arc::default(),
            later: BTreeSet::new(),
            backoffs: BTreeMap::new(),
        }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// When something is to be asked for again.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Goes as far as it can.
    pub(super) fn poll(&mut self, client: &Lasting, cx: &mut Context<'_>) {
        let (fresh, withdrawn) = client.with(|state, _| state.declarations.changes());
        self.todo.extend(fresh);
        for number in withdrawn {
            self.withdraw(number);
        }
        let now = client.runtime.now();
        while let Some(&(at, number)) = self.later.first()
            && at <= now
        {
            self.later.pop_first();
            self.todo.push_back(number);
        }
        let woken = self.ready.take(cx.waker());
        self.send(client);
        for number in woken {
            self.look(client, number);
        }
    }

    /// One of them was woken: it was answered, or has ended.
    fn look(&mut self, client: &Lasting, number: u64) {
        let bell = self.ready.bell(number);
        let mut cx = Context::from_waker(&bell);
        if let Some(asking) = self.asked.get_mut(&number)
            && let Poll::Ready(result) = asking.poll(&mut cx)
        {
            self.asked.remove(&number);
            self.answered(client, number, result);
        }
        if let Some(granted) = self.granted.get_mut(&number)
            && let Poll::Ready(Ending::Revoked { reason }) = Pin::new(&mut granted.ended).poll(&mut cx)
        {
            self.granted.remove(&number);
            client.with(|state, after| revoked(state, after, number, reason));
        }
    }

    fn withdraw(&mut self, number: u64) {
        self.granted.remove(&number);
        self.backoffs.remove(&number);
        self.later.retain(|(_, other)| *other != number);
        self.blocked.take_if(|(other, _)| *other == number);
        self.asked.remove(&number);
    }

    fn send(&mut self, client: &Lasting) {
        loop {
            let next = self.blocked.take().or_else(|| {
                let number = self.todo.pop_front()?;
                Some((number, self.ask(client, number)?))
            });
            let Some((number, mut asking)) = next else {
                if self.todo.is_empty() {
                    return;
                }
                // That one is not wanted any more.
                continue;
            };
            let bell = self.ready.bell(number);
            match asking.poll(&mut Context::from_waker(&bell)) {
                Poll::Ready(result) => self.answered(client, number, result),
                Poll::Pending if asking.is_sent() => drop(self.asked.insert(number, asking)),
                Poll::Pending => {
                    self.blocked = Some((number, asking));
                    return;
                }
            }
        }
    }

    fn ask(&self, client: &Lasting, number: u64) -> Option<Asking> {
        let generation = self.generation;
        let what = client.with(|state, after| {
            let declared = state.declarations.get_mut(number)?;
            if declared.was_granted
                && let What::Subscription { queue, .. } = &*declared.what
            {
                after.wakers.extend(queue.mark(Item::Gap(generation)));
            }
            Some(Arc::clone(&declared.what))
        })?;
        let shared = self.session.shared();
        Some(match &*what {
            What::Subscription { topic, options, queue, timeout } => {
                let subscribe =
                    Subscribe::new(shared, topic.clone()).options(options.clone()).within(*timeout);
                Asking::Subscribing(subscribe.into_queue(Arc::clone(queue)).into_future())
            }
            What::Registration { procedure, options, limit, start, timeout } => {
                let register = Register::with_start(shared, procedure.clone(), Arc::clone(start));
                let register = register.within(*timeout);
                Asking::Registering(register.options(options.clone()).limit(*limit).into_future())
            }
        })
    }

    fn answered(&mut self, client: &Lasting, number: u64, result: Result<Granted, Error>) {
        match result {
            Ok(granted) => {
                let is_wanted = client.with(|state, after| {
                    let Some(declared) = state.declarations.get_mut(number) else { return false };
                    (declared.was_granted, declared.is_granted) = (true, true);
                    if let Some(waiter) = declared.waiter.take() {
                        after.answers.push((waiter, Ok(())));
                    }
                    true
                });
                self.backoffs.remove(&number);
                // If nobody wants it any more, it is dropped here, and thereby given back.
                if is_wanted {
                    self.granted.insert(number, granted);
                    // From now on its end is listened for.
                    self.look(client, number);
                }
            }
            // The next session is asked.
            Err(Error::Ended(_)) => {}
            Err(error) => {
                let retry_in = if may_pass(&error) {
                    let seed = || client.runtime.seed();
                    let policy = self.policy;
                    self.backoffs.entry(number).or_insert_with(|| policy.backoff(seed())).failed()
                } else {
                    None
                };
                let is_for_good = client.with(|state, after| refused(state, after, number, error, retry_in));
                if let (Some(delay), false) = (retry_in, is_for_good) {
                    self.later.insert((client.runtime.now() + delay, number));
                }
            }
        }
    }
}

/// Tells that something was refused: whoever waits for it, who then has nothing of it; else those who watch.
/// Whether it is not to be asked for again.
fn refused(
    state: &mut State,
    after: &mut After,
    number: u64,
    error: Error,
    retry_in: Option<Duration>,
) -> bool {
    let Some(declared) = state.declarations.get_mut(number) else { return true };
    let waiter = declared.waiter.take();
    let uri = declared.what.uri().clone();
    match waiter {
        Some(waiter) => {
            after.answers.push((waiter, Err(error)));
            state.declarations.remove(number, after);
            true
        }
        None => {
            state.tell(ClientEvent::Refused { uri, error, retry_in }, after);
            false
        }
    }
}

/// Tells that the router took something back. It stays declared, so the next session is asked for it; this one said
/// no, and is not asked again.
fn revoked(state: &mut State, after: &mut After, number: u64, reason: Option<Uri>) {
    let Some(declared) = state.declarations.get_mut(number) else { return };
    declared.is_granted = false;
    let uri = declared.what.uri().clone();
    if let What::Subscription { queue, .. } = &*declared.what {
        after.wakers.extend(queue.mark(Item::Revoked));
    }
    state.tell(ClientEvent::Revoked { uri, reason }, after);
}

/// Whether the same session may be granted it later: the router may not have noticed yet that an earlier
/// session is gone.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Wamp(answer) => {
            let WampError { uri, .. } = &**answer;
            *uri == uris::PROCEDURE_ALREADY_EXISTS || error.is_retryable()
        }
        error => error.is_retryable(),
    }
}
