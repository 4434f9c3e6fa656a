//! A real browser: headless Chromium loads pages with autobahn-js and wampy, which join, call, register,
//! subscribe and publish, with a Rust client as their partner. `cargo xtask test --stage browser` finds
//! Chromium and installs the packages.

mod browser;
mod partner;
mod report;
mod router;
mod webserver;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use roadbed_core::serializer::Serializer;
use roadbed_tests::outside::trial;
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

/// What all URIs begin with.
const PREFIX: &str = "com.example.browser";

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

/// What the tests need from outside, named by the stage `browser`.
type Outside = (Programs, PathBuf);
type Test = fn(Outside);

fn outside() -> Result<Outside, String> {
    let named = |variable: &str| {
        let path = std::env::var_os(variable).map(PathBuf::from);
        path.ok_or_else(|| format!("{variable} is not set (cargo xtask test --stage browser)"))
    };
    let browser = named("ROADBED_CHROMIUM")?;
    let driver = named("ROADBED_CHROMEDRIVER")?;
    Ok((Programs { browser, driver }, named("ROADBED_BROWSER_PACKAGES")?))
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A browser at a time is enough.
    arguments.test_threads.get_or_insert(1);
    let tests: [(&str, Test); 2] = [
        ("pages_and_rust_programs_share_a_realm", pages_and_rust_programs_share_a_realm),
        ("pages_of_other_origins_are_refused", pages_of_other_origins_are_refused),
    ];
    let trials = tests.into_iter().map(|(name, test)| trial("browser", name, outside(), test));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn pages_and_rust_programs_share_a_realm((programs, packages): Outside) {
    let web = WebServer::start(&packages);
    let routers = [Router::plain(web.origin()), Router::compressing(web.origin())];
    let browser = Browser::start(&programs, "realm");
    let mut report = Report::new(format!("Chromium {}", browser.version));
    for library in LIBRARIES {
        let name = format!("{library} {}", version(&packages, library));
        for (router, way) in
            routers.iter().flat_map(|router| router.ways.iter().map(move |way| (router, way)))
        {
            for (serializer, partner) in SERIALIZERS {
                let serializers = format!("{serializer}+{partner:?}").to_lowercase();
                let case = Case { library: name.clone(), way: way.0, serializers };
                let page = Page { library, serializer, router, url: &way.1 };
                let steps = meet(&browser, &page, partner, &web);
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
    routers.into_iter().for_each(Router::end);
}

/// What a page and its partner do.
fn meet(browser: &Browser, page: &Page<'_>, partner: Serializer, web: &WebServer) -> Vec<Step> {
    let partner = Partner::join(&page.router.rs, PREFIX, partner);
    let mut steps = Step::complete(browser.steps_of(&page.address(web)), "page", PAGE_STEPS);
    let did_all = steps.iter().all(|step| step.failure.is_none());
    steps.extend(Step::complete(partner.end(did_all), "partner", partner::STEPS));
    steps
}

fn pages_of_other_origins_are_refused((programs, packages): Outside) {
    let web = WebServer::start(&packages);
    // Another port is another origin.
    let other = WebServer::start(&packages);
    let router = Router::plain(web.origin());
    let browser = Browser::start(&programs, "origin");
    for library in LIBRARIES {
        for (way, url) in &router.ways {
            let page = Page { library, serializer: "json", router: &router, url };
            let steps = browser.steps_of(&page.address(&other));
            let failed = |step: &Step| step.name == "join" && step.failure.is_some();
            assert!(steps.len() == 1 && steps.iter().all(failed), "{library} over {way}: {steps:?}");
            let console = browser.console().join("\n");
            assert!(console.contains("Unexpected response code: 403"), "{library} over {way}: {console}");
        }
    }
    router.end();
}

/// What a page is told.
struct Page<'a> {
    library: &'a str,
    serializer: &'a str,
    router: &'a Router,
    url: &'a str,
}

impl Page<'_> {
    /// Where it is, served by this server.
    fn address(&self, web: &WebServer) -> String {
        let Self { library, serializer, router, url } = self;
        let (origin, realm, compressed) = (web.origin(), Router::REALM, router.compresses);
        format!(
            "{origin}/?library={library}&serializer={serializer}&router={url}&realm={realm}&prefix={PREFIX}\
             &compressed={compressed}"
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
