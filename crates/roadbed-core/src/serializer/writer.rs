//! What the three canonical writers have in common.

use core::ops::Range;

use bytes::{Bytes, BytesMut};

/// A canonical writer: shortest forms, definite lengths, no white space, keys in the order given.
///
/// Writers trust their caller to write as many entries as announced.
pub(crate) trait Writer<'o>: Sized {
    /// Appends to `out`.
    fn new(out: &'o mut BytesMut) -> Self;

    /// Bytes in `out` so far, including what stood there before.
    fn position(&self) -> usize;

    fn list(&mut self, len: usize);
    fn end_list(&mut self);
    fn dict(&mut self, len: usize);
    fn key(&mut self, key: &str);
    fn end_dict(&mut self);

    /// Writes the head of a list or dict again, with another length: `head` is where it stands, everything
    /// behind that belongs to it. JSON has no lengths.
    fn correct_len(&mut self, head: Range<usize>, is_dict: bool, len: usize);

    fn null(&mut self);
    fn bool(&mut self, value: bool);
    fn u64(&mut self, value: u64);
    fn i64(&mut self, value: i64);
    /// Binary formats write the shortest float that keeps the value (MessagePack 32 or 64 bits, CBOR
    /// 32 or 64: many peers cannot read 16). JSON must not be given NaN or infinities.
    fn f64(&mut self, value: f64);
    fn text(&mut self, value: &str);
    /// JSON writes `"\u0000"` + base64.
    fn binary(&mut self, value: &[u8]);

    /// A value that is encoded in this format already.
    fn raw(&mut self, value: &[u8]);

    /// Prepares for a value in this format that the caller chains behind this buffer instead of
    /// copying it: writes the separator that belongs before it and counts it as written.
    fn skip_raw(&mut self, value: &Bytes);
}
