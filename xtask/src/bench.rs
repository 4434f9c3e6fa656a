//! `cargo xtask bench`: the benchmarks, each side by side in one run.

use std::path::{Path, PathBuf};

use crate::End;
use crate::command::{cargo, run as run_command};

/// The crate that holds them.
const PACKAGE: &str = "roadbed-bench";

/// A crate outside the workspace: another implementation under the same load as ours.
const XCONN: &str = "benches/xconn";

/// Tells the benchmark where that was built.
const XCONN_VARIABLE: &str = "ROADBED_BENCH_XCONN";

/// Runs them; they understand the arguments.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    let (bench, arguments) = match arguments.split_first() {
        Some((&bench @ ("adapters" | "cores" | "memory"), rest)) => (bench, rest),
        _ => ("side-by-side", arguments),
    };
    let mut command = cargo(root);
    command.args(["bench", "-p", PACKAGE, "--bench", bench, "--"]).args(arguments);
    if bench == "adapters" {
        match build_xconn(root) {
            Ok(program) => drop(command.env(XCONN_VARIABLE, program)),
            Err(why) => println!("xconn-core cannot be built, so its figures are n/a: {why}"),
        }
    }
    match run_command(&mut command) {
        Ok(()) => End::Success,
        Err(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}

/// Builds `xconn-core` and the program around it.
fn build_xconn(root: &Path) -> Result<PathBuf, String> {
    let target = root.join("target/peers/xconn");
    let manifest = root.join(XCONN).join("Cargo.toml");
    let mut command = cargo(root);
    command.args(["build", "--release", "--quiet", "--manifest-path"]).arg(manifest);
    run_command(command.arg("--target-dir").arg(&target))?;
    Ok(target.join("release/roadbed-bench-xconn"))
}
