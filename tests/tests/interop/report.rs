//! What came of it: a table with a row for each pair of peers and transport, a column for each serializer.

use std::any::Any;
use std::fmt;

/// What a peer and Roadbed did together over one transport.
#[derive(Debug)]
pub(crate) struct Row {
    /// Which foreign peer, and what it was to Roadbed.
    pub(crate) peer: &'static str,
    /// Which part of Roadbed.
    pub(crate) subject: String,
    pub(crate) transport: &'static str,
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    /// What is left of a job that panicked.
    pub(crate) fn broken(subject: String, panic: &(dyn Any + Send)) -> Self {
        let failures = vec![text_of(panic).to_owned()];
        let cell = Cell { failures, ..Cell::new("-", 0) };
        Self { peer: "broken off", subject, transport: "-", cells: vec![cell] }
    }
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

/// What they did in one serializer, or in two.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) serializer: &'static str,
    pub(crate) passed: usize,
    /// How many scenarios there have to be; one that is lost is as bad as one that fails.
    pub(crate) wanted: usize,
    pub(crate) failures: Vec<String>,
}

impl Cell {
    pub(crate) const fn new(serializer: &'static str, wanted: usize) -> Self {
        Self { serializer, passed: 0, wanted, failures: Vec::new() }
    }

    fn is_good(&self) -> bool {
        self.failures.is_empty() && self.passed == self.wanted
    }
}

/// All rows.
pub(crate) struct Report(Vec<Row>);

impl Report {
    pub(crate) fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by_key(|row| (row.peer, row.subject.clone(), row.transport));
        Self(rows)
    }

    fn cells(&self) -> impl Iterator<Item = (&Row, &Cell)> {
        self.0.iter().flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
    }

    /// Panics unless there are so many rows, and everything in them went well.
    pub(crate) fn check(&self, rows: usize) {
        let mut trouble = String::new();
        for (row, cell) in self.cells().filter(|(_, cell)| !cell.is_good()) {
            let Row { peer, subject, transport, .. } = row;
            let Cell { serializer, passed, wanted, failures } = cell;
            trouble.push_str(&format!(
                "{peer}, {subject}, {transport}, {serializer}: {passed} of {wanted} passed\n"
            ));
            failures.iter().for_each(|failure| trouble.push_str(&format!("    {failure}\n")));
        }
        assert!(trouble.is_empty(), "\n{trouble}");
        assert_eq!(self.0.len(), rows, "rows of the table");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = None;
        for row in &self.0 {
            let serializers: Vec<&str> = row.cells.iter().map(|cell| cell.serializer).collect();
            if head.as_ref() != Some(&(row.peer, serializers.clone())) {
                writeln!(f, "{:<44}  {}", row.peer, serializers.join("  "))?;
                head = Some((row.peer, serializers));
            }
            write!(f, "    {:<34}{:<6}", row.subject, row.transport)?;
            for cell in &row.cells {
                let text = if cell.is_good() {
                    cell.passed.to_string()
                } else {
                    format!("{} of {}!", cell.passed, cell.wanted)
                };
                write!(f, "  {text:<width$}", width = cell.serializer.len())?;
            }
            writeln!(f)?;
        }
        let passed: usize = self.cells().map(|(_, cell)| cell.passed).sum();
        let wanted: usize = self.cells().map(|(_, cell)| cell.wanted).sum();
        write!(f, "{passed} of {wanted} scenarios passed, in {} rows", self.0.len())
    }
}
