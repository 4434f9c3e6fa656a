//! The seed corpus in `fuzz/corpus`, and where failing inputs go.

use std::path::PathBuf;
use std::{fs, io};

/// The folder `fuzz` of the workspace.
pub fn fuzz_folder() -> PathBuf {
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.pop();
    folder
}

/// The folder with the seeds of a target.
pub fn seed_folder(target: &str) -> PathBuf {
    fuzz_folder().join("corpus").join(target)
}

/// The folder for inputs on which a target failed; cargo-fuzz uses it too.
pub fn artifact_folder(target: &str) -> PathBuf {
    fuzz_folder().join("artifacts").join(target)
}

/// The seeds of a target, by name of their file.
///
/// # Errors
/// When they cannot be read.
pub fn seeds(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(seed_folder(target))? {
        let entry = entry?;
        seeds.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    seeds.sort();
    Ok(seeds)
}

/// Keeps an input on which a target failed, and returns where.
///
/// # Errors
/// When it cannot be written.
pub fn keep(target: &str, kind: &str, input: &[u8]) -> io::Result<PathBuf> {
    let folder = artifact_folder(target);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{kind}-{:016x}", digest(input)));
    fs::write(&path, input)?;
    Ok(path)
}

/// FNV-1a: names a file, nothing more.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
