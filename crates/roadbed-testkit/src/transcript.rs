//! What happened in a run, to be compared with another run.

use std::fmt::{Debug, Write};

/// An ordered record of bytes and events. Two runs did the same exactly if their transcripts are equal.
///
/// ```
/// use roadbed_testkit::Transcript;
///
/// let run = |answer: u8| {
///     let mut transcript = Transcript::new();
///     transcript.bytes("to the router", b"question");
///     transcript.note("answer", &answer);
///     transcript
/// };
/// assert_eq!(run(1).digest(), run(1).digest());
/// let difference = run(1).first_difference(&run(2)).unwrap();
/// assert_eq!(difference, "entry 1: answer: 1, but answer: 2");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    entries: Vec<String>,
}

impl Transcript {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records bytes.
    pub fn bytes(&mut self, label: &str, bytes: &[u8]) {
        let mut entry = format!("{label}: {} bytes ", bytes.len());
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(entry, "{byte:02x}");
        }
        self.entries.push(entry);
    }

    /// Records anything that shows itself.
    pub fn note(&mut self, label: &str, what: &dyn Debug) {
        self.entries.push(format!("{label}: {what:?}"));
    }

    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A number that stands for the whole (FNV-1a, 64 bits). It is the same on every machine.
    pub fn digest(&self) -> u64 {
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        for entry in &self.entries {
            for byte in entry.bytes().chain(*b"\n") {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
            }
        }
        hash
    }

    /// Says where two transcripts part; `None` when they are equal.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        const END: &str = "the end";
        let count = self.len().max(other.len());
        let entry = |of: &Self, index: usize| of.entries.get(index).map_or(END, String::as_str).to_owned();
        let index = (0..count).find(|&index| self.entries.get(index) != other.entries.get(index))?;
        Some(format!("entry {index}: {}, but {}", entry(self, index), entry(other, index)))
    }
}
