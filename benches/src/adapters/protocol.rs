//! What the benchmark and the programs that it starts say to each other, a line at a time.
//!
//! A child that serves prints `ready ADDRESS`. A child that loads prints `ready`, and answers every
//! `IN_FLIGHT BYTES MILLIS` with `CALLS MICROS`. All end with their standard input.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// One round of calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Calls that wait for their results at any time.
    pub(crate) in_flight: usize,
    /// Bytes of binary in each call, and in each result.
    pub(crate) bytes: usize,
    /// No call begins after this span.
    pub(crate) span: Duration,
}

/// The child is ready; `what` is its address, if it serves.
pub(crate) fn ready(what: &str) {
    println!("ready {what}");
    std::io::stdout().flush().expect("the parent reads");
}

/// Serves until the parent is gone.
pub(crate) fn until_orphaned() {
    std::io::stdin().lines().for_each(drop);
}

/// Runs the rounds that the parent asks for; `round` returns how many calls were made.
pub(crate) fn run_rounds(mut round: impl FnMut(Load) -> u64) {
    ready("");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the parent writes text");
        let load = parse(&line).unwrap_or_else(|| panic!("no round: {line}"));
        let start = Instant::now();
        let calls = round(load);
        println!("{calls} {}", start.elapsed().as_micros());
        std::io::stdout().flush().expect("the parent reads");
    }
}

fn parse(line: &str) -> Option<Load> {
    let mut numbers = line.split(' ').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (in_flight, bytes, millis) = (next()?, next()?, next()?);
    Some(Load {
        in_flight: usize::try_from(in_flight).ok()?,
        bytes: usize::try_from(bytes).ok()?,
        span: Duration::from_millis(millis),
    })
}
