//! What the pages in docs/ cite is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Where sources are.
const ROOTS: [&str; 7] = ["crates", "tests", "examples", "fuzz/bodies", "xtask", "benches", "docs"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All files below a folder, by their paths from there.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The sources of the workspace: path and text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for root in ROOTS {
        files(&workspace().join(root), &mut paths);
    }
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    paths.into_iter().filter(is_rust).map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// What a page cites in code spans: files, and the tests that are named with them.
fn citations(page: &str) -> Vec<(&str, Option<&str>)> {
    // What is fenced is code, and cites nothing.
    let prose = page.split("```").step_by(2);
    let spans = prose.flat_map(|prose| prose.split('`').skip(1).step_by(2));
    let cite = |span| match str::split_once(span, ".rs::") {
        Some((file, test)) => Some((&span[..file.len() + 3], Some(test))),
        None => span.ends_with(".rs").then_some((span, None)),
    };
    spans.filter_map(cite).collect()
}

/// Whether `source` has a test of this name: a function that is marked as one, or stands in the macro of
/// proptest that does so, or one of those that the adapters' suite runs in many places.
fn has_test(source: &str, name: &str) -> bool {
    let is_function = |line: &str| {
        line.split("fn ").nth(1).is_some_and(|rest| {
            rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('(') || rest.starts_with('<'))
        })
    };
    let lines: Vec<&str> = source.lines().collect();
    let Some(at) = lines.iter().position(|line| is_function(line)) else { return false };
    let attributes = lines[..at].iter().rev().take_while(|line| {
        let line = line.trim();
        line.starts_with("#[") || line.starts_with("//")
    });
    attributes.into_iter().any(|line| line.contains("test]")) || lines[at].contains("<A: Adapter>(")
}

/// What is wrong with a citation, if anything.
fn offence(sources: &[(PathBuf, String)], file: &str, test: Option<&str>) -> Option<String> {
    let mut files = sources.iter().filter(|(path, _)| path.ends_with(file)).peekable();
    if files.peek().is_none() {
        return Some(format!("there is no {file}"));
    }
    match test {
        Some(test) if !files.any(|(_, source)| has_test(source, test)) => {
            Some(format!("there is no test {test} in {file}"))
        }
        _ => None,
    }
}

#[test]
fn every_file_and_test_that_a_page_cites_is_there() {
    let sources = sources();
    let mut pages = Vec::new();
    files(&workspace().join("docs"), &mut pages);
    pages.push(workspace().join("SECURITY.md"));
    let (mut tests, mut offences) = (0, Vec::new());
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(page).unwrap();
        for (file, test) in citations(&text) {
            tests += usize::from(test.is_some());
            offences.extend(offence(&sources, file, test).map(|what| format!("{}: {what}", page.display())));
        }
    }
    assert!(tests > 50, "only {tests} tests are cited");
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn what_is_not_there_is_found() {
    let page = "`a.rs`, `b/c.rs::of_it` and `Limits`\n```rust\n`d.rs`\n```\n`e::f`";
    assert_eq!(citations(page), [("a.rs", None), ("b/c.rs", Some("of_it"))]);
    let source =
        "#[test]\n// why\nfn one() {}\nfn two() {}\npub async fn three<A: Adapter>(world: &World<A>) {}\n";
    let sources = [(PathBuf::from("/x/b/c.rs"), source.to_owned())];
    for (file, test, is_there) in [
        ("c.rs", None, true),
        ("b/c.rs", Some("one"), true),
        ("c.rs", Some("three"), true),
        ("c.rs", Some("two"), false),
        ("c.rs", Some("on"), false),
        ("c.rs", Some("one_more"), false),
        ("xb/c.rs", None, false),
    ] {
        assert_eq!(offence(&sources, file, test).is_none(), is_there, "{file} {test:?}");
    }
}
