//! Rows, contenders, and how they are measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The variable that asks for an exact number of iterations.
pub(crate) const ITERATIONS: &str = "ROADBED_BENCH_ITERATIONS";

/// How long one turn of a contender is to last.
const TURN: Duration = Duration::from_millis(1);
/// How many turns each contender has.
const ROUNDS: usize = 40;
/// Iterations before the clock runs: buffers grow, the dynamic linker looks up functions.
const WARM_UP: u32 = 4;
/// The longest turn in iterations; inputs are made beforehand, and must fit in memory.
const MOST: u32 = 20_000;

/// One row: the same work for several contenders. The first is ours.
pub(crate) struct Bench {
    /// The table it belongs to.
    pub(crate) group: &'static str,
    pub(crate) name: String,
    /// Bytes of the message.
    pub(crate) bytes: usize,
    /// How many things an iteration does; costs are told for one of them.
    pub(crate) things: u32,
    pub(crate) contenders: Vec<Contender>,
}

impl Bench {
    /// What filters look at.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.group, self.name)
    }

    /// How many iterations do `things` things.
    pub(crate) const fn iterations(&self, things: u32) -> u32 {
        things.div_ceil(self.things)
    }

    /// Lets the contenders take turns; nanoseconds an iteration for each turn.
    pub(crate) fn measure(&mut self) -> Vec<Option<Vec<f64>>> {
        let counts: Vec<u32> = self.contenders.iter_mut().map(Contender::calibrate).collect();
        let mut turns: Vec<Option<Vec<f64>>> =
            self.contenders.iter().map(|it| it.body.as_ref().map(|_| Vec::new())).collect();
        let things = f64::from(self.things);
        for _ in 0..ROUNDS {
            for ((contender, count), turns) in self.contenders.iter_mut().zip(&counts).zip(&mut turns) {
                if let (Some(body), Some(turns)) = (&mut contender.body, turns) {
                    turns.push(body(*count).as_secs_f64() * 1e9 / f64::from(*count) / things);
                }
            }
        }
        turns
    }
}

type Body = Box<dyn FnMut(u32) -> Duration>;

/// One way to do the work of a row.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    body: Option<Body>,
}

impl Contender {
    /// Does `work`, which must not fail.
    pub(crate) fn new<R>(name: &'static str, mut work: impl FnMut() -> R + 'static) -> Self {
        Self::with_input(name, || (), move |()| work())
    }

    /// Does `work` on inputs that `prepare` has made before the clock runs.
    pub(crate) fn with_input<I, R>(
        name: &'static str,
        mut prepare: impl FnMut() -> I + 'static,
        mut work: impl FnMut(I) -> R + 'static,
    ) -> Self {
        let body = move |count| {
            for _ in 0..WARM_UP {
                black_box(work(prepare()));
            }
            let inputs: Vec<I> = (0..count).map(|_| prepare()).collect();
            let start = Instant::now();
            measured_loop(inputs, &mut work);
            start.elapsed()
        };
        Self { name, body: Some(Box::new(body)) }
    }

    /// Cannot do the work.
    pub(crate) const fn unable(name: &'static str) -> Self {
        Self { name, body: None }
    }

    /// Does the work of the contender that `make` makes, when it is its turn for the first time: for those
    /// that take time and memory to make.
    pub(crate) fn later(name: &'static str, make: impl Fn() -> Self + 'static) -> Self {
        let mut made: Option<Self> = None;
        let body = move |count| {
            let contender = made.get_or_insert_with(&make);
            contender.body.as_mut().map_or(Duration::ZERO, |body| body(count))
        };
        Self { name, body: Some(Box::new(body)) }
    }

    pub(crate) const fn is_able(&self) -> bool {
        self.body.is_some()
    }

    /// Runs exactly `count` times, after the warm-up.
    pub(crate) fn run(&mut self, count: u32) {
        if let Some(body) = &mut self.body {
            body(count);
        }
    }

    /// How many iterations make a turn.
    fn calibrate(&mut self) -> u32 {
        let Some(body) = &mut self.body else { return 1 };
        let mut count = 1;
        loop {
            if body(count) >= TURN || count >= MOST {
                return count;
            }
            count *= 2;
        }
    }
}

/// The only function whose instructions are counted: see [`instructions`](crate::instructions).
#[inline(never)]
fn measured_loop<I, R>(inputs: Vec<I>, work: &mut dyn FnMut(I) -> R) {
    for input in inputs {
        black_box(work(black_box(input)));
    }
}
