//! The stage `interop`: foreign peers, first against each other and then against Roadbed.

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, run};
use crate::javascript::{self, Installed};
use crate::python;
use crate::runner::Outcome;

/// The crate with the tests of the whole workspace.
pub(crate) const TESTS_PACKAGE: &str = "roadbed-tests";

/// Its test targets that start foreign peers.
const RUST_TESTS: &[&str] = &["interop"];

/// Tells the tests where the Python with the installed peers is.
const PYTHON_VARIABLE: &str = "ROADBED_PYTHON";

/// Tell the tests where Node.js is, and the folder with its packages.
const NODE_VARIABLE: &str = "ROADBED_NODE";
const PACKAGES_VARIABLE: &str = "ROADBED_NODE_PACKAGES";

/// Installs the peers if need be, and runs both parts. Without npm everything else still runs.
pub(crate) fn check(root: &Path) -> Outcome {
    let python = match python::ensure(root) {
        Ok(python) => python,
        Err(why) => return Outcome::Unavailable(why),
    };
    let javascript = javascript::ensure(root);
    // What fails in the first part is a fault of the peers, and makes the second worthless.
    let result = self_check(root, &python, javascript.as_ref().ok())
        .and_then(|()| rust_tests(root, &python, javascript.as_ref().ok()));
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
    run(&mut command).map_err(|why| format!("{why}; logs are in {}", folder.display()))?;
    // Rubbish in the temporary folder is no reason to fail.
    drop(std::fs::remove_dir_all(&folder));
    Ok(())
}

/// The tests of `roadbed-tests`.
fn rust_tests(root: &Path, python: &Path, javascript: Option<&Installed>) -> Result<(), String> {
    if RUST_TESTS.is_empty() {
        println!("no test of {TESTS_PACKAGE} is named for this stage yet");
        return Ok(());
    }
    let mut command = cargo(root);
    command.args(["test", "-p", TESTS_PACKAGE]).env(PYTHON_VARIABLE, python);
    if let Some(Installed { node, packages }) = javascript {
        command.env(NODE_VARIABLE, node).env(PACKAGES_VARIABLE, packages);
    }
    for target in RUST_TESTS {
        command.args(["--test", target]);
    }
    run(command.args(["--", "--nocapture"]))
}
