//! Foreign peers as child processes. Each ends with its standard input, so none outlives the test.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::ways::Way;

/// The Python with the installed peers, named by the stage `interop`.
pub(crate) fn python() -> Result<PathBuf, String> {
    named("ROADBED_PYTHON", "Python with the peers")
}

/// Node.js, and the folder with the packages that it is to load.
pub(crate) struct Node {
    program: PathBuf,
    packages: PathBuf,
}

/// Node.js with the installed peers; as for Python.
pub(crate) fn node() -> Result<Node, String> {
    let program = named("ROADBED_NODE", "Node.js with the peers")?;
    let packages = named("ROADBED_NODE_PACKAGES", "folder with packages of Node.js")?;
    Ok(Node { program, packages })
}

fn named(variable: &str, what: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.ok_or_else(|| format!("{variable} names no {what} (cargo xtask test --stage interop)"))
}

/// A script of tests/interop.
fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

/// What the peers that are here need.
pub(crate) struct Peers {
    python: PathBuf,
    node: Option<Node>,
    pub(crate) certificates: Certificates,
    pub(crate) folder: Folder,
}

impl Peers {
    /// Those of this Python, and those of Node.js if they are here.
    pub(crate) fn find(python: PathBuf) -> Self {
        let folder = Folder::new("interop");
        Self { python, node: node().ok(), certificates: Certificates::new(&folder.0), folder }
    }

    /// A script in Python, with the certificates it is to trust.
    pub(crate) fn python(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(script(name)).arg("--authority").arg(&self.certificates.authority);
        command
    }

    /// A script in JavaScript likewise, if Node.js is here.
    pub(crate) fn javascript(&self, name: &str) -> Option<Command> {
        let Node { program, packages } = self.node.as_ref()?;
        let mut command = Command::new(program);
        command.arg(script(name)).arg("--packages").arg(packages);
        command.env("NODE_EXTRA_CA_CERTS", &self.certificates.authority);
        Some(command)
    }
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
    pub(crate) fn start(peers: &Peers) -> Self {
        let Certificates { certificate, key, .. } = &peers.certificates;
        let mut command = Command::new(&peers.python);
        command.arg(script("crossbar_router.py")).arg(peers.folder.0.join("crossbar"));
        let mut peer = Peer::start(command.arg("--certificate").arg(certificate).arg("--key").arg(key));
        let addresses: Value = serde_json::from_str(&peer.line()).unwrap();
        assert_eq!(addresses["ready"], true, "{addresses}");
        Self { _peer: peer, addresses }
    }

    /// Where to find it.
    pub(crate) fn url(&self, way: Way) -> &str {
        self.addresses[way.name()].as_str().unwrap()
    }
}

/// Runs a foreign client with all scenarios at these addresses, and that of 8 MiB at the large ones: it prints a line
/// for each.
pub(crate) fn reports<'a>(
    mut command: Command,
    urls: impl Iterator<Item = &'a str>,
    large: impl Iterator<Item = &'a str>,
    serializers: &[&str],
) -> Vec<Value> {
    command.args(["--authid", "alice", "--ticket", "secret-alice", "--ticket-realm", "realm2"]);
    for url in urls {
        command.args(["--url", url]);
    }
    for url in large {
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
