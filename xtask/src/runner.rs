//! Stages: run one after the other, and told of at the end.

use std::path::Path;
use std::time::{Duration, Instant};

/// One of the project's checks.
pub(crate) struct Stage {
    /// What `--stage` calls it.
    pub(crate) name: &'static str,
    /// What it shows when it passes.
    pub(crate) what: &'static str,
    /// Runs it in the workspace's folder.
    pub(crate) run: fn(&Path) -> Outcome,
}

/// How a stage ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All was as it should be.
    Passed,
    /// Something was not.
    Failed(String),
    /// What it needs is not on this machine: skipped, and a failure in CI, where everything has to run.
    Unavailable(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

impl Outcome {
    /// What it counts as.
    fn settle(self, ci: bool) -> Self {
        match self {
            Self::Unavailable(why) if ci => Self::Failed(format!("cannot run, and CI=true: {why}")),
            settled => settled,
        }
    }

    /// The word and the explanation in the summary.
    fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Passed => ("ok", ""),
            Self::Failed(why) => ("FAILED", why),
            Self::Unavailable(why) => ("skipped", why),
        }
    }
}

/// Runs the stages in order, every one whatever became of those before, and prints the summary.
/// Whether none failed.
pub(crate) fn run(root: &Path, stages: &[&Stage]) -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let mut report = Vec::new();
    for stage in stages {
        println!("\n==> {}: {}", stage.name, stage.what);
        let begin = Instant::now();
        let outcome = (stage.run)(root).settle(ci);
        let took = begin.elapsed();
        let (word, why) = outcome.told();
        println!("<== {}: {word} after {} {why}", stage.name, seconds(took));
        report.push((stage.name, outcome, took));
    }
    print!("{}", summary(&report));
    !report.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
}

/// The table, and the line that counts.
fn summary(report: &[(&str, Outcome, Duration)]) -> String {
    let mut text = String::from("\n");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, outcome, took) in report {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Failed(_) => failed += 1,
            Outcome::Unavailable(_) => skipped += 1,
        }
        let (word, why) = outcome.told();
        let line = format!("{name:<12} {word:<8} {:>9}  {why}", seconds(*took));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let total: Duration = report.iter().map(|(_, _, took)| *took).sum();
    let slowest = report.iter().max_by_key(|(_, _, took)| *took).map_or("none", |(name, _, _)| name);
    text.push_str(&format!("all together {}; the slowest is {slowest}\n", seconds(total)));
    text.push_str(&format!("stages: {passed} passed, {failed} failed, {skipped} skipped\n"));
    text
}

/// A duration for people.
fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_fails_in_ci_only() {
        let missing = || Outcome::Unavailable("no python3".to_owned());
        assert_eq!(missing().settle(false), missing());
        assert!(matches!(missing().settle(true), Outcome::Failed(why) if why.contains("no python3")));
        assert_eq!(Outcome::Passed.settle(true), Outcome::Passed);
    }

    #[test]
    fn the_summary_tells_and_counts() {
        let report = [
            ("fmt", Outcome::Passed, Duration::from_millis(1250)),
            ("doc", Outcome::Failed("a link".to_owned()), Duration::from_secs(12)),
            ("deny", Outcome::Unavailable("not installed".to_owned()), Duration::ZERO),
        ];
        let text = summary(&report);
        assert_eq!(
            text,
            "\nfmt          ok           1.2 s\n\
             doc          FAILED      12.0 s  a link\n\
             deny         skipped      0.0 s  not installed\n\
             all together 13.2 s; the slowest is doc\n\
             stages: 1 passed, 1 failed, 1 skipped\n"
        );
    }

    #[test]
    fn every_stage_runs_whatever_became_of_those_before() {
        let bad = Stage { name: "bad", what: "", run: |_| Outcome::Failed("so it is".to_owned()) };
        let good = Stage { name: "good", what: "", run: |_| Outcome::Passed };
        let root = Path::new(".");
        assert!(!run(root, &[&bad, &good]));
        assert!(run(root, &[&good]));
    }
}
