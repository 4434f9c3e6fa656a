//! What the handles of a session and its driver share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use bytestring::ByteString;
use futures_channel::oneshot;
use roadbed_core::error::CloseReason;
use roadbed_core::id::SessionId;
use roadbed_core::message::{RawDict, WelcomeDetails};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;

use super::ending::Ending;
use super::hooks::{self, Challenge, Closed, Hooks};
use super::serving::Target;
use super::settings::{QueueLimits, Settings};
use super::state::State;
use crate::error::{Error, Veto};
use crate::guard::Guarded;
use crate::runtime::{Runtime, Task};

/// A session's state behind its lock, and what never changes beside it.
pub(crate) struct Shared {
    state: Guarded<State>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) hooks: Hooks,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) queues: QueueLimits,
    /// Whether callers see the texts of internal errors.
    pub(crate) exposes_errors: bool,
    /// Set once the session is joined, so that handles find it without the lock.
    pub(crate) joined: OnceLock<Joined>,
    /// How many were told something since the driver asked last.
    told: AtomicUsize,
    /// There was more output behind what the driver took last.
    pub(crate) has_more: AtomicBool,
}

/// What is known of a joined session.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) session: SessionId,
    pub(crate) details: Box<WelcomeDetails>,
    pub(crate) serializer: Serializer,
}

/// What is done when the lock is free again, in this order of fields.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) joined: Option<Joined>,
    pub(crate) deliveries: Vec<Box<dyn Deliver>>,
    pub(crate) wakers: Vec<Waker>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) moments: Vec<Moment>,
    /// There are moments to tell of, and nobody does yet.
    tells: bool,
    /// What runs foreign code when it is dropped.
    discarded: Vec<Box<dyn Send>>,
}

/// A result on its way to the one who waits for it.
pub(crate) trait Deliver: Send {
    fn deliver(self: Box<Self>);
}

struct Delivery<T> {
    to: oneshot::Sender<Result<T, Error>>,
    result: Result<T, Error>,
}

impl<T: Send> Deliver for Delivery<T> {
    fn deliver(self: Box<Self>) {
        // Whoever waited may be gone.
        let _ = self.to.send(self.result);
    }
}

/// A turning point with a hook.
pub(crate) enum Moment {
    Challenge { method: ByteString, extra: RawDict },
    Welcome(Box<WelcomeDetails>),
    Left(CloseReason),
    Closed(Closed),
}

impl After {
    pub(crate) fn deliver<T: Send + 'static>(
        &mut self,
        to: oneshot::Sender<Result<T, Error>>,
        result: Result<T, Error>,
    ) {
        self.deliveries.push(Box::new(Delivery { to, result }));
    }

    /// Tells one who waits for the end.
    pub(crate) fn end(&mut self, to: oneshot::Sender<Closed>, closed: Closed) {
        self.deliveries.push(Box::new(End(to, closed)));
    }

    /// Empties a table whose entries must not be dropped under the lock.
    pub(crate) fn discard<T: Default + Send + 'static>(&mut self, table: &mut T) {
        self.discarded.push(Box::new(std::mem::take(table)));
    }

    /// Drops a waker when the lock is free: it may own the task that it wakes.
    pub(crate) fn let_go(&mut self, waker: Option<Waker>) {
        self.discarded.extend(waker.map(|waker| Box::new(waker) as Box<dyn Send>));
    }

    /// Ends what invocations go to. The closure in it is dropped later.
    pub(crate) fn retire(&mut self, target: Target, ending: Ending) {
        self.wakers.extend(target.fate.set(ending));
        self.wakers.extend(target.close());
        self.discarded.push(Box::new(target));
    }
}

struct End(oneshot::Sender<Closed>, Closed);

impl Deliver for End {
    fn deliver(self: Box<Self>) {
        let _ = self.0.send(self.1);
    }
}

