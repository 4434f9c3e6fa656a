//! Writing canonical MessagePack.

use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::super::Writer;
use super::*;

/// A [`Writer`] of MessagePack: shortest forms only. Lengths above 32 bits, which the format cannot
/// express, are the caller's to refuse.
#[derive(Debug)]
pub(crate) struct MsgPackWriter<'o> {
    out: &'o mut BytesMut,
}

impl MsgPackWriter<'_> {
    #[inline(always)]
    fn put8(&mut self, marker: u8, value: u8) {
        self.out.extend_from_slice(&[marker, value]);
    }

    #[inline(always)]
    fn put16(&mut self, marker: u8, value: u16) {
        let [a, b] = value.to_be_bytes();
        self.out.extend_from_slice(&[marker, a, b]);
    }

    #[inline(always)]
    fn put32(&mut self, marker: u8, value: u32) {
        let [a, b, c, d] = value.to_be_bytes();
        self.out.extend_from_slice(&[marker, a, b, c, d]);
    }

    #[inline(always)]
    fn put64(&mut self, marker: u8, value: u64) {
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        self.out.extend_from_slice(&[marker, a, b, c, d, e, f, g, h]);
    }

    /// The head of a container: up to 15 entries in the marker, else 16 or 32 bits.
    #[inline]
    fn container(&mut self, fix: u8, wide: u8, len: usize) {
        match u16::try_from(len) {
            Ok(len @ 0..16) => self.out.extend_from_slice(&[fix | low_byte(len)]),
            Ok(len) => self.put16(wide, len),
            Err(_) => self.put32(wide.wrapping_add(1), saturate(len)),
        }
    }

    /// A length of 8, 16 or 32 bits, in the family whose first member is `first`.
    #[inline]
    fn length(&mut self, first: u8, len: usize) {
        if let Ok(len) = u8::try_from(len) {
            self.put8(first, len);
        } else if let Ok(len) = u16::try_from(len) {
            self.put16(first.wrapping_add(1), len);
        } else {
            self.put32(first.wrapping_add(2), saturate(len));
        }
    }
}

impl<'o> Writer<'o> for MsgPackWriter<'o> {
    #[inline]
    fn new(out: &'o mut BytesMut) -> Self {
        Self { out }
    }

    #[inline]
    fn position(&self) -> usize {
        self.out.len()
    }

    #[inline]
    fn list(&mut self, len: usize) {
        self.container(FIXARRAY, ARRAY16, len);
    }

    #[inline]
    fn end_list(&mut self) {}

    #[inline]
    fn dict(&mut self, len: usize) {
        self.container(FIXMAP, MAP16, len);
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.text(key);
    }

    #[inline]
    fn end_dict(&mut self) {}

    fn correct_len(&mut self, head: Range<usize>, is_dict: bool, len: usize) {
        let body = self.out.get(head.end..).unwrap_or_default().to_vec();
        self.out.truncate(head.start);
        if is_dict {
            self.dict(len);
        } else {
            self.list(len);
        }
        self.out.extend_from_slice(&body);
    }

    #[inline]
    fn null(&mut self) {
        self.out.extend_from_slice(&[NIL]);
    }

    #[inline]
    fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(&[if value { TRUE } else { FALSE }]);
    }

    #[inline]
    fn u64(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value < FIXMAP {
                self.out.extend_from_slice(&[value]);
            } else {
                self.put8(UINT8, value);
            }
        } else if let Ok(value) = u16::try_from(value) {
            self.put16(UINT16, value);
        } else if let Ok(value) = u32::try_from(value) {
            self.put32(UINT32, value);
        } else {
            self.put64(UINT64, value);
        }
    }

    fn i64(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.u64(value);
        } else if let Ok(value) = i8::try_from(value) {
            if value >= -32 {
                self.out.extend_from_slice(&[value.cast_unsigned()]);
            } else {
                self.put8(INT8, value.cast_unsigned());
            }
        } else if let Ok(value) = i16::try_from(value) {
            self.put16(INT16, value.cast_unsigned());
        } else if let Ok(value) = i32::try_from(value) {
            self.put32(INT32, value.cast_unsigned());
        } else {
            self.put64(INT64, value.cast_unsigned());
        }
    }

    fn f64(&mut self, value: f64) {
        match super::super::binary::narrow(value) {
            Some(bits) => self.put32(FLOAT32, bits),
            None => self.put64(FLOAT64, value.to_bits()),
        }
    }

    #[inline]
    fn text(&mut self, value: &str) {
        match u8::try_from(value.len()) {
            Ok(len @ 0..32) => self.out.extend_from_slice(&[FIXSTR | len]),
            _ => self.length(STR8, value.len()),
        }
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn binary(&mut self, value: &[u8]) {
        self.length(BIN8, value.len());
        self.out.extend_from_slice(value);
    }

    #[inline]
    fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    #[inline]
    fn skip_raw(&mut self, _value: &Bytes) {}
}

const fn low_byte(value: u16) -> u8 {
    let [_, low] = value.to_be_bytes();
    low
}

fn saturate(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
