//! The programs of a contender.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::protocol::Load;

/// A contender at work: who serves, and who loads. Dropped, both end.
pub(crate) struct Pair {
    load: Talk,
    // Dropped last, so that nobody sees the other one vanish.
    _serve: Talk,
}

impl Pair {
    /// Starts both.
    pub(crate) fn start(program: &Path, name: &str) -> Result<Self, String> {
        let (serve, address) = Talk::start(Command::new(program).args(["serve", name]))?;
        let (load, _) = Talk::start(Command::new(program).args(["load", name, &address]))?;
        Ok(Self { load, _serve: serve })
    }

    /// Runs a round: calls a second.
    pub(crate) fn round(&mut self, load: Load) -> Result<f64, String> {
        let Load { in_flight, bytes, span } = load;
        let request = format!("{in_flight} {bytes} {}\n", span.as_millis());
        self.load.input.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let answer = self.load.line()?;
        let mut numbers = answer.split(' ').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(calls)), Some(Ok(micros))) if calls > 0 => {
                Ok(f64::from(calls) * 1e6 / f64::from(micros))
            }
            _ => Err(format!("it answered {answer:?}")),
        }
    }
}

/// A child, and what is said to and by it.
struct Talk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    /// Starts it, and waits until it is ready; returns what it said then.
    fn start(command: &mut Command) -> Result<(Self, String), String> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{command:?} cannot be started: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child without pipes".to_owned());
        };
        let mut talk = Self { child, input, output: BufReader::new(output) };
        let line = talk.line().map_err(|why| format!("{command:?}: {why}"))?;
        match line.strip_prefix("ready") {
            Some(what) => Ok((talk, what.trim().to_owned())),
            None => Err(format!("{command:?} said {line:?}")),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it has ended".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
