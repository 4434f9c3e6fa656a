//! Invocations on their way through: to a handler's task or a queue, and back as one answer.

use std::any::Any;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};

use roadbed_core::error::{CommandError, WampError, uris};
use roadbed_core::id::InvocationId;
use roadbed_core::message::{InvocationDetails, Sparse};
use roadbed_core::options::{CancelMode, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;

use super::ending::Fate;
use super::handler::HandlerError;
use super::hooks::{self, UserError};
use super::invocation::Invocation;
use super::latch::{Latch, Waiting};
use super::queue::{Entry, Queue};
use super::shared::{After, Shared};
use crate::runtime::Task;

/// An invocation as it came.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) id: InvocationId,
    pub(crate) procedure: Uri,
    pub(crate) details: Sparse<InvocationDetails>,
    pub(crate) payload: Payload,
    pub(crate) interrupt: Arc<Interrupt>,
}

/// The bytes of a payload that are copied for a handler; those of a larger one stay in the buffer they were read into.
const SMALL: usize = 4 << 10;

/// What makes a task of an invocation.
pub(crate) type Start = dyn Fn(Invocation, Serving) -> Task + Send + Sync;

/// Where the invocations of a registration go.
pub(crate) struct Target {
    /// The procedure, as it was registered.
    pub(crate) procedure: Uri,
    pub(crate) sink: Sink,
    pub(crate) fate: Arc<Fate>,
    /// How many there are, and may be.
    pub(crate) active: usize,
    pub(crate) limit: usize,
}

pub(crate) enum Sink {
    /// A task each.
    Handler(Arc<Start>),
    /// A queue that somebody takes them from.
    Queue(Arc<Queue<Invoked>>),
}

impl Target {
    pub(crate) fn new(procedure: Uri, sink: Sink, fate: Arc<Fate>, limit: usize) -> Self {
        Self { procedure, sink, fate, active: 0, limit }
    }

    /// Takes an invocation; `false` when there are too many.
    pub(super) fn begin(&mut self, invoked: Invoked, shared: &Arc<Shared>, after: &mut After) -> bool {
        if self.active >= self.limit {
            return false;
        }
        match &self.sink {
            Sink::Handler(start) => {
                // A handler may run for long: a little payload is not to keep a large read buffer alive.
                let is_small = invoked.size() <= SMALL;
                let invoked = if is_small { invoked.detach() } else { invoked };
                let (serving, start) = (Serving::new(shared, &invoked), Arc::clone(start));
                let invocation = Invocation::new(invoked, Arc::clone(shared), None);
                // The handler's own code runs in the task from its first line on.
                after.tasks.push(Box::pin(async move { start(invocation, serving).await }));
            }
            Sink::Queue(queue) => match queue.offer(invoked) {
                Ok(waker) => after.wakers.extend(waker),
                Err(_) => return false,
            },
        }
        self.active += 1;
        true
    }

    /// One of the invocations is over.
    pub(super) fn end(&mut self) {
        self.active = self.active.saturating_sub(1);
    }

    /// No invocation comes any more. Returns whom to wake.
    pub(super) fn close(&self) -> Option<Waker> {
        match &self.sink {
            Sink::Handler(_) => None,
            Sink::Queue(queue) => queue.close(),
        }
    }
}

impl Target {
    /// Takes the invocations that nobody took.
    pub(super) fn drain(&self) -> VecDeque<(Invoked, usize)> {
        match &self.sink {
            Sink::Handler(_) => VecDeque::new(),
            Sink::Queue(queue) => queue.drain(),
        }
    }
}

impl Entry for Invoked {
    fn detach(self) -> Self {
        let details =
            if self.details.is_empty() { Sparse::EMPTY } else { Sparse::from(self.details.detach()) };
        Self { details, payload: self.payload.detach(), ..self }
    }

    fn size(&self) -> usize {
        let details = if self.details.is_empty() { 0 } else { self.details.weight() };
        self.payload.len().saturating_add(details)
    }
}

/// Tells a handler that its caller gave up.
pub(crate) type Interrupt = Latch<CancelMode>;

/// The duty to answer an invocation. Dropped, it answers that the call was canceled.
#[derive(Debug)]
pub(crate) struct Serving {
    shared: Arc<Shared>,
    id: InvocationId,
    procedure: Uri,
    interrupt: Arc<Interrupt>,
    is_answered: bool,
}

