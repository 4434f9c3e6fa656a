//! Foreign peers over real sockets: autobahn-python and autobahn-js against our router, our clients through
//! Crossbar.io; on every adapter and with the reference loop. `cargo xtask test --stage interop` installs
//! the peers and says where they are.

mod adapters;
mod client;
mod peers;
mod reference;
mod report;
mod routers;
mod scenarios;
mod subject;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use crate::peers::{Crossbar, Folder, node, python};
use crate::report::{Report, Row};
use crate::subject::SUBJECTS;

/// Fills some rows of the table.
struct Job<'a> {
    name: String,
    run: Box<dyn FnOnce() -> Vec<Row> + Send + 'a>,
}

/// Everything there is, so that Crossbar.io starts once and the table comes at the end.
#[test]
fn foreign_peers() {
    let (python, node) = (python(), node());
    let folder = Folder::new("interop");
    let crossbar = python.as_ref().map(|python| Crossbar::start(python, &folder));
    let mut jobs = Vec::new();
    for subject in SUBJECTS {
        if let (Some(python), Some(crossbar)) = (&python, &crossbar) {
            let run = move || scenarios::through_crossbar(subject, python, crossbar);
            jobs.push(Job { name: format!("{} client", subject.name()), run: Box::new(run) });
        }
        if python.is_some() || node.is_some() {
            let (python, node, folder) = (python.as_deref(), node.as_ref(), &folder);
            let run = move || routers::against_our_router(subject, python, node, folder);
            jobs.push(Job { name: format!("{} router", subject.name()), run: Box::new(run) });
        }
    }
    let report = run(jobs);
    println!("\n{report}");
    // Over TCP and Unix sockets: our client and our router with Python, our router with JavaScript.
    let kinds = 2 * usize::from(python.is_some()) + usize::from(node.is_some());
    report.check(SUBJECTS.len() * 2 * kinds);
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
