//! The stage `style`: what the documentation of the public crates looks like. Quick, as it only reads.
//!
//! What is there already is counted, and the count may only fall: lower it here when you have cured some.

use std::fs;
use std::path::{Path, PathBuf};

use crate::runner::Outcome;

/// The columns that a line of documentation may have.
const COLUMNS: usize = 120;

/// Lines of documentation that are longer; rows of tables and addresses of links, which cannot be broken, do not count.
const WIDE_LINES: usize = 7;

/// Words that hide who does something; the plain ones name the peer, the session, the caller.
const WORDS: [&str; 4] = ["whoever", "somebody", "whom", "is told"];

/// Lines of documentation that hold one of them.
const LINES_WITH_WORDS: usize = 136;

/// Counts both, over all sources of the crates.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut sources = Vec::new();
    collect(&root.join("crates"), &mut sources);
    let (mut wide, mut worded) = (Vec::new(), Vec::new());
    for path in &sources {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return Outcome::Failed(format!("{}: {error}", path.display())),
        };
        let place = path.strip_prefix(root).unwrap_or(path).display().to_string();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| is_documentation(line)) {
            if line.chars().count() > COLUMNS && can_be_broken(line) {
                wide.push(format!("{place}:{number}: {} columns", line.chars().count()));
            }
            if let Some(word) = word_in(line) {
                worded.push(format!("{place}:{number}: \"{word}\""));
            }
        }
    }
    let width = judge(&format!("lines of documentation above {COLUMNS} columns"), &wide, WIDE_LINES);
    let words = judge(&format!("lines of documentation with one of {WORDS:?}"), &worded, LINES_WITH_WORDS);
    width.and(words).into()
}

/// More than there were is a failure that names them all; fewer is worth a line.
fn judge(what: &str, found: &[String], allowed: usize) -> Result<(), String> {
    let count = found.len();
    println!("{what}: {count}, allowed are {allowed}");
    if count > allowed {
        found.iter().for_each(|place| println!("    {place}"));
        return Err(format!("{count} {what}, and there were {allowed}"));
    }
    if count < allowed {
        println!("    now lower the number in xtask/src/style.rs to {count}");
    }
    Ok(())
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

fn is_documentation(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

/// Whether the line could end earlier.
fn can_be_broken(line: &str) -> bool {
    let text = line.trim_start().get(3..).unwrap_or_default().trim_start();
    let is_link =
        text.starts_with('[') && text.split_once("]: ").is_some_and(|(name, _)| !name.contains(' '));
    !text.starts_with('|') && !is_link
}

/// The first of the words that a line holds as words of their own.
fn word_in(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    let stands = |word: &&str| {
        line.match_indices(*word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    };
    WORDS.into_iter().find(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_words_of_their_own() {
        assert_eq!(word_in("/// Wakes whoever sleeps."), Some("whoever"));
        assert_eq!(word_in("/// Somebody's."), Some("somebody"));
        assert_eq!(word_in("/// The caller is told why."), Some("is told"));
        assert_eq!(word_in("/// It has told several; this tolds nothing."), None);
    }

    #[test]
    fn a_count_may_only_fall() {
        let two = ["a".to_owned(), "b".to_owned()];
        assert!(judge("things", &two, 1).is_err_and(|why| why == "2 things, and there were 1"));
        assert_eq!(judge("things", &two, 2), Ok(()));
        assert_eq!(judge("things", &two, 3), Ok(()));
    }

    #[test]
    fn only_documentation_counts() {
        assert!(is_documentation("    /// Sets it.") && is_documentation("//! A module."));
        assert!(!is_documentation("    // why") && !is_documentation("let a = \"/// no\";"));
        assert!(!can_be_broken("/// | a | row |") && !can_be_broken("//! [`A`]: crate::a::A"));
        assert!(can_be_broken("/// Sets [`A`]: that is all.") && can_be_broken("///"));
    }
}
