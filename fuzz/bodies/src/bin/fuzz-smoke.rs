//! Runs the fuzz bodies on stable, without coverage: over the seed corpus, then over mutations of it.
//!
//! ```text
//! cargo run --profile fuzz-smoke -p roadbed-fuzz -- [--seconds N] [--seed N] [--target NAME]…
//! cargo run -p roadbed-fuzz -- --target NAME --replay FILE
//! ```
//! `--seconds` (2) is for each target. A run repeats with the same seed. A failing input is shrunk, shown in hex
//! and kept in `fuzz/artifacts`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use roadbed_fuzz::mutate::{Random, mutate, shrink};
use roadbed_fuzz::{Body, TARGETS, corpus, target};

/// How long one input may take.
const TOO_LONG: Duration = Duration::from_secs(20);
/// Runs to make a failing input smaller.
const SHRINKING: usize = 5_000;
/// The stack of a thread that is not told otherwise.
const STACK: usize = 2 << 20;

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() -> ExitCode {
    let asked = match Asked::parse(env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("fuzz-smoke: {why}");
            return ExitCode::from(2);
        }
    };
    panic::set_hook(Box::new(|info| PANIC.with_borrow_mut(|text| *text = info.to_string())));
    let worker = thread::Builder::new().stack_size(STACK).spawn(move || asked.run());
    match worker.map(thread::JoinHandle::join) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The command line.
struct Asked {
    time: Duration,
    seed: u64,
    targets: Vec<(&'static str, Body)>,
    replay: Option<PathBuf>,
}

impl Asked {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self { time: Duration::from_secs(2), seed: 1, targets: Vec::new(), replay: None };
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
            let number = || value.parse().map_err(|_| format!("not a number: {value}"));
            match &*argument {
                "--seconds" => asked.time = Duration::from_secs(number()?),
                "--seed" => asked.seed = number()?,
                "--replay" => asked.replay = Some(value.into()),
                "--target" => {
                    let known = TARGETS.iter().find(|(name, _)| **name == *value);
                    asked.targets.push(*known.ok_or_else(|| format!("no target {value}"))?);
                }
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        if asked.targets.is_empty() {
            asked.targets = TARGETS.to_vec();
        }
        Ok(asked)
    }

    fn run(&self) -> bool {
        if let Some(path) = &self.replay {
            return self.replay(path);
        }
        println!("seed {}", self.seed);
        let watched = Watched::start();
        let results = self.targets.iter().map(|&(name, body)| self.hunt(name, body, &watched));
        results.filter(|is_good| !is_good).count() == 0
    }

    /// Runs one input, with the panic as everybody knows it.
    fn replay(&self, path: &PathBuf) -> bool {
        let folder = path.parent().and_then(|folder| folder.file_name()?.to_str());
        let named = folder.and_then(|name| Some((name, target(name)?)));
        let &(name, body) = match (self.targets.as_slice(), &named) {
            ([only], _) => only,
            (_, Some(named)) => named,
            _ => {
                eprintln!("which target? --target NAME");
                return false;
            }
        };
        let input = match fs::read(path) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return false;
            }
        };
        println!("{name}: {} bytes", input.len());
        let _ours = panic::take_hook();
        body(&input);
        println!("{name}: good");
        true
    }

    /// The corpus, then mutations until the time is over.
    fn hunt(&self, name: &'static str, body: Body, watched: &Watched) -> bool {
        let seeds = match corpus::seeds(name) {
            Ok(seeds) => seeds,
            Err(error) => {
                eprintln!("{name}: no seeds: {error}");
                return false;
            }
        };
        let start = Instant::now();
        for (_, seed) in &seeds {
            if !self.is_good(name, body, seed, watched) {
                return false;
            }
        }
        let mut cases = 0;
        while start.elapsed() < self.time {
            let input = mutate(&mut Random::new(self.seed, cases), &seeds);
            if !self.is_good(name, body, &input, watched) {
                return false;
            }
            cases += 1;
        }
        let rate = cases as f64 / start.elapsed().as_secs_f64();
        println!("{name:<18} {:>3} seeds, {cases:>8} cases, {rate:>8.0}/s", seeds.len());
        true
    }

    fn is_good(&self, name: &'static str, body: Body, input: &[u8], watched: &Watched) -> bool {
        watched.begin(name, input);
        let is_good = !fails(body, input);
        watched.end();
        if !is_good {
            println!("{name}: FAILED (seed {})\n{}", self.seed, PANIC.take());
            report(name, &shrink(input, SHRINKING, |smaller| fails(body, smaller)), "smoke");
        }
        is_good
    }
}

fn fails(body: Body, input: &[u8]) -> bool {
    panic::catch_unwind(|| body(input)).is_err()
}

/// Keeps a failing input, and shows it.
fn report(name: &str, input: &[u8], kind: &str) {
    let hex: String = input.iter().take(1024).map(|byte| format!("{byte:02x}")).collect();
    println!("{} bytes: {hex}\n{}", input.len(), input.escape_ascii());
    match corpus::keep(name, kind, input) {
        Ok(path) => println!("kept; to repeat: cargo run -p roadbed-fuzz -- --replay {}", path.display()),
        Err(error) => eprintln!("cannot keep it: {error}"),
    }
}

/// The input that runs now, and since when. A thread looks at it, since what hangs cannot say so.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Option<Running>>>);

type Running = (Instant, &'static str, Vec<u8>);

impl Watched {
    fn start() -> Self {
        let watched = Self::default();
        let looked_at = watched.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(1));
                let current = looked_at.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((since, name, input)) = &*current
                    && since.elapsed() > TOO_LONG
                {
                    println!("{name}: FAILED: no end after {TOO_LONG:?}");
                    report(name, input, "hang");
                    process::exit(1);
                }
            }
        });
        watched
    }

    fn begin(&self, name: &'static str, input: &[u8]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), name, input.to_vec()));
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
