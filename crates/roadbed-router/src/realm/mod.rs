//! A realm: its sessions, its broker and its dealer. Nothing routes from one realm to another.

mod deciding;
mod publishing;
mod waiting;

use std::sync::Arc;

use roadbed_core::error::{ProtocolViolation, uris};
use roadbed_core::id::RequestId;
use roadbed_core::message::{Message, MessageType, Sender};
use roadbed_core::uri::Uri;

use crate::authorizer::Authorizer;
use crate::broker::Broker;
use crate::config::{PayloadPolicy, RealmConfig, RouterConfig};
use crate::context::Context;
use crate::dealer::Dealer;
use crate::identity::SessionInfo;
use crate::ids::Random;
use crate::keys::{QuestionKey, QueueKey, RealmKey, SessionKey};
use crate::names::ShardId;
use crate::parking::Waiting;
use crate::queue::Outbox;
use crate::request::{Action, Origin, Release, Request};
use crate::session::Session;
use crate::slab::Slab;
use crate::stats::count;
use crate::verdicts::Verdicts;

pub(crate) struct Realm {
    /// Where it is: its shard, and its own key there.
    shard: ShardId,
    key: RealmKey,
    config: Arc<RouterConfig>,
    payloads: PayloadPolicy,
    pub(crate) uri: Uri,
    /// Who decides on requests, if there is one.
    authorizer: Option<Arc<dyn Authorizer>>,
    /// Whether the realm goes with its last session: it was made on demand, or is taken away.
    pub(crate) is_temporary: bool,
    sessions: Slab<SessionKey, Session>,
    /// The sessions whose requests the driver decides on.
    questions: Slab<QuestionKey, SessionKey>,
    /// What was said for whole roles.
    verdicts: Verdicts,
    random: Random,
    broker: Broker,
    dealer: Dealer,
}

impl Realm {
    pub(crate) fn new(
        shard: ShardId,
        key: RealmKey,
        config: Arc<RouterConfig>,
        realm: &RealmConfig,
        is_temporary: bool,
        mut random: Random,
    ) -> Self {
        let hasher = random.hasher();
        let verdicts = Verdicts::new(hasher, config.limits.kept_verdicts);
        Self {
            shard,
            key,
            payloads: realm.payloads.unwrap_or(config.payloads),
            authorizer: realm.authorizer.as_ref().or(config.authorizer.as_ref()).cloned(),
            config,
            uri: realm.uri.clone(),
            is_temporary,
            sessions: Slab::new(),
            questions: Slab::new(),
            verdicts,
            random,
            broker: Broker::new(hasher),
            dealer: Dealer::new(hasher),
        }
    }

    /// A realm that was made on demand is listed now, with this configuration.
    pub(crate) fn list(&mut self, realm: &RealmConfig) {
        self.payloads = realm.payloads.unwrap_or(self.config.payloads);
        self.authorizer = realm.authorizer.as_ref().or(self.config.authorizer.as_ref()).cloned();
        self.forget_verdicts();
        self.is_temporary = false;
    }

    /// Takes in a session that was let in. What it is sent goes to `queue`.
    pub(crate) fn attach_joined(&mut self, info: Arc<SessionInfo>, queue: QueueKey) -> SessionKey {
        self.sessions.insert(Session::new(info, queue))
    }

    /// Ends a session: afterwards nothing here mentions it. Others are told what it means for them.
    pub(crate) fn end(&mut self, session: SessionKey, out: &mut Outbox) -> Option<Arc<SessionInfo>> {
        self.drop_waiting(session, out);
        let (mut context, broker, dealer) = self.parts(out);
        dealer.leave(&mut context, session);
        broker.leave(&mut context, session);
        let ended = self.sessions.remove(session);
        ended.map(|session| session.info)
    }

