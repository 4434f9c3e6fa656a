//! Foreign peers as child processes. Each ends with its standard input, so none outlives the test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::routers::Addresses;

/// The Python with the installed peers, named by the stage `interop`; without it the tests say so and
/// pass, because `cargo test` alone installs nothing.
pub(crate) fn python() -> Option<PathBuf> {
    named("ROADBED_PYTHON", "Python with the peers")
}

/// Node.js, and the folder with the packages that it is to load.
pub(crate) struct Node {
    program: PathBuf,
    packages: PathBuf,
}

/// Node.js with the installed peers; as for Python.
pub(crate) fn node() -> Option<Node> {
    let program = named("ROADBED_NODE", "Node.js with the peers")?;
    let packages = named("ROADBED_NODE_PACKAGES", "folder with packages of Node.js")?;
    Some(Node { program, packages })
}

fn named(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        println!("not run: {variable} names no {what} (cargo xtask test --stage interop)");
    }
    path
}

/// A script of tests/interop.
pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

/// A folder for one test, short enough for a Unix socket in it; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("roadbed-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// The path of a Unix socket.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.sock"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A foreign peer that serves until its standard input ends.
pub(crate) struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<std::process::ChildStdout>,
}

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, lines }
    }

    /// The next line it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the peer ended without a word");
        line
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let mut rest = String::new();
        let _ = self.lines.read_to_string(&mut rest);
        let _ = self.child.wait();
    }
}

/// Crossbar.io on free ports.
pub(crate) struct Crossbar {
    _peer: Peer,
    addresses: Value,
}

impl Crossbar {
    pub(crate) fn start(python: &Path, folder: &Folder) -> Self {
        let mut peer = Peer::start(
            Command::new(python).arg(script("crossbar_router.py")).arg(folder.0.join("crossbar")),
        );
        let addresses: Value = serde_json::from_str(&peer.line()).unwrap();
        assert_eq!(addresses["ready"], true, "{addresses}");
        Self { _peer: peer, addresses }
    }

    /// The address of one of its endpoints, such as `tcp` or `unix`.
    pub(crate) fn url(&self, endpoint: &str) -> &str {
        self.addresses[endpoint].as_str().unwrap()
    }
}

/// Runs peer.py with all scenarios against our routers; what it reports.
pub(crate) fn autobahn_python(python: &Path, to: &Addresses, serializers: &[&str]) -> Vec<Value> {
    let mut command = Command::new(python);
    command.arg(script("peer.py"));
    command.args(["--authid", "alice", "--ticket", "secret-alice", "--ticket-realm", "realm2"]);
    reports(&mut command, to, serializers)
}

/// Runs autobahn_peer.mjs likewise.
pub(crate) fn autobahn_js(node: &Node, to: &Addresses, serializers: &[&str]) -> Vec<Value> {
    let mut command = Command::new(&node.program);
    command.arg(script("autobahn_peer.mjs")).arg("--packages").arg(&node.packages);
    command.args(["--authid", "alice", "--ticket", "secret-alice", "--ticket-realm", "realm2"]);
    reports(&mut command, to, serializers)
}

/// Runs a foreign client, which prints a line for each scenario.
fn reports(command: &mut Command, to: &Addresses, serializers: &[&str]) -> Vec<Value> {
    for url in [&to.tcp, &to.unix] {
        command.args(["--url", url]);
    }
    for url in [&to.large_tcp, &to.large_unix] {
        command.args(["--large-url", url]);
    }
    for serializer in serializers {
        command.args(["--serializer", serializer]);
    }
    // Its exit code tells no more than the lines do, and what is missing is counted.
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(report).collect()
}

fn report(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}
