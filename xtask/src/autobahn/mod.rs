//! The stage `autobahn`: the WebSocket layer before the Autobahn TestSuite, as a server and as a client.
//!
//! The suite plays the other end in several hundred cases and judges each of ours. What it is expected to say is
//! in `tests/autobahn/expected.txt`; everything else is a failure. The echoing ends are one program of the
//! workspace's tests, `websocket-echo`.

mod install;
mod report;
mod suite;

use std::path::Path;

use self::report::{Expected, Verdicts};
use crate::End;
use crate::runner::Outcome;

/// The cases that every test run goes through; the others take minutes: large messages at all sizes of chunks, and
/// a thousand messages for each setting of the compression.
const SOME: &[&str] = &[
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", "9.1.1", "9.1.2", "9.2.1", "9.2.2", "9.3.1",
    "9.4.1", "9.5.1", "9.6.1", "9.7.1", "9.8.1", "12.1.1", "12.1.2", "12.2.1", "12.3.1", "12.4.1", "12.5.1",
    "13.1.1", "13.2.1", "13.3.1", "13.4.1", "13.5.1", "13.6.1", "13.7.1",
];
const ALL: &[&str] = &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"];

/// `cargo xtask long autobahn`: every case.
pub(crate) fn run(root: &Path) -> End {
    match check(root, ALL) {
        Outcome::Passed => End::Success,
        Outcome::Failed(why) | Outcome::Unavailable(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}

/// The stage of `cargo xtask test`.
pub(crate) fn stage(root: &Path) -> Outcome {
    check(root, SOME)
}

fn check(root: &Path, cases: &[&str]) -> Outcome {
    let wstest = match install::ensure(root) {
        Ok(wstest) => wstest,
        Err(why) => return Outcome::Unavailable(why),
    };
    judge(root, &wstest, cases).into()
}

/// Runs both directions and compares all verdicts, so that one run names all that is amiss.
fn judge(root: &Path, wstest: &Path, cases: &[&str]) -> Result<(), String> {
    let expected = Expected::read(&root.join("tests/autobahn/expected.txt"))?;
    let echo = suite::build_echo(root)?;
    let reports = root.join("target/autobahn");
    let server = suite::against_server(wstest, &echo, &reports.join("server"), cases)?;
    let client = suite::against_client(wstest, &echo, &reports.join("client"), cases)?;
    let mut wrong = Vec::new();
    for (end, verdicts) in [("server", &server), ("client", &client)] {
        println!("our {end}: {}", verdicts.summary());
        wrong.extend(verdicts.compare(end, &expected));
    }
    if same_cases(&server, &client).is_err() {
        wrong.push(format!("the server saw {} cases, the client {}", server.len(), client.len()));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{}; the suite's reports are in {}", wrong.join("; "), reports.display()))
}

fn same_cases(server: &Verdicts, client: &Verdicts) -> Result<(), ()> {
    if server.cases().eq(client.cases()) { Ok(()) } else { Err(()) }
}
