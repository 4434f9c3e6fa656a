//! What stands for a registration: handles of it, and its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::oneshot;
use futures_core::Stream;
use roadbed_core::error::CommandError;
use roadbed_core::id::RegisterId;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::ending::{Ended, Ending, Fate};
use super::invocation::Invocation;
use super::queue::{Popped, Queue};
use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::serving::{Invoked, Serving};
use super::shared::{After, Shared};
use super::state::State;
use crate::error::{Error, Operation};

/// A procedure of ours. Dropped, it unregisters; see [`detach`](Self::detach). Invocations that run then
/// are still answered.
///
/// A statement that drops it at once is warned of:
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn example(session: roadbed::client::Session) -> Result<(), roadbed::Error> {
/// session.register("com.example.ping", |_| async { Ok("pong") }).await?;
/// # Ok(()) }
/// ```
///
/// ```
/// #![deny(unused_must_use)]
/// # async fn example(session: roadbed::client::Session) -> Result<(), roadbed::Error> {
/// session.register("com.example.ping", |_| async { Ok("pong") }).await?.detach();
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it unregisters at once: keep it, or `detach` it"]
pub struct Registration {
    shared: Arc<Shared>,
    id: RegisterId,
    procedure: Uri,
    fate: Arc<Fate>,
    is_over: bool,
}

impl Registration {
    pub(super) const fn new(shared: Arc<Shared>, id: RegisterId, procedure: Uri, fate: Arc<Fate>) -> Self {
        Self { shared, id, procedure, fate, is_over: false }
    }

    /// The procedure, as it was registered.
    pub const fn procedure(&self) -> &Uri {
        &self.procedure
    }

    /// Waits until the registration has ended: the router took it back, this side gave it up, or the session ended.
    ///
    /// ```
    /// # use roadbed::client::{Ending, Registration};
    /// # async fn example(registration: Registration) {
    /// if let Ending::Revoked { reason } = registration.ended().await {
    ///     eprintln!("{} was taken back: {reason:?}", registration.procedure());
    /// }
    /// # }
    /// ```
    pub fn ended(&self) -> Ended {
        Ended::new(&self.fate, &self.shared.runtime)
    }

    /// Returns whether the procedure is registered, as far as this side knows.
    pub fn is_active(&self) -> bool {
        self.fate.get().is_none()
    }

    /// Ends the registration: await it, or `wait()` for it.
    pub fn unregister(self) -> Unregister {
        Unregister::new(self)
    }

    /// Gives the handle up and leaves the registration to the session.
    pub fn detach(mut self) {
        self.is_over = true;
    }

    /// The same registration, whose end is now the affair of what is returned.
    fn take(&mut self) -> Self {
        let is_over = std::mem::replace(&mut self.is_over, true);
        let (shared, fate) = (Arc::clone(&self.shared), Arc::clone(&self.fate));
        Self { shared, id: self.id, procedure: self.procedure.clone(), fate, is_over }
    }
}

impl Registration {
    /// Unregisters, unless that is done.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            let (id, now) = (self.id, self.shared.now());
            self.shared.with(|state, after| end(id, state, now, after));
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.end();
    }
}

/// The invocations of a procedure of ours, to be answered one by one: a [`Stream`], and an iterator that
/// waits in the thread that asks. It ends with the session, or when the dealer takes the registration
/// back.
///
/// Dropped, it unregisters, and those that wait in it are told `wamp.error.canceled`;
/// [`unregister`](Self::unregister) lets them be answered before.
///
/// ```
/// # async fn example(session: roadbed::client::Session) -> Result<(), Box<dyn std::error::Error>> {
/// let mut calls = session.register_queue("com.example.upper").await?;
/// while let Some(call) = calls.next().await {
///     match call.get::<String>() {
///         Ok(text) => call.reply(text.to_uppercase())?,
///         Err(error) => call.error(error),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it unregisters at once, and nobody takes the invocations"]
pub struct Invocations {
    registration: Registration,
    queue: Arc<Queue<Invoked>>,
}

impl Invocations {
    pub(super) const fn new(registration: Registration, queue: Arc<Queue<Invoked>>) -> Self {
        Self { registration, queue }
    }

    /// The procedure, as it was registered.
    pub const fn procedure(&self) -> &Uri {
        &self.registration.procedure
    }

    /// Waits until the registration has ended; see [`Registration::ended`].
    pub fn ended(&self) -> Ended {
        self.registration.ended()
    }

    /// Returns whether the procedure is registered, as far as this side knows.
    pub fn is_active(&self) -> bool {
        self.registration.is_active()
    }

