//! Random commands and random messages of a router, sane or not.

use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::vec;

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::message::{
    CallResult, Challenge, Event, Interrupt, Invocation, Published, RawDict, Unregistered,
    UnregisteredDetails, Unsubscribed, UnsubscribedDetails,
};
use crate::options::{CallOptions, CancelMode, PublishOptions, YieldOptions};

/// One step: what happens, and a small number to choose among ids.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join,
    Accept,
    Call,
    CallWithDeadline,
    Cancel(u64),
    Publish(bool),
    Subscribe(bool),
    Unsubscribe(u64),
    Register,
    Unregister(u64),
    Answer(u64),
    Leave,
    Close,
    Wait(u8),
    Welcome,
    Challenge,
    Reply(u64),
    Refuse(u64),
    WrongReply(u64),
    Event(u64),
    Invocation(u64),
    Interrupt(u64),
    Revoke(bool, u64),
    Goodbye(bool),
    Abort,
    Eof,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || 1..12_u64;
    let step = prop_oneof![
        4 => Just(Step::Join),
        2 => Just(Step::Accept),
        6 => Just(Step::Call),
        4 => Just(Step::CallWithDeadline),
        3 => id().prop_map(Step::Cancel),
        4 => any::<bool>().prop_map(Step::Publish),
        6 => any::<bool>().prop_map(Step::Subscribe),
        4 => id().prop_map(Step::Unsubscribe),
        4 => Just(Step::Register),
        2 => id().prop_map(Step::Unregister),
        4 => id().prop_map(Step::Answer),
        1 => Just(Step::Leave),
        1 => any::<u8>().prop_map(Step::Wait),
        6 => Just(Step::Welcome),
        1 => Just(Step::Challenge),
        20 => id().prop_map(Step::Reply),
        6 => id().prop_map(Step::Refuse),
        4 => id().prop_map(Step::Event),
        6 => id().prop_map(Step::Invocation),
        3 => id().prop_map(Step::Interrupt),
        2 => (any::<bool>(), id()).prop_map(|(topic, id)| Step::Revoke(topic, id)),
        1 => any::<bool>().prop_map(Step::Goodbye),
    ];
    let rare =
        prop_oneof![Just(Step::Close), Just(Step::Abort), Just(Step::Eof), id().prop_map(Step::WrongReply),];
    proptest::collection::vec(prop_oneof![60 => step, 1 => rare], 0..120)
}

/// The router's view: which requests it has seen, by id, and what it granted.
#[derive(Default)]
struct World {
    now: Timestamp,
    requests: BTreeMap<u64, Message>,
    /// Handles of commands that expect an answer, and how often each has ended.
    ended: BTreeMap<String, u32>,
    handlers: Vec<crate::id::SubscribeId>,
    procedures: Vec<crate::id::RegisterId>,
    calls: Vec<crate::id::CallId>,
    invocations: Vec<crate::id::InvocationId>,
    /// Ids the session used, in the current epoch.
    used: BTreeSet<u64>,
    log: Vec<String>,
    joined: u32,
    left: u32,
    closed: u32,
}

impl World {
    fn expect(&mut self, kind: &str, handle: impl core::fmt::Debug) {
        let before = self.ended.insert(std::format!("{kind} {handle:?}"), 0);
        assert_eq!(before, None, "{kind} {handle:?} was issued twice");
    }

    fn ended(&mut self, kind: &str, handle: impl core::fmt::Debug) {
        let name = std::format!("{kind} {handle:?}");
        let count = self.ended.get_mut(&name).unwrap_or_else(|| panic!("{name} was never issued"));
        *count += 1;
        assert_eq!(*count, 1, "{name} ended twice");
    }

