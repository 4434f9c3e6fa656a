//! A realm: its sessions, its broker and its dealer. Nothing routes from one realm to another.

use std::sync::Arc;

use roadbed_core::error::{PayloadError, ProtocolViolation, ViolationKind, uris};
use roadbed_core::id::{IdSequence, RequestId};
use roadbed_core::message::{Error, Message, MessageType, PassThru, Sender, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

use crate::auth::Authentication;
use crate::broker::Broker;
use crate::config::{PayloadPolicy, RouterConfig};
use crate::dealer::Dealer;
use crate::fanout::Refused;
use crate::ids::Random;
use crate::keys::{QueueKey, SessionKey};
use crate::queue::Outbox;
use crate::session::{Session, SessionInfo};
use crate::slab::Slab;
use crate::stats::count;
use crate::uris::{Names, check};

/// What the parts of a realm share while a message is handled.
pub(crate) struct Context<'r> {
    pub(crate) config: &'r RouterConfig,
    pub(crate) realm: &'r Uri,
    pub(crate) sessions: &'r mut Slab<SessionKey, Session>,
    pub(crate) payloads: PayloadPolicy,
    pub(crate) random: &'r mut Random,
    pub(crate) out: &'r mut Outbox,
}

pub(crate) struct Realm {
    config: Arc<RouterConfig>,
    payloads: PayloadPolicy,
    pub(crate) uri: Uri,
    /// How clients get in.
    pub(crate) authentication: Authentication,
    /// Whether the realm was made on demand, and goes with its last session.
    pub(crate) is_temporary: bool,
    sessions: Slab<SessionKey, Session>,
    random: Random,
    broker: Broker,
    dealer: Dealer,
}

impl Realm {
    pub(crate) fn new(
        config: Arc<RouterConfig>,
        uri: Uri,
        authentication: Authentication,
        is_temporary: bool,
        mut random: Random,
    ) -> Self {
        let hasher = random.hasher();
        Self {
            payloads: config.payloads_of(&uri),
            config,
            uri,
            authentication,
            is_temporary,
            sessions: Slab::new(),
            random,
            broker: Broker::new(hasher),
            dealer: Dealer::new(hasher),
        }
    }

    /// Takes in a session that the gate established. What it is sent goes to `queue`.
    pub(crate) fn attach_joined(&mut self, info: Arc<SessionInfo>, queue: QueueKey) -> SessionKey {
        self.sessions.insert(Session::new(info, queue))
    }

