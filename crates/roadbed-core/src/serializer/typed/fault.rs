//! Why a value cannot be read as a type, and where in it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::wording::{expectation, found_type, found_value};
use crate::serializer::ReadError;

/// What the value is that is read, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'p> {
    /// All arguments.
    Args,
    /// All keyword arguments.
    Kwargs,
    /// The argument at an index.
    Arg(usize),
    /// Anything else, by its name.
    Named(&'p str),
}

/// A way into a value.
#[derive(Debug)]
pub(super) enum Step {
    Element(usize),
    Key(String),
}

/// Why a value cannot be read. Small, since it is part of every result.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: String,
    /// From the inside out.
    steps: Vec<Step>,
}

impl Fault {
    #[cold]
    pub(super) fn new(reason: String) -> Self {
        Self(Box::new(Inner { reason, steps: Vec::new() }))
    }

    /// A value of another type than the one asked for.
    #[cold]
    pub(super) fn mismatch(expected: &dyn Expected, found: impl fmt::Display) -> Self {
        Self::new(format!("expected {}, found {found}", expectation(expected)))
    }

    /// A list of another length.
    #[cold]
    pub(super) fn length(expected: usize, what: &str, found: impl fmt::Display) -> Self {
        let plural = if expected == 1 { "" } else { "s" };
        Self::new(format!("expected {expected} {what}{plural}, found {found}"))
    }

    #[must_use]
    pub(super) fn inside(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// Where it is, as people say it: `argument 2`, `keyword argument "from"`, `argument 1[3].size`.
    pub(super) fn place(&self, root: Place<'_>) -> String {
        let mut steps = self.0.steps.iter().rev().peekable();
        let first = steps.peek().copied();
        let mut place = match (root, first) {
            (Place::Args, Some(Step::Element(index))) => {
                steps.next();
                format!("argument {}", index.saturating_add(1))
            }
            (Place::Kwargs, Some(Step::Key(key))) => {
                steps.next();
                format!("keyword argument {key:?}")
            }
            (Place::Args, _) => "arguments".to_string(),
            (Place::Kwargs, _) => "keyword arguments".to_string(),
            (Place::Arg(index), _) => format!("argument {}", index.saturating_add(1)),
            (Place::Named(name), _) => name.to_string(),
        };
        for step in steps {
            place.push_str(&match step {
                Step::Element(index) => format!("[{index}]"),
                Step::Key(key) => format!(".{}", key.escape_debug()),
            });
        }
        place
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl core::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, found_type(&found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, found_value(&found))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, found)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("expected one of {}, found {found:?}", Names(expected)))
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("the key {found:?} is none of {}", Names(expected)))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(format!("the key {name:?} is missing"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(format!("the key {name:?} stands twice"))
    }
}

impl From<ReadError> for Fault {
    #[cold]
    fn from(error: ReadError) -> Self {
        Self::new(error.kind.to_string())
    }
}

struct Names(&'static [&'static str]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{name:?}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
