//! The router between pages and their partners.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A router that runs until dropped, and where it listens.
pub(crate) struct Router {
    ws: String,
    wss: Option<String>,
    /// For the partners.
    pub(crate) rs: String,
    child: Child,
}

impl Router {
    pub(crate) const REALM: &str = "realm1";

    /// Where pages connect to.
    pub(crate) fn urls(&self) -> Vec<(&'static str, &str)> {
        let wss = self.wss.as_deref().map(|url| ("wss", url));
        [("ws", self.ws.as_str())].into_iter().chain(wss).collect()
    }
}

/// Starts one that lets in pages of this origin.
pub(crate) fn router(_origin: &str) -> Router {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/crossbar_router.py");
    let python = std::env::var_os("ROADBED_PYTHON").unwrap();
    let folder = std::env::temp_dir().join(format!("roadbed-{}-cb", std::process::id()));
    let mut child = Command::new(python)
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses: Value = serde_json::from_str(&line).unwrap();
    let url = |name: &str| addresses[name].as_str().unwrap().to_owned();
    Router { ws: url("websocket"), wss: None, rs: url("tcp"), child }
}

impl Drop for Router {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
