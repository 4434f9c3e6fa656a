//! Counting instructions: the same program once more, under valgrind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Bench, ITERATIONS};

/// Iterations of each row. The counts hardly depend on it; what grows (buffers) does so in the first few.
const COUNT: u32 = 64;

/// Instructions an iteration for every contender of every row, `None` for those that are unable.
///
/// callgrind writes a file whenever `measured_loop` is entered and another when it is left, so that every
/// second file holds what one contender spent.
pub(crate) fn count(benches: &[Bench], words: &[&str]) -> Result<Vec<Vec<Option<f64>>>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = folder(&program)?;
    let out = folder.join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        // One pattern takes one option, so these are two.
        .args(["--dump-before=*::measured_loop", "--dump-after=*measured_loop*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(words)
        .env(ITERATIONS, COUNT.to_string())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("valgrind cannot be started ({error})"))?;
    if !status.success() {
        return Err(format!("valgrind: {status}"));
    }
    let mut dumps = (2..).step_by(2);
    let mut total = || {
        let dump = PathBuf::from(format!("{}.{}", out.display(), dumps.next().unwrap_or(0)));
        total(&dump)
    };
    let rows = benches.iter().map(|bench| {
        let things = f64::from(bench.iterations(COUNT)) * f64::from(bench.things);
        let mut total = || total().map(|total| total / things);
        let cells = bench.contenders.iter();
        cells.map(|contender| contender.is_able().then(&mut total).transpose()).collect()
    });
    rows.collect()
}

/// A new folder beside the program, below target.
fn folder(program: &Path) -> Result<PathBuf, String> {
    let folder = program.with_extension("callgrind");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The instructions of one dump.
fn total(dump: &Path) -> Result<f64, String> {
    let text = std::fs::read_to_string(dump).map_err(|error| format!("{}: {error}", dump.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| format!("{}: no totals", dump.display()))
}
