//! Foreign peers as child processes. Each ends with its standard input, so none outlives the test.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

/// The Python with the installed peers, named by the stage `interop`; without it the tests say so and
/// pass, because `cargo test` alone installs nothing.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("ROADBED_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("not run: ROADBED_PYTHON names no Python with the peers (cargo xtask test --stage interop)");
    }
    python
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

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
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
    pub(crate) fn start(python: &PathBuf, folder: &Folder) -> Self {
        let mut peer =
            Peer::start(Command::new(python).arg(script("crossbar_router.py")).arg(folder.path("node")));
        let addresses: Value = serde_json::from_str(&peer.line()).unwrap();
        assert_eq!(addresses["ready"], true, "{addresses}");
        Self { _peer: peer, addresses }
    }

    /// The address of one of its endpoints, such as `tcp` or `unix`.
    pub(crate) fn url(&self, endpoint: &str) -> &str {
        self.addresses[endpoint].as_str().unwrap()
    }
}

/// Runs peer.py against a router and checks that every scenario it reports went well.
pub(crate) fn run_scenarios(python: &PathBuf, arguments: &[&str]) {
    let output = Command::new(python)
        .arg(script("peer.py"))
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let reports: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad: Vec<&Value> = reports.iter().filter(|report| report["ok"] != true).collect();
    let skipped = reports.iter().filter(|report| report["skipped"] == true).count();
    println!(
        "peer.py {}: {} scenarios, {skipped} skipped, {} failed",
        arguments.join(" "),
        reports.len(),
        bad.len()
    );
    assert!(bad.is_empty() && output.status.success() && !reports.is_empty(), "{bad:#?}");
    assert_eq!(skipped, 0, "a scenario was skipped");
}
