//! Running the suite against our two ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::report::Verdicts;
use crate::command::{cargo, run};
use crate::interop::TESTS_PACKAGE;

/// What we are called in the reports.
const AGENT: &str = "roadbed";

/// How long the suite's server may take to listen.
const START: Duration = Duration::from_secs(30);

/// The program that echoes.
const ECHO: &str = "websocket-echo";

/// Builds the program that echoes, in release: some cases have deadlines.
pub(super) fn build_echo(root: &Path) -> Result<PathBuf, String> {
    run(cargo(root).args(["build", "--release", "-p", TESTS_PACKAGE, "--bin", ECHO]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
    Ok(target.join("release").join(ECHO))
}

/// The suite's client tries our server.
pub(super) fn against_server(
    wstest: &Path,
    echo: &Path,
    folder: &Path,
    cases: &[&str],
) -> Result<Verdicts, String> {
    let mut child = Running::start(Command::new(echo).arg("serve").stdout(Stdio::piped()))?;
    let output = child.0.stdout.take().ok_or("the echo server has no output")?;
    let mut url = String::new();
    BufReader::new(output).read_line(&mut url).map_err(|error| format!("the echo server: {error}"))?;
    let servers = json!([{ "agent": AGENT, "url": url.trim() }]);
    let spec = specification(folder, cases, "servers", servers)?;
    run(Command::new(wstest).args(["-m", "fuzzingclient", "-s"]).arg(spec).stdout(Stdio::null()))?;
    Verdicts::read(folder)
}

/// Our client visits the suite's server.
pub(super) fn against_client(
    wstest: &Path,
    echo: &Path,
    folder: &Path,
    cases: &[&str],
) -> Result<Verdicts, String> {
    let port = free_port()?;
    let url = format!("ws://127.0.0.1:{port}");
    let spec = specification(folder, cases, "url", json!(url))?;
    let mut command = Command::new(wstest);
    command.args(["-m", "fuzzingserver", "--webport", "0", "-s"]).arg(spec).stdout(Stdio::null());
    let mut server = Running::start(&mut command)?;
    server.listens(port)?;
    run(Command::new(echo).args(["visit", &url, AGENT]))?;
    Verdicts::read(folder)
}

/// Writes what the suite is to do, into a folder that holds nothing else.
fn specification(folder: &Path, cases: &[&str], key: &str, value: Value) -> Result<PathBuf, String> {
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(in_folder)?;
    }
    fs::create_dir_all(folder).map_err(in_folder)?;
    let mut all = json!({ "outdir": folder, "cases": cases, "exclude-cases": [], "exclude-agent-cases": {} });
    all[key] = value;
    let path = folder.join("specification.json");
    fs::write(&path, all.to_string()).map_err(in_folder)?;
    Ok(path)
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// A program that ends when this is dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).spawn().map(Self).map_err(|error| format!("{program}: {error}"))
    }

    /// Waits until there is a listener at the port.
    fn listens(&mut self, port: u16) -> Result<(), String> {
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("the suite's server ended: {status}"));
            }
            if begin.elapsed() > START {
                return Err(format!("the suite's server does not listen after {START:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
