//! What came of it: a table with a row for each pair of peers and transport, a column for each serializer.

use std::any::Any;
use std::fmt;

use crate::ways::Way;

/// What a peer and Roadbed did together over one transport.
#[derive(Debug)]
pub(crate) struct Row {
    /// Which foreign peer, and what it was to Roadbed.
    pub(crate) peer: &'static str,
    /// Which part of Roadbed.
    pub(crate) subject: String,
    pub(crate) way: Way,
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    /// What is left of a job that panicked.
    pub(crate) fn broken(subject: String, panic: &(dyn Any + Send)) -> Self {
        let failures = vec![text_of(panic).to_owned()];
        let cell = Cell { failures, ..Cell::new("-", 0) };
        Self { peer: "broken off", subject, way: Way::Tcp, cells: vec![cell] }
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
        rows.sort_by_key(|row| (row.peer, row.subject.clone(), row.way));
        Self(rows)
    }

    fn cells(&self) -> impl Iterator<Item = (&Row, &Cell)> {
        self.0.iter().flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
    }

    /// Panics unless there are so many rows, and everything in them went well.
    pub(crate) fn check(&self, rows: usize) {
        let mut trouble = String::new();
        for (row, cell) in self.cells().filter(|(_, cell)| !cell.is_good()) {
            let (peer, subject, way) = (row.peer, &row.subject, row.way.name());
            let Cell { serializer, passed, wanted, failures } = cell;
            trouble
                .push_str(&format!("{peer}, {subject}, {way}, {serializer}: {passed} of {wanted} passed\n"));
            failures.iter().for_each(|failure| trouble.push_str(&format!("    {failure}\n")));
        }
        assert!(trouble.is_empty(), "\n{trouble}");
        assert_eq!(self.0.len(), rows, "rows of the table");
    }
}

/// The columns of these rows: every serializer in one of them.
fn columns(rows: &[Row]) -> Vec<&'static str> {
    let mut columns: Vec<&'static str> = Vec::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        if !columns.contains(&cell.serializer) {
            columns.push(cell.serializer);
        }
    }
    // Plain, batched, mixed.
    columns.sort_by_key(|name| (name.contains('+'), name.contains('.'), *name));
    columns
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rows in self.0.chunk_by(|one, next| one.peer == next.peer) {
            let columns = columns(rows);
            writeln!(f, "{:<42}  {}", rows[0].peer, columns.join("  "))?;
            for row in rows {
                write!(f, "    {:<30}{:<8}", row.subject, row.way.name())?;
                for column in &columns {
                    let cell = row.cells.iter().find(|cell| cell.serializer == *column);
                    let text = match cell {
                        None => "-".to_owned(),
                        Some(cell) if cell.is_good() => cell.passed.to_string(),
                        Some(cell) => format!("{} of {}!", cell.passed, cell.wanted),
                    };
                    write!(f, "  {text:<width$}", width = column.len())?;
                }
                writeln!(f)?;
            }
        }
        let passed: usize = self.cells().map(|(_, cell)| cell.passed).sum();
        let wanted: usize = self.cells().map(|(_, cell)| cell.wanted).sum();
        write!(f, "{passed} of {wanted} scenarios passed, in {} rows", self.0.len())
    }
}
