//! The state behind a session's lock: the connection, and who waits for what.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use futures_channel::oneshot;
use roadbed_core::connection::Connection;
use roadbed_core::error::{CloseReason, CommandError, uris};
use roadbed_core::id::{CallId, InvocationId, PublicationId, PublishId, RegisterId, SubscribeId};
use roadbed_core::session::SessionState;
use roadbed_core::time::Timestamp;

use super::call::CallResult;
use super::ending::{Ending, Fate};
use super::event::Item;
use super::flush::Written;
use super::hooks::{Closed, Moments};
use super::line::Line;
use super::queue::Queue;
use super::serving::{Interrupt, Target};
use super::shared::{After, Moment, Shared};
use super::waiters::{Waiter, Waiters};
use crate::error::{End, Error, Operation, TimedOut};
use crate::guard::Sleeper;

/// Everything that changes in a session.
pub(crate) struct State {
    pub(crate) connection: Connection,
    /// Whoever connects.
    pub(super) opening: Option<Waiter<()>>,
    pub(super) calls: HashMap<CallId, Waiter<CallResult>>,
    pub(super) publications: Waiters<PublishId, Option<PublicationId>>,
    pub(super) written: Written,
    pub(super) subscribing: Waiters<SubscribeId, ()>,
    pub(super) unsubscribing: Waiters<SubscribeId, ()>,
    /// The queues of subscriptions, from the command on: no event is too early for them.
    pub(super) subscriptions: HashMap<SubscribeId, (Arc<Queue<Item>>, Arc<Fate>)>,
    pub(super) registering: Waiters<RegisterId, ()>,
    pub(super) unregistering: Waiters<RegisterId, ()>,
    pub(super) registrations: HashMap<RegisterId, Target>,
    /// Invocations that wait for an answer of ours.
    pub(super) invocations: HashMap<InvocationId, (RegisterId, Arc<Interrupt>)>,
    /// Requests that wait until output drains.
    line: Line,
    /// Whoever waits for the end.
    ends: Vec<oneshot::Sender<Closed>>,
    /// Why the session ended, if it did.
    pub(super) left: Option<CloseReason>,
    /// The end.
    pub(super) closed: Option<Closed>,
    /// Whether there was a session.
    pub(super) was_joined: bool,
    /// What the operating system said when the transport was lost.
    pub(super) io: Option<Arc<io::Error>>,
    /// What hooks have to be told of.
    pub(super) moments: Moments<Moment>,
    reader: Sleeper,
    writer: Sleeper,
    /// What the writer sleeps for beside the end: output, and a time.
    writer_wants_output: bool,
    writer_until: Option<Timestamp>,
}

impl State {
    pub(crate) fn new(connection: Connection, opening: Waiter<()>) -> Self {
        Self {
            connection,
            opening: Some(opening),
            calls: HashMap::new(),
            publications: Waiters::default(),
            written: Written::default(),
            subscribing: Waiters::default(),
            unsubscribing: Waiters::default(),
            subscriptions: HashMap::new(),
            registering: Waiters::default(),
            unregistering: Waiters::default(),
            registrations: HashMap::new(),
            invocations: HashMap::new(),
            line: Line::default(),
            ends: Vec::new(),
            left: None,
            closed: None,
            was_joined: false,
            io: None,
            moments: Moments::default(),
            reader: Sleeper::default(),
            writer: Sleeper::default(),
            writer_wants_output: false,
            writer_until: None,
        }
    }

    /// What a command's refusal means to the one who gave it.
    pub(super) fn refusal(&self, error: CommandError) -> Error {
        match error {
            CommandError::NotJoined => self.end().into(),
            error => error.into(),
        }
    }

    /// Why there is no session (any more).
    pub(super) fn end(&self) -> End {
        let closed = self.closed.as_ref().map(|closed| &closed.reason);
        let reason = self.left.as_ref().or(closed).cloned().unwrap_or(CloseReason::Local);
        self.end_for(reason)
    }

    fn end_for(&self, reason: CloseReason) -> End {
        let io = self.io_for(&reason);
        let end = if self.was_joined { End::new(reason) } else { End::not_joined(reason) };
        end.with_io(io)
    }

    /// What the operating system said: it explains only an end that came from there.
    pub(super) fn io_for(&self, reason: &CloseReason) -> Option<Arc<io::Error>> {
        self.io.clone().filter(|_| *reason == CloseReason::Eof)
    }

