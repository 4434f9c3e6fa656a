//! What the futures of all requests have in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::lasting::{Asked, Bound, Place};
use super::shared::{After, Shared};
use super::state::State;
use super::via::Via;
use crate::error::{Error, Operation, TimedOut};
use crate::park::Parker;

/// A request that can be sent, and given up.
pub(crate) trait Command: Unpin {
    /// Names it once it is sent.
    type Id: Copy + Unpin;
    /// What answers it.
    type Answer;
    /// What comes of it.
    type Output;

    /// Whether it waits while much output does.
    const NEEDS_ROOM: bool = true;

    /// What it does, and on which procedure or topic.
    fn names(&self) -> (Operation, Option<&Uri>);

    /// The bytes it holds while it waits for a session.
    fn size(&self) -> usize {
        0
    }

    /// It has to wait for a session, perhaps for long: it lets go of what it shares with others.
    fn detach(&mut self) {}

    /// Sends it. `until` is its deadline.
    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<Self::Id, Self::Answer>, Error>;

    /// Makes of the answer what comes of it.
    fn finish(&mut self, answer: Self::Answer) -> Result<Self::Output, Error>;

    /// Nobody waits for it any more.
    fn abandon(id: Self::Id, state: &mut State, now: Timestamp, after: &mut After);
}

/// What there is to send with.
pub(crate) struct Sending<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) after: &'a mut After,
    pub(crate) now: Timestamp,
    pub(crate) until: Option<Timestamp>,
}

/// What sending came to.
pub(crate) enum Sent<I, T> {
    /// The answer is awaited.
    Waits(I, oneshot::Receiver<Result<T, Error>>),
    /// There is nothing to wait for.
    Done(T),
}

/// A request on its way: without a session, not sent yet, or waiting for its answer. Dropped, it gives up.
/// Polled again after its result, it stays pending.
pub(crate) struct Request<C: Command> {
    via: Via,
    stage: Stage<C>,
    /// Where it waits for a session, and how long it did.
    place: Place,
    /// How long it may take.
    span: Option<Duration>,
    /// Until when that is, on the clock of what it goes through.
    until: Option<Timestamp>,
}

enum Stage<C: Command> {
    /// It goes through a client, which may have no session.
    Unbound(C),
    /// Sent when first polled, and when there is room.
    Unsent {
        shared: Arc<Shared>,
        command: C,
        ticket: Option<u64>,
    },
    Waits {
        shared: Arc<Shared>,
        command: C,
        id: C::Id,
        answer: oneshot::Receiver<Result<C::Answer, Error>>,
    },
    /// It cannot be sent.
    Failed(Error),
    Done,
}

impl<C: Command> Request<C> {
    pub(crate) fn new(via: impl Into<Via>, command: Result<C, Error>, span: Option<Duration>) -> Self {
        let via = via.into();
        let stage = match (command, &via) {
            (Ok(command), Via::Session(shared)) => {
                Stage::Unsent { shared: Arc::clone(shared), command, ticket: None }
            }
            (Ok(command), Via::Client(..)) => Stage::Unbound(command),
            (Err(error), _) => Stage::Failed(error),
        };
        Self { via, stage, place: Place::default(), span, until: None }
    }

    /// Does something about a request that was sent and not answered yet.
    pub(crate) fn while_waiting(&self, act: impl FnOnce(C::Id, &mut State, Timestamp)) {
        if let Stage::Waits { shared, id, .. } = &self.stage {
            let now = shared.now();
            shared.with(|state, _| act(*id, state, now));
        }
    }

    /// Fails with [`Error::Canceled`] if it was not sent yet: it never will be.
    pub(crate) fn cancel_unsent(&mut self) {
        if !self.is_sent() {
            self.let_go();
            self.stage = Stage::Failed(Error::Canceled);
        }
    }

    /// Whether it was sent, or never will be: it does not wait for room, nor for a session.
    pub(crate) const fn is_sent(&self) -> bool {
        !matches!(self.stage, Stage::Unbound(_) | Stage::Unsent { .. })
    }

