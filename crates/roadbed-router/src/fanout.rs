//! What stands between a message and a queue: its encoding for each recipient, and why there may be none.

use bytes::BytesMut;
use roadbed_core::error::PayloadError;
use roadbed_core::message::Event;
use roadbed_core::serializer::{Encoded, Outbound, Serializer};

/// Why a message was not queued.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The queue is over its budget.
    Full { queued: usize, limit: usize },
    /// All queues together are over theirs, and this one holds more than its share.
    AllFull { queued: usize, limit: usize },
    /// The message is larger than the peer accepts.
    TooLarge { size: usize, limit: usize },
    /// The payload cannot be carried to the peer's serializer.
    Payload(PayloadError),
    /// The same, as an earlier receiver of this event has shown.
    PayloadKnown,
    /// The peer is being closed.
    Closed,
}

/// An event on its way to many receivers.
pub(crate) struct Fanout {
    outbound: Outbound,
    /// The serializers that cannot carry the payload: finding that out costs a look at all of it, and
    /// is done once.
    unfit: [bool; Serializer::ALL.len()],
    /// What has been found too large, by serializer: the size that was reached, and the limit it is over. Transcoding
    /// up to a limit costs as much as the limit, and is not done for each of many receivers that have the same.
    too_large: [Option<(usize, usize)>; Serializer::ALL.len()],
    /// How often an encoding was asked for.
    #[cfg(test)]
    tries: usize,
}

impl Fanout {
    pub(crate) fn new(event: Event) -> Self {
        Self {
            outbound: Outbound::new(event),
            unfit: Default::default(),
            too_large: Default::default(),
            #[cfg(test)]
            tries: 0,
        }
    }

    pub(crate) fn encode(
        &mut self,
        serializer: Serializer,
        limit: usize,
        arena: &mut BytesMut,
    ) -> Result<Encoded, Refused> {
        let unfit = self.unfit.get_mut(serializer as usize);
        if unfit.as_deref() == Some(&true) {
            return Err(Refused::PayloadKnown);
        }
        let too_large = self.too_large.get_mut(serializer as usize);
        if let Some(&mut Some((size, known))) = too_large
            && limit <= known
        {
            return Err(Refused::TooLarge { size, limit });
        }
        #[cfg(test)]
        {
            self.tries += 1;
        }
        self.outbound.encode_within(serializer, limit, arena).map_err(|error| match error {
            // Others may accept more.
            PayloadError::TooLarge { size, limit } => {
                if let Some(known) = too_large {
                    *known = Some((size, limit));
                }
                Refused::TooLarge { size, limit }
            }
            error => {
                if let Some(unfit) = unfit {
                    *unfit = true;
                }
                Refused::Payload(error)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use roadbed_core::id::{PublicationId, SubscriptionId};
    use roadbed_core::message::Sparse;
    use roadbed_core::payload::Payload;

    use super::*;

    #[test]
    fn what_is_too_large_for_many_is_found_out_once() {
        let payload = Payload::from_args(Serializer::MsgPack, &("x".repeat(100_000),)).unwrap();
        let (subscription, publication) = (SubscriptionId::new(1).unwrap(), PublicationId::new(1).unwrap());
        let mut event = Fanout::new(Event { subscription, publication, details: Sparse::EMPTY, payload });
        let mut arena = BytesMut::new();
        for limit in [4096, 4096, 512, 65_536, 4096, 65_536] {
            let refused = event.encode(Serializer::Json, limit, &mut arena).unwrap_err();
            assert!(matches!(refused, Refused::TooLarge { size, limit: of } if size > limit && of == limit));
        }
        // The first limit, and the one above it.
        assert_eq!(event.tries, 2);
        event.encode(Serializer::Json, 200_000, &mut arena).unwrap();
        event.encode(Serializer::MsgPack, 200_000, &mut arena).unwrap();
        event.encode(Serializer::Cbor, 4096, &mut arena).unwrap_err();
    }
}