    fn drain(&mut self, session: &mut Session) {
        while let Some(message) = session.poll_transmit() {
            self.log.push(std::format!("> {message:?}"));
            let id = match &message {
                Message::Hello(_) => {
                    self.used.clear();
                    self.requests.clear();
                    continue;
                }
                Message::Call(call) => call.request,
                Message::Publish(publish) => publish.request,
                Message::Subscribe(subscribe) => subscribe.request,
                Message::Unsubscribe(unsubscribe) => unsubscribe.request,
                Message::Register(register) => register.request,
                Message::Unregister(unregister) => unregister.request,
                _ => continue,
            };
            self.used.insert(id.get());
            assert_eq!(self.used.len() as u64, id.get(), "ids are sequential from 1");
            self.requests.insert(id.get(), message);
        }
        while let Some(event) = session.poll_event() {
            assert_eq!(self.closed, 0, "an event after Closed");
            self.log.push(std::format!("! {event:?}"));
            match event {
                SessionEvent::Result { call, .. } => self.ended("call", call),
                SessionEvent::Published { publish, .. } => self.ended("publish", publish),
                SessionEvent::Subscribed { handler, result } => {
                    self.ended("subscribe", handler);
                    self.handlers.extend(result.ok().map(|_| handler));
                }
                SessionEvent::Unsubscribed { handler, .. } => self.ended("unsubscribe", handler),
                SessionEvent::Registered { handler, result } => {
                    self.ended("register", handler);
                    self.procedures.extend(result.ok().map(|_| handler));
                }
                SessionEvent::Unregistered { handler, .. } => self.ended("unregister", handler),
                SessionEvent::Invocation { invocation, .. } => self.invocations.push(invocation),
                SessionEvent::Joined { .. } => self.joined += 1,
                SessionEvent::Left { .. } => {
                    self.left += 1;
                    assert!(self.ended.values().all(|count| *count == 1), "pending after Left");
                }
                SessionEvent::Closed { .. } => {
                    self.closed += 1;
                    assert_eq!(self.joined, self.left);
                    assert!(self.ended.values().all(|count| *count == 1), "pending after Closed");
                }
                _ => {}
            }
        }
    }

    fn reply(&self, id: u64) -> Option<Message> {
        let (request_id, granted) = (request(id), 1 + id % 3);
        Some(match self.requests.get(&id)? {
            Message::Call(_) => {
                let details = Default::default();
                CallResult { request: request_id, details, payload: Payload::EMPTY }.into()
            }
            Message::Publish(_) => Published { request: request_id, publication: publication(id) }.into(),
            Message::Subscribe(_) => subscribed(id, granted),
            Message::Unsubscribe(_) => Unsubscribed { request: Some(request_id), details: None }.into(),
            Message::Register(_) => registered(id, granted),
            Message::Unregister(_) => Unregistered { request: Some(request_id), details: None }.into(),
            _ => return None,
        })
    }

    fn message(&self, step: Step) -> Option<Message> {
        Some(match step {
            Step::Welcome => welcome_by(router_roles()),
            Step::Challenge => Challenge { method: "ticket".into(), extra: RawDict::default() }.into(),
            Step::Reply(id) => return self.reply(id),
            Step::Refuse(id) => {
                let request_type = self.requests.get(&id)?.message_type()?;
                error(request_type, id, "com.example.error")
            }
            Step::WrongReply(id) => error(MessageType::Call, id, "com.example.error"),
            Step::Event(id) => Event {
                subscription: subscription(1 + id % 3),
                publication: publication(id),
                details: Default::default(),
                payload: Payload::EMPTY,
            }
            .into(),
            Step::Invocation(id) => Invocation {
                request: request(id),
                registration: registration(1 + id % 4),
                details: Default::default(),
                payload: Payload::EMPTY,
            }
            .into(),
            Step::Interrupt(id) => {
                let mut options = crate::options::InterruptOptions::new();
                options.mode = [None, Some(CancelMode::Kill), Some(CancelMode::KillNoWait)][id as usize % 3];
                Interrupt { request: request(id), options: options.into() }.into()
            }
            Step::Revoke(true, id) => {
                let mut details = UnsubscribedDetails::new();
                details.subscription = Some(subscription(1 + id % 3));
                Unsubscribed { request: None, details: Some(details) }.into()
            }
            Step::Revoke(false, id) => {
                let mut details = UnregisteredDetails::new();
                details.registration = Some(registration(1 + id % 3));
                Unregistered { request: None, details: Some(details) }.into()
            }
            Step::Goodbye(true) => goodbye("wamp.close.goodbye_and_out"),
            Step::Goodbye(false) => goodbye("wamp.close.system_shutdown"),
            Step::Abort => abort("com.example.abort"),
            _ => return None,
        })
    }

