//! The Python environment with the Autobahn TestSuite, installed once.
//!
//! The suite is a program for Python 2.7. Its environment is made by a `virtualenv` of the last generation that
//! still could, which lives in an environment of Python 3.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};
use crate::{peers, python};

/// What is installed, at the versions that the expected results were written for.
const SUITE: &str = "autobahntestsuite==25.10.1";
const MAKER: &str = "virtualenv<20.22";

/// In the environment's folder; written last, so an install that broke off has none.
const STAMP: &str = "roadbed-suite.txt";

/// The version that pyenv installs.
const PYENV_VERSION: &str = "2.7.18";

/// The program `wstest`; installs it at the first time (about half a minute).
pub(super) fn ensure(root: &Path) -> Result<PathBuf, String> {
    let folder = peers::folder(root).join("autobahn");
    let program = folder.join("py27/bin/wstest");
    let stamp = format!("{SUITE}\n");
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp) && program.is_file() {
        return Ok(program);
    }
    let old = find_python2()?;
    let base = python::find_python()?;
    println!("installing {SUITE} into {}, about half a minute", folder.display());
    if folder.exists() {
        python::clear(&folder.join("maker"))?;
        python::clear(&folder.join("py27"))?;
    }
    let maker = folder.join("maker");
    run(Command::new(base).args(["-m", "venv"]).arg(&maker))?;
    python::pip(&maker.join("bin/python"), &[MAKER])?;
    let mut make = Command::new(maker.join("bin/virtualenv"));
    run(make.args(["--quiet", "--python"]).arg(old).arg(folder.join("py27")))?;
    python::pip(&folder.join("py27/bin/python"), &[SUITE])?;
    fs::write(folder.join(STAMP), stamp).map_err(|error| format!("cannot write {STAMP}: {error}"))?;
    Ok(program)
}

/// A Python 2.7: on the path, or one of pyenv's.
fn find_python2() -> Result<PathBuf, String> {
    let is_it = |program: &Path| {
        let code = "import sys; print(sys.version_info[:2] == (2, 7))";
        output(Command::new(program).args(["-c", code])).is_some_and(|answer| answer == "True")
    };
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".pyenv"))
    });
    let of_pyenv = pyenv.map(|root| root.join("versions").join(PYENV_VERSION).join("bin/python2.7"));
    let candidates =
        || [PathBuf::from("python2.7"), PathBuf::from("python2")].into_iter().chain(of_pyenv.clone());
    if let Some(found) = candidates().find(|program| is_it(program)) {
        return Ok(found);
    }
    let missing = || "the Autobahn TestSuite needs Python 2.7 (pyenv install 2.7.18)".to_owned();
    run(Command::new("pyenv").args(["install", "--skip-existing", PYENV_VERSION])).map_err(|_| missing())?;
    candidates().find(|program| is_it(program)).ok_or_else(missing)
}