/// How a handler came out.
enum Outcome {
    Returned(Result<Payload, HandlerError>),
    Panicked(Box<dyn Any + Send>),
    Interrupted,
}

impl Serving {
    pub(crate) fn new(shared: &Arc<Shared>, invoked: &Invoked) -> Self {
        Self {
            shared: Arc::clone(shared),
            id: invoked.id,
            procedure: invoked.procedure.clone(),
            interrupt: Arc::clone(&invoked.interrupt),
            is_answered: false,
        }
    }

    /// Runs a handler to its end, or until the caller gives up, and answers.
    pub(crate) async fn serve<F>(self, handler: impl FnOnce() -> F)
    where
        F: Future<Output = Result<Payload, HandlerError>>,
    {
        let outcome = {
            let mut interrupt = Waiting::new(&self.interrupt);
            let mut future = pin!(async { handler().await });
            poll_fn(|cx| {
                if Pin::new(&mut interrupt).poll(cx).is_ready() {
                    return Poll::Ready(Outcome::Interrupted);
                }
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(poll) => poll.map(Outcome::Returned),
                    Err(panic) => Poll::Ready(Outcome::Panicked(panic)),
                }
            })
            .await
            // Here the handler's future is dropped, before anybody is told that it has ended.
        };
        match outcome {
            Outcome::Returned(Ok(payload)) => {
                let (shared, procedure) = (Arc::clone(&self.shared), self.procedure.clone());
                match self.yields(payload) {
                    // The caller may have given up meanwhile.
                    Ok(()) | Err(CommandError::NotActive | CommandError::NotJoined) => {}
                    Err(error) => tell(&shared, procedure, error.into()),
                }
            }
            Outcome::Returned(Err(error)) => self.fails(error),
            Outcome::Panicked(panic) => self.fails(HandlerError::panicked(&*panic)),
            // The answer, where one is awaited, is that of `drop`.
            Outcome::Interrupted => {}
        }
    }

    /// Answers with a result.
    pub(crate) fn yields(mut self, payload: Payload) -> Result<(), CommandError> {
        self.is_answered = true;
        let (id, now) = (self.id, self.shared.now());
        self.shared.with(|state, _| {
            state.forget(id);
            let result = state.connection.yield_result(now, id, payload, &YieldOptions::new());
            let uri = match &result {
                Ok(()) | Err(CommandError::NotActive | CommandError::NotJoined) => return result,
                Err(CommandError::TooLarge { .. }) => &uris::PAYLOAD_SIZE_EXCEEDED,
                Err(_) => &uris::INVALID_PAYLOAD,
            };
            // Some answer has to come.
            let _ = state.connection.invocation_error(now, id, WampError::new(uri.clone()));
            result
        })
    }

    /// Answers with an error.
    pub(crate) fn fails(mut self, error: HandlerError) {
        self.is_answered = true;
        let wamp = error.to_wamp(self.shared.exposes_errors);
        self.answer_error(wamp);
        if error.is_internal() {
            tell(&self.shared, self.procedure.clone(), error);
        }
    }

    fn answer_error(&self, error: WampError) {
        let (id, now) = (self.id, self.shared.now());
        self.shared.with(|state, _| {
            state.forget(id);
            let uri = error.uri.clone();
            // The payload may be too large, or impossible in the connection's serializer.
            match state.connection.invocation_error(now, id, error) {
                Ok(()) | Err(CommandError::NotActive | CommandError::NotJoined) => {}
                Err(CommandError::InvalidUri(_)) => {
                    drop(state.connection.invocation_error(
                        now,
                        id,
                        WampError::new(uris::INVALID_URI.clone()),
                    ));
                }
                Err(_) => drop(state.connection.invocation_error(now, id, WampError::new(uri))),
            }
        });
    }
}

/// Tells the application what one of its procedures did wrong.
fn tell(shared: &Shared, procedure: Uri, error: HandlerError) {
    hooks::call(shared.hooks.on_user_error.as_ref(), &UserError { procedure, error });
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.is_answered {
            self.answer_error(WampError::new(uris::CANCELED.clone()));
        }
    }
}
