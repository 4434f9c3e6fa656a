//! A real browser: headless Chromium loads pages with autobahn-js and wampy, which join, call, register,
//! subscribe and publish, with a Rust client as their partner. `cargo xtask test --stage browser` finds
//! Chromium and installs the packages.

mod browser;
mod partner;
mod report;
mod router;
mod webserver;

use std::path::PathBuf;

use roadbed_core::serializer::Serializer;
use serde_json::Value;

use crate::browser::{Browser, Programs};
use crate::partner::Partner;
use crate::report::{Case, Report, Step};
use crate::router::Router;
use crate::webserver::WebServer;

/// The libraries, by the names of their packages; the page knows them too.
const LIBRARIES: [&str; 3] = ["autobahn", "autobahn-browser", "wampy"];

/// What the page speaks, and what its partner does, so that the router transcodes most of the time.
const SERIALIZERS: [(&str, Serializer); 3] =
    [("json", Serializer::Cbor), ("msgpack", Serializer::MsgPack), ("cbor", Serializer::Json)];

/// What the page does, in this order.
const PAGE_STEPS: &[&str] = &[
    "join",
    "call",
    "call with keywords",
    "call with bytes",
    "call with a long text",
    "call refused by the callee",
    "call of what is not there",
    "call canceled",
    "register",
    "subscribe",
    "publish",
    "the partner's turn",
    "events",
    "unregister",
    "unsubscribe",
    "leave",
];

/// What the tests need from outside, named by the stage `browser`; without it they say so and pass,
/// because `cargo test` alone installs nothing.
fn outside() -> Option<(Programs, PathBuf)> {
    let named = |variable: &str| {
        let path = std::env::var_os(variable).map(PathBuf::from);
        if path.is_none() {
            println!("not run: {variable} is not set (cargo xtask test --stage browser)");
        }
        path
    };
    let browser = named("ROADBED_CHROMIUM")?;
    let driver = named("ROADBED_CHROMEDRIVER")?;
    Some((Programs { browser, driver }, named("ROADBED_BROWSER_PACKAGES")?))
}

#[test]
fn pages_and_rust_programs_share_a_realm() {
    let Some((programs, packages)) = outside() else { return };
    let web = WebServer::start(&packages);
    let router = Router::start(web.origin());
    let browser = Browser::start(&programs, "realm");
    let mut report = Report::new(format!("Chromium {}", browser.version));
    for library in LIBRARIES {
        for (scheme, url) in router.urls() {
            for (serializer, partner) in SERIALIZERS {
                let case = Case {
                    library: format!("{library} {}", version(&packages, library)),
                    scheme,
                    serializers: format!("{serializer}+{partner:?}").to_lowercase(),
                };
                let prefix = format!("com.example.{library}_{scheme}_{serializer}").replace('-', "_");
                let partner = Partner::join(&router.rs, &prefix, partner);
                let page = Page { library, serializer, router: url, prefix: &prefix };
                let mut steps = Step::complete(browser.steps_of(&page.address(&web)), "page", PAGE_STEPS);
                steps.extend(Step::complete(partner.end(), "partner", partner::STEPS));
                let console = browser.console();
                if steps.iter().any(|step| step.failure.is_some()) {
                    console.iter().for_each(|line| println!("{case}: {line}"));
                }
                report.add(case, steps);
            }
        }
    }
    println!("\n{report}");
    report.check();
    router.end();
}

#[test]
fn pages_of_other_origins_are_refused() {
    let Some((programs, packages)) = outside() else { return };
    let web = WebServer::start(&packages);
    // Another port is another origin.
    let other = WebServer::start(&packages);
    let router = Router::start(web.origin());
    let browser = Browser::start(&programs, "origin");
    for library in LIBRARIES {
        for (scheme, url) in router.urls() {
            let page = Page { library, serializer: "json", router: url, prefix: "com.example.nobody" };
            let steps = browser.steps_of(&page.address(&other));
            let failed = |step: &Step| step.name == "join" && step.failure.is_some();
            assert!(steps.len() == 1 && steps.iter().all(failed), "{library} over {scheme}: {steps:?}");
            let console = browser.console().join("\n");
            assert!(console.contains("Unexpected response code: 403"), "{library} over {scheme}: {console}");
        }
    }
    router.end();
}

/// What a page is told.
struct Page<'a> {
    library: &'a str,
    serializer: &'a str,
    router: &'a str,
    prefix: &'a str,
}

impl Page<'_> {
    fn address(&self, web: &WebServer) -> String {
        let Self { library, serializer, router, prefix } = self;
        let origin = web.origin();
        format!(
            "{origin}/?library={library}&serializer={serializer}&router={router}&prefix={prefix}&realm={}",
            Router::REALM
        )
    }
}

/// The version of an installed package.
fn version(packages: &std::path::Path, package: &str) -> String {
    let path = packages.join("node_modules").join(package).join("package.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let package: Value = serde_json::from_slice(&text).unwrap();
    package["version"].as_str().unwrap().to_owned()
}