    /// The next invocation; `None` when the registration has ended.
    pub async fn next(&mut self) -> Option<Invocation> {
        std::future::poll_fn(|cx| self.poll_invocation(cx)).await
    }

    /// The next invocation, or why there is none yet.
    pub fn poll_invocation(&mut self, cx: &mut Context<'_>) -> Poll<Option<Invocation>> {
        let shared = &self.registration.shared;
        self.queue.poll_pop(cx).map(|popped| match popped {
            Popped::Entry(invoked) => {
                let serving = Serving::new(shared, &invoked);
                Some(Invocation::new(invoked, Arc::clone(shared), Some(serving)))
            }
            // Such a queue gives back what it has no room for.
            Popped::Lost(_) | Popped::End => None,
        })
    }

    /// Ends the registration: await it, or `wait()` for it. The invocations that wait in the queue can still
    /// be taken and answered; after them it ends.
    ///
    /// ```
    /// # async fn example(mut calls: roadbed::client::Invocations) -> Result<(), roadbed::Error> {
    /// calls.unregister().await?;
    /// while let Some(call) = calls.next().await {
    ///     call.reply("the last ones")?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn unregister(&mut self) -> Unregister {
        Unregister::new(self.registration.take())
    }

    /// The invocations, each waited for in this thread.
    ///
    /// # Panics
    /// The iterator does, in a task of the runtime that drives the connection, where that can tell: it would wait for
    /// itself. See [`Error::WaitInTask`](crate::Error::WaitInTask).
    pub const fn wait(&mut self) -> WaitInvocations<'_> {
        WaitInvocations(self)
    }
}

impl Stream for Invocations {
    type Item = Invocation;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Invocation>> {
        self.poll_invocation(cx)
    }
}

impl Drop for Invocations {
    fn drop(&mut self) {
        // First, so that none comes meanwhile to a queue that is gone, and is told that it is full.
        self.registration.end();
        for (invoked, _) in self.queue.drain() {
            drop(Serving::new(&self.registration.shared, &invoked));
        }
    }
}

/// The invocations of a procedure, waited for in the thread that asks.
#[derive(Debug)]
pub struct WaitInvocations<'a>(&'a mut Invocations);

impl Iterator for WaitInvocations<'_> {
    type Item = Invocation;

    fn next(&mut self) -> Option<Invocation> {
        let runtime = Arc::clone(&self.0.registration.shared.runtime);
        crate::park::wait_or_panic(&*runtime, self.0.next())
    }
}

/// Takes a registration away; its answer is nobody's.
pub(super) fn end(id: RegisterId, state: &mut State, now: Timestamp, after: &mut After) {
    state.registrations.remove(&id).into_iter().for_each(|target| after.retire(target, Ending::Given));
    // It may have been revoked, or the session have ended.
    let _ = state.connection.unregister(now, id);
}

/// The end of a registration to be asked for: await it, or `wait()` for it. Dropped, the end comes all the
/// same.
#[derive(Debug)]
#[must_use = "to end a registration without waiting, drop it"]
pub struct Unregister {
    registration: Registration,
    timeout: Option<Duration>,
}

timeout_setters!(Unregister, timeout);

impl Unregister {
    fn new(registration: Registration) -> Self {
        let timeout = registration.shared.request_timeout;
        Self { registration, timeout }
    }

    fn into_request(self) -> Request<UnregisterCommand> {
        let shared = Arc::clone(&self.registration.shared);
        Request::new(shared, Ok(UnregisterCommand(self.registration)), self.timeout)
    }
}

request_future! {
    /// The end of a registration under way.
    Unregistering(UnregisterCommand) of Unregister -> (), |()| ()
}

#[derive(Debug)]
struct UnregisterCommand(Registration);

impl Command for UnregisterCommand {
    type Id = RegisterId;
    type Answer = ();
    type Output = ();

    const NEEDS_ROOM: bool = false;

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Unregister, Some(&self.0.procedure))
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<RegisterId, ()>, Error> {
        let Sending { state, after, now, until } = sending;
        let id = self.0.id;
        self.0.is_over = true;
        state.registrations.remove(&id).into_iter().for_each(|target| after.retire(target, Ending::Given));
        match state.connection.unregister(now, id) {
            Ok(()) => {
                let (waiter, answer) = oneshot::channel();
                state.unregistering.insert(id, waiter, until);
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

    fn abandon(id: RegisterId, state: &mut State, _: Timestamp, _: &mut After) {
        state.unregistering.remove(&id);
    }
}
