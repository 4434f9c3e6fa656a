//! What the three envelope readers have in common: a pull reader over one message.
//!
//! A reader walks the bytes once, front to back, without recursion. It validates what it passes over
//! and never allocates for what it skips.

use alloc::borrow::Cow;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

/// The type of an encoded value, as far as WAMP tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `null`; also CBOR's `undefined` and the MessagePack extension that some peers write for it.
    Null,
    /// `true` or `false`.
    Bool,
    /// An integer, negative ones included.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// A list.
    List,
    /// A dictionary.
    Dict,
    /// Something only this format has: a MessagePack extension, a CBOR simple value.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::List => "a list",
            Self::Dict => "a dict",
            Self::Other => "a value of no WAMP type",
        })
    }
}

/// What is wrong with the bytes at some offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The message ends inside a value.
    #[error("the message ends inside a value")]
    UnexpectedEnd,
    /// A byte that cannot stand here.
    #[error("byte 0x{0:02x} cannot stand here")]
    UnexpectedByte(u8),
    /// Text that is not UTF-8.
    #[error("the text is not valid UTF-8")]
    InvalidUtf8,
    /// A JSON string with half of a surrogate pair.
    #[error("the string holds a lone surrogate")]
    LoneSurrogate,
    /// A JSON string with an unknown escape.
    #[error("the string holds an invalid escape")]
    InvalidEscape,
    /// A JSON string with a raw control character.
    #[error("the string holds an unescaped control character")]
    ControlCharacter,
    /// A JSON number that breaks the grammar.
    #[error("the number is malformed")]
    InvalidNumber,
    /// A number outside i64, u64 and finite f64, or an integer outside the range asked for.
    #[error("the number is out of range")]
    NumberOutOfRange,
    /// An integer that is no id.
    #[error("{0} is not an id (1 to 2^53)")]
    InvalidId(u64),
    /// More containers inside each other than [`Limits::depth`](crate::limits::Limits::depth) allows.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// More bytes or entries than a limit allows.
    #[error("{what} has {found} {unit}, the limit is {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Size found; at least this much.
        found: usize,
        /// The limit in force.
        limit: usize,
        /// `bytes` or `entries`.
        unit: &'static str,
    },
    /// A value of another type than this place takes.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the place takes.
        expected: &'static str,
        /// What stands there.
        found: Kind,
    },
    /// An integer below 0 where none is taken.
    #[error("expected a non-negative integer, found a negative one")]
    Negative,
    /// A value of the right type that is none of those this place takes.
    #[error("expected {expected}, found another value")]
    UnknownValue {
        /// The values allowed.
        expected: &'static str,
    },
    /// A dict key that is not text.
    #[error("a dict key is {0}, only text is allowed")]
    NonTextKey(Kind),
    /// A dict key that stands twice.
    #[error("the key stands twice")]
    DuplicateKey,
    /// A required key that is missing.
    #[error("the key {0:?} is missing")]
    MissingKey(&'static str),
    /// `NaN`, `Infinity` or `-Infinity` in JSON, which has no such numbers.
    #[error("NaN and infinities are not JSON")]
    NonFinite,
    /// A JSON string that begins with NUL and is not base64 behind it.
    #[error("the binary string is not valid base64")]
    InvalidBinary,
    /// Bytes behind the end of the message.
    #[error("{count} {} the end of the message", if *count == 1 { "byte follows" } else { "bytes follow" })]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

impl Malformed {
    /// Whether the bytes were well-formed and only the value was not what this place takes. Reading
    /// can go on behind such a value, so that a request can be answered instead of aborted.
    pub(crate) const fn is_unsuitable(&self) -> bool {
        matches!(
            self,
            Self::WrongType { .. }
                | Self::Negative
                | Self::UnknownValue { .. }
                | Self::InvalidId(_)
                | Self::NumberOutOfRange
                | Self::NonFinite
                | Self::LoneSurrogate
                | Self::InvalidUtf8
                | Self::MissingKey(_)
                | Self::TooLong { .. }
        )
    }

    /// Whether text stood there that is no URI, or of which no peer can be given anything.
    pub(crate) const fn is_text_that_does_not_fit(&self) -> bool {
        matches!(
            self,
            Self::TooLong { .. } | Self::UnknownValue { .. } | Self::InvalidUtf8 | Self::LoneSurrogate
        )
    }

    /// Whether a dict key was well-formed and only no text.
    pub(crate) const fn is_bad_key(&self) -> bool {
        matches!(self, Self::NonTextKey(_) | Self::InvalidUtf8 | Self::LoneSurrogate)
    }
}

/// A [`Malformed`] and where it was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {kind}")]
pub struct ReadError {
    /// Offset in bytes from the start of the input.
    pub offset: usize,
    /// What is wrong there.
    pub kind: Malformed,
}

impl ReadError {
    pub(crate) const fn new(offset: usize, kind: Malformed) -> Self {
        Self { offset, kind }
    }
}

/// A value that holds no others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// An integer from 0 to 2^64 − 1.
    Unsigned(u64),
    /// An integer below 0.
    Negative(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
}

impl Scalar<'_> {
    /// The number that it is.
    pub(crate) const fn number(&self) -> Option<Number> {
        match *self {
            Self::Unsigned(value) => Some(Number::Unsigned(value)),
            Self::Negative(value) => Some(Number::Negative(value)),
            Self::Float(value) => Some(Number::Float(value)),
            _ => None,
        }
    }
}

