//! Calls a second over loopback TCP: every adapter through our router on the same adapter, beside a relay
//! that only copies bytes, the raw loop of the examples, and `xconn-core` with its router.
//!
//! `cargo xtask bench adapters [--rounds N] [--beside PROGRAM] [WORD]...`. Every contender is two programs:
//! one serves, the other one is caller and callee, as two connections. They take turns in short rounds
//! within one run, so that whatever else the machine does hits all of them. `--beside` names another build of
//! this program, whose contenders take turns with ours: before and after a change.

mod adapter;
mod calls;
mod child;
mod protocol;
mod raw_loop;
mod relay;
mod rounds;

use std::path::PathBuf;
use std::time::Duration;

use rounds::{Contender, Plan};

/// What all of them call.
const PROCEDURE: &str = "com.example.echo";

/// Our contenders, and what they are compared with: it comes first.
const NAMES: [&str; 7] = ["relay", "relay-tokio", "raw-loop", "tokio", "async-std", "smol", "blocking"];

/// Names the program with `xconn-core` in it.
const XCONN: &str = "ROADBED_BENCH_XCONN";

fn main() {
    // cargo bench passes `--bench` of its own accord.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", name] => serve(name),
        ["load", name, address] => load(name, address),
        _ => match plan(&words) {
            Ok(plan) => rounds::run(plan),
            Err(why) => {
                eprintln!("{why}; usage: [--rounds N] [--millis N] [--beside PROGRAM] [WORD]...");
                std::process::exit(2);
            }
        },
    }
}

/// Serves under this name until the parent is gone.
fn serve(name: &str) {
    match name {
        "relay" => relay::threads::serve(),
        "relay-tokio" => relay::tasks::serve(),
        "raw-loop" => raw_loop::serve(),
        name => calls::serve(name),
    }
}

/// Calls and is called under this name, until the parent is gone.
fn load(name: &str, address: &str) {
    match name {
        "relay" => relay::threads::load(address),
        "relay-tokio" => relay::tasks::load(address),
        "raw-loop" => raw_loop::load(address),
        name => calls::load(name, address),
    }
}

/// Understands the arguments.
fn plan(words: &[&str]) -> Result<Plan, String> {
    let mut plan = Plan { contenders: Vec::new(), rounds: 5, span: Duration::from_millis(400) };
    let (mut beside, mut wanted) = (None, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let number =
                words.next().and_then(|number| number.parse::<u32>().ok()).filter(|number| *number > 0);
            number.ok_or(format!("{word} wants a number"))
        };
        match *word {
            "--rounds" => plan.rounds = number()?,
            "--millis" => plan.span = Duration::from_millis(number()?.into()),
            "--beside" => beside = Some(words.next().ok_or("--beside wants a program")?),
            flag if flag.starts_with("--") => return Err(format!("unknown option {flag}")),
            word if NAMES.contains(&word) || word == "xconn" => wanted.push(word),
            word => return Err(format!("no contender {word}; there are {} and xconn", NAMES.join(", "))),
        }
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name) || name == NAMES[0];
    for name in NAMES.into_iter().filter(|name| is_wanted(name)) {
        if let Some(beside) = beside.filter(|_| !name.starts_with("relay")) {
            plan.contenders.push(Contender::new(format!("other {name}"), name, PathBuf::from(beside)));
        }
        plan.contenders.push(Contender::new(name.to_owned(), name, own.clone()));
    }
    if is_wanted("xconn") {
        plan.contenders.push(match std::env::var_os(XCONN) {
            Some(program) => Contender::new("xconn-core".to_owned(), "xconn", program.into()),
            None => Contender::missing("xconn-core", "it was not built; see `cargo xtask bench`"),
        });
    }
    Ok(plan)
}
