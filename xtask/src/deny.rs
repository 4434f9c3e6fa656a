//! The stage `deny`: dependencies, their licences and their sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, output, run};
use crate::runner::Outcome;

/// The version that the configuration was written for.
const VERSION: &str = "0.20.2";

/// What is checked. Advisories are not: their database cannot be fetched from a registry.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// Runs it; installs it at the first time (a minute or two).
pub(crate) fn check(root: &Path) -> Outcome {
    let program = match ensure(root) {
        Ok(program) => program,
        Err(why) => return Outcome::Unavailable(why),
    };
    println!(
        "advisories are not checked: their database is fetched from elsewhere (cargo deny check advisories)"
    );
    let mut command = Command::new(program);
    run(command.args(["--all-features", "check", "--hide-inclusion-graph"]).args(CHECKS).current_dir(root))
        .into()
}

/// cargo-deny: that of this machine, or one below `target/tools`.
fn ensure(root: &Path) -> Result<PathBuf, String> {
    let tools = root.join("target/tools");
    let ours = tools.join("bin/cargo-deny");
    let found = [ours.clone(), PathBuf::from("cargo-deny")].into_iter().find(|program| is_it(program));
    if let Some(found) = found {
        return Ok(found);
    }
    println!("installing cargo-deny {VERSION} into {}, a minute or two", tools.display());
    let mut install = cargo(root);
    install.args([
        "install",
        "--quiet",
        "--locked",
        "--no-default-features",
        "--version",
        VERSION,
        "cargo-deny",
    ]);
    install.arg("--root").arg(&tools).arg("--target-dir").arg(tools.join("build"));
    // It runs for a second: to optimize it takes minutes.
    for (setting, value) in [("OPT_LEVEL", "0"), ("LTO", "off"), ("CODEGEN_UNITS", "16"), ("DEBUG", "0")] {
        install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    run(&mut install)?;
    drop(std::fs::remove_dir_all(tools.join("build")));
    Ok(ours)
}

/// Whether this is cargo-deny in our version.
fn is_it(program: &Path) -> bool {
    let version = output(Command::new(program).arg("--version"));
    version.is_some_and(|version| version == format!("cargo-deny {VERSION}"))
}