    /// Ends a session: afterwards nothing here mentions it. Others are told what it means for them.
    pub(crate) fn end(&mut self, session: SessionKey, out: &mut Outbox) -> Option<Arc<SessionInfo>> {
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
        let (mut context, broker, dealer) = self.parts(out);
        let context = &mut context;
        match message {
            Message::Call(call) => dealer.call(context, session, call),
            Message::Yield(result) => dealer.result(context, session, result),
            Message::Publish(publish) => broker.publish(context, session, publish),
            Message::Error(error) => dealer.error(context, session, error),
            Message::Cancel(cancel) => {
                dealer.cancel(context, session, &cancel);
                Ok(())
            }
            Message::Subscribe(subscribe) => broker.subscribe(context, session, &subscribe),
            Message::Unsubscribe(unsubscribe) => broker.unsubscribe(context, session, &unsubscribe),
            Message::Register(register) => dealer.register(context, session, &register),
            Message::Unregister(unregister) => dealer.unregister(context, session, &unregister),
            Message::EventReceived(_) | Message::Unknown(_) => {
                count(&mut context.out.counters.ignored_messages);
                Ok(())
            }
            other => match other.message_type() {
                Some(message_type) => {
                    Err(ProtocolViolation::unexpected(message_type, "after the session was established"))
                }
                None => Ok(()),
            },
        }
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
                if message_type == MessageType::Call {
                    dealer.check_fresh(context, session, request)?;
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

    /// Sessions, subscriptions, subscribers, registrations, calls and abandoned invocations.
    pub(crate) fn totals(&self) -> [usize; 6] {
        let (subscriptions, subscribers) = self.broker.totals();
        let [registrations, calls, abandoned] = self.dealer.totals(&self.sessions);
        [self.sessions.len(), subscriptions, subscribers, registrations, calls, abandoned]
    }

    /// Checks that every table agrees with every other.
    pub(crate) fn check(&self) -> Result<(), String> {
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

impl Context<'_> {
    /// Notes the request id of a new request; with `strict_ids` it must follow the one before.
    pub(crate) fn begin_request(
        &mut self,
        session: SessionKey,
        message: MessageType,
        request: RequestId,
    ) -> Result<(), ProtocolViolation> {
        let Some(session) = self.sessions.get_mut(session) else { return Ok(()) };
        let expected = IdSequence::successor(session.last_request.replace(request));
        if self.config.strict_ids && request != expected {
            let kind = ViolationKind::NonSequential { found: request, expected };
            return Err(ProtocolViolation::new(Some(message), kind));
        }
        Ok(())
    }

    /// Checks a URI that a peer sent. `wamp.…` names are the specification's: nobody publishes or
    /// registers them.
    pub(crate) fn check_uri(&self, uri: &Uri, is_reserved_allowed: bool) -> Result<(), String> {
        let names = Names::Resource(self.config.uri_rules);
        check(uri, names, &self.config.limits).map_err(|error| error.to_string())?;
        if !is_reserved_allowed && (*uri == "wamp" || uri.as_str().starts_with("wamp.")) {
            return Err("URIs that begin with wamp are reserved".to_owned());
        }
        Ok(())
    }

    /// Checks that a payload may travel in this realm.
    pub(crate) fn check_payload(&self, payload: &Payload) -> Result<(), PayloadError> {
        match self.payloads {
            PayloadPolicy::Pass => payload.check(),
            PayloadPolicy::Portable => payload.check_portable(),
        }
    }

    /// Queues a reply. One that cannot be carried becomes an ERROR; `Refused` tells why.
    pub(crate) fn reply(&mut self, session: SessionKey, message: impl Into<Message>) -> Result<(), Refused> {
        let Some(session) = self.sessions.get(session) else { return Err(Refused::Closed) };
        self.out.reply(session.queue, message)
    }

    /// Answers a request with ERROR and a text.
    pub(crate) fn refuse(
        &mut self,
        session: SessionKey,
        request_type: MessageType,
        request: RequestId,
        error: &Uri,
        text: &str,
    ) {
        let Some(state) = self.sessions.get(session) else { return };
        let text = text_payload(self.out.serializer(state.queue), text);
        let message =
            |payload| Error { request_type, request, details: Sparse::EMPTY, error: error.clone(), payload };
        // Where even the text is too much, the URI has to do.
        if let Err(Refused::TooLarge { .. }) = self.reply(session, message(text)) {
            let _ = self.reply(session, message(Payload::EMPTY));
        }
    }

    /// Answers a request that the recipient could not be given.
    pub(crate) fn refuse_undelivered(
        &mut self,
        caller: SessionKey,
        request: RequestId,
        what: &str,
        refused: Refused,
    ) {
        let (error, text) = match refused {
            Refused::Full { queued, limit } => {
                count(&mut self.out.counters.calls_unavailable);
                let text = format!("{queued} bytes wait for the callee, the limit output_size is {limit}");
                (&uris::UNAVAILABLE, text)
            }
            Refused::TooLarge { size, limit } => {
                let text = format!("the {what} has {size} bytes, its recipient accepts {limit}");
                (&uris::PAYLOAD_SIZE_EXCEEDED, text)
            }
            Refused::Payload(reason) => (&uris::INVALID_PAYLOAD, format!("the {what}: {reason}")),
            Refused::PayloadKnown => (&uris::INVALID_PAYLOAD, format!("the {what} cannot be carried")),
            Refused::Closed => (&uris::CANCELED, "the callee left".to_owned()),
        };
        self.refuse(caller, MessageType::Call, request, error, &text);
    }

    /// Answers a request over a limit of the session.
    pub(crate) fn refuse_limit(
        &mut self,
        session: SessionKey,
        request_type: MessageType,
        request: RequestId,
        name: &str,
        limit: usize,
    ) {
        let text = format!("the limit {name} is {limit}");
        self.refuse(session, request_type, request, &uris::UNAVAILABLE, &text);
    }
}

/// Sealed payloads were not announced by this router, so nobody may send them to it.
pub(crate) fn check_passthru(message: MessageType, passthru: &PassThru) -> Result<(), ProtocolViolation> {
    let Some(set) = passthru.attributes() else { return Ok(()) };
    let is_ppt = set.ppt_scheme.is_some()
        || set.ppt_serializer.is_some()
        || set.ppt_cipher.is_some()
        || set.ppt_keyid.is_some();
    let is_enc = set.enc_algo.is_some() || set.enc_key.is_some() || set.enc_serializer.is_some();
    let feature = match (is_ppt, is_enc) {
        (true, _) => "payload_passthru_mode",
        (false, true) => "payload_transparency",
        (false, false) => return Ok(()),
    };
    Err(ProtocolViolation::new(Some(message), ViolationKind::NotAnnounced(feature)))
}

/// A payload of one text, for people.
fn text_payload(serializer: Serializer, text: &str) -> Payload {
    Payload::from_args(serializer, &(text,)).unwrap_or(Payload::EMPTY)
}
