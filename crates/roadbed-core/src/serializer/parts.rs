//! Checks on encoded args and kwargs, without decoding them.

use bytes::{Bytes, BytesMut};

use super::keys::skip_kwargs;
use super::{Kind, Malformed, ReadError, Reader, Serializer, Writer};

/// Checks that `bytes` is one well-formed list, nested at most `depth` levels, that a peer can be given.
pub(crate) fn check_list(serializer: Serializer, bytes: &Bytes, depth: usize) -> Result<(), ReadError> {
    fn check<'a, R: Reader<'a>>(bytes: &'a Bytes, depth: usize) -> Result<(), ReadError> {
        let mut reader = R::new(bytes, depth);
        let start = reader.value_start();
        reader.list()?;
        reader.rewind(start);
        reader.skip(0)?;
        reader.finish()?;
        reader.blemish().map_or(Ok(()), Err)
    }
    with_format!(serializer, (Reader, _Writer) => check::<Reader<'_>>(bytes, depth))
}

/// Checks that `bytes` is one well-formed dict whose keys are text, each once, nested at most `depth`
/// levels, that a peer can be given.
pub(crate) fn check_dict(serializer: Serializer, bytes: &Bytes, depth: usize) -> Result<(), ReadError> {
    fn check<'a, R: Reader<'a>>(bytes: &'a Bytes, depth: usize) -> Result<(), ReadError> {
        let mut reader = R::new(bytes, depth);
        let start = reader.value_start();
        let opened = reader.dict()?;
        if depth == 0 {
            return Err(ReadError::new(start, Malformed::TooDeep { limit: depth }));
        }
        let blemish = skip_kwargs(&mut reader, opened)?;
        reader.finish()?;
        blemish.map_or(Ok(()), Err)
    }
    with_format!(serializer, (Reader, _Writer) => check::<Reader<'_>>(bytes, depth))
}

/// The type of an encoded value, as far as it can be seen at its beginning.
pub(crate) fn kind(serializer: Serializer, bytes: &Bytes) -> Result<Kind, ReadError> {
    fn kind<'a, R: Reader<'a>>(bytes: &'a Bytes) -> Result<Kind, ReadError> {
        R::new(bytes, 0).kind()
    }
    with_format!(serializer, (Reader, _Writer) => kind::<Reader<'_>>(bytes))
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
    with_format!(serializer, (Reader, _Writer) => check::<Reader<'_>>(bytes)).unwrap_or(false)
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
    with_format!(serializer, (Reader, _Writer) => find::<Reader<'_>>(list, index))
}

/// Encodes one binary value.
pub(crate) fn encode_binary(serializer: Serializer, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    with_format!(serializer, (_Reader, Writer) => Writer::new(&mut out).binary(bytes));
    out.freeze()
}
