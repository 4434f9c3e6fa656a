//! No entry point without a target, no target without its file and its seeds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use roadbed_fuzz::{TARGETS, corpus};

/// Public functions that take bytes, messages or violations, or read encoded bytes as types; and the
/// targets that reach them.
const ENTRY_POINTS: &[(&str, &str, Reached)] = &[
    ("core/connection/mod.rs", "handle_input", By(&["connection"])),
    ("core/error/violation.rs", "unexpected", BUILDS),
    ("core/link/mod.rs", "handle_input", By(&["link", "router"])),
    ("core/message/attributes.rs", "get", By(MESSAGES)),
    ("core/payload/mod.rs", "from_raw", By(&["transcode", "payload_typed"])),
    ("core/payload/mod.rs", "binary", BUILDS),
    ("core/payload/mod.rs", "args", By(&["payload_typed"])),
    ("core/payload/mod.rs", "arg", By(&["payload_typed"])),
    ("core/payload/mod.rs", "kwargs", By(&["payload_typed"])),
    ("core/payload/mod.rs", "bare", By(MESSAGES)),
    ("core/serializer/envelope.rs", "decode", By(MESSAGES)),
    ("core/serializer/envelope.rs", "encode", By(MESSAGES)),
    ("core/serializer/envelope.rs", "encode_chunks", By(MESSAGES)),
    ("core/serializer/envelope.rs", "encode_within", By(&["connection", "router"])),
    ("core/serializer/outbound.rs", "chained", BUILDS),
    ("core/serializer/outbound.rs", "encode", By(&["router"])),
    ("core/serializer/outbound.rs", "encode_within", By(&["router"])),
    ("core/serializer/values.rs", "decode_value", By(&["json_value", "msgpack_value", "cbor_value"])),
    ("core/session/handle.rs", "handle_message", By(&["connection"])),
    ("core/session/handle.rs", "handle_violation", By(&["connection"])),
    ("core/transport/mod.rs", "handle_input", By(&["rawsocket_client", "rawsocket_server"])),
    ("core/transport/proxy.rs", "read", By(&["proxy_answer"])),
    ("core/transport/rawsocket/mod.rs", "handle_input", By(&["rawsocket_client", "rawsocket_server"])),
    ("core/transport/sniff.rs", "sniff", By(&["sniffing"])),
    ("core/transport/websocket/handshake/client.rs", "read", By(&["websocket_answer"])),
    ("core/transport/websocket/handshake/server.rs", "read", By(&["websocket_request"])),
    ("core/transport/websocket/socket.rs", "handle_input", By(&["websocket_socket", "link", "connection"])),
    ("core/transport/websocket/stream/config.rs", "only", BUILDS),
    ("core/transport/websocket/stream/write.rs", "send", BUILDS),
    ("core/transport/websocket/stream/mod.rs", "handle_input", By(&["websocket_client", "websocket_server"])),
    ("core/transport/websocket/http/request.rs", "parse", By(&["websocket_request"])),
    ("core/error/violation.rs", "invalid_uri", BUILDS),
    ("core/transport/sniff.rs", "answer_without_tls", Not("looks at the beginning, and builds an answer")),
    ("roadbed/client/call.rs", "args", By(HANDLES)),
    ("roadbed/client/call.rs", "get", By(HANDLES)),
    ("roadbed/client/call.rs", "kwargs", By(HANDLES)),
    ("roadbed/client/call.rs", "returning", By(HANDLES)),
    ("roadbed/client/event.rs", "args", By(HANDLES)),
    ("roadbed/client/event.rs", "get", By(HANDLES)),
    ("roadbed/client/event.rs", "kwargs", By(HANDLES)),
    ("roadbed/client/invocation.rs", "args", By(HANDLES)),
    ("roadbed/client/invocation.rs", "get", By(HANDLES)),
    ("roadbed/client/invocation.rs", "kwargs", By(HANDLES)),
    ("roadbed/error/mod.rs", "args", By(HANDLES)),
    ("roadbed/error/mod.rs", "kwargs", By(HANDLES)),
    ("router/port/mod.rs", "handle_input", By(&["router", "router_driver"])),
    ("router/port/mod.rs", "handle_message", By(&["router", "router_driver"])),
    ("router/port/exchange.rs", "serve", By(&["router", "router_driver"])),
    ("router/port/mod.rs", "set_secure", Not("is given a channel binding by TLS")),
    ("tls/identity.rs", "from_pem", CONFIGURES),
    ("tls/layer.rs", "handle_input", By(&["tls_server"])),
    ("tls/layer.rs", "send", By(&["tls_server"])),
    ("tls/lib.rs", "is_handshake", Not("looks at one octet")),
    ("tls/roots.rs", "from_pem", CONFIGURES),
    ("tls/roots.rs", "with_pem", CONFIGURES),
];