    /// Reports how joining came out, once.
    pub(super) fn opened(&mut self, result: Result<(), Error>, after: &mut After) {
        if let Some(opening) = self.opening.take() {
            after.deliver(opening, result);
        }
    }

    /// The end, once it has come.
    pub(super) fn wait_for_end(&mut self) -> Result<Closed, oneshot::Receiver<Closed>> {
        match &self.closed {
            Some(closed) => Ok(closed.clone()),
            None => {
                self.ends.retain(|end| !end.is_canceled());
                let (end, wait) = oneshot::channel();
                self.ends.push(end);
                Err(wait)
            }
        }
    }

    /// Whether a request has to wait until output drains, and until those before it were served.
    pub(super) fn is_blocked(&self, ticket: Option<u64>) -> bool {
        let has_ended = self.left.is_some() || self.has_ended();
        !has_ended && (!self.connection.is_writable() || self.line.is_before(ticket))
    }

    /// Lets a request wait until output drains. `ticket` keeps its place in the line.
    pub(super) fn block(
        &mut self,
        ticket: &mut Option<u64>,
        waker: &Waker,
        until: Option<Timestamp>,
        after: &mut After,
    ) {
        let before = self.line.wait(ticket, waker, until);
        after.let_go(before);
    }

    /// A request does not wait any more.
    pub(super) fn unblock(&mut self, ticket: &mut Option<u64>, after: &mut After) {
        let before = self.line.leave(ticket);
        after.let_go(before);
    }

    /// Runs what is due.
    pub(crate) fn run_timers(&mut self, now: Timestamp, after: &mut After) {
        self.connection.handle_timeout(now);
        self.end_late(now, after);
        self.line.expire(now, &mut after.wakers);
    }

    /// Ends the requests that the other side did not answer in time. (Calls are the connection's affair.) What it
    /// grants later is given back when it comes.
    fn end_late(&mut self, now: Timestamp, after: &mut After) {
        let late = || Error::from(TimedOut::new(Operation::Other, None, None));
        while let Some((_, waiter)) = self.publications.pop_due(now) {
            after.deliver(waiter, Err(late()));
        }
        while let Some((_, waiter)) = self.written.waiters().pop_due(now) {
            after.deliver(waiter, Err(late()));
        }
        while let Some((id, waiter)) = self.subscribing.pop_due(now) {
            self.end_subscription(id, Ending::Given, after);
            after.deliver(waiter, Err(late()));
        }
        while let Some((id, waiter)) = self.registering.pop_due(now) {
            self.give_up_registering(id, now, after);
            after.deliver(waiter, Err(late()));
        }
        while let Some((_, waiter)) = self.unsubscribing.pop_due(now) {
            after.deliver(waiter, Err(late()));
        }
        while let Some((_, waiter)) = self.unregistering.pop_due(now) {
            after.deliver(waiter, Err(late()));
        }
    }

    /// A subscription has ended.
    pub(super) fn end_subscription(&mut self, id: SubscribeId, ending: Ending, after: &mut After) {
        if let Some((queue, fate)) = self.subscriptions.remove(&id) {
            after.wakers.extend(fate.set(ending));
            after.wakers.extend(queue.session_ended());
        }
    }

    /// A registration is not wanted any more, before it was granted, or before anyone could take what came.
    pub(super) fn give_up_registering(&mut self, id: RegisterId, now: Timestamp, after: &mut After) {
        if let Some(target) = self.registrations.remove(&id) {
            for (invoked, _) in target.drain() {
                self.refuse(now, invoked.id, &uris::CANCELED, "the registration was given up");
            }
            after.retire(target, Ending::Given);
        }
    }

    /// When to run the timers next.
    fn deadline(&self) -> Option<Timestamp> {
        let line = self.line.deadline();
        let requests = [
            self.publications.deadline(),
            self.subscribing.deadline(),
            self.written.deadline(),
            self.unsubscribing.deadline(),
            self.registering.deadline(),
            self.unregistering.deadline(),
        ];
        line.into_iter().chain(requests.into_iter().flatten()).chain(self.connection.poll_timeout()).min()
    }

