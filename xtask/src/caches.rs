//! Where other people's installers keep what they downloaded: below `target/`, not in the home folder.

use std::path::Path;
use std::process::Command;

/// What tells each installer its folder.
const FOLDERS: &[(&str, &str)] = &[
    ("PIP_CACHE_DIR", "pip"),
    ("npm_config_cache", "npm"),
    ("VIRTUALENV_OVERRIDE_APP_DATA", "virtualenv"),
    ("PYTHONPYCACHEPREFIX", "pycache"),
];

/// Lets the command, and what it starts, keep its caches below `target/caches`.
pub(crate) fn below_target<'a>(root: &Path, command: &'a mut Command) -> &'a mut Command {
    let caches = root.join("target/caches");
    for (variable, folder) in FOLDERS {
        command.env(variable, caches.join(folder));
    }
    command.env("npm_config_update_notifier", "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cache_is_below_target() {
        let mut command = Command::new("npm");
        below_target(Path::new("/clone"), &mut command);
        let folders: Vec<_> = command.get_envs().filter_map(|(_, value)| value?.to_str()).collect();
        let below = folders.iter().filter(|folder| folder.starts_with("/clone/target/caches/")).count();
        assert_eq!((below, folders.len()), (FOLDERS.len(), FOLDERS.len() + 1));
    }
}
