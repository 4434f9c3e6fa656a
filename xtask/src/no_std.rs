//! The stage `no-std`: the core without std, as a program of this host and on bare metal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, output, run};
use crate::debian;
use crate::runner::Outcome;

/// A crate outside the workspace: a program without std that uses the core.
const PROGRAM: &str = "tests/no-std";

/// A target that never had a std, with atomics of 32 bits at most.
const BARE_METAL: &str = "thumbv7em-none-eabi";

/// Names another compiler for bare metal than `/usr/bin/rustc`.
const BARE_RUSTC: &str = "ROADBED_BARE_RUSTC";

/// Where Debian's compiler and sources are unpacked, below `target/`.
const UNPACKED: &str = "target/tools/bare-metal";

/// Debian's packages of both, and how those begin that they need.
const DEBIAN: [&str; 2] = ["rustc-web", "rust-web-src"];
const DEBIAN_NEEDS: [&str; 2] = ["libstd-rust-web", "libllvm"];

/// Runs both parts.
pub(crate) fn check(root: &Path) -> Outcome {
    if let Err(why) = host_program(root) {
        return Outcome::Failed(why);
    }
    match bare_rustc(root) {
        Ok(rustc) => bare_metal(root, &rustc).into(),
        Err(why) => Outcome::Unavailable(format!(
            "no compiler with the library's sources for bare metal (rustup component add rust-src): {why}; \
             the program of this host was as it should be"
        )),
    }
}

/// Builds, links and runs it, from a copy: its lock file is not for the sources.
fn host_program(root: &Path) -> Result<(), String> {
    let folder = root.join("target/no-std/program");
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    let text = fs::read_to_string(root.join(PROGRAM).join("Cargo.toml")).map_err(in_folder)?;
    let crates = root.canonicalize().map_err(in_folder)?.join("crates");
    let manifest = text.replace("../../crates", &crates.to_string_lossy());
    fs::create_dir_all(folder.join("src")).map_err(in_folder)?;
    fs::write(folder.join("Cargo.toml"), manifest).map_err(in_folder)?;
    fs::copy(root.join(PROGRAM).join("src/main.rs"), folder.join("src/main.rs")).map_err(in_folder)?;
    // The versions that the workspace has; cargo drops what the program does not need.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(in_folder)?;
    run(cargo(root)
        .args(["run", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .args(["--target-dir", "target/no-std"]))
}

/// A compiler that can build core and alloc itself: of this machine, or of Debian's packages.
fn bare_rustc(root: &Path) -> Result<PathBuf, String> {
    let beside_cargo = std::env::var_os("CARGO").map(|cargo| PathBuf::from(cargo).with_file_name("rustc"));
    let named = std::env::var_os(BARE_RUSTC).map(PathBuf::from);
    let unpacked = root.join(UNPACKED).join("usr/bin/rustc");
    let candidates = [named, beside_cargo, Some(PathBuf::from("/usr/bin/rustc")), Some(unpacked.clone())];
    if let Some(found) = candidates.into_iter().flatten().find(|rustc| has_sources(rustc)) {
        return Ok(found);
    }
    debian::unpack(&DEBIAN, &DEBIAN_NEEDS, &root.join(UNPACKED))?;
    if has_sources(&unpacked) { Ok(unpacked) } else { Err("Debian's does not run here".to_owned()) }
}

fn has_sources(rustc: &Path) -> bool {
    let mut command = Command::new(rustc);
    let sysroot = output(with_libraries(rustc, &mut command).args(["--print", "sysroot"]));
    let sources = |root: String| Path::new(&root).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    sysroot.is_some_and(|root| sources(root).is_file())
}

/// Lets it find the libraries beside it, where it was unpacked and not installed.
fn with_libraries<'a>(rustc: &Path, command: &'a mut Command) -> &'a mut Command {
    match rustc.ancestors().nth(2).map(|usr| usr.join("lib/x86_64-linux-gnu")) {
        Some(libraries) if rustc.ends_with(format!("{UNPACKED}/usr/bin/rustc")) => {
            command.env("LD_LIBRARY_PATH", libraries)
        }
        _ => command,
    }
}

/// Checks the core for a machine without an operating system; code is generated for the program above.
fn bare_metal(root: &Path, rustc: &Path) -> Result<(), String> {
    let mut command = cargo(root);
    command.args(["check", "-p", "roadbed-core", "--no-default-features", "--target", BARE_METAL]);
    command.args(["-Zbuild-std=core,alloc", "--target-dir", "target/no-std"]);
    run(with_libraries(rustc, &mut command).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1"))
}
