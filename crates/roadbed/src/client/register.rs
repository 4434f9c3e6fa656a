//! Registrations.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::id::RegisterId;
use roadbed_core::options::{InvokePolicy, RegisterOptions};
use roadbed_core::time::Timestamp;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::ending::Fate;
use super::handler::HandlerError;
use super::invocation::Invocation;
use super::queue::Queue;
use super::registration::{Invocations, Registration, end};
use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::serving::{Invoked, Serving, Sink, Start, Target};
use super::session::check;
use super::shared::{After, Shared};
use super::state::State;
use crate::error::{Error, Operation};
use crate::payload::IntoReply;
use crate::runtime::Task;

/// What both kinds of registrations are made with.
#[derive(Debug)]
struct Plan {
    shared: Arc<Shared>,
    procedure: Uri,
    options: RegisterOptions,
    limit: usize,
    timeout: Option<Duration>,
}

impl Plan {
    fn new(shared: &Arc<Shared>, procedure: Uri) -> Self {
        let (limit, timeout) = (shared.queues.invocations, shared.request_timeout);
        Self { shared: Arc::clone(shared), procedure, options: RegisterOptions::new(), limit, timeout }
    }

    fn into_request<K: Kind>(self, kind: K) -> Request<RegisterCommand<K>> {
        let Self { shared, procedure, options, limit, timeout } = self;
        let policy = options.match_policy.unwrap_or_default();
        let for_handle = Arc::clone(&shared);
        let command = check(procedure, policy).map(|procedure| RegisterCommand {
            shared: for_handle,
            procedure,
            options,
            limit,
            kind,
            fate: Arc::default(),
            sent: None,
        });
        Request::new(shared, command, timeout)
    }
}

/// Defines what the builders of both kinds share.
macro_rules! plan_setters {
    ($builder:ident) => {
        impl $builder {
            /// How the procedure matches; by default exactly.
            pub const fn matching(mut self, policy: MatchPolicy) -> Self {
                self.plan.options.match_policy = Some(policy);
                self
            }

            /// Which callee of a shared registration is invoked; by default there is only one.
            pub const fn invoke(mut self, policy: InvokePolicy) -> Self {
                self.plan.options.invoke = Some(policy);
                self
            }

            /// How many invocations wait or run at a time. Beyond it callers are told
            /// `wamp.error.unavailable`. By default what the session was set up with.
            pub const fn limit(mut self, invocations: usize) -> Self {
                self.plan.limit = invocations;
                self
            }

            /// Sets every option, in place of what was set before.
            pub fn options(mut self, options: RegisterOptions) -> Self {
                self.plan.options = options;
                self
            }
        }

        timeout_setters!($builder, plan.timeout);
    };
}

/// Makes tasks of invocations, whichever session they come from.
pub(super) fn start<H, F, R, K>(handler: H) -> Arc<Start>
where
    H: Fn(Invocation) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, HandlerError>> + Send + 'static,
    R: IntoReply<K> + Send + 'static,
    K: 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |invocation: Invocation, serving: Serving| -> Task {
        let (handler, serializer) = (Arc::clone(&handler), invocation.serializer());
        Box::pin(serving.serve(move || async move {
            let result = handler(invocation).await?;
            Ok(result.into_reply(serializer)?)
        }))
    })
}

/// A procedure to be registered with a handler: await it, or `wait()` for it. Nothing is sent before.
#[must_use = "nothing is sent before it is awaited"]
pub struct Register {
    plan: Plan,
    start: Arc<Start>,
}

plan_setters!(Register);

impl Register {
    pub(crate) fn new<H, F, R, K>(shared: &Arc<Shared>, procedure: Uri, handler: H) -> Self
    where
        H: Fn(Invocation) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: IntoReply<K> + Send + 'static,
        K: 'static,
    {
        Self::with_start(shared, procedure, start(handler))
    }

    /// With what [`start`] made of a handler.
    pub(super) fn with_start(shared: &Arc<Shared>, procedure: Uri, start: Arc<Start>) -> Self {
        Self { plan: Plan::new(shared, procedure), start }
    }

