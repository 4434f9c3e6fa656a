//! What a second core brings a router: threads that serve calls, each with connections of its own.
//!
//! `cargo xtask bench cores` prints, as multiples of what one thread does alone, what two threads do that share
//! nothing; that have a shard each; and that decode for one and the same shard. Then for how long the lock of that
//! shard is held while 64 connections keep it busy. Everything is in memory: the work is decoding, routing, encoding
//! and framing. Rounds of each kind take turns, and medians are compared, but it is wall-clock time: look at it on a
//! quiet machine.

mod traffic;

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use crate::traffic::{Held, Parts, Traffic};

/// How long a round takes.
const ROUND: Duration = Duration::from_millis(400);
const ROUNDS: usize = 9;
/// Connections that keep a shard busy.
const BUSY: usize = 64;

/// How two threads are related.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Alone,
    Apart,
    TwoShards,
    OneShard,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Alone, Self::Apart, Self::TwoShards, Self::OneShard];

    /// The routers' parts that each thread uses, and the realm it uses there.
    fn threads(self) -> Vec<(Arc<Parts>, &'static str)> {
        match self {
            Self::Alone => vec![(Arc::new(Parts::new(1)), "a")],
            Self::Apart => vec![(Arc::new(Parts::new(1)), "a"), (Arc::new(Parts::new(1)), "a")],
            Self::TwoShards => {
                let parts = Arc::new(Parts::new(2));
                vec![(Arc::clone(&parts), "a"), (parts, "b")]
            }
            Self::OneShard => {
                let parts = Arc::new(Parts::new(1));
                vec![(Arc::clone(&parts), "a"), (parts, "a")]
            }
        }
    }
}

/// Calls a second of all threads together, and for how long locks were held.
fn round(kind: Kind, pairs: usize) -> (f64, Held) {
    let threads = kind.threads();
    let barrier = Arc::new(Barrier::new(threads.len()));
    let workers: Vec<_> = threads
        .into_iter()
        .enumerate()
        .map(|(number, (parts, realm))| {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                let mut traffic: Vec<Traffic> =
                    (0..pairs).map(|pair| Traffic::new(&parts, realm, number * pairs + pair)).collect();
                let (mut calls, mut held) = (0_u64, Held::default());
                for traffic in &mut traffic {
                    traffic.turn(&parts, &mut held);
                }
                held = Held::default();
                barrier.wait();
                let start = Instant::now();
                while start.elapsed() < ROUND {
                    for traffic in &mut traffic {
                        calls += traffic.turn(&parts, &mut held);
                    }
                }
                (calls as f64 / start.elapsed().as_secs_f64(), held)
            })
        })
        .collect();
    let mut sum = (0.0, Held::default());
    for worker in workers {
        let (rate, held) = worker.join().expect("the worker ends well");
        sum.0 += rate;
        sum.1.add(held);
    }
    sum
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut rates = Kind::ALL.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (kind, rates) in Kind::ALL.into_iter().zip(&mut rates) {
            rates.push(round(kind, 4).0);
        }
    }
    let [alone, apart, two, one] = rates.map(median);
    println!("calls a second, one thread:       {:.0} k", alone / 1e3);
    println!("two threads that share nothing:   {:.2} ×", apart / alone);
    println!("two threads, a shard each:        {:.2} ×, {:.2} of that", two / alone, two / apart);
    println!("two threads, one shard:           {:.2} ×, {:.2} of that", one / alone, one / apart);
    let rounds: Vec<Held> = (0..ROUNDS).map(|_| round(Kind::OneShard, BUSY / 4).1).collect();
    let of = |pick: fn(&Held) -> Duration| {
        median(rounds.iter().map(|held| pick(held).as_secs_f64() * 1e6).collect())
    };
    println!(
        "lock of a shard, {BUSY} connections: {:.1} µs held at a time (median), 99.9 % below {:.1}, longest {:.1}",
        of(|held| held.quantile(0.5)),
        of(|held| held.quantile(0.999)),
        of(|held| held.quantile(1.0)),
    );
}
