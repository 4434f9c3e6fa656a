//! Headless Chromium, driven over WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::report::Step;

/// How long a page may take from loading to its last step.
const PAGE_SECONDS: u64 = 60;

/// Alone, as root in a container too, and without a word to anybody else.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
];

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Runs until dropped.
pub(crate) struct Browser {
    pub(crate) version: String,
    driver: Driver,
    session: String,
    profile: PathBuf,
}

impl Browser {
    /// Starts it, with an empty profile. It accepts any certificate, as those of the test are made by the
    /// test.
    pub(crate) fn start(programs: &Programs, name: &str) -> Self {
        let profile = std::env::temp_dir().join(format!("roadbed-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&profile).unwrap();
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let driver = Driver::start(programs);
        let capabilities = json!({ "alwaysMatch": {
            "acceptInsecureCerts": true,
            "timeouts": { "script": PAGE_SECONDS * 1000, "pageLoad": PAGE_SECONDS * 1000 },
            "goog:chromeOptions": { "binary": programs.browser, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }});
        let created = driver.post("session", &json!({ "capabilities": capabilities }));
        let session = format!("session/{}", created["sessionId"].as_str().unwrap());
        let version = created["capabilities"]["browserVersion"].as_str().unwrap().to_owned();
        Self { version, driver, session, profile }
    }

    /// Loads a page, waits until it says that it is done, and reads its table.
    pub(crate) fn steps_of(&self, address: &str) -> Vec<Step> {
        self.post("url", &json!({ "url": address }));
        let wait = "const [done] = arguments; window.finished.then(() => done())";
        self.post("execute/async", &json!({ "script": wait, "args": [] }));
        let read = "return [...document.querySelectorAll('tr')]
            .map(({ cells }) => [...cells].map((cell) => cell.textContent))";
        let rows = self.post("execute/sync", &json!({ "script": read, "args": [] }));
        let rows: Vec<(String, String, String)> = serde_json::from_value(rows).unwrap();
        let step = |(name, result, why)| Step { name, failure: (result != "ok").then_some(why) };
        rows.into_iter().map(step).collect()
    }

    /// What was written to the page's console since the last question.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        let text = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        entries.as_array().unwrap().iter().map(text).collect()
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.driver.post(&format!("{}/{command}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser and its helpers; without this they would outlive the driver.
        let _ = self.driver.agent.delete(self.driver.url(&self.session)).call();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The program that speaks WebDriver to us.
struct Driver {
    child: Child,
    port: u16,
    agent: Agent,
}

impl Driver {
    fn start(programs: &Programs) -> Self {
        let mut command = Command::new(&programs.driver);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // "ChromeDriver was started successfully on port 1234."
        let port =
            |line: String| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok();
        let port = lines.find_map(port).expect("the driver ended without a word");
        // It may have more to say, and a pipe that is closed or full would stop it.
        thread::spawn(move || lines.for_each(drop));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(2 * PAGE_SECONDS)))
            .proxy(None);
        Self { child, port, agent: config.build().into() }
    }

    fn url(&self, command: &str) -> String {
        format!("http://127.0.0.1:{}/{command}", self.port)
    }

    /// Sends a command, and gives the value that it returns.
    fn post(&self, command: &str, body: &Value) -> Value {
        let mut response = self.agent.post(self.url(command)).send_json(body).unwrap();
        let mut answer: Value = response.body_mut().read_json().unwrap();
        assert!(response.status().is_success(), "{command}: {}", answer["value"]["message"]);
        answer["value"].take()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
