//! What the parts of a realm share while a message is handled, and how they answer.

use roadbed_core::error::{PayloadError, ProtocolViolation, uris};
use roadbed_core::id::{RequestId, SessionId};
use roadbed_core::message::{Error, Message, MessageType, Sparse};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

use crate::config::{PayloadPolicy, RouterConfig};
use crate::events::RouterEvent;
use crate::fanout::Refused;
use crate::ids::Random;
use crate::keys::SessionKey;
use crate::queue::Outbox;
use crate::request::{Answering, Denial, Origin, check_payload};
use crate::session::Session;
use crate::slab::Slab;
use crate::stats::count;

pub(crate) struct Context<'r> {
    pub(crate) config: &'r RouterConfig,
    pub(crate) realm: &'r Uri,
    pub(crate) sessions: &'r mut Slab<SessionKey, Session>,
    pub(crate) payloads: PayloadPolicy,
    pub(crate) random: &'r mut Random,
    pub(crate) out: &'r mut Outbox,
}

impl Context<'_> {
    /// Notes the request id of a new request of a session.
    pub(crate) fn begin_request(
        &mut self,
        session: SessionKey,
        message: MessageType,
        request: RequestId,
    ) -> Result<(), ProtocolViolation> {
        let Some(session) = self.sessions.get_mut(session) else { return Ok(()) };
        session.begin(message, request, self.config.strict_ids)
    }

    /// Checks that a payload may travel in this realm.
    pub(crate) fn check_payload(&self, payload: &Payload) -> Result<(), PayloadError> {
        check_payload(self.payloads, payload)
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

    /// Answers a request that is not carried out, or counts it.
    #[cold]
    pub(crate) fn turn_down(&mut self, answering: Answering, denial: &Denial) {
        let Answering { to, kind, is_silent } = answering;
        if is_silent {
            count(&mut self.out.counters.publications_refused);
        }
        let Some((session, request)) = to else { return };
        if !is_silent {
            return self.refuse(session, kind, request, &denial.error, &denial.text);
        }
        if let Some(error) = denial.payload.clone() {
            let publisher = self.sessions.get(session).map(|session| session.info.id);
            let (realm, publication) = (self.realm, self.random.publication());
            self.out.inform(|| RouterEvent::Undeliverable {
                realm: realm.clone(),
                publisher,
                publication,
                error,
            });
        }
    }

    /// Returns the id of the session that asks or asked; `None` for the router.
    pub(crate) fn session_id(&self, origin: &Origin) -> Option<SessionId> {
        match origin {
            Origin::Session { session, .. } => self.sessions.get(*session).map(|session| session.info.id),
            Origin::Former(info) => Some(info.id),
            Origin::Router => None,
        }
    }

    /// Returns why a caller gets an ERROR: `what`, a call or its answer, could not be given to its recipient.
    pub(crate) fn undelivered(&mut self, what: &str, refused: Refused) -> Box<Denial> {
        match refused {
            Refused::Full { queued, limit } => {
                count(&mut self.out.counters.calls_unavailable);
                let text = format!("{queued} bytes wait for the callee, the limit output_size is {limit}");
                Denial::new(&uris::UNAVAILABLE, text)
            }
            Refused::AllFull { queued, limit } => {
                count(&mut self.out.counters.calls_unavailable);
                let text =
                    format!("{queued} bytes wait for all peers, the limit total_output_size is {limit}");
                Denial::new(&uris::UNAVAILABLE, text)
            }
            Refused::TooLarge { size, limit } => {
                let text = format!("the {what} has {size} bytes, its recipient accepts {limit}");
                Denial::new(&uris::PAYLOAD_SIZE_EXCEEDED, text)
            }
            Refused::Payload(reason) => Denial::payload(what, reason),
            Refused::PayloadKnown => {
                Denial::new(&uris::INVALID_PAYLOAD, format!("the {what} cannot be carried"))
            }
            Refused::Closed => Denial::new(&uris::CANCELED, "the callee left"),
        }
    }
}

/// A payload of one text, for people.
fn text_payload(serializer: Serializer, text: &str) -> Payload {
    Payload::from_args(serializer, &(text,)).unwrap_or(Payload::EMPTY)
}
