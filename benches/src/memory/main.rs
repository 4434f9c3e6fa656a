//! What idle sessions hold, on every adapter: `cargo xtask bench memory [NAME]...`.
//!
//! For each adapter two programs are started: a router, and its clients. Both tell what they hold after one
//! session, and again after a thousand more and a second of silence; the difference is what sessions
//! cost. *Heap* is what was asked of the allocator; *resident* is what the operating system has given to
//! the process, with the stacks of threads as far as they were touched, and all that the allocator keeps.

#[path = "../adapters/adapter.rs"]
mod adapter;
mod heap;

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use adapter::{ADAPTERS, Adapter};

const SESSIONS: u32 = 1000;
const SILENCE: Duration = Duration::from_secs(1);

fn main() {
    // cargo bench passes `--bench` of its own accord.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["router", name] => router(name),
        ["clients", name, address] => clients(name, address),
        _ => {
            if let Some(unknown) = words.iter().find(|word| !ADAPTERS.contains(word)) {
                eprintln!("no adapter {unknown}; there are {}", ADAPTERS.join(", "));
                std::process::exit(2);
            }
            println!("bytes for each of {SESSIONS} sessions, after {SILENCE:?} of silence");
            println!(
                "{:<12}{:>14}{:>18}{:>14}{:>18}",
                "", "client: heap", "resident", "peer: heap", "resident"
            );
            let wanted = |name: &&str| words.is_empty() || words.contains(name);
            ADAPTERS.into_iter().filter(wanted).for_each(measure);
        }
    }
}

/// A row of the table.
fn measure(name: &str) {
    let mut router = Talk::start(&["router", name]);
    let address = router.line();
    let mut clients = Talk::start(&["clients", name, &address]);
    let mut join = |count| {
        clients.ask(count);
        thread::sleep(SILENCE);
        [clients.ask(0), router.ask(0)]
    };
    let before = join(1);
    let after = join(SESSIONS);
    let each = |side: usize, what: usize| match (before[side][what], after[side][what]) {
        (Some(before), Some(after)) => format!("{:.0}", (after - before) / f64::from(SESSIONS)),
        _ => "n/a".to_owned(),
    };
    println!("{name:<12}{:>14}{:>18}{:>14}{:>18}", each(0, 0), each(0, 1), each(1, 0), each(1, 1));
}

/// A router; it tells what it holds whenever it is asked.
fn router(name: &str) {
    let adapter = Adapter::named(name);
    println!("{}", adapter.serve());
    std::io::stdin().lines().for_each(|_| heap::tell());
}

/// Clients, so many more whenever they are asked for.
fn clients(name: &str, address: &str) {
    let adapter = Adapter::named(name);
    // Their own place is there already.
    let mut sessions = Vec::with_capacity(2 * SESSIONS as usize);
    for line in std::io::stdin().lines() {
        let count: u32 = line.expect("text").parse().expect("a number");
        sessions.extend((0..count).map(|_| adapter.join(address)));
        heap::tell();
    }
}

/// A child, asked and answering a line at a time.
struct Talk {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Talk {
    fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, input, output }
    }

    fn line(&mut self) -> String {
        self.output.next().expect("the child lives").expect("the child writes text")
    }

    /// Asks for so many more sessions; returns heap and resident memory.
    fn ask(&mut self, count: u32) -> [Option<f64>; 2] {
        writeln!(self.input, "{count}").expect("the child lives");
        let line = self.line();
        let mut numbers = line.split(' ').map(|number| number.parse().ok());
        [numbers.next().flatten(), numbers.next().flatten()]
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
