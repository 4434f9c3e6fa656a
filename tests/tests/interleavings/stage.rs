//! A caller, a callee, and a router between them, joined by four queues of messages.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::WampError;
use roadbed_core::id::{CallId, InvocationId};
use roadbed_core::limits::Limits;
use roadbed_core::options::{CallOptions, CancelMode, RegisterOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, Session, SessionEvent, SessionState};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, Port, Router, RouterConfig};

/// Something that ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Cancel(CancelMode),
    /// The caller's own deadline passes.
    Deadline,
    CallerLeaves,
    CallerVanishes,
    /// The callee answers.
    Yield,
    /// The callee answers with an error.
    Fail,
    CalleeLeaves,
    CalleeVanishes,
}

impl Action {
    pub(crate) const CANCELS: [Self; 3] = [
        Self::Cancel(CancelMode::Skip),
        Self::Cancel(CancelMode::Kill),
        Self::Cancel(CancelMode::KillNoWait),
    ];
    pub(crate) const ALL: [Self; 10] = [
        Self::CANCELS[0],
        Self::CANCELS[1],
        Self::CANCELS[2],
        Self::Deadline,
        Self::CallerLeaves,
        Self::CallerVanishes,
        Self::Yield,
        Self::Fail,
        Self::CalleeLeaves,
        Self::CalleeVanishes,
    ];
}

/// One step: an action, or one message arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The action of this index.
    Act(usize),
    /// The message that is under way longest from this actor to the router.
    Up(usize),
    /// The same from the router to this actor.
    Down(usize),
}

const CALLER: usize = 0;
const CALLEE: usize = 1;

enum Item {
    Message(Bytes),
    /// The stream ends.
    End,
}

struct Actor {
    session: Session,
    port: Port,
    up: VecDeque<Item>,
    down: VecDeque<Item>,
    is_closed: bool,
    /// The router closed it.
    is_ended: bool,
    /// It left or vanished on purpose.
    is_gone: bool,
    calls: Vec<CallId>,
    results: usize,
    invocations: Vec<InvocationId>,
}

pub(crate) struct Stage {
    router: Router,
    actors: [Actor; 2],
    actions: Vec<Option<Action>>,
    now: Timestamp,
    /// What happened, to be shown when something is wrong.
    log: Vec<String>,
}

fn procedure() -> Uri {
    Uri::from_static("com.example.procedure")
}

impl Actor {
    fn new(router: &mut Router, now: Timestamp) -> Self {
        let config = ClientConfig::new(Uri::from_static("realm1")).build().expect("a configuration");
        let mut session = Session::new(config, now, UnixMicros::default());
        session.transport_ready(now, TransportDetails::local());
        session.join(now).expect("it is idle");
        let details = TransportDetails::local();
        let mut port = Port::messages(&Limits::default(), Serializer::Cbor, 1 << 20, details, now);
        port.serve(router, now, &mut BytesMut::new());
        Self {
            session,
            port,
            up: VecDeque::new(),
            down: VecDeque::new(),
            is_closed: false,
            is_ended: false,
            is_gone: false,
            calls: Vec::new(),
            results: 0,
            invocations: Vec::new(),
        }
    }

    /// The transport breaks, both ways.
    fn vanish(&mut self, now: Timestamp) {
        self.session.handle_eof(now);
        self.up.clear();
        self.down.clear();
        self.up.push_back(Item::End);
    }
}

impl Stage {
    /// The caller has called, and the CALL is under way.
    pub(crate) fn new(actions: &[Action]) -> Self {
        let now = Timestamp::ZERO;
        let realm = Uri::from_static("realm1");
        let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
        let mut router = Router::new(config.into_shared(), [1; 32], now, UnixMicros::default());
        let actors = [Actor::new(&mut router, now), Actor::new(&mut router, now)];
        let actions = actions.iter().copied().map(Some).collect();
        let mut stage = Self { router, actors, actions, now, log: Vec::new() };
        stage.settle_all();
        stage.actors[CALLEE].session.register(now, &procedure(), &RegisterOptions::new()).expect("joined");
        stage.settle_all();
        stage.call();
        let (deadline, caller) = (now + Duration::from_secs(1), &mut stage.actors[CALLER]);
        caller.session.set_call_deadline(caller.calls[0], Some(deadline)).expect("the call has begun");
        stage.collect();
        stage
    }

