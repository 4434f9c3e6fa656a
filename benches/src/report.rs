//! Tables.

use std::io::Write;

use crate::harness::Bench;

/// One contender's cell: its cost, and how many times that of the first contender it is.
struct Cell {
    cost: f64,
    ratio: f64,
}

/// Measures and prints, row by row.
pub(crate) fn times(benches: Vec<Bench>) {
    println!("ns: the fastest of the rounds (~ns: their median); ×: ratio to the first column.");
    let mut group = "";
    for mut bench in benches {
        if bench.group != group {
            group = bench.group;
            head(&bench, "ns", &["~ns", "GB/s"]);
        }
        let turns = bench.measure();
        let ours = turns.first().cloned().flatten().unwrap_or_default();
        let cells = turns.into_iter().map(|turns| {
            let cost = fastest(&turns?);
            Some(Cell { cost, ratio: cost / fastest(&ours) })
        });
        let speed = bench.bytes as f64 / fastest(&ours);
        row(&bench, &[figure(median(ours.clone())), format!("{speed:.2}")], cells.collect());
    }
}

/// Prints what was counted.
pub(crate) fn instructions(benches: &[Bench], counts: &[Vec<Option<f64>>]) {
    println!("instr: instructions of one iteration; ×: ratio to the first column.");
    let mut group = "";
    for (bench, counts) in benches.iter().zip(counts) {
        if bench.group != group {
            group = bench.group;
            head(bench, "instr", &["per byte"]);
        }
        let ours = counts.first().copied().flatten().unwrap_or(f64::NAN);
        let cells = counts.iter().map(|count| count.map(|cost| Cell { cost, ratio: cost / ours }));
        row(bench, &[format!("{:.3}", ours / bench.bytes as f64)], cells.collect());
    }
}

fn head(bench: &Bench, unit: &str, more: &[&str]) {
    let mut line = format!("\n{:<32}{:>7}", bench.group, "bytes");
    for (at, contender) in bench.contenders.iter().enumerate() {
        let name = format!("{} {unit}", contender.name);
        if at == 0 {
            line += &format!("{name:>15}");
            more.iter().for_each(|title| line += &format!("{title:>9}"));
        } else {
            line += &format!(" │{name:>19}{:>8}", "×");
        }
    }
    println!("{line}");
}

fn row(bench: &Bench, more: &[String], cells: Vec<Option<Cell>>) {
    let mut line = format!("{:<32}{:>7}", bench.name, bench.bytes);
    for (at, cell) in cells.into_iter().enumerate() {
        let cost = cell.as_ref().map_or_else(|| "n/a".to_owned(), |cell| figure(cell.cost));
        if at == 0 {
            line += &format!("{cost:>15}");
            more.iter().for_each(|figure| line += &format!("{figure:>9}"));
        } else {
            let ratio = cell.map_or_else(String::new, |cell| format!("{:.1}", cell.ratio));
            line += &format!(" │{cost:>19}{ratio:>8}");
        }
    }
    println!("{line}");
    let _ = std::io::stdout().flush();
}

fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn fastest(turns: &[f64]) -> f64 {
    turns.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