    /// A message of a joined session, GOODBYE and ABORT apart.
    pub(crate) fn handle_message(
        &mut self,
        session: SessionKey,
        message: Message,
        out: &mut Outbox,
    ) -> Result<(), ProtocolViolation> {
        let (id, request) = match message {
            Message::Call(call) => (call.request, Request::call(session, call)),
            Message::Publish(publish) => (publish.request, Request::publish(session, publish)),
            Message::Subscribe(subscribe) => (subscribe.request, Request::subscribe(session, subscribe)),
            Message::Register(register) => (register.request, Request::register(session, register)),
            Message::Yield(result) => {
                let (mut context, _, dealer) = self.parts(out);
                return dealer.result(&mut context, session, result);
            }
            Message::Error(error) => {
                let (mut context, _, dealer) = self.parts(out);
                return dealer.error(&mut context, session, error);
            }
            Message::Cancel(cancel) => {
                if !self.cancel_waiting(session, cancel.request, out) {
                    let (mut context, _, dealer) = self.parts(out);
                    dealer.cancel(&mut context, session, &cancel);
                }
                return Ok(());
            }
            Message::Unsubscribe(message) => {
                let (request, subscription) = (message.request, message.subscription);
                return self.release(session, Release::Unsubscribe { request, subscription }, out);
            }
            Message::Unregister(message) => {
                let (request, registration) = (message.request, message.registration);
                return self.release(session, Release::Unregister { request, registration }, out);
            }
            Message::EventReceived(_) | Message::Unknown(_) => {
                count(&mut out.counters.ignored_messages);
                return Ok(());
            }
            other => {
                let state = "after the session was established";
                let violation = |message_type| ProtocolViolation::unexpected(message_type, state);
                return other.message_type().map_or(Ok(()), |message_type| Err(violation(message_type)));
            }
        };
        self.request(session, id, request, out)
    }

    /// The three steps of a request: it is admitted, authorized and committed.
    #[inline(always)]
    fn request(
        &mut self,
        session: SessionKey,
        id: RequestId,
        request: Request,
        out: &mut Outbox,
    ) -> Result<(), ProtocolViolation> {
        let is_guarded = self.authorizer.is_some();
        let (mut context, broker, dealer) = self.parts(out);
        match context.admit(session, id, &request)? {
            Err(denial) => context.turn_down(request.answering(), &denial),
            Ok(()) if is_guarded => self.authorize_in_turn(session, request, out),
            Ok(()) => commit(&mut context, broker, dealer, request),
        }
        Ok(())
    }

    /// UNSUBSCRIBE or UNREGISTER: admitted, and committed.
    fn release(
        &mut self,
        session: SessionKey,
        release: Release,
        out: &mut Outbox,
    ) -> Result<(), ProtocolViolation> {
        let (kind, request) = release.request();
        let (mut context, broker, dealer) = self.parts(out);
        context.begin_request(session, kind, request)?;
        if context.sessions.get(session).is_some_and(|session| session.parked.is_some()) {
            self.wait(session, Waiting::Release(release), out);
        } else {
            commit_release(&mut context, broker, dealer, session, release);
        }
        Ok(())
    }

    /// A message that could not be read to its end, as an option or a URI in it is unsuitable. It costs one request;
    /// a violation that costs more is returned.
    pub(crate) fn handle_unreadable(
        &mut self,
        session: SessionKey,
        violation: ProtocolViolation,
        out: &mut Outbox,
    ) -> Result<(), ProtocolViolation> {
        let (mut context, _, dealer) = self.parts(out);
        let context = &mut context;
        let (Some(message_type), Some(request)) = (violation.message(), violation.request()) else {
            return Err(violation);
        };
        let is_uri = matches!(violation.element(), Some("topic" | "procedure" | "error"));
        let error = if is_uri { &uris::INVALID_URI } else { &uris::INVALID_ARGUMENT };
        match message_type {
            MessageType::Yield => dealer.unreadable_answer(context, session, &violation, request, error),
            MessageType::Error if violation.request_type() == Some(MessageType::Invocation) => {
                dealer.unreadable_answer(context, session, &violation, request, error)
            }
            MessageType::Cancel => {
                count(&mut context.out.counters.ignored_messages);
                Ok(())
            }
            _ if message_type.sender() != Sender::Client || !message_type.is_answered_by_error() => {
                Err(violation)
            }
            _ => {
                context.begin_request(session, message_type, request)?;
                if message_type == MessageType::Call
                    && let Some(session) = context.sessions.get(session)
                {
                    session.check_fresh(request)?;
                }
                if violation.is_answered() {
                    context.refuse(session, message_type, request, error, &violation.to_string());
                } else {
                    // A publication that asked for no acknowledgement.
                    count(&mut context.out.counters.publications_refused);
                }
                Ok(())
            }
        }
    }

