//! Decisions read from fuzz input.

/// Reads decisions off the front of fuzz input. At its end everything is zero, so that cutting an input
/// short leaves a meaningful beginning of the same test.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    /// Decisions from `data`.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether everything was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                byte
            }
            None => 0,
        }
    }

    /// Whether a byte is odd.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `count`, which must not be 0. A byte is read, or two where one is not enough.
    pub fn below(&mut self, count: usize) -> usize {
        let wide = if count > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (wide | usize::from(self.byte())) % count
    }

    /// One of `choices`, which must not be empty.
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number of any size; small ones are likely.
    pub fn number(&mut self) -> u64 {
        let bytes = self.byte() & 7;
        (0..=bytes).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// Up to so many bytes: a length byte, or two, and then the bytes as far as there are.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let len = self.below(max + 1).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes
    }

    /// What was not read yet.
    pub const fn rest(self) -> &'a [u8] {
        self.rest
    }
}
