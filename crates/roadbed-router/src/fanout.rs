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
}

impl Fanout {
    pub(crate) fn new(event: Event) -> Self {
        Self { outbound: Outbound::new(event), unfit: Default::default() }
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
        self.outbound.encode_within(serializer, limit, arena).map_err(|error| match error {
            // Others may accept more.
            PayloadError::TooLarge { size, limit } => Refused::TooLarge { size, limit },
            error => {
                if let Some(unfit) = unfit {
                    *unfit = true;
                }
                Refused::Payload(error)
            }
        })
    }
}
