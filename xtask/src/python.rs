//! The Python environment with the foreign peers, installed once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};
use crate::{caches, debian, peers};

/// The peers, at the versions that the tests were written for.
const PEERS: &[&str] = &["crossbar==26.10.1", "autobahn[all]==26.10.2"];

/// A dependency of theirs whose published binary does not fit the numpy that comes with it.
const REBUILT: &str = "bjdata==0.6.6";

/// The oldest Python that Crossbar.io accepts.
const OLDEST: (u32, u32) = (3, 11);

/// In the environment's folder; written last, so an install that broke off has none.
const STAMP: &str = "roadbed-peers.txt";

/// Where to look for Python.
const NAMES: &[&str] = &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];

/// The Python that has the peers; installs them at the first time (about 75 s).
pub(crate) fn ensure(root: &Path) -> Result<PathBuf, String> {
    let folder = peers::folder(root).join("py");
    let python = folder.join("bin/python");
    if is_ready(&folder, &python) {
        return Ok(python);
    }
    let base = ensure_python()?;
    clear(&folder)?;
    println!("installing {} into {}, about 75 s", PEERS.join(" and "), folder.display());
    run(Command::new(base).args(["-m", "venv"]).arg(&folder))?;
    install(root, &python)?;
    fs::write(folder.join(STAMP), stamp()).map_err(|error| format!("cannot write {STAMP}: {error}"))?;
    Ok(python)
}

/// What a finished install of today's versions leaves in its stamp.
fn stamp() -> String {
    format!("{}\n{REBUILT}\n", PEERS.join("\n"))
}

/// Whether an install of these versions was finished, and its Python still runs.
fn is_ready(folder: &Path, python: &Path) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp())
        && output(Command::new(python).args(["-c", "import autobahn"])).is_some()
}

/// A Python that is new enough and can make environments; Debian's, if there is none and we may install it.
pub(crate) fn ensure_python() -> Result<&'static str, String> {
    find_python().or_else(|missing| {
        debian::install("Python", &["python3", "python3-venv"]).map_err(|why| format!("{missing}; {why}"))?;
        find_python()
    })
}

/// A Python that is new enough and can make environments, or why there is none.
fn find_python() -> Result<&'static str, String> {
    let mut found = Vec::new();
    for name in NAMES {
        let code = "import sys; print(*sys.version_info[:2])";
        let Some(version) = output(Command::new(name).args(["-c", code])) else { continue };
        if !is_new_enough(&version) {
            found.push(format!("{name} is {}", version.replace(' ', ".")));
        } else if output(Command::new(name).args(["-c", "import ensurepip, venv"])).is_none() {
            found.push(format!("{name} cannot make environments (Debian: python3-venv)"));
        } else {
            return Ok(name);
        }
    }
    let found = if found.is_empty() { "found none".to_owned() } else { found.join(", ") };
    Err(format!("the foreign peers need Python {}.{} or newer with venv: {found}", OLDEST.0, OLDEST.1))
}

/// Whether this, such as `3 12`, is a version that will do.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split(' ').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST)
}

/// Removes what an earlier install left, and nothing else.
pub(crate) fn clear(folder: &Path) -> Result<(), String> {
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    // venv writes it first of all.
    if !folder.join("pyvenv.cfg").is_file() {
        return Err(format!("{} is no Python environment, so it stays as it is", folder.display()));
    }
    fs::remove_dir_all(folder).map_err(|error| format!("cannot remove {}: {error}", folder.display()))
}

/// Fills the environment.
fn install(root: &Path, python: &Path) -> Result<(), String> {
    pip(root, python, &["-U", "pip", "wheel", "setuptools"])?;
    pip(root, python, PEERS)?;
    // Without the cache: pip would take from it the wheel that it built just now, for another numpy.
    let rebuild = ["--no-cache-dir", "--no-build-isolation", "--no-binary", "bjdata", "--force-reinstall"];
    if let Err(why) = pip(root, python, &[&rebuild[..], &["--no-deps", REBUILT]].concat()) {
        // It has a slow form in Python, for a serializer that the tests do not use.
        println!("{REBUILT} stays without its fast part: {why}");
    }
    Ok(())
}

/// `pip install`, tried again once: most failures are the network's.
pub(crate) fn pip(root: &Path, python: &Path, arguments: &[&str]) -> Result<(), String> {
    let install = || {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        run(caches::below_target(root, command.args(arguments)))
    };
    install().or_else(|_| install())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_new_enough("3 11"));
        assert!(is_new_enough("3 14"));
        assert!(is_new_enough("4 0"));
        assert!(!is_new_enough("3 9"));
        assert!(!is_new_enough("2 7"));
        assert!(!is_new_enough("nonsense"));
    }

    #[test]
    fn only_an_environment_is_removed() {
        let folder = std::env::temp_dir().join(format!("roadbed-xtask-{}", std::process::id()));
        assert_eq!(clear(&folder), Ok(()), "a folder that is not there");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(clear(&folder), Ok(()), "an empty folder");
        fs::write(folder.join("letter.txt"), "mine").unwrap();
        assert!(clear(&folder).is_err(), "a folder of the user");
        assert!(folder.join("letter.txt").exists());
        fs::write(folder.join("pyvenv.cfg"), "").unwrap();
        assert_eq!(clear(&folder), Ok(()), "an install that broke off");
        assert!(!folder.exists());
    }
}
