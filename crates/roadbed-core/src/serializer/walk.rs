//! Walking over a value of any format without recursion.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use bytestring::ByteString;

use super::lengths::Lengths;
use super::{Kind, Malformed, ReadError, Reader, Scalar, Seq};
use crate::value::{Dict, Value};

/// What comes next in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A list or dict begins. `len` is `None` where the format does not say it beforehand.
    Open { is_dict: bool, len: Option<usize> },
    /// The innermost list or dict ends; it had so many entries.
    Close { is_dict: bool, entries: usize },
    /// A dict key, which the caller reads.
    Key,
    /// A value that holds no others, which the caller reads.
    Leaf,
    /// The whole value has been walked over.
    Done,
}

/// A walk over one value: it opens and closes containers, its caller reads what is in them.
#[derive(Debug)]
pub(crate) struct Walk<R> {
    pub(crate) reader: R,
    open: Vec<Open>,
    /// Levels allowed here, and the limit that errors name.
    levels: usize,
    depth: usize,
    /// The next thing is a value: the first one, or the one that belongs to the last key.
    is_value_due: bool,
    start: usize,
}

#[derive(Debug)]
struct Open {
    seq: Seq,
    entries: usize,
}

impl<'a, R: Reader<'a>> Walk<R> {
    /// Walks over the reader's next value. `outer` containers are open around it, `depth` are allowed.
    pub(crate) fn new(reader: R, depth: usize, outer: usize) -> Self {
        let levels = depth.saturating_sub(outer);
        Self { reader, open: Vec::new(), levels, depth, is_value_due: true, start: 0 }
    }

    /// Containers open in this walk.
    pub(crate) fn height(&self) -> usize {
        self.open.len()
    }

    /// Offset of the value that the last [`Step::Open`] or [`Step::Leaf`] spoke of, tags included.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Passes over what [`Step::Leaf`] spoke of.
    pub(crate) fn skip(&mut self) -> Result<(), ReadError> {
        self.reader.skip(self.outer())
    }

    /// Passes over what [`Step::Key`] spoke of.
    pub(crate) fn skip_key(&mut self) -> Result<(), ReadError> {
        self.reader.skip_key(self.outer())
    }

    fn outer(&self) -> usize {
        self.depth.saturating_sub(self.levels).saturating_add(self.open.len())
    }

    /// Goes on. What [`Step::Key`] and [`Step::Leaf`] spoke of must have been read before.
    pub(crate) fn step(&mut self) -> Result<Step, ReadError> {
        if !mem::take(&mut self.is_value_due) {
            let Some(Open { seq, entries }) = self.open.last_mut() else { return Ok(Step::Done) };
            let is_dict = seq.is_dict;
            if !self.reader.more(seq)? {
                let entries = *entries;
                self.open.pop();
                return Ok(Step::Close { is_dict, entries });
            }
            // No more entries than bytes.
            *entries = entries.wrapping_add(1);
            if is_dict {
                self.is_value_due = true;
                return Ok(Step::Key);
            }
        }
        self.start = self.reader.value_start();
        let seq = match self.reader.kind()? {
            Kind::List => self.reader.list()?,
            Kind::Dict => self.reader.dict()?,
            _ => return Ok(Step::Leaf),
        };
        if self.open.len() >= self.levels {
            return Err(ReadError::new(self.start, Malformed::TooDeep { limit: self.depth }));
        }
        self.open.push(Open { seq, entries: 0 });
        Ok(Step::Open { is_dict: seq.is_dict, len: seq.remaining })
    }
}

/// Decodes `input`, which must be one value and nothing else. Text and binary share the input where the
/// format holds them as they are.
///
/// In a dense format one byte can be an entry, so that room for it is made exactly, after counting where
/// the format does not say the length. In others the usual growth takes no more memory per byte.
pub(crate) fn decode_value<'a, R: Reader<'a>>(
    input: &'a Bytes,
    depth: usize,
    is_dense: bool,
) -> Result<Value, ReadError> {
    let mut reader = R::new(input, depth);
    // A look at the whole first: behind it every length is known to be true, so that making room for
    // what a container announces cannot be abused.
    reader.skip(0)?;
    reader.finish()?;
    reader.rewind(0);
    build(&mut Walk::new(reader, depth, 0), input, depth, is_dense)
}

/// A list or dict whose end has not come yet.
enum Unfinished {
    List(Vec<Value>),
    Dict(Dict, ByteString),
}

fn build<'a, R: Reader<'a>>(
    walk: &mut Walk<R>,
    input: &'a Bytes,
    depth: usize,
    is_dense: bool,
) -> Result<Value, ReadError> {
    let mut lengths = Lengths::default();
    let mut open: Vec<Unfinished> = Vec::new();
    loop {
        let value = match walk.step()? {
            Step::Open { is_dict, len } => {
                let room = match len {
                    Some(len) => len,
                    None if is_dense => lengths.next(input, walk, depth)?,
                    None => 0,
                };
                open.push(if is_dict {
                    Unfinished::Dict(Dict::with_capacity(room), ByteString::new())
                } else {
                    Unfinished::List(Vec::with_capacity(room))
                });
                continue;
            }
            Step::Key => {
                let name = walk.reader.key()?;
                if let Some(Unfinished::Dict(_, key)) = open.last_mut() {
                    *key = match name {
                        Cow::Borrowed(name) => share(input, name),
                        Cow::Owned(name) => name.into(),
                    };
                }
                continue;
            }
            Step::Leaf => leaf(walk.reader.scalar()?, input),
            Step::Close { .. } | Step::Done => match open.pop() {
                Some(Unfinished::List(values)) => Value::List(values),
                Some(Unfinished::Dict(dict, _)) => Value::Dict(dict),
                None => return Err(ReadError::new(walk.reader.offset(), Malformed::UnexpectedEnd)),
            },
        };
        match open.last_mut() {
            Some(Unfinished::List(values)) => values.push(value),
            Some(Unfinished::Dict(dict, key)) => dict.push(mem::take(key), value),
            None => return Ok(value),
        }
    }
}

fn leaf(scalar: Scalar<'_>, input: &Bytes) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Unsigned(value) => Value::Unsigned(value),
        Scalar::Negative(value) => Value::Integer(value),
        Scalar::Float(value) => Value::Float(value),
        Scalar::Text(Cow::Borrowed(text)) => Value::Text(share(input, text)),
        Scalar::Text(Cow::Owned(text)) => Value::Text(text.into()),
        Scalar::Binary(Cow::Borrowed(bytes)) => Value::Binary(input.slice_ref(bytes)),
        Scalar::Binary(Cow::Owned(bytes)) => Value::Binary(bytes.into()),
    }
}

/// Text that a reader borrowed from its input.
fn share(input: &Bytes, text: &str) -> ByteString {
    ByteString::try_from(input.slice_ref(text.as_bytes())).unwrap_or_default()
}
