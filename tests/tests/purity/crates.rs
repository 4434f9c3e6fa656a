//! The crates that a crate can reach, as cargo sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crates that must never be reached, whatever they are used for.
const FORBIDDEN: &str = "\
    getrandom rand fastrand tokio async-std smol async-io mio socket2 polling crossbeam-channel \
    parking_lot chrono time web-time";
/// Crates that were looked at: they compute. A new dependency of core or router has to be put here by
/// somebody who looked.
///
/// cpufeatures asks the processor (through libc, where the processor cannot be asked directly). indexmap,
/// equivalent and foldhash are used by serde_json when our tests want the order of keys kept.
const REVIEWED: &str = "\
    base64ct block-buffer bytes bytestring cfg-if chacha20 ciborium ciborium-io ciborium-ll \
    cpufeatures crunchy crypto-common digest equivalent flate2 foldhash half hashbrown httparse \
    hybrid-array indexmap itoa libc memchr num-traits rand_core rmp rmp-serde roadbed-core \
    roadbed-router serde serde_core serde_json sha1 siphasher slab subtle thiserror typenum \
    zerocopy zeroize zlib-rs zmij";

/// Which crate uses which, without what only tests and build scripts use. Macros run in the compiler and
/// are left out. A crate is told by its name and version: another version may use other crates.
pub(crate) struct Graph {
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn load(workspace: &Path) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            // Not offline: what only other systems need has never been built here, and may have to come first.
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(workspace)
            .output()
            .expect("cargo can be run");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        Self::parse(&serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON"))
    }

    fn parse(metadata: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut names = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let is_macro = list(&package["targets"])
                .iter()
                .any(|target| list(&target["kind"]).iter().any(|kind| kind == "proc-macro"));
            let (name, version) = (package["name"].as_str(), package["version"].as_str());
            if let (Some(id), Some(name), Some(version), false) =
                (package["id"].as_str(), name, version, is_macro)
            {
                names.insert(id.to_owned(), format!("{name} {version}"));
            }
        }
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(user) = node["id"].as_str().and_then(|id| names.get(id)) else { continue };
            let used = uses.entry(user.clone()).or_default();
            for dependency in list(&node["deps"]) {
                let is_normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
                let name = dependency["pkg"].as_str().and_then(|id| names.get(id));
                used.extend(name.filter(|_| is_normal).cloned());
            }
        }
        Self { uses }
    }

    /// A graph for tests of the checker.
    pub(crate) fn planted(edges: &[(&str, &str)]) -> Self {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (user, used) in edges {
            uses.entry((*user).to_owned()).or_default().insert((*used).to_owned());
        }
        Self { uses }
    }

    /// Every crate that `root` reaches, with the way to it.
    pub(crate) fn reachable(&self, root: &str) -> BTreeMap<String, Vec<String>> {
        let root = self.uses.keys().find(|user| name_of(user) == root).expect("the crate is known").clone();
        let mut ways = BTreeMap::from([(root.clone(), vec![root.clone()])]);
        let mut todo = vec![root.clone()];
        while let Some(user) = todo.pop() {
            for used in self.uses.get(&user).into_iter().flatten() {
                if !ways.contains_key(used) {
                    let way = ways[&user].iter().chain([used]).cloned().collect();
                    ways.insert(used.clone(), way);
                    todo.push(used.clone());
                }
            }
        }
        ways.remove(&root);
        ways
    }

    /// What `root` reaches and should not.
    pub(crate) fn offences(&self, root: &str) -> Vec<String> {
        let mut offences = Vec::new();
        for (name, way) in self.reachable(root) {
            let (name, way) = (name_of(&name), way.join(" -> "));
            if lists(FORBIDDEN, name) {
                offences.push(format!("{way} is forbidden"));
            } else if !lists(REVIEWED, name) {
                offences.push(format!("{way} was not reviewed"));
            }
        }
        offences
    }
}

/// A crate's name without its version.
fn name_of(label: &str) -> &str {
    label.split(' ').next().unwrap_or(label)
}

fn lists(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|listed| listed == name)
}