    fn call(&mut self) {
        let caller = &mut self.actors[CALLER];
        let call = caller.session.call(self.now, &procedure(), Payload::EMPTY, &CallOptions::new());
        caller.calls.push(call.expect("joined"));
    }

    /// What can happen next.
    pub(crate) fn possible(&self) -> Vec<Step> {
        let actions = (0..self.actions.len()).filter(|&index| self.can(index)).map(Step::Act);
        let up = (0..2).filter(|&actor| !self.actors[actor].up.is_empty()).map(Step::Up);
        let down = (0..2).filter(|&actor| !self.actors[actor].down.is_empty()).map(Step::Down);
        actions.chain(up).chain(down).collect()
    }

    fn can(&self, index: usize) -> bool {
        let is_joined = |actor: usize| self.actors[actor].session.state() == SessionState::Joined;
        match self.actions[index] {
            None => false,
            Some(Action::Yield | Action::Fail) => {
                is_joined(CALLEE) && !self.actors[CALLEE].invocations.is_empty()
            }
            Some(Action::CalleeLeaves | Action::CalleeVanishes) => is_joined(CALLEE),
            Some(_) => is_joined(CALLER),
        }
    }

    pub(crate) fn perform(&mut self, step: Step) {
        match step {
            Step::Act(index) => {
                if let Some(action) = self.actions[index].take() {
                    self.log.push(format!("{action:?}"));
                    self.act(action);
                }
            }
            Step::Up(actor) => self.carry_up(actor),
            Step::Down(actor) => self.carry_down(actor),
        }
        self.collect();
        if let Err(error) = self.router.check_invariants() {
            panic!("{error}: {:#?}", self.log);
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now;
        let [caller, callee] = &mut self.actors;
        // What was answered, canceled or timed out before is refused; that is harmless.
        let _ = match action {
            Action::Cancel(mode) => caller.session.cancel(now, caller.calls[0], mode),
            Action::Deadline => {
                self.now = now + Duration::from_secs(1);
                caller.session.handle_timeout(self.now);
                Ok(())
            }
            Action::CallerLeaves => {
                caller.is_gone = true;
                caller.session.leave(now, None)
            }
            Action::CalleeLeaves => {
                callee.is_gone = true;
                callee.session.leave(now, None)
            }
            Action::CallerVanishes => {
                caller.is_gone = true;
                caller.vanish(now);
                Ok(())
            }
            Action::CalleeVanishes => {
                callee.is_gone = true;
                callee.vanish(now);
                Ok(())
            }
            Action::Yield => {
                callee.session.yield_result(now, callee.invocations[0], Payload::EMPTY, &YieldOptions::new())
            }
            Action::Fail => {
                let error = WampError::new(Uri::from_static("com.example.error"));
                callee.session.invocation_error(now, callee.invocations[0], error)
            }
        };
    }

    fn carry_up(&mut self, actor: usize) {
        let actor = &mut self.actors[actor];
        let Some(item) = actor.up.pop_front() else { return };
        match item {
            Item::Message(message) => {
                self.log.push(format!("{:?} -> router: {} bytes", actor.port.peer(), message.len()));
                actor.port.handle_message(self.now, &message);
            }
            Item::End => actor.port.handle_eof(self.now),
        }
        actor.port.serve(&mut self.router, self.now, &mut BytesMut::new());
    }

    fn carry_down(&mut self, actor: usize) {
        let actor = &mut self.actors[actor];
        match actor.down.pop_front() {
            Some(Item::Message(message)) => {
                let message = Serializer::Cbor.decode(&message, &Limits::default());
                let message = message.expect("a router sends messages");
                self.log.push(format!("router -> {:?}: {:?}", actor.port.peer(), message.message_type()));
                actor.session.handle_message(self.now, message);
            }
            Some(Item::End) => actor.session.handle_eof(self.now),
            None => {}
        }
    }

    /// Takes what everybody has to say, and puts it on its way.
    fn collect(&mut self) {
        for actor in &mut self.actors {
            while let Some(message) = actor.session.poll_transmit() {
                let mut bytes = BytesMut::new();
                Serializer::Cbor.encode(&message, &mut bytes).expect("a session makes messages");
                actor.up.push_back(Item::Message(bytes.freeze()));
            }
            while let Some(event) = actor.session.poll_event() {
                assert!(!actor.is_closed, "{event:?} follows Closed: {:#?}", self.log);
                match event {
                    SessionEvent::Result { call, .. } => {
                        assert!(actor.calls.contains(&call));
                        actor.results += 1;
                    }
                    SessionEvent::Invocation { invocation, .. } => actor.invocations.push(invocation),
                    SessionEvent::Closed { reason, .. } => {
                        assert!(actor.is_gone, "closed, {reason}: {:#?}", self.log);
                        actor.is_closed = true;
                        actor.up.push_back(Item::End);
                    }
                    _ => {}
                }
            }
        }
        while let Some(peer) = self.router.poll_ready() {
            let ready = self.actors.iter_mut().find(|actor| actor.port.peer() == Some(peer));
            ready
                .into_iter()
                .for_each(|actor| actor.port.serve(&mut self.router, self.now, &mut BytesMut::new()));
        }
        for actor in &mut self.actors {
            while let Some(message) = actor.port.poll_message() {
                actor.down.push_back(Item::Message(message.to_bytes()));
            }
            actor.port.serve(&mut self.router, self.now, &mut BytesMut::new());
            if actor.port.has_ended() && !actor.is_ended {
                actor.is_ended = true;
                actor.down.push_back(Item::End);
            }
        }
    }

    /// Lets everything arrive.
    fn settle_all(&mut self) {
        self.collect();
        while self.actors.iter().any(|actor| !actor.up.is_empty() || !actor.down.is_empty()) {
            for actor in 0..2 {
                self.carry_up(actor);
                self.collect();
                self.carry_down(actor);
                self.collect();
            }
        }
    }

    /// What has to be true whatever happened.
    pub(crate) fn finish(mut self) {
        let stats = self.router.stats();
        let [caller, callee] = &self.actors;
        let waits = caller.results == 0;
        assert!(caller.results <= 1, "two answers: {:#?}", self.log);
        // Of a call that was canceled with `kill` and then given up, the dealer still awaits the answer.
        let is_abandoned =
            self.performed(Action::Cancel(CancelMode::Kill)) && self.performed(Action::Deadline);
        assert!(stats.calls == usize::from(waits) || is_abandoned, "{} calls: {:#?}", stats.calls, self.log);
        // It may wait as long as it is neither answered nor canceled without waiting.
        let is_awaited = callee.session.pending_invocations() == 1 && !callee.is_gone && !caller.is_gone;
        assert!(!waits || is_awaited, "nobody will ever answer: {:#?}", self.log);
        assert_eq!(stats.counters.violations, 0, "{:#?}", self.log);
        let was_canceled = Action::CANCELS.into_iter().any(|cancel| self.performed(cancel));
        if caller.is_gone && !was_canceled {
            assert_eq!(callee.session.pending_invocations(), 0, "it was not told: {:#?}", self.log);
        }
        self.answer(0);
        self.settle_all();
        assert_eq!(self.actors[CALLER].results, 1, "{:#?}", self.log);
        if self.actors.iter().all(|actor| !actor.is_gone) {
            // Both are as good as new.
            self.call();
            self.settle_all();
            let last = self.actors[CALLEE].invocations.len() - 1;
            self.answer(last);
            self.settle_all();
            assert_eq!(self.actors[CALLER].results, 2, "{:#?}", self.log);
        }
        assert_eq!(self.router.stats().calls, 0, "{:#?}", self.log);
        assert_eq!(self.router.stats().counters.violations, 0, "{:#?}", self.log);
    }

    fn performed(&self, action: Action) -> bool {
        self.log.contains(&format!("{action:?}"))
    }

    /// The callee answers, also where nobody waits any more.
    fn answer(&mut self, invocation: usize) {
        let callee = &mut self.actors[CALLEE];
        if let Some(&invocation) = callee.invocations.get(invocation) {
            let _ = callee.session.yield_result(self.now, invocation, Payload::EMPTY, &YieldOptions::new());
        }
    }
}
