//! Rounds in turn, and the table.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::child::Pair;
use crate::protocol::Load;

/// The rows: calls in flight, and bytes of each.
const ROWS: [(usize, usize, &str); 4] =
    [(1, 8, "1 × 8 B"), (64, 8, "64 × 8 B"), (1, 65_536, "1 × 64 KiB"), (64, 65_536, "64 × 64 KiB")];

/// Before the first round of a row.
const WARM_UP: Duration = Duration::from_millis(150);

/// What a run does.
pub(crate) struct Plan {
    pub(crate) contenders: Vec<Contender>,
    pub(crate) rounds: u32,
    pub(crate) span: Duration,
}

/// One way to make calls.
pub(crate) struct Contender {
    title: String,
    /// What it is called in its program.
    name: &'static str,
    program: Result<PathBuf, &'static str>,
}

impl Contender {
    pub(crate) const fn new(title: String, name: &'static str, program: PathBuf) -> Self {
        Self { title, name, program: Ok(program) }
    }

    /// It cannot run, for this reason.
    pub(crate) fn missing(title: &str, why: &'static str) -> Self {
        Self { title: title.to_owned(), name: "", program: Err(why) }
    }

    fn start(&self) -> Option<Pair> {
        match &self.program {
            // What was built has to run.
            Ok(program) => Some(Pair::start(program, self.name).unwrap_or_else(|why| self.fail(&why))),
            Err(why) => {
                println!("{}: n/a, {why}", self.title);
                None
            }
        }
    }

    fn fail(&self, why: &str) -> ! {
        eprintln!("{} cannot run: {why}", self.title);
        std::process::exit(1)
    }
}

/// Runs all rows, and prints one after the other.
pub(crate) fn run(plan: Plan) {
    let Plan { contenders, rounds, span } = plan;
    let mut pairs: Vec<Option<Pair>> = contenders.iter().map(Contender::start).collect();
    println!(
        "calls/s: the median of {rounds} rounds of {} ms, in turn; ×: ratio to the relay.",
        span.as_millis()
    );
    let titles: String = contenders.iter().map(|it| format!(" │{:>15}{:>7}", it.title, "×")).collect();
    println!("\n{:<12}{titles}", "in flight");
    for (in_flight, bytes, title) in ROWS {
        let mut speeds = vec![Vec::new(); contenders.len()];
        for round in 0..=rounds {
            let span = if round == 0 { WARM_UP } else { span };
            for ((pair, contender), speeds) in pairs.iter_mut().zip(&contenders).zip(&mut speeds) {
                let Some(pair) = pair else { continue };
                let speed = pair.round(Load { in_flight, bytes, span });
                let speed = speed.unwrap_or_else(|why| contender.fail(&why));
                if round > 0 {
                    speeds.push(speed);
                }
            }
        }
        row(title, &speeds);
    }
}

fn row(title: &str, speeds: &[Vec<f64>]) {
    let floor = speeds.first().map_or(f64::NAN, |relay| median(relay));
    let cells: String = speeds
        .iter()
        .map(|speeds| match &speeds[..] {
            [] => format!(" │{:>15}{:>7}", "n/a", ""),
            speeds => format!(" │{:>15.0}{:>7.3}", median(speeds), median(speeds) / floor),
        })
        .collect();
    println!("{title:<12}{cells}");
    let _ = std::io::stdout().flush();
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
