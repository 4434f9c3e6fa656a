mod grammar;
mod oracle;
mod reading;
mod writing;

use alloc::vec::Vec;

use bytes::Bytes;

use super::JsonReader;
use crate::serializer::{Malformed, ReadError, Reader};

/// Passes over one text with the default depth.
fn skip(input: impl AsRef<[u8]>) -> Result<(), ReadError> {
    skip_within(input, 64)
}

fn skip_within(input: impl AsRef<[u8]>, depth: usize) -> Result<(), ReadError> {
    let input = Bytes::copy_from_slice(input.as_ref());
    let mut reader = JsonReader::new(&input, depth);
    reader.skip(0)?;
    reader.finish()?;
    reader.blemish().map_or(Ok(()), Err)
}

fn fault(input: impl AsRef<[u8]>) -> (usize, Malformed) {
    let error = skip(input.as_ref()).expect_err(&alloc::string::String::from_utf8_lossy(input.as_ref()));
    (error.offset, error.kind)
}

/// Reads all of `input` with one method.
fn read<T>(
    input: impl AsRef<[u8]>,
    method: impl FnOnce(&mut JsonReader<'_>) -> Result<T, ReadError>,
) -> Result<T, Malformed> {
    let input = Bytes::copy_from_slice(input.as_ref());
    let mut reader = JsonReader::new(&input, 64);
    let value = method(&mut reader).map_err(|error| error.kind)?;
    reader.finish().map_err(|error| error.kind)?;
    Ok(value)
}

fn in_list(element: &[u8]) -> Vec<u8> {
    [b"[", element, b"]"].concat()
}
