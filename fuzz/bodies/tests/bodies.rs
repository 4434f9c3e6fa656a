//! Every body over its seeds, and over some changes of them. `fuzz-smoke` runs many more, in release.

use roadbed_fuzz::mutate::{Random, mutate};
use roadbed_fuzz::{TARGETS, corpus};

#[test]
fn seeds_and_some_mutations() {
    for (name, body) in TARGETS {
        let seeds = corpus::seeds(name).expect("every target has seeds");
        for (_, seed) in &seeds {
            body(seed);
        }
        for case in 0..300 {
            let input = mutate(&mut Random::new(0, case), &seeds);
            body(&input);
        }
        body(&[]);
    }
}
