//! `cargo xtask peers`: the foreign peers, in their folders.

use std::path::{Path, PathBuf};

use crate::{End, javascript, python};

/// Names the folder to use in place of target/peers.
const FOLDER_VARIABLE: &str = "ROADBED_PEERS_DIR";

/// The folder below which all peers are.
pub(crate) fn folder(root: &Path) -> PathBuf {
    match std::env::var_os(FOLDER_VARIABLE) {
        Some(folder) => root.join(folder),
        None => root.join("target/peers"),
    }
}

/// Installs all of them, whatever becomes of one.
pub(crate) fn install(root: &Path) -> End {
    let python = python::ensure(root);
    let javascript = javascript::ensure(root).map(|installed| installed.packages);
    let mut end = End::Success;
    for result in [python, javascript] {
        match result {
            Ok(path) => println!("installed: {}", path.display()),
            Err(why) => {
                eprintln!("{why}");
                end = End::Failure;
            }
        }
    }
    end
}