impl Shared {
    pub(crate) fn new(state: State, runtime: Arc<dyn Runtime>, settings: Settings) -> Self {
        let Settings { hooks, request_timeout, queues, exposes_errors, .. } = settings;
        Self {
            state: Guarded::new(state),
            runtime,
            hooks,
            request_timeout,
            queues,
            exposes_errors,
            joined: OnceLock::new(),
            told: AtomicUsize::new(0),
            has_more: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.runtime.now()
    }

    /// The serializer of the connection, once that is joined.
    pub(crate) fn serializer(&self) -> Serializer {
        self.joined.get().map_or(Serializer::Cbor, |joined| joined.serializer)
    }

    /// Whether several were told something since this was asked last.
    pub(crate) fn has_told_several(&self) -> bool {
        // A hint: no memory is read or written because of it.
        self.told.load(Ordering::Relaxed) > 0 && self.told.swap(0, Ordering::Relaxed) > 1
    }

    /// Lets `act` at the state, then wakes and tells whoever is concerned.
    pub(crate) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut State, &mut After) -> R) -> R {
        let (result, after) = self.state.with(|state, after| {
            let result = act(state, after);
            state.settle(self, after);
            after.tells = state.moments.come(std::mem::take(&mut after.moments));
            result
        });
        self.carry_out(after);
        result
    }

    fn carry_out(self: &Arc<Self>, after: After) {
        let After { joined, deliveries, wakers, tasks, moments: _, tells, discarded } = after;
        // A waker below may panic.
        let turn = tells.then(|| Turn { shared: Arc::clone(self), is_over: false });
        if let Some(joined) = joined {
            // A second session on the same connection does not happen.
            let _ = self.joined.set(joined);
        }
        if !(deliveries.is_empty() && tasks.is_empty()) {
            self.told.fetch_add(deliveries.len() + tasks.len(), Ordering::Relaxed);
        }
        deliveries.into_iter().for_each(Deliver::deliver);
        wakers.into_iter().for_each(Waker::wake);
        drop(discarded);
        tasks.into_iter().for_each(|task| self.runtime.spawn(task));
        if let Some(turn) = turn {
            // A hook may wait where a task may, but never in a thread that drives the connection.
            if self.runtime.tasks_may_block() {
                self.runtime.spawn(Box::pin(async move { turn.tell() }));
            } else {
                turn.tell();
            }
        }
    }

    fn reached(self: &Arc<Self>, moment: Moment) {
        match moment {
            Moment::Challenge { method, extra } => self.challenged(&Challenge { method, extra }),
            Moment::Welcome(details) => {
                let hook = self.hooks.on_welcome.as_ref();
                let verdict = hook.map_or(Ok(()), |hook| hooks::ask(|| hook(&details)));
                let now = self.now();
                match verdict {
                    Ok(()) => self.with(|state, _| drop(state.connection.accept_welcome(now))),
                    Err(veto) => self.refuse(veto),
                }
            }
            Moment::Left(reason) => hooks::call(self.hooks.on_leave.as_ref(), &reason),
            Moment::Closed(closed) => hooks::call(self.hooks.on_disconnect.as_ref(), &closed),
        }
    }

    fn challenged(self: &Arc<Self>, challenge: &Challenge) {
        let hooks = &self.hooks.on_challenge;
        let hook = hooks.iter().find(|(method, _)| *method == challenge.method).map(|(_, hook)| hook);
        let none = || Err(Veto::new("nothing answers the router's challenge"));
        match hook.map_or_else(none, |hook| hooks::ask(|| hook(challenge))) {
            Ok(signature) => {
                let now = self.now();
                let answer = |state: &mut State, _: &mut After| {
                    state.connection.authenticate(now, &signature, RawDict::EMPTY)
                };
                if let Err(error) = self.with(answer) {
                    self.refuse(Veto::new(crate::error::text(&error)));
                }
            }
            Err(veto) => self.refuse(veto),
        }
    }

    fn refuse(self: &Arc<Self>, veto: Veto) {
        let now = self.now();
        self.with(|state, after| {
            state.opened(Err(Error::Vetoed(veto)), after);
            state.connection.abort(now, None);
        });
    }
}

/// The turn to run hooks, which one thread has at a time. Dropped before there is nothing left to tell, as in a task that
/// never runs, it is given up.
struct Turn {
    shared: Arc<Shared>,
    is_over: bool,
}

impl Turn {
    /// Runs hooks, one after the other, until there is nothing left to tell. What comes meanwhile, in whatever thread,
    /// is told here as well.
    fn tell(mut self) {
        let shared = Arc::clone(&self.shared);
        while let (Some(moment), ()) = shared.state.with(|state, (): &mut ()| state.moments.next()) {
            shared.reached(moment);
        }
        self.is_over = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.shared.state.with(|state, (): &mut ()| state.moments.give_up());
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("joined", &self.joined).finish_non_exhaustive()
    }
}
