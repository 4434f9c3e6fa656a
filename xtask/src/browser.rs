//! The stage `browser`: pages in Chromium that use WAMP libraries, and the test that drives them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, run, which};
use crate::debian;
use crate::interop::TESTS_PACKAGE;
use crate::javascript;
use crate::peers;
use crate::runner::Outcome;

/// The test target of `roadbed-tests`, and how it is told where everything is.
const TEST: &str = "browser";
const BROWSER_VARIABLE: &str = "ROADBED_CHROMIUM";
const DRIVER_VARIABLE: &str = "ROADBED_CHROMEDRIVER";
const PACKAGES_VARIABLE: &str = "ROADBED_BROWSER_PACKAGES";

/// What the browser is called, and its driver.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];
const DRIVER: &str = "chromedriver";

/// Both in Debian.
const DEBIAN: [&str; 2] = ["chromium", "chromium-driver"];

/// The libraries that pages load, at the versions that the test was written for; behind them esbuild, and
/// what stands for Node.js's own modules in the bundle that it makes of the newest autobahn-js.
const PACKAGES: &[&str] = &[
    "autobahn@26.3.1",
    "autobahn-browser@22.11.1",
    "wampy@8.0.2",
    "esbuild@0.28.2",
    "assert@2.1.0",
    "buffer@6.0.3",
    "events@3.3.0",
    "process@0.11.10",
    "stream-browserify@3.0.0",
    "util@0.12.5",
];

/// How autobahn-js becomes a script for browsers, which sets `autobahn`.
const BUNDLE: &[&str] = &[
    "node_modules/autobahn/index.js",
    "--outfile=bundle/autobahn.js",
    "--bundle",
    "--platform=browser",
    "--format=iife",
    "--global-name=autobahn",
    "--define:global=globalThis",
    "--inject:shims.mjs",
    "--alias:stream=stream-browserify",
    "--external:fs",
    "--log-level=warning",
];

/// Finds or installs what is needed, and runs the test.
pub(crate) fn check(root: &Path) -> Outcome {
    let tools = find_programs().and_then(|programs| Ok((programs, packages(root)?)));
    let ((browser, driver), packages) = match tools {
        Ok(tools) => tools,
        Err(why) => return Outcome::Unavailable(why),
    };
    let mut command = cargo(root);
    command.args(["test", "-p", TESTS_PACKAGE, "--test", TEST, "--", "--nocapture"]);
    command.env(BROWSER_VARIABLE, browser).env(DRIVER_VARIABLE, driver).env(PACKAGES_VARIABLE, packages);
    run(&mut command).into()
}

/// The browser and its driver; where they are missing, Debian's if we may install them.
fn find_programs() -> Result<(PathBuf, PathBuf), String> {
    let find = || Some((BROWSERS.iter().find_map(|name| which(name))?, which(DRIVER)?));
    if let Some(found) = find() {
        return Ok(found);
    }
    debian::install(&format!("Chromium and {DRIVER}"), &DEBIAN)?;
    find().ok_or_else(|| format!("{} came without Chromium or {DRIVER}", DEBIAN.join(" and ")))
}

/// The folder with the libraries and the bundle; fills it at the first time (about 15 s).
fn packages(root: &Path) -> Result<PathBuf, String> {
    let folder = peers::folder(root).join("browser");
    let shims = root.join("tests/browser/shims.mjs");
    let shims = fs::read_to_string(&shims).map_err(|error| format!("{}: {error}", shims.display()))?;
    let wanted = format!("{}\n{}\n{shims}", PACKAGES.join("\n"), BUNDLE.join("\n"));
    if fs::read_to_string(folder.join(javascript::STAMP)).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    javascript::ensure_npm()?;
    javascript::clear(&folder)?;
    println!("installing {} into {}, about 15 s", PACKAGES.join(", "), folder.display());
    javascript::install(root, &folder, PACKAGES)?;
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))
    };
    write("shims.mjs", &shims)?;
    run(Command::new(folder.join("node_modules/.bin/esbuild")).args(BUNDLE).current_dir(&folder))?;
    write(javascript::STAMP, &wanted)?;
    Ok(folder)
}
