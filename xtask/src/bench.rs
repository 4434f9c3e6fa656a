//! `cargo xtask bench`: all benchmarks, side by side in one run.

use std::path::Path;

use crate::End;
use crate::command::{cargo, run as run_command};

/// The crate that holds them.
const PACKAGE: &str = "roadbed-bench";

/// Runs them; they understand the arguments.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    match run_command(cargo(root).args(["bench", "-p", PACKAGE, "--"]).args(arguments)) {
        Ok(()) => End::Success,
        Err(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}