    /// Whether nothing can be asked of the session any more.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_some() || self.has_ended() || self.connection.session().state() != SessionState::Joined
    }

    /// Whether the last event was reported.
    pub(super) fn has_ended(&self) -> bool {
        self.closed.is_some()
    }

    /// The reader has nothing to do until there is room.
    pub(super) fn reader_sleeps(&mut self, waker: &Waker, after: &mut After) {
        after.let_go(self.reader.sleep(waker));
    }

    /// The writer has nothing to do until the time returned, or until something changes.
    pub(super) fn writer_sleeps(
        &mut self,
        waker: &Waker,
        wants_output: bool,
        after: &mut After,
    ) -> Option<Timestamp> {
        after.let_go(self.writer.sleep(waker));
        self.writer_wants_output = wants_output;
        self.writer_until = self.deadline();
        self.writer_until
    }

    /// The task that both halves belong to is running.
    pub(super) fn awake(&mut self, waker: &Waker) {
        self.writer.awake(waker);
        self.reader.awake(waker);
    }

    /// Hands in bytes as far as they are welcome. The events that come of them are taken at once, so there
    /// is room again until all is taken, or output has to go first.
    pub(super) fn feed(
        &mut self,
        now: Timestamp,
        input: &mut BytesMut,
        shared: &Arc<Shared>,
        after: &mut After,
    ) {
        loop {
            let before = input.len();
            self.connection.handle_input(now, input);
            self.take_events(shared, after);
            if input.is_empty() || input.len() == before || !self.connection.wants_input() {
                return;
            }
        }
    }

    pub(super) fn take_events(&mut self, shared: &Arc<Shared>, after: &mut After) {
        while let Some(event) = self.connection.poll_event() {
            self.take(event, shared, after);
        }
    }

    /// After any change: passes events on, and finds out who has something to do now.
    pub(super) fn settle(&mut self, shared: &Arc<Shared>, after: &mut After) {
        self.take_events(shared, after);
        if self.left.is_some() || self.has_ended() {
            self.line.call_all(&mut after.wakers);
        } else if self.connection.is_writable() {
            self.line.call(|| shared.now(), &mut after.wakers);
        }
        if self.writer.is_asleep() {
            let has_output = self.writer_wants_output && self.connection.queued() > 0;
            let is_early = || match (self.deadline(), self.writer_until) {
                (Some(at), Some(until)) => at < until,
                (at, until) => until.is_none() && at.is_some(),
            };
            if has_output || self.has_ended() || is_early() {
                after.wakers.extend(self.writer.rouse());
            }
        }
        if self.reader.is_asleep() && (self.has_ended() || self.connection.wants_input()) {
            after.wakers.extend(self.reader.rouse());
        }
    }

    /// The end: whoever still waits is told, and every queue closes.
    pub(super) fn close(&mut self, closed: Closed, after: &mut After) {
        let end = self.end_for(closed.reason.clone());
        self.opened(Err(end.into()), after);
        self.end_session(after);
        for end in self.ends.drain(..) {
            after.end(end, closed.clone());
        }
        self.closed = Some(closed);
        self.line.call_all(&mut after.wakers);
    }

    /// Nothing comes of the session any more. Those who wait for an answer had it; dropping the others'
    /// senders tells them too.
    pub(super) fn end_session(&mut self, after: &mut After) {
        after.discard(&mut self.calls);
        after.discard(&mut self.publications);
        after.discard(self.written.waiters());
        after.discard(&mut self.subscribing);
        after.discard(&mut self.unsubscribing);
        after.discard(&mut self.registering);
        after.discard(&mut self.unregistering);
        let ending = Ending::Session(self.end());
        for (_, (queue, fate)) in self.subscriptions.drain() {
            after.wakers.extend(fate.set(ending.clone()));
            after.wakers.extend(queue.session_ended());
        }
        for (_, target) in self.registrations.drain() {
            after.retire(target, ending.clone());
        }
        for (_, (_, interrupt)) in self.invocations.drain() {
            after.wakers.extend(interrupt.set(roadbed_core::options::CancelMode::Skip));
        }
    }

    /// How many entries the tables hold, for tests of what is left behind.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        self.calls.len()
            + self.publications.len()
            + self.written.len()
            + self.subscribing.len()
            + self.unsubscribing.len()
            + self.subscriptions.len()
            + self.registering.len()
            + self.unregistering.len()
            + self.registrations.len()
            + self.invocations.len()
            + self.line.len()
    }
}
