//! What the handles of a client and its supervisor share.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::error::CloseReason;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;

use super::declared::{Declarations, Waiter};
use super::events::{ClientEvent, LENGTH};
use super::waiting::{Asked, Bound, Place, Waiting};
use crate::client::queue::Queue;
use crate::client::session::Session;
use crate::client::settings::QueueLimits;
use crate::client::shared::Shared;
use crate::error::{Error, Operation, TimedOut};
use crate::guard::{Guarded, Sleeper};
use crate::runtime::Runtime;

/// A client's state behind its lock, and what never changes beside it.
pub(crate) struct Lasting {
    state: Guarded<State>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) request_timeout: Option<Duration>,
    pub(super) queues: QueueLimits,
    /// What is encoded in while there is no session.
    preferred: Serializer,
}

/// Everything that changes in a client.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) generation: u64,
    /// The owner wants it to end.
    pub(super) is_stopping: bool,
    pub(super) declarations: Declarations,
    pub(super) waiting: Waiting,
    pub(super) supervisor: Sleeper,
    watchers: Vec<Weak<Queue<ClientEvent>>>,
    /// What those who ask for events are told first.
    last_event: Option<ClientEvent>,
    /// Whoever waits for the end.
    ends: Vec<Waiter>,
}

/// Where a client is.
#[derive(Default)]
pub(super) enum Phase {
    /// An attempt is under way.
    #[default]
    Connecting,
    /// The next attempt begins at this time.
    Pausing(Timestamp),
    Joined(Session),
    /// The session is gone, and the supervisor has not been told.
    Gone,
    /// The owner ended it.
    Leaving,
    /// What requests are told, and whoever closes it.
    Over(Error, Result<(), Error>),
}

/// What is done when the lock is free again.
#[derive(Default)]
pub(super) struct After {
    pub(super) answers: Vec<(Waiter, Result<(), Error>)>,
    pub(super) wakers: Vec<Waker>,
    /// What runs foreign code when it is dropped.
    pub(super) discarded: Vec<Box<dyn Send>>,
}

impl After {
    /// Drops a waker when the lock is free: it may own the task that it wakes.
    pub(super) fn let_go(&mut self, waker: Option<Waker>) {
        self.discarded.extend(waker.map(|waker| Box::new(waker) as Box<dyn Send>));
    }
}

impl Lasting {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        request_timeout: Option<Duration>,
        queues: QueueLimits,
        preferred: Serializer,
    ) -> Self {
        Self { state: Guarded::new(State::default()), runtime, request_timeout, queues, preferred }
    }

    /// Lets `act` at the state, then wakes and tells whoever is concerned.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State, &mut After) -> R) -> R {
        let (result, After { answers, wakers, discarded }) = self.state.with(act);
        for (to, answer) in answers {
            // Whoever waited may be gone.
            let _ = to.send(answer);
        }
        wakers.into_iter().for_each(Waker::wake);
        drop(discarded);
        result
    }

    /// What arguments are best encoded in now.
    pub(crate) fn serializer(&self) -> Serializer {
        let session = self.with(|state, _| state.session().cloned());
        session.map_or(self.preferred, |session| session.serializer())
    }

    /// A session for a request, or a place among those who wait for one.
    pub(crate) fn bind(&self, place: &mut Place, asked: Asked, waker: &Waker) -> Bound {
        self.with(|state, after| {
            let retry_in = match &state.phase {
                Phase::Joined(session) => {
                    let shared = Arc::clone(session.shared());
                    state.waiting.leave(place, asked.now, after);
                    return Bound::Session(shared);
                }
                Phase::Leaving | Phase::Over(..) => {
                    state.waiting.leave(place, asked.now, after);
                    return Bound::Not(state.end());
                }
                Phase::Pausing(until) => Some(until.saturating_since(asked.now)),
                Phase::Connecting | Phase::Gone => None,
            };
            let asked = asked.settled(state.generation == 0);
            match state.waiting.wait(place, asked, retry_in, waker, after) {
                Ok(is_new) => {
                    if is_new {
                        // It has one more deadline to watch.
                        after.wakers.extend(state.supervisor.rouse());
                    }
                    Bound::Waits { is_new }
                }
                Err(error) => Bound::Not(error),
            }
        })
    }

    /// Gives a place among those who wait up.
    pub(crate) fn leave(&self, mut place: Place) {
        let now = self.runtime.now();
        self.with(|state, after| state.waiting.leave(&mut place, now, after));
    }

    /// Watches over something that was declared and is waited for: whether there is a session, or why it is not to
    /// be waited for any more.
    pub(super) fn attend(&self, place: &mut Place, asked: Asked, waker: &Waker) -> Result<bool, Error> {
        self.with(|state, after| {
            let retry_in = match &state.phase {
                Phase::Joined(_) | Phase::Gone => {
                    if asked.until.is_some_and(|at| at <= asked.now) {
                        state.waiting.leave(place, asked.now, after);
                        return Err(TimedOut::new(Operation::Other, None, None).into());
                    }
                    if state.waiting.stay(place, asked.now, asked.until, waker, after) {
                        // It has one more deadline to watch.
                        after.wakers.extend(state.supervisor.rouse());
                    }
                    return Ok(true);
                }
                Phase::Leaving | Phase::Over(..) => {
                    state.waiting.leave(place, asked.now, after);
                    return Err(state.end());
                }
                Phase::Pausing(until) => Some(until.saturating_since(asked.now)),
                Phase::Connecting => None,
            };
            if state.waiting.wait(place, asked.settled(true), retry_in, waker, after)? {
                after.wakers.extend(state.supervisor.rouse());
            }
            Ok(false)
        })
    }

    /// A request found this session gone.
    pub(crate) fn gone(&self, session: &Arc<Shared>) {
        self.with(|state, after| {
            if state.session().is_some_and(|joined| Arc::ptr_eq(joined.shared(), session)) {
                state.enter(Phase::Gone, after);
            }
        });
    }

    /// The owner wants it to end.
    pub(super) fn stop(&self) {
        self.with(|state, after| {
            state.is_stopping = true;
            if !matches!(state.phase, Phase::Over(..)) {
                state.enter(Phase::Leaving, after);
            }
            after.wakers.extend(state.waiting.rouse());
            after.wakers.extend(state.supervisor.rouse());
        });
    }

    /// The end, for whoever waits and whatever comes later.
    pub(super) fn over(&self, error: Error, result: Result<(), Error>) {
        self.with(|state, after| {
            if matches!(state.phase, Phase::Over(..)) {
                return;
            }
            if !state.is_stopping {
                state.tell(ClientEvent::GaveUp { error: error.clone() }, after);
            }
            for end in state.ends.drain(..) {
                after.answers.push((end, result.clone()));
            }
            state.declarations.end(&error, after);
            state.enter(Phase::Over(error, result), after);
            let watchers = state.watchers.drain(..).filter_map(|watcher| watcher.upgrade());
            after.wakers.extend(watchers.filter_map(|queue| queue.close()));
            after.wakers.extend(state.waiting.rouse());
        });
    }
}

