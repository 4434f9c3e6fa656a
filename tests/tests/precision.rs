//! Runs `tests/precision`, a program of its own: a feature of serde_json that this workspace does not have.

use std::fs;
use std::path::Path;
use std::process::Command;

/// From a copy below target/: its lock file is not for the sources.
#[test]
fn serde_json_may_keep_all_digits() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("precision");
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = fs::read_to_string(tests.join("precision/Cargo.toml")).unwrap();
    let manifest = manifest.replace("../../crates", &root.join("crates").to_string_lossy());
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(tests.join("precision/src/main.rs"), folder.join("src/main.rs")).unwrap();
    // The versions that the workspace has; cargo drops what the program does not need.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    let output = cargo.arg("--target-dir").arg(folder.join("target")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
