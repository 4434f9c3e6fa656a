//! `cargo xtask long`: the forms of tests that take many minutes. Their short forms run with every `cargo xtask test`.

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, run as run_command};
use crate::interop::TESTS_PACKAGE;
use crate::{End, autobahn, endurance, interop};

/// A test in its long form.
struct Long {
    name: &'static str,
    what: &'static str,
    run: fn(&Path, &[&str]) -> End,
}

/// All of them.
const LONG: &[Long] = &[
    Long {
        name: "endurance",
        what: "[--calls N] [ADAPTER]: twelve sessions that call, N times each (40000), on every adapter",
        run: endurance::run,
    },
    Long {
        name: "fuzz",
        what: "[--seconds N] [--seed N] [--target NAME]: the fuzz bodies on stable, N seconds each (600)",
        run: fuzz,
    },
    Long {
        name: "stress",
        what: "[CALLS]: calls from many threads over one driver on threads (200000)",
        run: stress,
    },
    Long {
        name: "calls",
        what: "[CALLS]: calls of a router beside one that stays open, and calls that are canceled at a callee which never \
               answers (1000000)",
        run: calls,
    },
    Long {
        name: "simulation",
        what: "[CASES]: random sessions against a model of the router (20000)",
        run: simulation,
    },
    Long {
        name: "autobahn",
        what: ": every case of the Autobahn TestSuite, for our server and our client",
        run: |root, arguments| if arguments.is_empty() { autobahn::run(root) } else { usage() },
    },
    Long {
        name: "interop",
        what: ": foreign peers with every serializer on every adapter",
        run: |root, arguments| if arguments.is_empty() { interop::run_all(root) } else { usage() },
    },
];

/// Runs the one that is named; without a name, lists them.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    let Some((name, rest)) = arguments.split_first() else {
        for long in LONG {
            println!("cargo xtask long {} {}", long.name, long.what.trim_start_matches(": "));
        }
        return End::Success;
    };
    match LONG.iter().find(|long| long.name == *name) {
        Some(long) => (long.run)(root, rest),
        None => End::Usage(format!("no long form {name}; cargo xtask long names them")),
    }
}

fn usage() -> End {
    End::Usage("it takes no arguments".to_owned())
}

/// Runs the command and shows what went wrong with it.
fn end(command: &mut Command) -> End {
    match run_command(command) {
        Ok(()) => End::Success,
        Err(why) => {
            eprintln!("{why}");
            End::Failure
        }
    }
}

/// How long each fuzz body runs unless told.
const FUZZ_SECONDS: &str = "600";

fn fuzz(root: &Path, arguments: &[&str]) -> End {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--profile", "fuzz-smoke", "-p", "roadbed-fuzz", "--"]);
    if !arguments.contains(&"--seconds") {
        command.args(["--seconds", FUZZ_SECONDS]);
    }
    end(command.args(arguments))
}

fn stress(root: &Path, arguments: &[&str]) -> End {
    let mut command = cargo(root);
    command.args(["test", "--release", "-p", "roadbed", "--test", "threads"]);
    counted(command, "ROADBED_STRESS_CALLS", "200000", arguments)
}

fn calls(root: &Path, arguments: &[&str]) -> End {
    let mut command = cargo(root);
    command.args(["test", "--release", "-p", "roadbed-router", "--test", "allocations"]);
    counted(command, "ROADBED_ROUTER_CALLS", "1000000", arguments)
}

fn simulation(root: &Path, arguments: &[&str]) -> End {
    let mut command = cargo(root);
    command.args(["test", "--release", "-p", TESTS_PACKAGE, "--test", "simulation"]);
    counted(command, "ROADBED_SIMULATION_CASES", "20000", arguments)
}

/// Runs tests that read from `variable` how much is asked of them.
fn counted(mut command: Command, variable: &str, default: &str, arguments: &[&str]) -> End {
    let count = match arguments {
        [] => default,
        [count] if count.parse::<u32>().is_ok() => count,
        _ => return End::Usage("how many?".to_owned()),
    };
    end(command.env(variable, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_told() {
        let root = Path::new("/nowhere");
        for wrong in [
            &["nonsense"][..],
            &["stress", "many"],
            &["simulation", "1", "2"],
            &["autobahn", "1"],
            &["interop", "x"],
        ] {
            assert!(matches!(run(root, wrong), End::Usage(_)), "{wrong:?}");
        }
        assert!(matches!(run(root, &[]), End::Success));
    }
}
