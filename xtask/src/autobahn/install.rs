//! The Python environment with the Autobahn TestSuite, installed once.
//!
//! The suite is a program for Python 2.7. Its environment is made by a `virtualenv` of the last generation that
//! still could, which lives in an environment of Python 3.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};
use crate::{caches, peers, python};

/// What is installed, at the versions that the expected results were written for.
const SUITE: &str = "autobahntestsuite==25.10.1";
const MAKER: &str = "virtualenv<20.22";

/// In the environment's folder; written last, so an install that broke off has none.
const STAMP: &str = "roadbed-suite.txt";

/// Why there is no suite. No registry that a build may use has Python 2.7 any more, and installing it into the
/// home folder is for its owner to decide.
const MISSING: &str =
    "the Autobahn TestSuite needs Python 2.7: none on the path, none of pyenv (pyenv install 2.7.18)";

/// The program `wstest`; installs it at the first time (about half a minute).
pub(super) fn ensure(root: &Path) -> Result<PathBuf, String> {
    let folder = peers::folder(root).join("autobahn");
    let program = folder.join("py27/bin/wstest");
    let stamp = format!("{SUITE}\n");
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp) && program.is_file() {
        return Ok(program);
    }
    let old = find_python2().ok_or_else(|| MISSING.to_owned())?;
    let base = python::ensure_python()?;
    println!("installing {SUITE} into {}, about half a minute", folder.display());
    if folder.exists() {
        python::clear(&folder.join("maker"))?;
        python::clear(&folder.join("py27"))?;
    }
    let maker = folder.join("maker");
    run(Command::new(base).args(["-m", "venv"]).arg(&maker))?;
    python::pip(root, &maker.join("bin/python"), &[MAKER])?;
    let mut make = Command::new(maker.join("bin/virtualenv"));
    make.args(["--quiet", "--python"]).arg(old).arg(folder.join("py27"));
    run(caches::below_target(root, &mut make))?;
    python::pip(root, &folder.join("py27/bin/python"), &[SUITE])?;
    fs::write(folder.join(STAMP), stamp).map_err(|error| format!("cannot write {STAMP}: {error}"))?;
    Ok(program)
}

/// A Python 2.7: on the path, or one of pyenv's, which is only looked at.
fn find_python2() -> Option<PathBuf> {
    let on_the_path = ["python2.7", "python2"].map(PathBuf::from);
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".pyenv"))
    });
    let of_pyenv = pyenv.map(|root| of_pyenv(&root.join("versions"))).unwrap_or_default();
    of_pyenv.into_iter().chain(on_the_path).find(|program| is_python2(program))
}

/// Every Python 2.7 in a folder with a folder for each version.
fn of_pyenv(versions: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(versions).into_iter().flatten().flatten();
    let old = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("2.7"));
    let mut programs: Vec<_> = old.map(|entry| entry.path().join("bin/python2.7")).collect();
    programs.sort();
    programs
}

fn is_python2(program: &Path) -> bool {
    let code = "import sys; print(sys.version_info[:2] == (2, 7))";
    output(Command::new(program).args(["-c", code])).is_some_and(|answer| answer == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_python_2_is_one() {
        assert!(!is_python2(Path::new("python3")));
        assert!(!is_python2(Path::new("/no/such/python2.7")));
    }

    #[test]
    fn versions_of_pyenv_are_read() {
        let folder = std::env::temp_dir().join(format!("roadbed-xtask-py2-{}", std::process::id()));
        assert!(of_pyenv(&folder).is_empty(), "a folder that is not there");
        for version in ["2.7.18", "3.12.1", "2.7.9"] {
            fs::create_dir_all(folder.join(version)).unwrap();
        }
        let found = of_pyenv(&folder);
        let of = |version: &str| folder.join(version).join("bin/python2.7");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [of("2.7.18"), of("2.7.9")]);
    }
}
