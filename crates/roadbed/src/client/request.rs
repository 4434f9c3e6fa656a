//! What the futures of all requests have in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;

use super::shared::{After, Shared};
use super::state::State;
use crate::error::Error;
use crate::park::Parker;

/// A request that can be sent, and given up.
pub(crate) trait Command: Unpin {
    /// Names it once it is sent.
    type Id: Copy + Unpin;
    /// What answers it.
    type Answer;
    /// What comes of it.
    type Output;

    /// Whether the connection ends it at its deadline.
    const EXPIRES: bool = false;

    /// Whether it waits while much output does.
    const NEEDS_ROOM: bool = true;

    /// Sends it. `until` is its deadline.
    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<Self::Id, Self::Answer>, Error>;

    /// Makes of the answer what comes of it.
    fn finish(&mut self, answer: Self::Answer) -> Result<Self::Output, Error>;

    /// Nobody waits for it any more.
    fn abandon(id: Self::Id, state: &mut State, now: Timestamp, after: &mut After);
}

/// What there is to send with.
pub(crate) struct Sending<'a> {
    pub(crate) shared: &'a Arc<Shared>,
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

/// A request on its way: not sent yet, or waiting for its answer. Dropped, it gives up. Polled again after
/// its result, it stays pending.
pub(crate) struct Request<C: Command> {
    shared: Arc<Shared>,
    stage: Stage<C>,
    /// How long it may take, and until when that is.
    span: Option<Duration>,
    until: Option<Timestamp>,
}

enum Stage<C: Command> {
    /// Sent when first polled, and when there is room.
    Unsent {
        command: C,
        ticket: Option<u64>,
    },
    Waits {
        command: C,
        id: C::Id,
        answer: oneshot::Receiver<Result<C::Answer, Error>>,
    },
    /// It cannot be sent.
    Failed(Error),
    Done,
}

impl<C: Command> Request<C> {
    pub(crate) fn new(shared: Arc<Shared>, command: Result<C, Error>, span: Option<Duration>) -> Self {
        let stage = match command {
            Ok(command) => Stage::Unsent { command, ticket: None },
            Err(error) => Stage::Failed(error),
        };
        Self { shared, stage, span, until: None }
    }

    /// Does something about a request that was sent and not answered yet.
    pub(crate) fn while_waiting(&self, act: impl FnOnce(C::Id, &mut State, Timestamp)) {
        if let Stage::Waits { id, .. } = self.stage {
            let now = self.shared.now();
            self.shared.with(|state, _| act(id, state, now));
        }
    }

    /// Waits in this thread.
    pub(crate) fn wait(mut self) -> Result<C::Output, Error> {
        let parker = Parker::new();
        let mut cx = Context::from_waker(&parker.waker);
        loop {
            if let Poll::Ready(result) = self.poll(&mut cx) {
                return result;
            }
            let left = self.until.map(|at| at.saturating_since(self.shared.now()));
            if left.is_some_and(|left| left.is_zero()) {
                // The driver's thread may be stuck in a write.
                let now = self.shared.now();
                self.shared.with(|state, after| state.run_timers(now, after));
            }
            parker.park(left.map(|left| left.max(Duration::from_millis(1))));
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Output, Error>> {
        let result = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent { command, ticket } => ready!(self.poll_send(command, ticket, cx)),
            Stage::Waits { command, id, answer } => ready!(self.poll_answer(command, id, answer, cx)),
            Stage::Failed(error) => Err(error),
            Stage::Done => return Poll::Pending,
        };
        Poll::Ready(result)
    }

    /// Sends the command when there is room for it.
    fn poll_send(
        &mut self,
        mut command: C,
        mut ticket: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<C::Output, Error>> {
        let shared = &self.shared;
        let now = shared.now();
        let until = self.until.or_else(|| self.span.map(|span| now + span));
        let sent = shared.with(|state, after| {
            let is_blocked = C::NEEDS_ROOM && state.is_blocked();
            if is_blocked && until.is_none_or(|at| now < at) {
                state.block(&mut ticket, cx.waker(), until);
                return None;
            }
            state.unblock(&mut ticket);
            if is_blocked {
                return Some(Err(Error::Timeout));
            }
            Some(command.send(Sending { shared, state, after, now, until }))
        });
        self.until = until;
        match sent {
            None => {
                self.stage = Stage::Unsent { command, ticket };
                Poll::Pending
            }
            Some(Ok(Sent::Waits(id, answer))) => {
                self.until = until.filter(|_| C::EXPIRES);
                self.poll_answer(command, id, answer, cx)
            }
            Some(Ok(Sent::Done(answer))) => Poll::Ready(command.finish(answer)),
            Some(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_answer(
        &mut self,
        mut command: C,
        id: C::Id,
        mut answer: oneshot::Receiver<Result<C::Answer, Error>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<C::Output, Error>> {
        match Pin::new(&mut answer).poll(cx) {
            Poll::Pending => {
                self.stage = Stage::Waits { command, id, answer };
                Poll::Pending
            }
            Poll::Ready(Ok(result)) => Poll::Ready(result.and_then(|answer| command.finish(answer))),
            Poll::Ready(Err(oneshot::Canceled)) => {
                Poll::Ready(Err(self.shared.with(|state, _| state.end_reason()).into()))
            }
        }
    }
}

impl<C: Command> Drop for Request<C> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent { mut ticket, .. } if ticket.is_some() => {
                self.shared.with(|state, _| state.unblock(&mut ticket));
            }
            Stage::Waits { id, answer, .. } => {
                // Without its receiver, dropping the sender wakes nobody: that must not be under the lock.
                drop(answer);
                let now = self.shared.now();
                self.shared.with(|state, after| C::abandon(id, state, now, after));
            }
            _ => {}
        }
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
            /// [`Error`](crate::Error), the same as when it is awaited.
            pub fn wait(self) -> Result<$output, crate::Error> {
                self.into_request().wait().map($map)
            }
        }
    };
}
pub(crate) use request_future;
