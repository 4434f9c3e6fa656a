//! All benchmarks, side by side in one run: `cargo xtask bench [--instructions] [FILTER]`.
//!
//! Every row puts several contenders through the same work. They take turns in short rounds, so that
//! whatever else the machine does hits all of them; the fastest round of each counts.
//!
//! With `--instructions` the rows run under valgrind, which counts instructions instead of time: those
//! numbers do not depend on what else the machine does. `ROADBED_BENCH_ITERATIONS=N` runs every row once,
//! for exactly N iterations (of a fan-out: events) behind a short warm-up, for whatever tool looks on.

mod envelope;
mod harness;
mod instructions;
mod messages;
mod network;
mod report;
mod routing;
mod websocket;

use harness::{Bench, ITERATIONS};

fn main() {
    // cargo bench passes `--bench` of its own accord.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (flags, words): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| **flag != "--instructions") {
        eprintln!("unknown option {unknown}; usage: [--instructions] [WORD]...");
        std::process::exit(2);
    }
    let mut benches = all();
    benches.retain(|bench| words.iter().all(|word| bench.title().contains(word)));
    match std::env::var(ITERATIONS) {
        Ok(count) => {
            let count = count.parse().unwrap_or_else(|_| panic!("{ITERATIONS} is no number: {count}"));
            for mut bench in benches {
                let count = bench.iterations(count);
                bench.contenders.iter_mut().for_each(|contender| contender.run(count));
            }
        }
        Err(_) if flags.is_empty() => report::times(benches),
        Err(_) => match instructions::count(&benches, &words) {
            Ok(counts) => report::instructions(&benches, &counts),
            Err(why) => println!("instructions are not counted: {why}"),
        },
    }
}

/// Every row, in the order of the tables.
fn all() -> Vec<Bench> {
    let groups = [envelope::benches(), routing::benches(), websocket::benches()];
    groups.into_iter().flatten().collect()
}