    /// As `timeout`, or `no_timeout`.
    pub(super) const fn within(mut self, timeout: Option<Duration>) -> Self {
        self.plan.timeout = timeout;
        self
    }

    fn into_request(self) -> Request<RegisterCommand<ByHandler>> {
        self.plan.into_request(ByHandler(self.start))
    }
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("plan", &self.plan).finish_non_exhaustive()
    }
}

request_future! {
    /// A registration under way.
    Registering(RegisterCommand<ByHandler>) of Register -> Registration, |registration| registration
}

impl Registering {
    /// Whether it does not wait for room to be sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.0.is_sent()
    }
}

/// A procedure to be registered with a queue: await it, or `wait()` for it. Nothing is sent before.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RegisterQueue {
    plan: Plan,
}

plan_setters!(RegisterQueue);

impl RegisterQueue {
    pub(crate) fn new(shared: &Arc<Shared>, procedure: Uri) -> Self {
        Self { plan: Plan::new(shared, procedure) }
    }

    fn into_request(self) -> Request<RegisterCommand<ByQueue>> {
        let queue = Arc::new(Queue::new(self.plan.limit, self.plan.shared.queues.event_bytes));
        self.plan.into_request(ByQueue(queue))
    }
}

request_future! {
    /// A registration with a queue under way.
    RegisteringQueue(RegisterCommand<ByQueue>) of RegisterQueue -> Invocations, |invocations| invocations
}

/// Where invocations go, and what handle stands for that.
trait Kind: Unpin {
    type Handle;

    fn sink(&self) -> Sink;
    fn handle(&self, registration: Registration) -> Self::Handle;
}

struct ByHandler(Arc<Start>);

impl Kind for ByHandler {
    type Handle = Registration;

    fn sink(&self) -> Sink {
        Sink::Handler(Arc::clone(&self.0))
    }

    fn handle(&self, registration: Registration) -> Registration {
        registration
    }
}

struct ByQueue(Arc<Queue<Invoked>>);

impl Kind for ByQueue {
    type Handle = Invocations;

    fn sink(&self) -> Sink {
        Sink::Queue(Arc::clone(&self.0))
    }

    fn handle(&self, registration: Registration) -> Invocations {
        Invocations::new(registration, Arc::clone(&self.0))
    }
}

/// A registration, ready to be asked for.
struct RegisterCommand<K> {
    shared: Arc<Shared>,
    procedure: Uri,
    options: RegisterOptions,
    limit: usize,
    kind: K,
    fate: Arc<Fate>,
    sent: Option<RegisterId>,
}

impl<K: Kind> Command for RegisterCommand<K> {
    type Id = RegisterId;
    type Answer = ();
    type Output = K::Handle;

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Register, Some(&self.procedure))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<RegisterId, ()>, Error> {
        let Sending { state, now, until, .. } = sending;
        let result = state.connection.register(now, &self.procedure, &self.options);
        let id = result.map_err(|error| state.refusal(error))?;
        let (waiter, answer) = oneshot::channel();
        let (procedure, sink) = (self.procedure.clone(), self.kind.sink());
        let target = Target::new(procedure, sink, Arc::clone(&self.fate), self.limit);
        state.registrations.insert(id, target);
        state.registering.insert(id, waiter, until);
        self.sent = Some(id);
        Ok(Sent::Waits(id, answer))
    }

    fn finish(&mut self, (): ()) -> Result<K::Handle, Error> {
        let id = self.sent.take().ok_or(Error::Canceled)?;
        let (shared, procedure) = (Arc::clone(&self.shared), self.procedure.clone());
        Ok(self.kind.handle(Registration::new(shared, id, procedure, Arc::clone(&self.fate))))
    }

    fn abandon(id: RegisterId, state: &mut State, now: Timestamp, after: &mut After) {
        state.give_up_registering(id, now, after);
        if state.registering.remove(&id).is_none() {
            // The answer came, and nobody took it.
            end(id, state, now, after);
        }
    }
}