    /// Answers a request with ERROR, whatever it asks for.
    pub(crate) fn refuse(
        &mut self,
        session: SessionKey,
        message_type: MessageType,
        request: RequestId,
        error: &Uri,
        text: &str,
        out: &mut Outbox,
    ) {
        let (mut context, ..) = self.parts(out);
        // One that is out of order is refused all the same.
        let _ = context.begin_request(session, message_type, request);
        context.refuse(session, message_type, request, error, text);
    }

    /// Whether calls of a session wait for an answer, made by it or to be answered by it.
    pub(crate) fn has_calls(&self, session: SessionKey) -> bool {
        let session = self.sessions.get(session);
        session
            .is_some_and(|session| !session.calls.is_empty() || session.invocations.len() > session.abandoned)
    }

    /// Answers the calls that a session waits for with this error.
    pub(crate) fn give_up_calls(&mut self, session: SessionKey, error: &Uri, text: &str, out: &mut Outbox) {
        let (mut context, _, dealer) = self.parts(out);
        dealer.give_up_calls(&mut context, session, error, text);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(crate) fn session(&self, session: SessionKey) -> Option<&Arc<SessionInfo>> {
        self.sessions.get(session).map(|session| &session.info)
    }

    /// Sessions, subscriptions, subscribers, registrations, calls, abandoned invocations, open questions, and requests
    /// that wait.
    pub(crate) fn totals(&self) -> [usize; 8] {
        let (subscriptions, subscribers) = self.broker.totals();
        let [registrations, calls, abandoned] = self.dealer.totals(&self.sessions);
        let parked = self.questions.iter().filter_map(|(_, &key)| self.sessions.get(key)?.parked.as_ref());
        let waiting = parked.map(|parked| parked.len()).fold(0, usize::saturating_add);
        let (sessions, questions) = (self.sessions.len(), self.questions.len());
        [sessions, subscriptions, subscribers, registrations, calls, abandoned, questions, waiting]
    }

    /// Checks that every table agrees with every other.
    pub(crate) fn check(&self, out: &Outbox) -> Result<(), String> {
        self.check_waiting(out)?;
        self.verdicts.check()?;
        self.broker.check(&self.sessions)?;
        self.dealer.check(&self.sessions)
    }

    fn parts<'r>(&'r mut self, out: &'r mut Outbox) -> (Context<'r>, &'r mut Broker, &'r mut Dealer) {
        let context = Context {
            config: &self.config,
            payloads: self.payloads,
            realm: &self.uri,
            sessions: &mut self.sessions,
            random: &mut self.random,
            out,
        };
        (context, &mut self.broker, &mut self.dealer)
    }
}

/// The last step of a request.
#[inline(always)]
fn commit(context: &mut Context<'_>, broker: &mut Broker, dealer: &mut Dealer, request: Request) {
    let answering = request.answering();
    let Request { origin, uri, action, payload } = request;
    let done = match (action, &origin) {
        (Action::Publish(options), _) => {
            broker.publish(context, &origin, options, &uri, payload).map(|_publication| ())
        }
        (Action::Call(_), &Origin::Session { session, request }) => {
            dealer.call(context, session, request, &uri, payload)
        }
        (Action::Subscribe(_), &Origin::Session { session, request }) => {
            broker.subscribe(context, session, request, &uri)
        }
        (Action::Register(_), &Origin::Session { session, request }) => {
            dealer.register(context, session, request, &uri)
        }
        // Only sessions can call, subscribe and register.
        _ => Ok(()),
    };
    if let Err(denial) = done {
        context.turn_down(answering, &denial);
    }
}

fn commit_release(
    context: &mut Context<'_>,
    broker: &mut Broker,
    dealer: &mut Dealer,
    session: SessionKey,
    release: Release,
) {
    let done = match release {
        Release::Unsubscribe { request, subscription } => {
            broker.unsubscribe(context, session, request, subscription)
        }
        Release::Unregister { request, registration } => {
            dealer.unregister(context, session, request, registration)
        }
    };
    if let Err(denial) = done {
        let (kind, request) = release.request();
        context.refuse(session, kind, request, &denial.error, &denial.text);
    }
}
