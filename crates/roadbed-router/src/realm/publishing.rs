//! Publications that no session makes.

use roadbed_core::error::uris;
use roadbed_core::id::PublicationId;
use roadbed_core::message::Sparse;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::uri::Uri;

use super::Realm;
use crate::queue::Outbox;
use crate::request::{Action, Denial, Origin, check_content};

impl Realm {
    /// Publishes for one who has no session here. Nobody is asked whether that is allowed.
    pub(crate) fn publish(
        &mut self,
        origin: &Origin,
        topic: &Uri,
        options: Sparse<PublishOptions>,
        payload: Payload,
        out: &mut Outbox,
    ) -> Result<PublicationId, Box<Denial>> {
        let action = Action::Publish(options);
        match check_content(&self.config, self.payloads, &action, topic, &payload) {
            Ok(checked) => checked?,
            Err(violation) => return Err(Denial::new(&uris::OPTION_NOT_ALLOWED, violation.to_string())),
        }
        let (mut context, broker, _) = self.parts(out);
        match action {
            Action::Publish(options) => broker.publish(&mut context, origin, options, topic, payload),
            _ => Err(Denial::new(&uris::OPTION_NOT_ALLOWED, "not a publication")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roadbed_core::id::SessionId;
    use roadbed_core::role::Roles;
    use roadbed_core::serializer::Serializer;
    use roadbed_core::time::Timestamp;

    use super::*;
    use crate::auth::Authentication;
    use crate::config::{RealmConfig, RouterConfig};
    use crate::events::{Outgoing, RouterEvent};
    use crate::identity::SessionInfo;
    use crate::ids::Random;
    use crate::keys::{PeerKey, RealmKey, SeatKey, SessionKey};
    use crate::names::{PeerId, ShardId};
    use crate::slab::Slab;

    fn join(realm: &mut Realm, peers: &mut Slab<PeerKey, ()>, out: &mut Outbox, id: u64) -> SessionKey {
        let peer = PeerId(peers.insert(()));
        let serializer = if id == 1 { Serializer::Json } else { Serializer::Cbor };
        let seat = Slab::<SeatKey, ()>::new().insert(());
        let queue = out.open(peer, seat, serializer, 1 << 20);
        let info = SessionInfo {
            id: SessionId::new(id).unwrap(),
            peer,
            realm: realm.uri.clone(),
            authid: "joe".into(),
            authrole: "guest".into(),
            authmethod: "anonymous".into(),
            authprovider: "static".into(),
            agent: None,
            roles: Roles::NONE,
        };
        realm.attach_joined(Arc::new(info), queue)
    }

    /// What is published for a session that has ended comes from it, and nobody is left out for its sake.
    #[test]
    fn a_session_that_has_ended_may_leave_something_to_be_published() {
        let config = RouterConfig::new().into_shared();
        let key = Slab::<RealmKey, ()>::new().insert(());
        let listed = RealmConfig::new(Uri::from_static("realm1"), Authentication::new());
        let random = Random::new([1; 32]);
        let mut realm = Realm::new(ShardId::default(), key, config, &listed, false, random);
        let mut out = Outbox::new(usize::MAX, usize::MAX, Timestamp::ZERO);
        let mut peers = Slab::new();
        let sessions = [1, 2].map(|id| join(&mut realm, &mut peers, &mut out, id));
        let former = join(&mut realm, &mut peers, &mut out, 3);
        let (mut context, broker, _) = realm.parts(&mut out);
        let topic = Uri::from_static("com.example.t");
        for session in sessions {
            broker.subscribe(&mut context, session, roadbed_core::id::RequestId::MIN, &topic).unwrap();
        }
        let queues = sessions.map(|session| context.sessions.get(session).unwrap().queue);
        for queue in queues {
            assert!(out.poll(queue).is_some(), "SUBSCRIBED");
        }
        let origin = Origin::Former(realm.end(former, &mut out).unwrap());
        // JSON has no counterpart for a number as a key.
        let args = bytes::Bytes::from_static(&[0x81, 0xa1, 1, 2]);
        let payload = Payload::from_raw(Serializer::Cbor, Some(args), None, 64).unwrap();
        let publication = realm.publish(&origin, &topic, Sparse::EMPTY, payload.clone(), &mut out).unwrap();
        assert!(matches!(out.poll(queues[1]), Some(Outgoing::Message(_))));
        assert!(out.poll(queues[0]).is_none());
        let Some(RouterEvent::Undeliverable { publisher, publication: told, .. }) = out.events.pop_front()
        else {
            panic!("nobody was told")
        };
        assert_eq!((publisher.map(SessionId::get), told), (Some(3), publication));
        // An acknowledgement has nobody to go to; that all receive it, or none, it still means.
        let mut options = PublishOptions::new().acknowledge(true);
        let denial = realm.publish(&origin, &topic, options.clone().into(), payload, &mut out).unwrap_err();
        assert_eq!(denial.error, uris::INVALID_PAYLOAD);
        options.exclude = Some(vec![SessionId::new(2).unwrap()]);
        realm.publish(&origin, &topic, options.into(), Payload::EMPTY, &mut out).unwrap();
        assert!(out.poll(queues[1]).is_none());
        assert!(matches!(out.poll(queues[0]), Some(Outgoing::Message(_))));
    }
}