impl State {
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Joined(session) => Some(session),
            _ => None,
        }
    }

    /// Goes on to another phase. A session may end with its last handle: that must not be under the lock.
    pub(super) fn enter(&mut self, phase: Phase, after: &mut After) {
        after.discarded.push(Box::new(std::mem::replace(&mut self.phase, phase)));
    }

    /// Why there will be no session any more.
    pub(super) fn end(&self) -> Error {
        match &self.phase {
            Phase::Over(error, _) => error.clone(),
            _ => CloseReason::Local.into(),
        }
    }

    /// Tells everybody who watches.
    pub(super) fn tell(&mut self, event: ClientEvent, after: &mut After) {
        self.watchers.retain(|watcher| {
            let Some(queue) = watcher.upgrade() else { return false };
            after.wakers.extend(queue.push(event.clone()));
            true
        });
        if !matches!(event, ClientEvent::Refused { .. } | ClientEvent::Revoked { .. }) {
            self.last_event = Some(event);
        }
    }

    /// Somebody watches from now on.
    pub(super) fn watch(&mut self) -> Arc<Queue<ClientEvent>> {
        let queue = Arc::new(Queue::new(LENGTH, usize::MAX));
        if let Some(event) = self.last_event.clone() {
            // Nobody sleeps in front of it yet.
            queue.push(event);
        }
        if matches!(self.phase, Phase::Over(..)) {
            queue.close();
        } else {
            self.watchers.retain(|watcher| watcher.strong_count() > 0);
            self.watchers.push(Arc::downgrade(&queue));
        }
        queue
    }

    /// How it ended, once it has.
    pub(super) fn wait_for_end(&mut self) -> Result<Result<(), Error>, oneshot::Receiver<Result<(), Error>>> {
        if let Phase::Over(_, result) = &self.phase {
            return Ok(result.clone());
        }
        self.ends.retain(|end| !end.is_canceled());
        let (end, wait) = oneshot::channel();
        self.ends.push(end);
        Err(wait)
    }

    /// How many entries there are, for tests of what is left behind.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let watchers = self.watchers.iter().filter(|watcher| watcher.strong_count() > 0).count();
        self.declarations.len() + self.waiting.len() + watchers + self.ends.len()
    }
}

impl std::fmt::Debug for Lasting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lasting").finish_non_exhaustive()
    }
}
