//! The stage `no-std`: the core without std, as a program of this host and on bare metal.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, output, run};
use crate::runner::Outcome;

/// A crate outside the workspace: a program without std that uses the core.
const PROGRAM: &str = "tests/no-std";

/// A target that never had a std, with atomics of 32 bits at most.
const BARE_METAL: &str = "thumbv7em-none-eabi";

/// Names another compiler for bare metal than `/usr/bin/rustc`.
const BARE_RUSTC: &str = "ROADBED_BARE_RUSTC";

/// Runs both parts. The second needs the library's sources, which rustup has as a component and Debian as
/// a package; the first needs nothing and finds the same faults, so a missing second is only told.
pub(crate) fn check(root: &Path) -> Outcome {
    if let Err(why) = host_program(root) {
        return Outcome::Failed(why);
    }
    match bare_rustc() {
        Some(rustc) => bare_metal(root, &rustc).into(),
        None => {
            println!("bare metal: no compiler with the library's sources (Debian: rustc-web, rust-web-src)");
            Outcome::Passed
        }
    }
}

/// Builds, links and runs it.
fn host_program(root: &Path) -> Result<(), String> {
    let folder = root.join(PROGRAM);
    // The versions that the workspace has; cargo drops what the program does not need.
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
        .map_err(|error| format!("cannot copy Cargo.lock to {PROGRAM}: {error}"))?;
    let manifest = folder.join("Cargo.toml");
    run(cargo(root)
        .args(["run", "--quiet", "--manifest-path"])
        .arg(manifest)
        .args(["--target-dir", "target/no-std"]))
}

/// A compiler that can build core and alloc itself.
fn bare_rustc() -> Option<PathBuf> {
    let rustc = std::env::var_os(BARE_RUSTC).map_or_else(|| PathBuf::from("/usr/bin/rustc"), PathBuf::from);
    let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    sources.is_file().then_some(rustc)
}

/// Builds the core for a machine without an operating system.
fn bare_metal(root: &Path, rustc: &Path) -> Result<(), String> {
    let mut command = cargo(root);
    command.args(["build", "-p", "roadbed-core", "--no-default-features", "--target", BARE_METAL]);
    command.args(["-Zbuild-std=core,alloc", "--target-dir", "target/no-std"]);
    run(command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1"))
}
