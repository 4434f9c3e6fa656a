//! Debian's packages: the only thing that a check installs outside `target/`, after it has said so.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{output, run_quietly, which};

/// Installs packages with apt-get, after one line that says which and how. An error says why it is not done.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<(), String> {
    let names = packages.join(" ");
    if which("apt-get").is_none() || !is_root() {
        return Err(format!(
            "{what} is missing, and cannot be installed without apt-get and root (Debian: {names})"
        ));
    }
    println!(
        "{what} is missing here, so this runs: apt-get update && apt-get install -y --no-install-recommends {names}"
    );
    update()?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-q", "-y", "--no-install-recommends"]).args(packages);
    run_quietly(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Downloads packages and unpacks them into `folder`, without installing anything, and with them whatever they depend on
/// whose name begins with one of `depends`.
pub(crate) fn unpack(packages: &[&str], depends: &[&str], folder: &Path) -> Result<(), String> {
    if which("apt-get").is_none() || which("dpkg-deb").is_none() {
        return Err("there is no apt-get".to_owned());
    }
    println!("unpacking {} of Debian into {}", packages.join(", "), folder.display());
    if is_root() {
        update()?;
    }
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(in_folder)?;
    }
    fs::create_dir_all(folder).map_err(in_folder)?;
    let mut wanted: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
    let mut done = 0;
    while let Some(name) = wanted.get(done).cloned() {
        for found in depends_of(&name)? {
            if depends.iter().any(|prefix| found.starts_with(prefix)) && !wanted.contains(&found) {
                wanted.push(found);
            }
        }
        done += 1;
    }
    run_quietly(Command::new("apt-get").args(["download", "-q"]).args(&wanted).current_dir(folder))?;
    for entry in fs::read_dir(folder).map_err(in_folder)?.flatten() {
        let archive = entry.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            run_quietly(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(folder))?;
            fs::remove_file(&archive).map_err(in_folder)?;
        }
    }
    Ok(())
}

/// What a package depends on.
fn depends_of(package: &str) -> Result<Vec<String>, String> {
    let text = output(Command::new("apt-cache").args(["depends", package]));
    let text = text.ok_or_else(|| format!("this Debian has no package {package}"))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(str::to_owned).collect())
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|user| user == "0")
}

/// Fetches the lists of packages: those that a machine begins with are old, or none.
fn update() -> Result<(), String> {
    run_quietly(Command::new("apt-get").args(["update", "-q"]))
}
