//! Core, router and testkit reach no I/O, no clock, no thread, no environment and no randomness of the operating
//! system: neither in their own sources nor through the crates they use.

mod crates;
mod source;

use std::path::{Path, PathBuf};

use crate::source::{Rules, check_crate, check_source};

/// A pure crate: where it is, and what its sources may name.
const PURE: [(&str, Rules); 3] = [
    ("roadbed-core", Rules { hash_tables: None }),
    // The keyed tables of the router; everything else in it takes them from there.
    ("roadbed-router", Rules { hash_tables: Some("tables.rs") }),
    ("roadbed-testkit", Rules { hash_tables: None }),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_sources_name_nothing_impure() {
    for (name, rules) in &PURE {
        let root = workspace().join("crates").join(name).join("src/lib.rs");
        let (files, offences) = check_crate(&root, rules);
        assert!(files > 10, "{name}: only {files} source files were found");
        assert_eq!(offences, Vec::<String>::new(), "{name} is not pure");
    }
}

#[test]
fn no_dependency_can_reach_the_outside() {
    let graph = crates::Graph::load(&workspace());
    for (name, _) in &PURE {
        let offences = graph.offences(name);
        assert_eq!(offences, Vec::<String>::new(), "{name} is not pure");
        assert!(graph.reachable(name).len() > 10, "{name}: too few dependencies were found");
    }
}

/// TLS cannot be all pure: rustls reads and writes through the traits of `std::io`, asks a shared object for the
/// time, and *ring* asks the operating system for randomness. Nothing else.
#[test]
fn tls_reaches_what_rustls_needs_and_nothing_else() {
    let root = workspace().join("crates/roadbed-tls/src/lib.rs");
    let (files, offences) = check_crate(&root, &Rules { hash_tables: None });
    assert!(files > 7, "only {files} source files were found");
    // Traits and errors: there is no socket and no file in them.
    let io = ["self", "BufRead", "Read", "Write"].map(|item| format!("side.rs: std::io::{item} is named"));
    let clock = ["std::sync::atomic", "AtomicU64"].map(|name| format!("clock.rs: {name} is named"));
    // The README, for its tests.
    let readme = ["lib.rs: include_str is named".to_owned()];
    let allowed: Vec<String> = io.into_iter().chain(clock).chain(readme).collect();
    for offence in &offences {
        assert!(allowed.iter().any(|allowed| offence.ends_with(allowed)), "{offence}");
    }
    assert!(!offences.is_empty(), "this test sees nothing");

    let offences = crates::Graph::load(&workspace()).offences("roadbed-tls");
    let forbidden: Vec<_> = offences.iter().filter(|offence| offence.ends_with("is forbidden")).collect();
    assert!(!forbidden.is_empty(), "this test sees nothing");
    for offence in forbidden {
        let mut way = offence.split(" -> ").map(|label| label.split(' ').next().unwrap_or_default());
        assert!(way.any(|name| name == "ring") && way.next() == Some("getrandom"), "{offence}");
    }
}

/// A crate that does use the network shows that the graph is really walked.
#[test]
fn a_planted_dependency_is_found() {
    let graph = crates::Graph::planted(&[("pure", "middle"), ("middle", "tokio"), ("middle", "new-crate")]);
    let offences = graph.offences("pure");
    assert_eq!(offences.len(), 3, "{offences:?}");
    assert!(offences.iter().any(|offence| offence.contains("pure -> middle -> tokio")), "{offences:?}");
}

#[test]
fn planted_offences_are_found() {
    let rules = Rules { hash_tables: None };
    for (source, found) in [
        ("fn f() { std::fs::read(\"x\"); }", "std::fs"),
        ("use std::{fmt, net::TcpStream};", "std::net"),
        ("use std::{collections::{BTreeMap, HashMap}};", "HashMap"),
        ("use ::std::env;", "std::env"),
        ("use std as s;", "std as"),
        ("use std::*;", "std::*"),
        ("fn f() { let t = Instant::now(); }", "Instant"),
        ("fn f() { std :: thread :: yield_now() }", "std::thread"),
        ("use std::time::{Duration, SystemTime};", "SystemTime"),
        ("extern crate std as quiet;", "extern crate"),
        ("use std::sync::Mutex;", "std::sync::Mutex"),
        ("fn f() { getrandom::fill(&mut x) }", "getrandom"),
        ("fn f() { println!(\"{}\", 1) }", "println"),
        ("use hashbrown::HashMap;", "hashbrown"),
        ("fn f<'a>(x: &'a str) -> char { let c = '\"'; std::process::exit(1) }", "std::process"),
        ("fn f() { let s = r#\"\"#; tokio::spawn(x) }", "tokio"),
        ("#[cfg(test)] mod tests { } fn f() { std::io::stdin() }", "std::io"),
        ("thread_local! { static X: u8 = 0; }", "thread_local"),
    ] {
        let offences = check_source(source, "planted.rs", &rules);
        assert!(offences.iter().any(|offence| offence.contains(found)), "{source}: {offences:?}");
    }
}

#[test]
fn what_is_harmless_passes() {
    let rules = Rules { hash_tables: Some("tables.rs") };
    for source in [
        "//! std::net::TcpStream\nuse std::sync::Arc; // std::fs",
        "/* std::fs /* nested */ std::env */ use std::time::Duration;",
        "const TEXT: &str = \"std::fs \\\" tokio\"; use std::{fmt, mem::{replace, take}};",
        "#[cfg(test)] mod tests { fn f() { std::thread::sleep(x) } }",
        "#[cfg(test)]\nuse std::collections::HashMap;\nfn f() {}",
        "#[cfg(not(test))] fn f() {}",
        "use crate::ids::HashMap;",
    ] {
        assert_eq!(check_source(source, "dealer.rs", &rules), Vec::<String>::new(), "{source}");
    }
    assert_eq!(check_source("use hashbrown::HashMap;", "tables.rs", &rules), Vec::<String>::new());
}

/// An adapter opens sockets, moves bytes and keeps time. Whatever it knew of WAMP would have to be known
/// again by the next one.
#[test]
fn adapters_know_nothing_of_wamp() {
    for name in ["roadbed-tokio", "roadbed-async-std", "roadbed-blocking"] {
        let folder = workspace().join("crates").join(name).join("src");
        let mut lines = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let source = std::fs::read_to_string(&path).unwrap();
            for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
                lines += usize::from(!line.trim().is_empty());
                let mut named = line.match_indices("core::").map(|(at, found)| &line[at + found.len()..]);
                let is_neutral = named.all(|item| {
                    item.starts_with("time::") || item.starts_with("transport::TransportDetails")
                });
                assert!(is_neutral && !line.contains("wamp."), "{}: {line}", path.display());
            }
        }
        assert!((100..=350).contains(&lines), "{name}: {lines} lines of code are no thin adapter");
    }
}
