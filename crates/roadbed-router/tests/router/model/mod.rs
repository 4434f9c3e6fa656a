//! Random operations of several peers, against a model that does the same by looking through lists.
//!
//! One name is decided on by the driver, sooner or later.
//!
//! After every operation each peer has received exactly what the model says, in the same order; the
//! router's tables agree with each other; and when everybody has left, nothing is left.

mod run;
mod state;

use proptest::prelude::*;
use roadbed_core::options::CancelMode;
use roadbed_router::PeerId;

use run::Run;

const PEERS: usize = 5;
/// Topics, and procedures.
const NAMES: usize = 4;
/// Requests that may wait for a decision.
const BACKLOG: usize = 4;

/// Whether the driver decides on what is asked of this topic or procedure.
const fn is_asked(name: usize) -> bool {
    name + 1 == NAMES
}

#[derive(Clone, Debug)]
enum Op {
    Join {
        is_interruptible: bool,
        serializer: usize,
    },
    Goodbye,
    Lose,
    Violate,
    Subscribe(usize),
    Unsubscribe(usize),
    Publish {
        topic: usize,
        is_acknowledged: bool,
        includes_me: bool,
    },
    Register(usize),
    Unregister(usize),
    Call(usize),
    /// Answers one of the invocations received so far, perhaps one that ended.
    Answer {
        choice: prop::sample::Index,
        is_error: bool,
    },
    /// Decides on the request that a session waits for, if it does.
    Decide {
        is_allowed: bool,
    },
    /// Cancels one of the calls made so far, perhaps one that ended.
    Cancel {
        choice: prop::sample::Index,
        mode: Option<CancelMode>,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES;
    let mode = prop_oneof![
        Just(None),
        Just(Some(CancelMode::Skip)),
        Just(Some(CancelMode::Kill)),
        Just(Some(CancelMode::KillNoWait)),
    ];
    prop_oneof![
        6 => (any::<bool>(), 0..3_usize)
            .prop_map(|(is_interruptible, serializer)| Op::Join { is_interruptible, serializer }),
        2 => Just(Op::Goodbye),
        1 => Just(Op::Lose),
        1 => Just(Op::Violate),
        4 => name.clone().prop_map(Op::Subscribe),
        2 => name.clone().prop_map(Op::Unsubscribe),
        6 => (name.clone(), any::<bool>(), any::<bool>()).prop_map(|(topic, is_acknowledged, includes_me)| {
            Op::Publish { topic, is_acknowledged, includes_me }
        }),
        6 => name.clone().prop_map(Op::Register),
        2 => name.clone().prop_map(Op::Unregister),
        12 => name.prop_map(Op::Call),
        9 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(choice, is_error)| Op::Answer { choice, is_error }),
        8 => (0..4).prop_map(|choice| Op::Decide { is_allowed: choice > 0 }),
        5 => (any::<prop::sample::Index>(), mode).prop_map(|(choice, mode)| Op::Cancel { choice, mode }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_router_does_what_the_model_does(ops in prop::collection::vec((0..PEERS, op()), 1..150)) {
        let mut run = Run::new();
        for (who, op) in &ops {
            run.step(*who, op);
            run.compare();
        }
        let peers: Vec<PeerId> = run.peers.iter().flatten().copied().collect();
        run.net.end(&peers);
    }

    /// The same without looking at any output: queues fill up, and still everything is freed.
    #[test]
    fn nothing_is_left_when_nobody_reads(ops in prop::collection::vec((0..PEERS, op()), 1..150)) {
        let mut run = Run::new();
        for (who, op) in &ops {
            run.step(*who, op);
        }
        let peers: Vec<PeerId> = run.peers.iter().flatten().copied().collect();
        run.net.end(&peers);
    }
}
