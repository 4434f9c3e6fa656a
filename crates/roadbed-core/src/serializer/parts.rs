//! Checks on encoded args and kwargs, without decoding them.

use bytes::{Bytes, BytesMut};

use super::cbor::{CborReader, CborWriter};
use super::json::{JsonReader, JsonWriter, check_binary};
use super::msgpack::{MsgPackReader, MsgPackWriter};
use super::{Kind, Malformed, ReadError, Reader, Serializer, Writer};

/// Calls a function that is generic over [`Reader`] with the reader of one format.
macro_rules! read_with {
    ($serializer:expr, $function:ident($bytes:expr $(, $argument:expr)*)) => {
        match $serializer {
            Serializer::Json => $function::<JsonReader<'_>>($bytes $(, $argument)*),
            Serializer::MsgPack => $function::<MsgPackReader<'_>>($bytes $(, $argument)*),
            Serializer::Cbor => $function::<CborReader<'_>>($bytes $(, $argument)*),
        }
    };
}

/// Checks that `bytes` is one well-formed list, nested at most `depth` levels.
pub(crate) fn check_list(serializer: Serializer, bytes: &Bytes, depth: usize) -> Result<(), ReadError> {
    fn check<'a, R: Reader<'a>>(bytes: &'a Bytes, depth: usize) -> Result<(), ReadError> {
        let mut reader = R::new(bytes, depth);
        let start = reader.value_start();
        reader.list()?;
        reader.rewind(start);
        reader.skip(0)?;
        reader.finish()
    }
    read_with!(serializer, check(bytes, depth))?;
    check_text(serializer, bytes)
}

/// Checks that `bytes` is one well-formed dict whose keys are text, nested at most `depth` levels.
pub(crate) fn check_dict(serializer: Serializer, bytes: &Bytes, depth: usize) -> Result<(), ReadError> {
    fn check<'a, R: Reader<'a>>(bytes: &'a Bytes, depth: usize) -> Result<(), ReadError> {
        let mut reader = R::new(bytes, depth);
        let start = reader.value_start();
        let mut dict = reader.dict()?;
        if depth == 0 {
            return Err(ReadError::new(start, Malformed::TooDeep { limit: depth }));
        }
        while reader.more(&mut dict)? {
            reader.key()?;
            reader.skip(1)?;
        }
        reader.finish()
    }
    read_with!(serializer, check(bytes, depth))?;
    check_text(serializer, bytes)
}

/// What passes in JSON as text and would be no value to its reader.
fn check_text(serializer: Serializer, bytes: &Bytes) -> Result<(), ReadError> {
    if serializer == Serializer::Json { check_binary(bytes) } else { Ok(()) }
}

/// The type of an encoded value, as far as it can be seen at its beginning.
pub(crate) fn kind(serializer: Serializer, bytes: &Bytes) -> Result<Kind, ReadError> {
    fn kind<'a, R: Reader<'a>>(bytes: &'a Bytes) -> Result<Kind, ReadError> {
        R::new(bytes, 0).kind()
    }
    read_with!(serializer, kind(bytes))
}

/// Whether an encoded value is a list or dict without entries, or null, which some peers write instead.
pub(crate) fn is_nothing(serializer: Serializer, bytes: &Bytes) -> bool {
    fn check<'a, R: Reader<'a>>(bytes: &'a Bytes) -> Result<bool, ReadError> {
        let mut reader = R::new(bytes, 0);
        let mut seq = match reader.kind()? {
            Kind::Null => return Ok(true),
            Kind::List => reader.list()?,
            Kind::Dict => reader.dict()?,
            _ => return Ok(false),
        };
        Ok(!reader.more(&mut seq)?)
    }
    read_with!(serializer, check(bytes)).unwrap_or(false)
}

/// The element of an encoded list at `index`, or how many elements there are.
pub(crate) fn element(
    serializer: Serializer,
    list: &Bytes,
    index: usize,
) -> Result<Result<Bytes, usize>, ReadError> {
    fn find<'a, R: Reader<'a>>(list: &'a Bytes, index: usize) -> Result<Result<Bytes, usize>, ReadError> {
        let mut reader = R::new(list, crate::limits::MAX_DEPTH);
        let mut seq = reader.list()?;
        let mut count = 0_usize;
        while reader.more(&mut seq)? {
            let start = reader.value_start();
            reader.skip(1)?;
            if count == index {
                return Ok(Ok(reader.slice(start..reader.offset())));
            }
            count = count.saturating_add(1);
        }
        Ok(Err(count))
    }
    read_with!(serializer, find(list, index))
}

/// Encodes one binary value.
pub(crate) fn encode_binary(serializer: Serializer, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    match serializer {
        Serializer::Json => JsonWriter::new(&mut out).binary(bytes),
        Serializer::MsgPack => MsgPackWriter::new(&mut out).binary(bytes),
        Serializer::Cbor => CborWriter::new(&mut out).binary(bytes),
    }
    out.freeze()
}
