//! `cargo xtask test`: which stages there are.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::command::{cargo, run as run_command, run_and_read};
use crate::runner::{self, Outcome, Stage};
use crate::{End, autobahn, browser, deny, interop, no_std, style};

/// Test targets of `roadbed-tests` that have to hold in release as well: what they measure, stack and heap,
/// depends on the optimizer. A name without such a target is an error, so rename both together.
const RELEASE_TESTS: &[&str] = &["hostile"];

/// Test targets of `roadbed-tests` that are stages of their own, and how they learn that they are not meant when
/// all others run: in CI they fail where what they need is missing.
const OWN_STAGES: &str = "browser,interop";
const OWN_STAGES_VARIABLE: &str = "ROADBED_OWN_STAGES";

/// The cargo command that drives the fuzz bodies for a few seconds on stable.
const FUZZ_SMOKE: &[&str] =
    &["run", "--quiet", "--profile", "fuzz-smoke", "-p", "roadbed-fuzz", "--", "--seconds", "2"];

/// All stages, in the order in which they run: the quick ones that fail most often come first.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", what: "the code is formatted", run: fmt },
    Stage { name: "style", what: "the documentation of the crates is short and plain", run: style::check },
    Stage { name: "clippy", what: "no lint of the workspace is broken", run: clippy },
    Stage { name: "doc", what: "the documentation builds, without a dead link", run: doc },
    Stage { name: "test", what: "unit, integration and documentation tests", run: test },
    Stage { name: "release", what: "tests of stack and heap in release", run: release },
    Stage { name: "quickstart", what: "the examples that tell a story, in a few seconds", run: quickstart },
    Stage { name: "loom", what: "sleeping and waking, under every interleaving", run: loom },
    Stage { name: "deny", what: "dependencies, their licences and sources", run: deny::check },
    Stage { name: "no-std", what: "roadbed-core needs no std", run: no_std::check },
    Stage { name: "fuzz-smoke", what: "the fuzz bodies, a few seconds on stable", run: fuzz_smoke },
    Stage { name: "autobahn", what: "WebSocket, judged by the Autobahn TestSuite", run: autobahn::stage },
    Stage { name: "interop", what: "foreign peers over real sockets", run: interop::check },
    Stage { name: "browser", what: "pages in a real browser", run: browser::check },
];

/// Runs what the command line asks for.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    match parse(arguments) {
        Ok(Asked::List) => {
            for stage in STAGES {
                println!("{:<12} {}", stage.name, stage.what);
            }
            End::Success
        }
        Ok(Asked::Stages(stages)) if runner::run(root, &stages) => End::Success,
        Ok(Asked::Stages(_)) => End::Failure,
        Err(why) => End::Usage(why),
    }
}

/// What a command line asks for.
enum Asked {
    List,
    Stages(Vec<&'static Stage>),
}

/// Understands the arguments. Named stages run in our order, not in that of their naming.
fn parse(arguments: &[&str]) -> Result<Asked, String> {
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--list" => return Ok(Asked::List),
            "--stage" => {
                let name = *rest.next().ok_or("--stage wants a name")?;
                if !STAGES.iter().any(|stage| stage.name == name) {
                    return Err(format!("no stage {name}; cargo xtask test --list names them"));
                }
                names.push(name);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let wanted = |stage: &&Stage| names.is_empty() || names.contains(&stage.name);
    Ok(Asked::Stages(STAGES.iter().filter(wanted).collect()))
}

fn fmt(root: &Path) -> Outcome {
    run_command(cargo(root).args(["fmt", "--all", "--check"])).into()
}

fn clippy(root: &Path) -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run_command(cargo(root).args(arguments)).into()
}

fn doc(root: &Path) -> Outcome {
    let arguments = ["doc", "--workspace", "--no-deps"];
    run_command(cargo(root).args(arguments).env("RUSTDOCFLAGS", "-D warnings")).into()
}

fn test(root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--workspace"]).env(OWN_STAGES_VARIABLE, OWN_STAGES);
    run_command(&mut command).into()
}

fn release(root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--release", "-p", interop::TESTS_PACKAGE]);
    for target in RELEASE_TESTS {
        command.args(["--test", target]);
    }
    run_command(&mut command).into()
}

/// What "a few seconds" are.
const QUICKSTART_LIMIT: Duration = Duration::from_secs(10);

/// The examples that tell a story, and what has to be in it: its end, where nothing is left of anybody.
const STORIES: &[(&str, &str)] = &[
    ("quickstart", "is empty again: 0 peers, 0 sessions"),
    ("secure", "is empty again: 0 peers, 0 sessions"),
    ("loop_quickstart", "is empty again: 0 peers, 0 sessions"),
    ("message_channel", "is empty again: 0 peers, 0 sessions"),
    ("child_pipes", "the child has ended: exit status: 0"),
];

fn quickstart(root: &Path) -> Outcome {
    let try_all = || {
        for &(example, end) in STORIES {
            let package = ["--package", "roadbed-examples", "--example", example];
            run_command(cargo(root).arg("build").args(package))?;
            let begin = Instant::now();
            let story = run_and_read(cargo(root).args(["run", "--quiet"]).args(package))?;
            let took = begin.elapsed();
            if !story.contains(end) {
                return Err(format!("{example} does not say {end:?}"));
            }
            if took > QUICKSTART_LIMIT {
                return Err(format!("{example} took {took:.1?}, allowed are {QUICKSTART_LIMIT:?}"));
            }
        }
        Ok(())
    };
    try_all().into()
}

/// In a folder of its own: the flag changes every crate, and everything else would be built anew after it.
fn loom(root: &Path) -> Outcome {
    let arguments = ["test", "--release", "-p", "roadbed", "--test", "loom", "--target-dir", "target/loom"];
    run_command(cargo(root).args(arguments).env("RUSTFLAGS", "--cfg loom")).into()
}

fn fuzz_smoke(root: &Path) -> Outcome {
    run_command(cargo(root).args(FUZZ_SMOKE)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        match parse(arguments)? {
            Asked::Stages(stages) => Ok(stages.iter().map(|stage| stage.name).collect()),
            Asked::List => Ok(vec!["--list"]),
        }
    }

    #[test]
    fn named_stages_run_in_our_order() {
        assert_eq!(names(&["--stage", "doc", "--stage", "fmt"]), Ok(vec!["fmt", "doc"]));
        assert_eq!(names(&[]).map(|all| all.len()), Ok(STAGES.len()));
        assert_eq!(names(&["--list"]), Ok(vec!["--list"]));
    }

    #[test]
    fn wrong_arguments_are_told() {
        assert!(names(&["--stage"]).is_err());
        assert!(names(&["--stage", "nonsense"]).is_err_and(|why| why.contains("nonsense")));
        assert!(names(&["fmt"]).is_err());
    }
}
