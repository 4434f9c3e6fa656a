//! The project's own commands: `cargo xtask help` lists them.

mod autobahn;
mod bench;
mod browser;
mod caches;
mod checks;
mod command;
mod debian;
mod deny;
mod endurance;
mod fuzz;
mod interop;
mod javascript;
mod long;
mod no_std;
mod peers;
mod python;
mod runner;
mod style;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--stage NAME]... [--list]
    Every check of the project, or the named stages, in order. A stage that fails does not keep the later
    ones from running. With CI=true a stage that cannot run here fails; otherwise it is skipped, aloud. What the
    stages need is installed below target/; only what Debian packages alone can bring (Python, npm, Chromium) is
    installed with apt-get, as root, and one line says so before.
cargo xtask peers
    Installs the foreign peers of the interop stage (Crossbar.io, autobahn-python, autobahn-js, wampy) below
    target/peers, or below the folder that ROADBED_PEERS_DIR names.
cargo xtask fuzz [TARGET] [--seconds N]
    Runs one fuzz target, or all in turn, for N seconds each (60), with cargo-fuzz and nightly.
cargo xtask long [NAME] [ARGUMENT]...
    Runs a test in its long form, of many minutes: endurance, fuzz, stress, calls, simulation, autobahn, interop. Without
    a name it lists them, and what each understands.
cargo xtask bench [--instructions] [WORD]...
    Runs the benchmarks whose title holds all the words. With --instructions it counts instructions, under
    valgrind, instead of time: those figures do not depend on what else the machine does.
cargo xtask bench adapters [--rounds N] [--millis N] [--beside PROGRAM] [NAME]...
    Calls a second over loopback TCP of each adapter through our router, beside a relay that only copies
    bytes, and xconn-core with its router (built below target/peers). --beside names another build of the
    same benchmark, which takes turns with this one: before and after a change.
cargo xtask bench cores
    What a second core brings a router, with two shards and with one, and for how long a shard's lock is held.
cargo xtask bench memory [NAME]...
    What an idle session holds: a client's on each adapter, and a router's peer.
";

/// How a command ended.
enum End {
    /// It did what it should.
    Success,
    /// It ran, and something was not as it should be.
    Failure,
    /// The command line was wrong.
    Usage(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let end = match arguments.split_first() {
        Some((&"test", rest)) => checks::run(&root, rest),
        Some((&"peers", [])) => peers::install(&root),
        Some((&"fuzz", rest)) => fuzz::run(&root, rest),
        Some((&"long", rest)) => long::run(&root, rest),
        Some((&"bench", rest)) => bench::run(&root, rest),
        Some((&("help" | "--help" | "-h"), _)) => {
            print!("{HELP}");
            End::Success
        }
        Some((other, _)) => End::Usage(format!("no such command, or too many arguments: {other}")),
        None => End::Usage("which command?".to_owned()),
    };
    match end {
        End::Success => ExitCode::SUCCESS,
        End::Failure => ExitCode::FAILURE,
        End::Usage(what) => {
            eprint!("{what}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    // cargo sets it at run time too, and that one is right after the tree was moved.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().map_or(manifest.clone(), Path::to_owned)
}
