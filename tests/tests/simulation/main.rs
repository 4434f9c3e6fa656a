//! Clients, a router and a bad network under fake time: random operations, checked step by step.
//!
//! `ROADBED_SIMULATION_CASES=20000 cargo test --release -p roadbed-tests --test simulation` looks longer.
//! A failure prints the seed and the operations, as few as can be found that still fail.

mod app;
mod calm;
mod operation;
mod wild;

use proptest::prelude::*;

use crate::operation::{Operation, operations};

/// How many cases to run: few by default, as many as the environment says.
fn cases(quick: u32) -> ProptestConfig {
    let cases = std::env::var("ROADBED_SIMULATION_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(quick),
        max_shrink_iters: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(96))]

    /// On a bad network nobody knows what the router sees when. What must not happen, must not happen.
    #[test]
    fn whatever_the_network_does(seed: u64, small: bool, operations in operations(120)) {
        wild::run(seed, small, &operations);
    }

    /// When everybody waits for everything, what happens is what a naive model says.
    #[test]
    fn every_step_does_what_the_model_says(seed: u64, operations in operations(60)) {
        calm::run(seed, &operations);
    }
}

/// The same seed and operations give the same bytes and events.
#[test]
fn a_run_can_be_repeated() {
    let operations: Vec<Operation> = operation::fixed(300);
    for small in [false, true] {
        let (first, second) = (wild::run(7, small, &operations), wild::run(7, small, &operations));
        assert_eq!(first.first_difference(&second), None);
        assert_ne!(first.digest(), wild::run(8, small, &operations).digest());
    }
}