    fn command(&mut self, session: &mut Session, step: Step) {
        let now = self.now;
        let topic = uri("com.example.topic");
        match step {
            Step::Join => {
                let _ = session.join(now);
            }
            Step::Accept => {
                let _ = session.accept_welcome(now);
            }
            Step::Call | Step::CallWithDeadline => {
                if let Ok(call) = session.call(now, &topic, Payload::EMPTY, &CallOptions::new()) {
                    self.expect("call", call);
                    self.calls.push(call);
                    if let Step::CallWithDeadline = step {
                        session.set_call_deadline(call, Some(now + 2 * SECOND)).unwrap();
                    }
                }
            }
            Step::Cancel(id) => {
                if let Some(call) = self.calls.get(id as usize) {
                    let _ = session.cancel(now, *call, CancelMode::KillNoWait);
                }
            }
            Step::Publish(acknowledge) => {
                let options = PublishOptions::new().acknowledge(acknowledge);
                if let Ok(Some(publish)) = session.publish(now, &topic, Payload::EMPTY, &options) {
                    self.expect("publish", publish);
                }
            }
            Step::Subscribe(other) => {
                let topic = if other { uri("com.example.other") } else { topic };
                if let Ok(handler) = session.subscribe(now, &topic, &Default::default()) {
                    self.expect("subscribe", handler);
                }
            }
            Step::Unsubscribe(id) => {
                if let Some(&handler) = self.handlers.get(id as usize % 4)
                    && session.unsubscribe(now, handler).is_ok()
                {
                    self.expect("unsubscribe", handler);
                }
            }
            Step::Register => {
                if let Ok(handler) = session.register(now, &topic, &Default::default()) {
                    self.expect("register", handler);
                }
            }
            Step::Unregister(id) => {
                if let Some(&handler) = self.procedures.get(id as usize % 4)
                    && session.unregister(now, handler).is_ok()
                {
                    self.expect("unregister", handler);
                }
            }
            Step::Answer(id) => {
                if let Some(&invocation) = self.invocations.get(id as usize % 6) {
                    let answered =
                        session.yield_result(now, invocation, Payload::EMPTY, &YieldOptions::new());
                    let again = session.yield_result(now, invocation, Payload::EMPTY, &YieldOptions::new());
                    assert!(answered.is_err() || again.is_err());
                }
            }
            Step::Leave => {
                let _ = session.leave(now, None);
            }
            Step::Close => session.close(now),
            Step::Wait(tenths) => {
                self.now = now + Duration::from_millis(100 * u64::from(tenths));
                session.handle_timeout(self.now);
            }
            Step::Eof => session.handle_eof(now),
            _ => {}
        }
    }
}

fn run(steps: &[Step], config: ClientConfig) -> World {
    let mut session = idle(config.limits(Limits::default().pending_invocations(3).pending_calls(5)));
    let mut world = World::default();
    for &step in [Step::Join, Step::Welcome].iter().chain(steps) {
        match world.message(step) {
            Some(message) => session.handle_message(world.now, message),
            None => world.command(&mut session, step),
        }
        if let Some(at) = session.poll_timeout() {
            assert!(at > world.now);
        }
        world.drain(&mut session);
    }
    session.handle_eof(world.now);
    world.drain(&mut session);
    assert_eq!((world.closed, session.state()), (1, SessionState::Closed));
    assert_eq!((session.pending_requests(), session.pending_invocations()), (0, 0));
    assert_eq!(session.poll_timeout(), None);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_command_ends_exactly_once(steps in steps(), stay in any::<bool>(), confirm in any::<bool>()) {
        run(&steps, config().stay_attached(stay).confirm_welcome(confirm));
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(steps in steps()) {
        let config = || config().stay_attached(true).authid("joe").ticket("t");
        prop_assert_eq!(run(&steps, config()).log, run(&steps, config()).log);
    }
}
