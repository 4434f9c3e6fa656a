//! Running other programs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cargo that runs us, in the workspace's folder.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// rustup's cargo with the nightly toolchain, in the workspace's folder.
pub(crate) fn cargo_nightly(root: &Path) -> Command {
    // Not $CARGO: that is one toolchain's own cargo, which does not know `+nightly`.
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(root);
    command
}

/// Shows the command line and runs it, without standard input. An error says what went wrong with it.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = command_line(command);
    println!("$ {line}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{line}: {status}")),
        Err(error) => Err(format!("{line}: {error}")),
    }
}

/// As [`run`], without a word unless it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<(), String> {
    let line = command_line(command);
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{line}: {}: {last}", output.status))
}

/// Where a program is, if it is on the path.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// As [`run`], and returns what was printed to standard output, which is shown at the end.
pub(crate) fn run_and_read(command: &mut Command) -> Result<String, String> {
    let line = command_line(command);
    println!("$ {line}");
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{line}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if output.status.success() { Ok(text) } else { Err(format!("{line}: {}", output.status)) }
}

/// What a program prints, if it can be started and says that it succeeded.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it, without the path of the program.
fn command_line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| Some(join(name, value?)));
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_owned();
    let words = set.chain([program]).chain(command.get_args().map(OsStr::to_owned));
    let words: Vec<String> = words.map(|word| quote(&word.to_string_lossy())).collect();
    words.join(" ")
}

/// `NAME=value`.
fn join(name: &OsStr, value: &OsStr) -> OsString {
    let mut joined = name.to_owned();
    joined.push("=");
    joined.push(value);
    joined
}

/// In quotes, if a shell would take it apart.
fn quote(word: &str) -> String {
    let plain = |byte: char| byte.is_ascii_alphanumeric() || "-_=./:,+@%".contains(byte);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_printed_is_returned_unless_it_failed() {
        let cargo = || cargo(Path::new("."));
        assert!(run_and_read(cargo().arg("--version")).is_ok_and(|text| text.starts_with("cargo ")));
        assert!(run_and_read(cargo().arg("no-such-command")).is_err());
    }

    #[test]
    fn what_fails_quietly_says_its_last_words() {
        assert_eq!(run_quietly(cargo(Path::new(".")).arg("--version")), Ok(()));
        let failed = run_quietly(cargo(Path::new(".")).arg("no-such-command"));
        assert!(failed.is_err_and(|why| why.contains("cargo no-such-command: exit status: 101: ")));
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(which("sh").is_some_and(|file| file.is_absolute()));
        assert_eq!(which("no-such-program-as-this"), None);
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(command_line(&command), "'RUSTDOCFLAGS=-D warnings' cargo doc --workspace");
    }
}
