//! Reads the sources of a crate as tokens, without comments, literals and tests.

use std::path::{Path, PathBuf};

/// Modules of std that reach nothing outside.
const STD_MODULES: [&str; 25] = [
    "alloc",
    "any",
    "array",
    "borrow",
    "boxed",
    "cell",
    "cmp",
    "collections",
    "convert",
    "error",
    "fmt",
    "format",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "option",
    "rc",
    "result",
    "slice",
    "str",
    "string",
    "vec",
];
/// Modules of std of which only these items may be used.
const STD_ITEMS: [(&str, &[&str]); 2] = [("sync", &["Arc", "Weak"]), ("time", &["Duration"])];
/// Names that mean trouble wherever they stand.
const NAMES: [&str; 26] = [
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "RandomState",
    "getrandom",
    "rand",
    "OsRng",
    "SysRng",
    "tokio",
    "async_std",
    "smol",
    "mio",
    "socket2",
    "libc",
    "thread_local",
    "Mutex",
    "RwLock",
    "Condvar",
    "AtomicU64",
    "AtomicUsize",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
    "include_str",
];
/// Tables whose order of iteration depends on their hasher.
const TABLES: [&str; 3] = ["HashMap", "HashSet", "hashbrown"];

/// What else the sources of a crate may name.
pub(crate) struct Rules {
    /// The file that may name `hashbrown`; elsewhere the crate may use the tables which that file exports.
    pub(crate) hash_tables: Option<&'static str>,
}

/// Checks every file that belongs to the crate: those reached by `mod` from its root, without tests.
/// Returns how many files there are, and what is wrong.
pub(crate) fn check_crate(root: &Path, rules: &Rules) -> (usize, Vec<String>) {
    let mut todo = vec![root.to_path_buf()];
    let (mut files, mut offences) = (0, Vec::new());
    while let Some(path) = todo.pop() {
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files += 1;
        let tokens = tokens(&source);
        let found = check_tokens(&tokens, &name, rules);
        offences.extend(found.into_iter().map(|offence| format!("{}: {offence}", path.display())));
        todo.extend(modules(&tokens).iter().map(|module| locate(&path, module)));
    }
    (files, offences)
}

/// Checks one source text.
pub(crate) fn check_source(source: &str, file: &str, rules: &Rules) -> Vec<String> {
    check_tokens(&tokens(source), file, rules)
}

fn check_tokens(tokens: &[String], file: &str, rules: &Rules) -> Vec<String> {
    let mut offences = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let next = |step: usize| tokens.get(index + step).map_or("", String::as_str);
        let token = token.as_str();
        if token == "std" {
            match next(1) {
                "::" => check_path(&tokens[index + 2..], &mut offences),
                "as" => offences.push("std as another name".into()),
                _ => {}
            }
        }
        // `extern crate alloc` and, for features, `extern crate std` add nothing that a path would not show.
        if token == "extern" && next(1) == "crate" && next(3) != ";" {
            offences.push(format!("extern crate {} under another name", next(2)));
        }
        if NAMES.contains(&token) {
            offences.push(format!("{token} is named"));
        }
        let is_home = rules.hash_tables == Some(file);
        if TABLES.contains(&token) && (rules.hash_tables.is_none() || (token == "hashbrown" && !is_home)) {
            offences.push(format!("{token} is named: its order of iteration depends on the hasher"));
        }
    }
    offences
}

/// Checks what follows `std::`.
fn check_path(rest: &[String], offences: &mut Vec<String>) {
    for path in paths(rest) {
        let (first, second) = (path.first().map_or("", String::as_str), path.get(1).map(String::as_str));
        let items = STD_ITEMS.iter().find(|(module, _)| *module == first).map(|(_, items)| *items);
        let is_fine = match (items, second) {
            (Some(items), Some(second)) => items.contains(&second),
            (Some(_), None) => false,
            (None, _) => STD_MODULES.contains(&first),
        };
        let is_table = first == "collections" && second.is_none_or(|item| item.starts_with("Hash"));
        if !is_fine || is_table {
            offences.push(format!("std::{} is named", path.join("::")));
        }
    }
}