/// A [`Scalar`] that is a number, in a few bytes: lists hold many of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

impl From<Number> for Scalar<'_> {
    #[inline]
    fn from(number: Number) -> Self {
        match number {
            Number::Unsigned(value) => Self::Unsigned(value),
            Number::Negative(value) => Self::Negative(value),
            Number::Float(value) => Self::Float(value),
        }
    }
}

/// Progress through one list or dict. `remaining` is `None` where the format does not say the length
/// beforehand (JSON, CBOR's indefinite lengths).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seq {
    pub(crate) remaining: Option<usize>,
    pub(crate) is_first: bool,
    pub(crate) is_dict: bool,
}

/// A pull reader over one encoded message.
///
/// After an error the position is unspecified, except that [`kind`](Self::kind) and the typed reads
/// consume nothing when they report [`Malformed::WrongType`].
pub(crate) trait Reader<'a>: Sized {
    /// Reads `input`; containers may nest `depth` levels where [`skip`](Self::skip) passes over them.
    fn new(input: &'a Bytes, depth: usize) -> Self;

    /// Offset of the next unread byte (JSON: white space may stand before the next value).
    fn offset(&self) -> usize;

    /// Goes back to an offset that [`offset`](Self::offset) returned before a value.
    fn rewind(&mut self, offset: usize);

    /// A part of the input, shared. For JSON the caller passes offsets taken by
    /// [`value_start`](Self::value_start) and [`offset`](Self::offset), so no white space is included.
    fn slice(&self, range: Range<usize>) -> Bytes;

    /// Offset of the first byte of the next value; passes over white space.
    fn value_start(&mut self) -> usize;

    /// The type of the next value, which is not consumed. CBOR tags before it are passed over (not
    /// consumed).
    fn kind(&mut self) -> Result<Kind, ReadError>;

    /// Opens a list. `WrongType { expected: "a list" }` when the next value is something else.
    fn list(&mut self) -> Result<Seq, ReadError>;

    /// Opens a dict. `WrongType { expected: "a dict" }` when the next value is something else.
    fn dict(&mut self) -> Result<Seq, ReadError>;

    /// Whether another entry follows. If so the reader stands before its value (list) or key (dict);
    /// if not it stands behind the container.
    fn more(&mut self, seq: &mut Seq) -> Result<bool, ReadError>;

    /// Reads a dict key, which must be text ([`Malformed::NonTextKey`]); the reader then stands before
    /// the entry's value.
    fn key(&mut self) -> Result<Cow<'a, str>, ReadError>;

    /// Reads `true` or `false`; integers are no booleans.
    fn bool(&mut self) -> Result<bool, ReadError>;

    /// Reads a non-negative integer of any width. Floats, negatives and booleans are `WrongType {
    /// expected: "a non-negative integer" }`.
    fn u64(&mut self) -> Result<u64, ReadError>;

    /// Reads text, sharing the input where nothing had to be unescaped. Binary that is valid UTF-8 is
    /// taken for text in the binary formats, since some peers write it in options.
    fn text(&mut self) -> Result<ByteString, ReadError>;

    /// Reads a number as [`scalar`](Self::scalar) does; consumes nothing where none is next.
    fn number(&mut self) -> Result<Option<Number>, ReadError>;

    /// Reads any value that is no container, for [`Value`](crate::value::Value)s and transcoding.
    /// JSON strings that begin with NUL become binary; CBOR tags are dropped, except that bignums
    /// become integers where they fit and are `NumberOutOfRange` where they do not.
    fn scalar(&mut self) -> Result<Scalar<'a>, ReadError>;

    /// Passes over one value of any type and validates it: well-formed, no more than `depth - outer`
    /// levels deep. `outer` counts the containers already open that belong to the same payload. Never
    /// recurses, never allocates beyond a small stack bounded by the depth limit. Of what no peer can be
    /// given the first is noted as [`blemish`](Self::blemish).
    fn skip(&mut self, outer: usize) -> Result<(), ReadError>;

    /// Passes over a dict key of any type, as [`skip`](Self::skip) over a value; the reader then stands
    /// before the entry's value.
    fn skip_key(&mut self, outer: usize) -> Result<(), ReadError>;

    /// Passes over all entries of a list that has just been opened, is not empty, and begins a payload;
    /// validates them as [`skip`](Self::skip) does.
    fn skip_entries(&mut self, seq: Seq) -> Result<(), ReadError>;

    /// Takes the first thing passed over that is framed well and still nothing a peer can be given: text
    /// that is not UTF-8, JSON's binary without base64, `NaN` and infinities as JSON tokens.
    fn blemish(&mut self) -> Option<ReadError>;

    /// What makes the value at `offset`, where one has begun, foreign to other formats, if its first bytes say so:
    /// a tag, `undefined`.
    fn oddity_at(&self, offset: usize) -> Option<&'static str>;

    /// Levels that containers may nest where this reader passes over them.
    fn depth(&self) -> usize;

    /// Checks that nothing (JSON: nothing but white space) follows.
    fn finish(&mut self) -> Result<(), ReadError>;
}
