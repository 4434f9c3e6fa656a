//! The stage `interop`: foreign peers, first against each other and then against Roadbed.

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, run};
use crate::javascript::{self, Installed};
use crate::runner::Outcome;
use crate::{End, caches, python};

/// The crate with the tests of the whole workspace.
pub(crate) const TESTS_PACKAGE: &str = "roadbed-tests";

/// Its test target that starts foreign peers.
const RUST_TEST: &str = "interop";

/// Tells the tests where the Python with the installed peers is.
const PYTHON_VARIABLE: &str = "ROADBED_PYTHON";

/// Tell the tests where Node.js is, and the folder with its packages.
const NODE_VARIABLE: &str = "ROADBED_NODE";
const PACKAGES_VARIABLE: &str = "ROADBED_NODE_PACKAGES";

/// Tells the tests to try what otherwise takes turns.
const HOW_MUCH_VARIABLE: &str = "ROADBED_INTEROP";

/// `cargo xtask long interop`: every serializer on every adapter.
pub(crate) fn run_all(root: &Path) -> End {
    match try_peers(root, true) {
        Outcome::Passed => End::Success,
        Outcome::Failed(why) | Outcome::Unavailable(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}

/// The stage of `cargo xtask test`.
pub(crate) fn check(root: &Path) -> Outcome {
    try_peers(root, false)
}

/// Installs the peers if need be, and runs both parts. Without npm everything else still runs.
fn try_peers(root: &Path, is_full: bool) -> Outcome {
    let python = match python::ensure(root) {
        Ok(python) => python,
        Err(why) => return Outcome::Unavailable(why),
    };
    let javascript = javascript::ensure(root);
    // What fails in the first part is a fault of the peers, and makes the second worthless.
    let result = self_check(root, &python, javascript.as_ref().ok())
        .and_then(|()| rust_tests(root, &python, javascript.as_ref().ok(), is_full));
    match (result, javascript) {
        (Ok(()), Err(why)) => Outcome::Unavailable(format!("{why}; everything else was as it should be")),
        (result, _) => result.into(),
    }
}

/// The peers against each other, so that a failure of the tests is Roadbed's.
fn self_check(root: &Path, python: &Path, javascript: Option<&Installed>) -> Result<(), String> {
    // Not below target/: the path of a Unix socket has to be short.
    let folder = std::env::temp_dir().join(format!("roadbed-{}", std::process::id()));
    let mut command = Command::new(python);
    command.arg(root.join("tests/interop/selfcheck.py")).arg(&folder).current_dir(root);
    if let Some(Installed { node, packages }) = javascript {
        command.arg("--node").arg(node).arg("--packages").arg(packages);
    }
    run(caches::below_target(root, &mut command))
        .map_err(|why| format!("{why}; logs are in {}", folder.display()))?;
    // Rubbish in the temporary folder is no reason to fail.
    drop(std::fs::remove_dir_all(&folder));
    Ok(())
}

/// The tests of `roadbed-tests`.
fn rust_tests(
    root: &Path,
    python: &Path,
    javascript: Option<&Installed>,
    is_full: bool,
) -> Result<(), String> {
    let mut command = cargo(root);
    command.args(["test", "-p", TESTS_PACKAGE, "--test", RUST_TEST]).env(PYTHON_VARIABLE, python);
    if let Some(Installed { node, packages }) = javascript {
        command.env(NODE_VARIABLE, node).env(PACKAGES_VARIABLE, packages);
    }
    if is_full {
        command.env(HOW_MUCH_VARIABLE, "all");
    }
    run(caches::below_target(root, &mut command))
}
