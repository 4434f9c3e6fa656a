//! Foreign peers over real sockets, with TLS and without: autobahn-python, autobahn-js and wampy against our router, our
//! clients through Crossbar.io; on every adapter and with the reference loop. `cargo xtask test --stage interop`
//! installs the peers and says where they are.
//!
//! What takes its turn (see [`ways`]) is tried in full when `ROADBED_INTEROP` is `all`.

mod adapters;
mod certificates;
mod client;
mod peers;
mod reference;
mod report;
mod routers;
mod scenarios;
mod subject;
mod ways;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use libtest_mimic::Arguments;
use roadbed_tests::outside::trial;

use crate::peers::{Crossbar, Peers};
use crate::report::{Report, Row};
use crate::routers::PROGRAMMES;
use crate::subject::SUBJECTS;

/// Fills some rows of the table.
struct Job<'a> {
    name: String,
    run: Box<dyn FnOnce() -> Vec<Row> + Send + 'a>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let trials = vec![
        trial("interop", "foreign_peers", peers::python(), foreign_peers),
        // They take part in that one; here it shows when they could not.
        trial("interop", "peers_in_javascript_are_here", peers::node(), drop),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Everything there is, so that Crossbar.io starts once and the table comes at the end.
fn foreign_peers(python: PathBuf) {
    let peers = Peers::find(python);
    let crossbar = Crossbar::start(&peers);
    let (mut jobs, mut rows) = (Vec::new(), 0);
    for subject in SUBJECTS.into_iter().enumerate() {
        let (peers, name) = (&peers, subject.1.name());
        let crossbar = &crossbar;
        let run = move || scenarios::through_crossbar(subject, peers, crossbar);
        jobs.push(Job { name: format!("{name} client"), run: Box::new(run) });
        rows += subject.1.ways().len();
        for programme in PROGRAMMES.iter().filter(|programme| programme.is_here(peers)) {
            let run = move || routers::against_our_router(programme, subject, peers);
            rows += programme.ways(subject.1).count();
            jobs.push(Job { name: format!("{name} router, {}", programme.name), run: Box::new(run) });
        }
    }
    let report = run(jobs);
    println!("\n{report}");
    report.check(rows);
}

/// Runs the jobs, as many at a time as there are processors.
fn run(jobs: Vec<Job<'_>>) -> Report {
    let workers = thread::available_parallelism().map_or(2, |count| count.get().min(4));
    let jobs = Mutex::new(jobs.into_iter());
    let (sender, rows) = channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (jobs, sender) = (&jobs, sender.clone());
            scope.spawn(move || {
                loop {
                    // Not a `while let`: that would hold the lock meanwhile.
                    let Some(job) = jobs.lock().unwrap().next() else { return };
                    let done = catch_unwind(AssertUnwindSafe(job.run));
                    sender.send(done.unwrap_or_else(|panic| vec![Row::broken(job.name, &*panic)])).unwrap();
                }
            });
        }
        drop(sender);
        Report::new(rows.into_iter().flatten().collect())
    })
}
