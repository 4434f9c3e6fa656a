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

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use crate::peers::{Crossbar, Folder, node, python};
use crate::report::{Report, Row};
use crate::subject::SUBJECTS;

/// Fills some rows of the table.
type Job<'a> = Box<dyn FnOnce() -> Vec<Row> + Send + 'a>;

/// Everything there is, so that Crossbar.io starts once and the table comes at the end.
#[test]
fn foreign_peers() {
    let (python, node) = (python(), node());
    let folder = Folder::new("interop");
    let crossbar = python.as_ref().map(|python| Crossbar::start(python, &folder));
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for subject in SUBJECTS {
        if let (Some(python), Some(crossbar)) = (&python, &crossbar) {
            jobs.push(Box::new(move || scenarios::through_crossbar(subject, python, crossbar)));
        }
        let (python, node, folder) = (&python, &node, &folder);
        jobs.push(Box::new(move || {
            routers::against_our_router(subject, python.as_ref(), node.as_ref(), folder)
        }));
    }
    let report = run(jobs);
    println!("\n{report}");
    report.check();
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
                    sender.send(job()).unwrap();
                }
            });
        }
        drop(sender);
        Report::new(rows.into_iter().flatten().collect())
    })
}