    /// Waits in this thread.
    pub(crate) fn wait(mut self) -> Result<C::Output, Error> {
        crate::park::may_wait(self.via.runtime())?;
        let parker = Parker::new();
        let mut cx = Context::from_waker(&parker.waker);
        loop {
            if let Poll::Ready(result) = self.poll(&mut cx) {
                return result;
            }
            let until = match &self.stage {
                Stage::Unbound(_) => self.place.until(),
                _ => self.until,
            };
            let left = until.map(|at| at.saturating_since(self.via.now()));
            if left.is_some_and(|left| left.is_zero())
                && let Stage::Unsent { shared, .. } | Stage::Waits { shared, .. } = &self.stage
            {
                // The driver's thread may be stuck in a write.
                let now = shared.now();
                shared.with(|state, after| state.run_timers(now, after));
            }
            parker.park(left.map(|left| left.max(Duration::from_millis(1))));
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Output, Error>> {
        loop {
            let result = match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Unbound(command) => match ready!(self.poll_bind(command, cx)) {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Stage::Unsent { shared, command, ticket } => {
                    match ready!(self.poll_send(shared, command, ticket, cx)) {
                        Ok(Some(output)) => Ok(output),
                        // It waits for its answer now, or for another session.
                        Ok(None) => continue,
                        Err(error) => Err(error),
                    }
                }
                Stage::Waits { shared, command, id, answer } => {
                    ready!(self.poll_answer(shared, command, id, answer, cx))
                }
                Stage::Failed(error) => Err(error),
                Stage::Done => return Poll::Pending,
            };
            return Poll::Ready(result);
        }
    }

    /// Gets the client's session, if it has one.
    fn poll_bind(&mut self, mut command: C, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Via::Client(client, policy) = &self.via else { return Poll::Pending };
        let now = self.via.now();
        self.until = self.until.or_else(|| self.span.map(|span| now + span));
        let asked = Asked { now, until: self.until, size: command.size(), policy: *policy };
        match client.bind(&mut self.place, asked, cx.waker()) {
            Bound::Session(shared) => {
                self.stage = Stage::Unsent { shared, command, ticket: None };
                Poll::Ready(Ok(()))
            }
            Bound::Not(error) => Poll::Ready(Err(self.explain(&command, false, error))),
            Bound::Waits { is_new } => {
                if is_new {
                    command.detach();
                }
                self.stage = Stage::Unbound(command);
                Poll::Pending
            }
        }
    }

    /// Says of a deadline that passed whose it was.
    fn explain(&self, command: &C, was_sent: bool, error: Error) -> Error {
        error.timed_out(|late| {
            let (operation, uri) = command.names();
            *late = TimedOut::new(operation, uri.cloned(), self.span);
            late.was_sent = was_sent;
        })
    }

    /// Until when it may take on the session's clock, which need not be the client's.
    fn deadline(&mut self, shared: &Shared, now: Timestamp) -> Option<Timestamp> {
        match &self.via {
            Via::Session(_) => {
                self.until = self.until.or_else(|| self.span.map(|span| now + span));
                self.until
            }
            Via::Client(client, _) => {
                let left = self.until?.saturating_since(client.runtime.now());
                Some(shared.now() + left)
            }
        }
    }

    /// Sends the command when there is room for it. Without an output, the next stage goes on.
    fn poll_send(
        &mut self,
        shared: Arc<Shared>,
        mut command: C,
        mut ticket: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<C::Output>, Error>> {
        enum Step<T> {
            Blocked,
            /// There is no session any more, and nothing was sent.
            Gone,
            /// There was no room in time, and nothing was sent.
            Late,
            Sent(T),
        }
        let now = shared.now();
        let until = self.deadline(&shared, now);
        let may_go_elsewhere = matches!(self.via, Via::Client(..));
        let step = shared.with(|state, after| {
            let is_blocked = C::NEEDS_ROOM && state.is_blocked(ticket);
            if is_blocked && until.is_none_or(|at| now < at) {
                state.block(&mut ticket, cx.waker(), until, after);
                return Step::Blocked;
            }
            state.unblock(&mut ticket, after);
            if is_blocked {
                return Step::Late;
            }
            if may_go_elsewhere && state.is_over() {
                return Step::Gone;
            }
            Step::Sent(command.send(Sending { state, after, now, until }))
        });
        match step {
            Step::Blocked => {
                self.stage = Stage::Unsent { shared, command, ticket };
                Poll::Pending
            }
            Step::Gone => {
                if let Via::Client(client, _) = &self.via {
                    client.gone(&shared);
                }
                self.stage = Stage::Unbound(command);
                Poll::Ready(Ok(None))
            }
            Step::Late => {
                let late = TimedOut::new(Operation::Other, None, None);
                Poll::Ready(Err(self.explain(&command, false, late.into())))
            }
            Step::Sent(Ok(Sent::Waits(id, answer))) => {
                self.stage = Stage::Waits { shared, command, id, answer };
                Poll::Ready(Ok(None))
            }
            Step::Sent(Ok(Sent::Done(answer))) => Poll::Ready(command.finish(answer).map(Some)),
            Step::Sent(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_answer(
        &mut self,
        shared: Arc<Shared>,
        mut command: C,
        id: C::Id,
        mut answer: oneshot::Receiver<Result<C::Answer, Error>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<C::Output, Error>> {
        match Pin::new(&mut answer).poll(cx) {
            Poll::Pending => {
                self.stage = Stage::Waits { shared, command, id, answer };
                Poll::Pending
            }
            Poll::Ready(Ok(Ok(answer))) => Poll::Ready(command.finish(answer)),
            Poll::Ready(Ok(Err(error))) => Poll::Ready(Err(self.explain(&command, true, error))),
            Poll::Ready(Err(oneshot::Canceled)) => {
                Poll::Ready(Err(shared.with(|state, _| state.end()).into()))
            }
        }
    }
}

impl<C: Command> Request<C> {
    /// Gives up its place in the queue that it waits in, or what it waits for.
    fn let_go(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unbound(_) => {
                if let Via::Client(client, _) = &self.via {
                    client.leave(std::mem::take(&mut self.place));
                }
            }
            Stage::Unsent { shared, mut ticket, .. } if ticket.is_some() => {
                shared.with(|state, after| state.unblock(&mut ticket, after));
            }
            Stage::Waits { shared, id, answer, .. } => {
                // Without its receiver, dropping the sender wakes nobody: that must not be under the lock.
                drop(answer);
                let now = shared.now();
                shared.with(|state, after| C::abandon(id, state, now, after));
            }
            _ => {}
        }
    }
}

impl<C: Command> Drop for Request<C> {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Defines the public future of a request, and how its builder becomes one.
macro_rules! request_future {
    ($(#[$doc:meta])* $future:ident($command:ty) of $builder:ident -> $output:ty, $map:expr) => {
        $(#[$doc])*
        ///
        /// Polled again after its result, it stays pending and wakes nobody.
        #[must_use = "nothing is sent before it is awaited"]
        pub struct $future(crate::client::request::Request<$command>);

        impl std::future::Future for $future {
            type Output = Result<$output, crate::Error>;

            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                self.0.poll(cx).map_ok($map)
            }
        }

        impl std::fmt::Debug for $future {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }

        impl std::future::IntoFuture for $builder {
            type Output = Result<$output, crate::Error>;
            type IntoFuture = $future;

            fn into_future(self) -> $future {
                $future(self.into_request())
            }
        }

        impl $builder {
            /// Waits for the answer in this thread. Never do that where a runtime runs its tasks: the
            /// driver may need the same thread.
            ///
            /// # Errors
            /// [`Error`](crate::Error), the same as when it is awaited, and
            /// [`Error::WaitInTask`](crate::Error::WaitInTask) where the runtime can tell that it would wait for
            /// itself.
            pub fn wait(self) -> Result<$output, crate::Error> {
                self.into_request().wait().map($map)
            }
        }
    };
}
pub(crate) use request_future;

/// Defines how long a request may take.
macro_rules! timeout_setters {
    ($builder:ident, $($field:tt).+) => {
        impl $builder {
            /// Fails with [`Error::Timeout`](crate::Error::Timeout) when there is no answer within this span, by this
            /// side's clock; what the router grants later is given back at once. By default it is that of the
            /// [settings](crate::client::Settings::request_timeout).
            pub const fn timeout(mut self, span: std::time::Duration) -> Self {
                self.$($field).+ = Some(span);
                self
            }

            /// Waits for the answer as long as it takes.
            pub const fn no_timeout(mut self) -> Self {
                self.$($field).+ = None;
                self
            }
        }
    };
}
pub(crate) use timeout_setters;
