//! `cargo xtask long endurance`: twelve sessions that call, one call after the other, on each adapter.

use std::path::Path;

use crate::End;
use crate::command::{cargo, run as run_command};
use crate::interop::TESTS_PACKAGE;

/// How often each session calls unless told otherwise. A wake-up that gets lost once in a hundred thousand
/// times ends it.
const CALLS: &str = "40000";

/// The scenario, as the test target names it.
const SCENARIO: &str = "calls::twelve_callers/";

/// Runs it, one place after the other.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    let (calls, adapter) = match arguments {
        [] => (CALLS, ""),
        ["--calls", calls] => (*calls, ""),
        ["--calls", calls, adapter] => (*calls, *adapter),
        [adapter] if !adapter.starts_with('-') => (CALLS, *adapter),
        _ => return End::Usage("long endurance [--calls N] [ADAPTER]".to_owned()),
    };
    if calls.parse::<u32>().is_err() {
        return End::Usage(format!("{calls} is no number of calls"));
    }
    let mut command = cargo(root);
    command.args(["test", "--release", "-p", TESTS_PACKAGE, "--test", "adapters", "--"]);
    command.args([&format!("{SCENARIO}{adapter}"), "--test-threads", "1"]).env("ROADBED_CALLS", calls);
    match run_command(&mut command) {
        Ok(()) => End::Success,
        Err(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_told() {
        let root = Path::new("/nowhere");
        for wrong in [&["--calls"][..], &["--calls", "many"], &["--fast"], &["tokio", "smol"]] {
            assert!(matches!(run(root, wrong), End::Usage(_)), "{wrong:?}");
        }
    }
}