const MESSAGES: &[&str] = &["json_message", "msgpack_message", "cbor_message"];
const HANDLES: &[&str] = &["session_driver", "reconnecting_client"];
const BUILDS: Reached = Not("builds something of our own");
const CONFIGURES: Reached = Not("reads a configuration of our own");

/// Whether something is fuzzed.
enum Reached {
    /// By these targets.
    By(&'static [&'static str]),
    /// It need not be.
    Not(&'static str),
}
use Reached::{By, Not};

/// What their files are called above, and their folders.
const CRATES: [(&str, &str); 4] =
    [("core", "roadbed-core"), ("router", "roadbed-router"), ("tls", "roadbed-tls"), ("roadbed", "roadbed")];

/// What makes a function an entry point, when its signature holds it.
const SIGNS: &[&str] = &["Bytes", "&[u8]", ": Message", ": ProtocolViolation", "DeserializeOwned"];

#[test]
fn every_entry_point_is_fuzzed() {
    let found: BTreeSet<(String, String)> =
        CRATES.into_iter().flat_map(|(short, folder)| entry_points_of(short, folder)).collect();
    let known: BTreeSet<(String, String)> =
        ENTRY_POINTS.iter().map(|(file, function, _)| ((*file).to_owned(), (*function).to_owned())).collect();
    let missing: Vec<_> = found.difference(&known).collect();
    assert!(missing.is_empty(), "write a fuzz body for these, and name it in ENTRY_POINTS: {missing:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "these are in ENTRY_POINTS and no longer in the sources: {gone:#?}");
    for (file, function, reached) in ENTRY_POINTS {
        match reached {
            By(targets) => {
                assert!(!targets.is_empty());
                for target in *targets {
                    assert!(is_target(target), "{file}, {function}: there is no target {target}");
                }
            }
            Not(why) => assert!(!why.is_empty()),
        }
    }
}

#[test]
fn every_target_has_its_file_and_its_seeds() {
    let manifest = read(&corpus::fuzz_folder().join("Cargo.toml"));
    for (name, _) in TARGETS {
        let source = read(&corpus::fuzz_folder().join(format!("fuzz_targets/{name}.rs")));
        assert!(source.contains(&format!("run(\"{name}\", data)")), "the file of {name} runs something else");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        let seeds = corpus::seeds(name).unwrap_or_default();
        let bytes: usize = seeds.iter().map(|(_, seed)| seed.len()).sum();
        assert!(!seeds.is_empty(), "no seeds for {name}");
        assert!(bytes < 16 << 10, "{bytes} bytes of seeds for {name}: keep what fuzzers find elsewhere");
    }
    let files = fs::read_dir(corpus::fuzz_folder().join("fuzz_targets")).expect("fuzz/fuzz_targets is there");
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(is_target(&name), "{name} is not in TARGETS");
    }
}

fn is_target(name: &str) -> bool {
    TARGETS.iter().any(|(known, _)| *known == name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entry points of a crate: file and function.
fn entry_points_of(name: &str, folder: &str) -> Vec<(String, String)> {
    let folder = corpus::fuzz_folder().join(format!("../crates/{folder}/src"));
    let mut found = Vec::new();
    for path in sources(&folder) {
        let file = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let functions = entry_points(&read(&path));
        found.extend(functions.into_iter().map(|function| (format!("{name}/{file}"), function)));
    }
    assert!(!found.is_empty(), "no entry point in {}", folder.display());
    found
}

/// All sources below a folder, those of tests left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).expect("the crate is there").flatten() {
        let path = entry.path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else {
            sources.push(path);
        }
    }
    sources
}

/// The public functions of a source that are entry points.
fn entry_points(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut functions = Vec::new();
    for line in source.split("\n    pub ").flat_map(|part| part.split("\npub ")) {
        let Some(declaration) = line.strip_prefix("const ").unwrap_or(line).strip_prefix("fn ") else {
            continue;
        };
        let signature = declaration.split(['{', ';']).next().unwrap_or_default();
        let (parameters, rest) = signature.split_once("->").unwrap_or((signature, ""));
        let bounds = rest.split_once("where").map_or("", |(_, bounds)| bounds);
        if SIGNS.iter().any(|sign| parameters.contains(sign) || bounds.contains(sign)) {
            let name =
                declaration.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            functions.push(name.to_owned());
        }
    }
    functions
}
