//! The publisher: PUBLISH and its acknowledgement.

use super::pending::Request;
use super::plan::{Plan, check_room, check_uri};
use super::{Session, SessionEvent};
use crate::error::{CommandError, ProtocolViolation};
use crate::id::PublishId;
use crate::message::{MessageType, Publish, Published};
use crate::options::PublishOptions;
use crate::payload::Payload;
use crate::role::Role;
use crate::time::Timestamp;
use crate::uri::{MatchPolicy, Uri};

impl Session {
    /// Publishes an event. With `acknowledge` in the options it returns a handle, and exactly one
    /// [`SessionEvent::Published`] follows; without, nothing more is heard of it, errors included.
    ///
    /// # Errors
    /// [`CommandError`]; no id was used then.
    pub fn publish(
        &mut self,
        now: Timestamp,
        topic: &Uri,
        payload: Payload,
        options: &PublishOptions,
    ) -> Result<Option<PublishId>, CommandError> {
        self.observe(now);
        let plan = self.plan_publish(topic, payload, options)?;
        let id = self.enact(plan);
        Ok(self.publish_handle(options, id))
    }

    pub(crate) fn publish_handle(
        &self,
        options: &PublishOptions,
        id: crate::id::RequestId,
    ) -> Option<PublishId> {
        (options.acknowledge == Some(true)).then(|| PublishId::new(self.epoch, id))
    }

    pub(crate) fn plan_publish(
        &self,
        topic: &Uri,
        payload: Payload,
        options: &PublishOptions,
    ) -> Result<Plan, CommandError> {
        self.require(Role::Publisher, Role::Broker)?;
        check_uri(topic, MatchPolicy::Exact)?;
        self.check_passthru(Role::Publisher, Role::Broker, &options.passthru)?;
        let awaited = (options.acknowledge == Some(true)).then_some(Request::Publish);
        if awaited.is_some() {
            let (count, limit) =
                (self.pending.counts().publications, self.config.limits.pending_publications);
            check_room("publications", count, limit)?;
        }
        let request = self.pending.next_id();
        let message = Publish { request, options: options.clone().into(), topic: topic.clone(), payload };
        Ok(Plan::request(request, message, awaited))
    }

    pub(super) fn on_published(&mut self, published: &Published) -> Result<(), ProtocolViolation> {
        let Published { request, publication } = *published;
        match self.pending.answer(MessageType::Published, MessageType::Publish, request)? {
            Some(_) => {
                let publish = PublishId::new(self.epoch, request);
                self.events.push_back(SessionEvent::Published { publish, result: Ok(publication) });
            }
            None => self.count_late(),
        }
        Ok(())
    }
}
