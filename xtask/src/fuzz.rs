//! `cargo xtask fuzz`: cargo-fuzz, for as long as told.

use std::path::Path;

use crate::End;
use crate::command::{cargo_nightly, output, run as run_command};

/// How long each target runs unless told.
const SECONDS: u64 = 60;

/// Runs one target, or all of them in turn; a crash of one does not keep the others from running.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> End {
    let (target, seconds) = match parse(arguments) {
        Ok(asked) => asked,
        Err(why) => return End::Usage(why),
    };
    let targets = match targets(root, target) {
        Ok(targets) => targets,
        Err(why) => {
            eprintln!("{why}");
            return End::Failure;
        }
    };
    let mut end = End::Success;
    for target in targets {
        println!("\n==> {target}, {seconds} s");
        let mut command = cargo_nightly(root);
        // What is found goes to the first folder; fuzz/corpus is kept small by hand.
        let found = root.join("target/fuzz-corpus").join(&target);
        if let Err(why) = std::fs::create_dir_all(&found) {
            eprintln!("{}: {why}", found.display());
            return End::Failure;
        }
        command.args(["fuzz", "run", &target]).arg(&found).arg(format!("fuzz/corpus/{target}")).arg("--");
        // Longer inputs only make it slow: what they would reach, short ones reach under small limits.
        command.args([&format!("-max_total_time={seconds}"), "-max_len=1024", "-timeout=20"]);
        if let Err(why) = run_command(&mut command) {
            eprintln!("{why}");
            end = End::Failure;
        }
    }
    end
}

/// The target if one is named, and the seconds.
fn parse<'a>(arguments: &[&'a str]) -> Result<(Option<&'a str>, u64), String> {
    let (mut target, mut seconds) = (None, SECONDS);
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        if argument == "--seconds" {
            let number = rest.next().ok_or("--seconds wants a number")?;
            seconds = number.parse().map_err(|_| format!("not a number of seconds: {number}"))?;
        } else if argument.starts_with('-') || target.is_some() {
            return Err(format!("unknown argument {argument}"));
        } else {
            target = Some(argument);
        }
    }
    Ok((target, seconds))
}

/// What to run, or what is missing to run it.
fn targets(root: &Path, named: Option<&str>) -> Result<Vec<String>, String> {
    if output(cargo_nightly(root).arg("--version")).is_none() {
        return Err("the nightly toolchain is missing: rustup toolchain install nightly".to_owned());
    }
    if output(cargo_nightly(root).args(["fuzz", "--version"])).is_none() {
        return Err("cargo-fuzz is missing: cargo install cargo-fuzz".to_owned());
    }
    let listed =
        output(cargo_nightly(root).args(["fuzz", "list"])).ok_or("there is no folder fuzz/ with targets")?;
    let all: Vec<String> = listed.lines().map(str::to_owned).collect();
    match named {
        None => Ok(all),
        Some(name) if all.iter().any(|one| one == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(format!("no target {name}; there are: {}", all.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_and_seconds() {
        assert_eq!(parse(&[]), Ok((None, SECONDS)));
        assert_eq!(parse(&["router", "--seconds", "5"]), Ok((Some("router"), 5)));
        assert_eq!(parse(&["--seconds", "5"]), Ok((None, 5)));
        assert!(parse(&["--seconds", "long"]).is_err());
        assert!(parse(&["one", "two"]).is_err());
        assert!(parse(&["--fast"]).is_err());
    }
}
