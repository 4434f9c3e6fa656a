//! What becomes of the connection's events.

use std::sync::Arc;

use roadbed_core::error::{RequestError, WampError, uris};
use roadbed_core::id::{InvocationId, RegisterId};
use roadbed_core::message::{InvocationDetails, Sparse};
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::SessionEvent;
use roadbed_core::time::Timestamp;

use super::call::CallResult;
use super::ending::Ending;
use super::event::{Event, Item};
use super::hooks::Closed;
use super::serving::{Interrupt, Invoked};
use super::shared::{After, Joined, Moment, Shared};
use super::state::State;
use crate::error::Error;

impl State {
    pub(super) fn take(&mut self, event: SessionEvent, shared: &Arc<Shared>, after: &mut After) {
        match event {
            SessionEvent::Challenge { method, extra } => {
                after.moments.push(Moment::Challenge { method, extra });
            }
            SessionEvent::Welcome { details, .. } => after.moments.push(Moment::Welcome(details)),
            SessionEvent::Joined { session, details } => {
                let serializer = self.connection.serializer().unwrap_or(Serializer::Cbor);
                self.was_joined = true;
                after.joined = Some(Joined { session, details, serializer });
                self.opened(Ok(()), after);
            }
            SessionEvent::Result { call, result } => {
                if let Some(waiter) = self.calls.remove(&call) {
                    after.deliver(waiter, result.map(CallResult::new).map_err(Error::from));
                }
            }
            SessionEvent::Published { publish, result } => {
                if let Some(waiter) = self.publications.remove(&publish) {
                    after.deliver(waiter, result.map(Some).map_err(Error::from));
                }
            }
            SessionEvent::Subscribed { handler, result } => match self.subscribing.remove(&handler) {
                Some(waiter) => {
                    if result.is_err() {
                        self.end_subscription(handler, Ending::Given, after);
                    }
                    after.deliver(waiter, done(result));
                }
                // Whoever asked is gone.
                None => drop(self.connection.unsubscribe(shared.now(), handler)),
            },
            SessionEvent::Unsubscribed { handler, result } => {
                if let Some(waiter) = self.unsubscribing.remove(&handler) {
                    after.deliver(waiter, done(result));
                }
            }
            SessionEvent::SubscriptionRevoked { handler, reason, .. } => {
                self.end_subscription(handler, Ending::Revoked { reason }, after);
            }
            SessionEvent::Event { subscription, publication, details, payload } => {
                let event = Event { publication, subscription, details, payload };
                for handler in self.connection.session().handlers(subscription) {
                    let Some((queue, _)) = self.subscriptions.get(handler) else { continue };
                    after.wakers.extend(queue.push(Item::Event(event.clone())));
                }
            }
            SessionEvent::Registered { handler, result } => match self.registering.remove(&handler) {
                Some(waiter) => {
                    if result.is_err() {
                        let target = self.registrations.remove(&handler);
                        target.into_iter().for_each(|target| after.retire(target, Ending::Given));
                    }
                    after.deliver(waiter, done(result));
                }
                None => drop(self.connection.unregister(shared.now(), handler)),
            },
            SessionEvent::Unregistered { handler, result } => {
                if let Some(waiter) = self.unregistering.remove(&handler) {
                    after.deliver(waiter, done(result));
                }
            }
            SessionEvent::RegistrationRevoked { handler, reason, .. } => {
                if let Some(target) = self.registrations.remove(&handler) {
                    after.retire(target, Ending::Revoked { reason });
                }
            }
            SessionEvent::Invocation { invocation, handler, details, payload, .. } => {
                self.invoked(invocation, handler, details, payload, shared, after);
            }
            SessionEvent::Interrupted { invocation, mode, .. } => self.interrupted(invocation, mode, after),
            // Who waits for it is called when all events were taken.
            SessionEvent::Writable => {}
            SessionEvent::Left { reason } => {
                self.left = Some(reason.clone());
                self.end_session(after);
                after.moments.push(Moment::Left(reason));
            }
            SessionEvent::Closed { reason, clean } => {
                let io = self.io_for(&reason);
                let closed = Closed { reason, is_clean: clean, io };
                self.close(closed.clone(), after);
                after.moments.push(Moment::Closed(closed));
            }
            // A kind of event that is not known yet has nobody who waits for it.
            _ => {}
        }
    }

    fn invoked(
        &mut self,
        id: InvocationId,
        handler: RegisterId,
        details: Sparse<InvocationDetails>,
        payload: Payload,
        shared: &Arc<Shared>,
        after: &mut After,
    ) {
        let now = shared.now();
        let Some(target) = self.registrations.get_mut(&handler) else {
            return self.refuse(now, id, &uris::NO_SUCH_PROCEDURE, "the registration is ending");
        };
        let interrupt = Arc::new(Interrupt::default());
        let invoked = Invoked { id, procedure: target.procedure.clone(), details, payload, interrupt };
        let interrupt = Arc::clone(&invoked.interrupt);
        if !target.begin(invoked, shared, after) {
            return self.refuse(now, id, &uris::UNAVAILABLE, "too many invocations wait here");
        }
        self.invocations.insert(id, (handler, interrupt));
    }

    /// Answers an invocation that nobody will answer.
    pub(super) fn refuse(
        &mut self,
        now: Timestamp,
        id: InvocationId,
        uri: &roadbed_core::uri::Uri,
        text: &str,
    ) {
        let payload = Payload::from_args(Serializer::Cbor, &(text,)).unwrap_or_default();
        let error = WampError::with_payload(uri.clone(), payload);
        self.forget(id);
        // Whoever called may have given up meanwhile.
        let _ = self.connection.invocation_error(now, id, error);
    }

    fn interrupted(&mut self, id: InvocationId, mode: CancelMode, after: &mut After) {
        let interrupt = if mode == CancelMode::Kill {
            self.invocations.get(&id).map(|(_, interrupt)| Arc::clone(interrupt))
        } else {
            self.forget(id)
        };
        after.wakers.extend(interrupt.into_iter().flat_map(|interrupt| interrupt.set(mode)));
    }

    /// An invocation is over. Makes room for another one.
    pub(super) fn forget(&mut self, id: InvocationId) -> Option<Arc<Interrupt>> {
        let (handler, interrupt) = self.invocations.remove(&id)?;
        if let Some(target) = self.registrations.get_mut(&handler) {
            target.end();
        }
        Some(interrupt)
    }
}

fn done<T>(result: Result<T, RequestError>) -> Result<(), Error> {
    result.map(|_| ()).map_err(Error::from)
}
