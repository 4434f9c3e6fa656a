//! What can happen in a simulation.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;
use roadbed_testkit::{Carrier, Conditions, Pieces};

/// Topics and procedures to choose from.
pub(crate) const NAMES: u8 = 3;

/// One operation. `client` and `which` choose among what there is; when there is nothing, nothing happens.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Join {
        carrier: Carrier,
        serializer: Serializer,
        network: Network,
    },
    Leave {
        client: u8,
    },
    /// The transport breaks.
    Kill {
        client: u8,
    },
    Subscribe {
        client: u8,
        name: u8,
    },
    Unsubscribe {
        client: u8,
        which: u8,
    },
    Publish {
        client: u8,
        name: u8,
        acknowledge: bool,
        size: u16,
    },
    Register {
        client: u8,
        name: u8,
    },
    Unregister {
        client: u8,
        which: u8,
    },
    Call {
        client: u8,
        name: u8,
        size: u16,
        deadline: Option<u16>,
    },
    Cancel {
        client: u8,
        which: u8,
        mode: CancelMode,
    },
    /// Answers an invocation: with a result, or an error.
    Answer {
        client: u8,
        which: u8,
        is_error: bool,
    },
    /// The application takes no events, or takes them again.
    Deaf {
        client: u8,
        is_deaf: bool,
    },
    Stall {
        client: u8,
        up: bool,
        down: bool,
    },
    Resume {
        client: u8,
    },
    /// The stream to the client ends after some more bytes.
    Cut {
        client: u8,
        after: u16,
    },
    BlackHole {
        client: u8,
    },
    Step {
        steps: u8,
    },
    Wait {
        millis: u16,
    },
}

/// How a client's wires are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Network {
    Perfect,
    Shredding,
    Trickling,
    Slow,
    Jittery,
    Narrow,
}

impl Network {
    pub(crate) fn conditions(self) -> Conditions {
        let ms = Duration::from_millis;
        let conditions = Conditions::new();
        match self {
            Self::Perfect => conditions,
            Self::Shredding => conditions.pieces(Pieces::Random),
            Self::Trickling => conditions.pieces(Pieces::Bytewise).latency(ms(1)),
            Self::Slow => conditions.latency(ms(400)).pieces(Pieces::Coalesced),
            Self::Jittery => conditions.latency(ms(5)).jitter(ms(100)).pieces(Pieces::Random),
            Self::Narrow => conditions.bandwidth(100_000).window(2_000),
        }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let client = || any::<u8>();
    let name = || 0..NAMES;
    let size = || prop_oneof![12 => Just(0_u16), 4 => 1..1_000_u16, 1 => 17_000..24_000_u16];
    let serializer = prop::sample::select(&Serializer::ALL[..]);
    let network = prop::sample::select(vec![
        Network::Perfect,
        Network::Shredding,
        Network::Trickling,
        Network::Slow,
        Network::Jittery,
        Network::Narrow,
    ]);
    let carrier = prop::sample::select(Carrier::ALL);
    let mode = prop::sample::select(vec![CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait]);
    prop_oneof![
        4 => (carrier, serializer, network)
            .prop_map(|(carrier, serializer, network)| Join { carrier, serializer, network }),
        2 => client().prop_map(|client| Leave { client }),
        2 => client().prop_map(|client| Kill { client }),
        6 => (client(), name()).prop_map(|(client, name)| Subscribe { client, name }),
        2 => (client(), any::<u8>()).prop_map(|(client, which)| Unsubscribe { client, which }),
        8 => (client(), name(), any::<bool>(), size())
            .prop_map(|(client, name, acknowledge, size)| Publish { client, name, acknowledge, size }),
        6 => (client(), name()).prop_map(|(client, name)| Register { client, name }),
        2 => (client(), any::<u8>()).prop_map(|(client, which)| Unregister { client, which }),
        12 => (client(), name(), size(), prop::option::weighted(0.2, 1..3_000_u16))
            .prop_map(|(client, name, size, deadline)| Call { client, name, size, deadline }),
        5 => (client(), any::<u8>(), mode).prop_map(|(client, which, mode)| Cancel { client, which, mode }),
        10 => (client(), any::<u8>(), any::<bool>())
            .prop_map(|(client, which, is_error)| Answer { client, which, is_error }),
        1 => (client(), any::<bool>()).prop_map(|(client, is_deaf)| Deaf { client, is_deaf }),
        2 => (client(), any::<bool>(), any::<bool>()).prop_map(|(client, up, down)| Stall { client, up, down }),
        2 => client().prop_map(|client| Resume { client }),
        1 => (client(), 0..2_000_u16).prop_map(|(client, after)| Cut { client, after }),
        1 => client().prop_map(|client| BlackHole { client }),
        8 => (1..40_u8).prop_map(|steps| Step { steps }),
        3 => prop_oneof![4 => 0..100_u16, 1 => 0..20_000_u16].prop_map(|millis| Wait { millis }),
    ]
}

/// What every run begins with, so that there is something to go wrong.
pub(crate) fn beginning() -> Vec<Operation> {
    let carriers = [Carrier::RawSocket, Carrier::WebSocket, Carrier::BatchedDeflate];
    let mut operations: Vec<Operation> = carriers
        .into_iter()
        .zip(Serializer::ALL)
        .map(|(carrier, serializer)| Operation::Join { carrier, serializer, network: Network::Perfect })
        .collect();
    operations.push(Operation::Step { steps: 40 });
    for client in 0..3 {
        operations.push(Operation::Register { client, name: client });
        operations.push(Operation::Subscribe { client, name: client });
    }
    operations
}

/// Up to `count` operations.
pub(crate) fn operations(count: usize) -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..count)
}

/// `count` operations, always the same.
pub(crate) fn fixed(count: usize) -> Vec<Operation> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let strategy = prop::collection::vec(operation(), count);
    strategy.new_tree(&mut runner).expect("operations can be drawn").current()
}