/// The first two segments of every path in a use tree, or of the one path that stands there.
fn paths(rest: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (first, after) in branches(rest) {
        let subtree = after.first().is_some_and(|token| token == "::").then(|| branches(&after[1..]));
        match subtree.filter(|subtree| !subtree.is_empty()) {
            Some(subtree) => found.extend(subtree.into_iter().map(|(second, _)| vec![first.clone(), second])),
            None => found.push(vec![first]),
        }
    }
    found
}

/// The names that stand here: one, or those between braces; and what follows each.
fn branches(rest: &[String]) -> Vec<(String, &[String])> {
    if rest.first().is_none_or(|token| token != "{") {
        return rest.first().map(|first| (first.clone(), &rest[1..])).into_iter().collect();
    }
    let (mut depth, mut begins, mut found) = (0_usize, true, Vec::new());
    for (index, token) in rest.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => begins |= depth == 1,
            name if begins && depth == 1 => {
                begins = false;
                found.push((name.to_owned(), &rest[index + 1..]));
            }
            _ => {}
        }
    }
    found
}

/// The modules in files of their own.
fn modules(tokens: &[String]) -> Vec<String> {
    let is_module = |window: &&[String]| window[0] == "mod" && window[2] == ";";
    tokens.windows(3).filter(is_module).map(|window| window[1].clone()).collect()
}

fn locate(parent: &Path, module: &str) -> PathBuf {
    let stem = parent.file_stem().unwrap();
    let folder = parent.parent().unwrap();
    let folder = if stem == "lib" || stem == "mod" { folder.to_path_buf() } else { folder.join(stem) };
    let (file, own_folder) = (folder.join(format!("{module}.rs")), folder.join(module).join("mod.rs"));
    if file.exists() { file } else { own_folder }
}

/// Words and marks, without comments, literals and whatever stands behind `#[cfg(test)]`.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let rest = &chars[at..];
        at += match c {
            '/' if rest.starts_with(&['/', '/']) => rest.iter().take_while(|c| **c != '\n').count(),
            '/' if rest.starts_with(&['/', '*']) => block_comment(rest),
            '"' => quoted(rest),
            '\'' => char_or_lifetime(rest),
            c if c.is_alphanumeric() || c == '_' => {
                let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                let hashes = rest[word.len()..].iter().take_while(|c| **c == '#').count();
                let is_raw =
                    matches!(word.as_str(), "r" | "br" | "cr") && rest.get(word.len() + hashes) == Some(&'"');
                let len = word.chars().count();
                if is_raw {
                    len + raw(&rest[len..], hashes)
                } else {
                    tokens.push(word);
                    len
                }
            }
            ':' if rest.starts_with(&[':', ':']) => {
                tokens.push("::".into());
                2
            }
            c if c.is_whitespace() => 1,
            c => {
                tokens.push(c.into());
                1
            }
        };
    }
    without_tests(&tokens)
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw(rest: &[char], hashes: usize) -> usize {
    let mut end = vec!['"'];
    end.resize(hashes + 1, '#');
    let body = hashes + 1;
    (body..rest.len()).find(|&at| rest[at..].starts_with(&end)).map_or(rest.len(), |at| at + hashes + 1)
}

fn char_or_lifetime(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', ..] => 3 + rest.iter().skip(3).take_while(|c| **c != '\'').count(),
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].len() >= marker.len() && tokens[at..].iter().zip(marker).all(|(a, b)| a == b) {
            at += marker.len() + item_len(&tokens[at + marker.len()..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// How many tokens an item has: up to its `;`, or the brace that closes it.
fn item_len(rest: &[String]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in rest.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth <= 1 => {
                // `use a::{b, c};` goes on to its semicolon.
                let ends = rest.get(index + 1).is_some_and(|next| next == ";");
                return index + 1 + usize::from(ends);
            }
            "}" => depth -= 1,
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    rest.len()
}
